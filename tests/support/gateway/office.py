"""A team with a widget, asked through the gateway behind which all the services answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from libs.events.content import Channel, Content, Sender
from libs.events.ids import random_id
from libs.events.inbound import InboundReceived
from libs.runtime.kafka import outgoing
from tests.support.eventually import eventually
from tests.support.gateway.described import check
from tests.support.gateway.sockets import Socket
from tests.support.gateway.suite import Answer, Api, Member, Suite, Team, new_team
from tests.support.kafka import envelope


class Office:
    """A team with a widget, asked through the gateway behind which all the services answer."""

    def __init__(self, suite: Suite, team: Team, document: Any) -> None:
        self.suite = suite
        self.team = team
        self.document = document
        self.source_id = ""
        self.owner = self.of(team.owner)

    def of(self, member: Member) -> Api:
        return Api(self.suite.http, self.suite.replica_url, member.api.token)

    async def ask(
        self, who: Api, method: str, path: str, one: str = "", body: Any = None
    ) -> Answer:
        """The answer, which is one that the document declares."""
        answer = await who(method, path.replace("{id}", one), body)
        check(self.document, method.lower(), path.partition("?")[0], answer)
        return answer

    async def receive(self, text: str, thread: str = "") -> str:
        """A customer's message, as ingest tells it; the conversation's id."""
        now = datetime.now(UTC)
        conversation_id = thread or random_id("cnv")
        body = InboundReceived(
            cause=random_id("cau"),
            kind="message",
            direction="incoming",
            channel=Channel.WIDGET,
            source_id=self.source_id,
            conversation_id=conversation_id,
            thread=conversation_id,
            customer_id=random_id("cus"),
            sender=Sender(external_id="v1", name="Марія"),
            message_id=random_id("msg"),
            external_message_id="1",
            content=Content(text=text),
            occurred_at=now,
            received_at=now,
        )
        sent = outgoing(envelope(body, conversation_id, self.team.workspace_id))
        await self.suite.publisher.publish([sent])
        return conversation_id

    async def shown(self, conversation_id: str) -> Any:
        """The conversation, once it can be read."""

        async def look() -> Any:
            answer = await self.owner("GET", f"/v1/conversations/{conversation_id}")
            return answer.body if answer.status == 200 else None

        return await eventually(look)

    @asynccontextmanager
    async def live(self, member: Member) -> AsyncIterator[Socket]:
        async with self.suite.http.ws_connect(self.suite.replica_url + "/v1/live") as socket:
            await socket.send_json({"token": member.api.token})
            yield Socket(socket)


async def open_office(suite: Suite) -> Office:
    api = Api(suite.http, suite.url)
    team = await new_team(suite, api)
    office = Office(suite, team, (await api("GET", "/openapi.json")).body)
    source = {
        "channel": "widget",
        "name": "Shop",
        "location_id": team.location_id,
        "allowed_origins": ["https://shop.example"],
    }
    made = await office.ask(office.owner, "POST", "/v1/sources", body=source)
    assert made.body["webhook"] == {"registered": True, "url": made.body["webhook_url"]}
    office.source_id = made.body["source_id"]
    return office


async def until(socket: Socket, event: str) -> Any:
    """The next live event of the type."""
    while True:
        frame = await socket.next(20)
        if frame.get("event") == event:
            return frame


async def notified(socket: Socket, kind: str) -> Any:
    """The member's next notification of the kind."""
    while True:
        frame = await socket.next(20)
        if frame["type"] == "notification" and frame["notification"]["kind"] == kind:
            return frame["notification"]
