"""Live sockets as clients, and what is published for them to show."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp

from libs.events.content import Content
from libs.events.conversation.case import Audience, CaseFacts, ConversationEvent
from libs.events.conversation.message import Message, MessageReceived
from libs.runtime.kafka import outgoing
from tests.support.gateway.suite import Member, Suite, Team
from tests.support.kafka import envelope


class Socket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self, seconds: float = 10) -> Any:
        """The next frame that is not a ping; after a close, its code."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return self.socket.close_code
                frame = json.loads(message.data)
                if frame["type"] != "ping":
                    return frame

    async def is_quiet(self) -> bool:
        try:
            await self.next(0.3)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def live(
    suite: Suite, member: Member, cursor: str | None = None, *, url: str | None = None
) -> AsyncIterator[Socket]:
    async with suite.http.ws_connect((url or suite.url) + "/v1/live") as socket:
        await socket.send_json({"token": member.api.token, "cursor": cursor})
        yield Socket(socket)


async def ready(socket: Socket) -> str:
    frame = await socket.next()
    assert frame["type"] == "ready"
    return str(frame["cursor"])


def received(case: CaseFacts, before: Audience | None, after: Audience | None) -> MessageReceived:
    now = datetime.now(UTC)
    return MessageReceived(
        case=case,
        recorded_at=now,
        audience_before=before,
        audience_after=after,
        message=Message(
            message_id="msg_" + uuid.uuid4().hex[:8],
            direction="incoming",
            content=Content(text="Добрий день"),
            occurred_at=now,
        ),
        received_at=now,
        starts_turn=True,
    )


async def publish(suite: Suite, team: Team, *events: tuple[ConversationEvent, int]) -> None:
    """Events with their sequences, in this order."""
    await suite.publisher.publish(
        [
            outgoing(envelope(body, body.case.conversation_id, team.workspace_id, sequence))
            for body, sequence in events
        ]
    )


def a_case(team: Team, **fields: Any) -> CaseFacts:
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "case_id": "cas_" + uuid.uuid4().hex[:8],
        "conversation_id": "cnv_" + uuid.uuid4().hex[:8],
        "source_id": "src_1",
        "channel": "telegram",
        "location_id": team.location_id,
        "customer_id": "cus_1",
        "state": "new",
        "opened_at": now,
        "opened_by": "customer",
        **fields,
    }
    return CaseFacts(**given)


def audience(team: Team, **fields: Any) -> Audience:
    return Audience(**{"location_id": team.location_id, **fields})
