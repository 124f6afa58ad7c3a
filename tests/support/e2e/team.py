"""What the end-to-end tests do as a team and its customers: public interfaces only."""

import secrets
import string
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from libs.runtime.settings import load
from parley.bootstrap import BootstrapSettings, bootstrap_workspace
from parley.client import ApiClient
from parley.doubles.bot import Bot
from parley.doubles.bot_api import BotApiDouble
from parley.suite import Suite
from tests.support.eventually import eventually

Json = dict[str, Any]


async def _bootstrapped(suite: Suite, name: str, owner: str) -> tuple[str, str]:
    """A new workspace; its owner's e-mail and password."""
    workspace = {
        "name": name,
        "owner_name": owner,
        "owner_email": f"{owner.lower()}-{uuid.uuid4().hex[:8]}@example.com",
        "language": "en",
        "time_zone": "Europe/Kyiv",
    }
    made = await bootstrap_workspace(
        load(BootstrapSettings, suite.settings), suite.url("gateway"), workspace
    )
    return made.email, made.password or ""


class SignIn(NamedTuple):
    email: str
    password: str


class Company:
    """A workspace, its owner's client, and what they connect."""

    def __init__(self, suite: Suite, telegram: BotApiDouble, stack: AsyncExitStack) -> None:
        self.suite = suite
        self.telegram = telegram
        self.owner = ApiClient(suite.url("gateway"))
        self.me: Json = {}
        self._stack = stack

    @classmethod
    async def opened(cls, suite: Suite, telegram: BotApiDouble, stack: AsyncExitStack) -> Self:
        """In a workspace of its own, its owner signed in; ``stack`` closes what it opens."""
        company = cls(suite, telegram, stack)
        await stack.enter_async_context(company.owner)
        company.me = await company.owner.sign_in(*await _bootstrapped(suite, "Bakery", "Vitaly"))
        return company

    async def hire(self, name: str, role: str = "operator") -> tuple[ApiClient, str]:
        """A new member, signed in: their client and their id."""
        client, member_id, _ = await self.hired(name, role)
        return client, member_id

    async def hired(self, name: str, role: str = "operator") -> tuple[ApiClient, str, SignIn]:
        """The same, and with what they sign in."""
        member = await self.owner.post(
            "/v1/members",
            name=name,
            email=f"{name.lower()}-{uuid.uuid4().hex[:8]}@example.com",
            role=role,
        )
        client = await self._stack.enter_async_context(ApiClient(self.suite.url("gateway")))
        chosen = f"one of my own {uuid.uuid4().hex[:8]}"
        await client.sign_in_first(member["email"], member["password"], chosen)
        return client, member["member_id"], SignIn(member["email"], chosen)

    async def another_company(self) -> ApiClient:
        """The owner of a workspace that has nothing to do with this one, signed in."""
        client = await self._stack.enter_async_context(ApiClient(self.suite.url("gateway")))
        await client.sign_in(*await _bootstrapped(self.suite, "Other", "Stranger"))
        return client

    async def upload(self, name: str, content: bytes, media_type: str) -> Json:
        """A file that a message may carry."""
        url = f"{self.suite.url('gateway')}/v1/attachments?file_name={name}"
        headers = {"authorization": f"Bearer {self.me['token']}", "content-type": media_type}
        async with self.owner.session.post(url, data=content, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            uploaded: Json = await answer.json()
            return uploaded

    async def location_id(self) -> str:
        return str((await self.owner.get("/v1/locations"))["items"][0]["location_id"])

    async def connect_telegram(self) -> tuple[Bot, Json]:
        """A bot of this company's own, its webhook registered, and the source."""
        number = secrets.randbelow(10**9) + 10**9
        secret = "".join(secrets.choice(string.ascii_letters) for _ in range(35))
        bot = self.telegram.add_bot(f"{number}:{secret}")
        source = await self.owner.post(
            "/v1/sources",
            channel="telegram",
            name="Bot",
            location_id=await self.location_id(),
            credentials={"bot_token": bot.token},
        )
        assert source["webhook"]["registered"], source["webhook"]
        return bot, source

    async def connect_widget(self, origin: str) -> Json:
        source: Json = await self.owner.post(
            "/v1/sources",
            channel="widget",
            name="Site",
            location_id=await self.location_id(),
            allowed_origins=[origin],
        )
        return source

    async def writes(self, bot: Bot, person: Json, text: str, **content: Any) -> Json:
        """A person's private message, delivered to the webhook; the update."""
        message = bot.message_from(person, text=text, **content)
        update = bot.next_update("message", message)
        assert (await self.telegram.deliver(bot, update))[-1] == 200
        return update

    async def case_of(self, name: str, tab: str = "new", client: ApiClient | None = None) -> Json:
        """The conversation of the customer in a tab, as soon as it is there."""

        async def find() -> Json | None:
            page = await (client or self.owner).get("/v1/conversations", tab=tab)
            found = [one for one in page["items"] if one["customer"]["name"] == name]
            return found[0] if found else None

        return await eventually(find)

    async def timeline(self, conversation_id: str) -> list[Json]:
        """Oldest first."""
        page = await self.owner.get(f"/v1/conversations/{conversation_id}/timeline", limit="100")
        return list(reversed(page["items"]))

    async def texts(self, conversation_id: str) -> list[str]:
        """Of the messages, oldest first."""
        items = await self.timeline(conversation_id)
        return [item["content"].get("text", "") for item in items if item["kind"] == "message"]

    async def summary(self) -> Json:
        now = datetime.now(UTC)
        figures: Json = await self.owner.get("/v1/metrics/summary", **period(now))
        return figures


def period(now: datetime) -> dict[str, str]:
    """A day before and after, as the metrics take it."""
    day = timedelta(days=1)
    return {"from": (now - day).isoformat(), "to": (now + day).isoformat()}


def person(name: str = "Olena") -> Json:
    """A Telegram user whom nobody else is."""
    number = secrets.randbelow(10**9) + 1
    return {"id": number, "first_name": name, "language_code": "uk"}
