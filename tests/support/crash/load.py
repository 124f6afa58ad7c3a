"""Customers, agents and an owner at work, who do not give up while parts of the suite are away.

What they were answered is kept here: the invariants are checked against it.
"""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from parley.client import ApiClient, RequestRefused
from parley.doubles.bot import Bot
from parley.doubles.bot_api import SECRET_HEADER
from tests.support.e2e.team import Company, Json, person

# Only a failure takes so long: on a busy machine a broker alone takes a minute to begin.
PATIENCE_S = 180.0
PAUSE_S = 0.1
_NOT_FOUND = 404
_SERVER_ERROR = 500


class LostSight(RequestRefused):
    """There is nothing for who asks, after a try that was not answered and may have been done."""


class NotAnswered(Exception):
    """A part did not answer for longer than any restart takes."""


@dataclass
class Customer:
    """Writes one message after the other, each only when the one before was acknowledged."""

    name: str
    person: Json
    acknowledged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reply:
    message_id: str
    conversation_id: str
    member_id: str
    text: str


@dataclass
class Agent:
    name: str
    client: ApiClient
    member_id: str
    replies: list[Reply] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)


@dataclass
class Team:
    """A company with a bot, two agents in a group, and the rule that puts new cases there."""

    company: Company
    bot: Bot
    group_id: str
    agents: list[Agent]
    customers: list[Customer]
    # The groups that the owner made under load: their last accepted names by id.
    groups: dict[str, str] = field(default_factory=dict)
    # Answers that nobody should have got.
    unexpected: list[str] = field(default_factory=list)


async def hire_team(company: Company, customers: int) -> Team:
    bot, source = await company.connect_telegram()
    agents = []
    for name in ("Dima", "Konstantin"):
        client, member_id = await company.hire(name)
        agents.append(Agent(name, client, member_id))
    group = await company.owner.post(
        "/v1/groups", name="Sales", member_ids=[agent.member_id for agent in agents]
    )
    await company.owner.post(
        "/v1/autoforwards", source_ids=[source["source_id"]], group_id=group["group_id"]
    )
    names = [f"Customer {number:02}" for number in range(customers)]
    return Team(
        company, bot, group["group_id"], agents, [Customer(name, person(name)) for name in names]
    )


class Load:
    """The team at work, until ``stopped``. ``seed`` makes who does what the same again."""

    def __init__(self, team: Team, seed: int, *, patience_s: float = PATIENCE_S) -> None:
        self._team = team
        self._patience_s = patience_s
        self._random = random.Random(seed)  # noqa: S311  # who does what, not a secret
        self._stop = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    @property
    def acknowledged(self) -> int:
        return sum(len(customer.acknowledged) for customer in self._team.customers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """On leaving, everybody ends what they have begun."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as self._session,
            asyncio.TaskGroup() as people,
        ):
            for customer in self._team.customers:
                people.create_task(self._write(customer))
            for agent in self._team.agents:
                people.create_task(self._work(agent))
            people.create_task(self._rearrange())
            try:
                yield self
            finally:
                self._stop.set()

    async def _rest(self, shortest: float, longest: float) -> None:
        await asyncio.sleep(self._random.uniform(shortest, longest))

    async def _write(self, customer: Customer) -> None:
        async with asyncio.TaskGroup() as repeats:
            while not self._stop.is_set():
                text = f"{customer.name}, message {len(customer.acknowledged) + 1}"
                message = self._team.bot.message_from(customer.person, text=text)
                update = self._team.bot.next_update("message", message)
                await self._deliver(update)
                customer.acknowledged.append(text)
                # Telegram repeats what it thinks was not answered: some time later.
                repeats.create_task(self._deliver_later(update))
                await self._rest(0.1, 0.6)

    async def _deliver_later(self, update: Json) -> None:
        await self._rest(0, 1.5)
        await self._deliver(update)

    async def _deliver(self, update: Json) -> None:
        """Until it is acknowledged. Errors: NotAnswered."""
        assert self._session is not None
        webhook = self._team.bot.webhook
        headers = {"content-type": "application/json", SECRET_HEADER: webhook["secret_token"]}
        body = json.dumps(update)
        answer: object = None
        deadline = asyncio.get_running_loop().time() + self._patience_s
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with self._session.post(
                    webhook["url"], data=body, headers=headers
                ) as answered:
                    if answered.ok:
                        return
                    answer = answered.status
            except (aiohttp.ClientError, TimeoutError) as error:
                answer = repr(error)
            await asyncio.sleep(PAUSE_S)
        raise NotAnswered(f"update {update['update_id']} was never acknowledged: {answer}")

    async def _work(self, agent: Agent) -> None:
        while not self._stop.is_set():
            for row in (await self._rows(agent, "new"))[:3]:
                await self._take(agent, row["conversation_id"])
            for row in await self._rows(agent, "mine"):
                # Who is a participant sees it there too.
                own = row["case"].get("responsible") == agent.member_id
                waits = row["last_message"]["direction"] == "incoming"
                if own and waits and not self._stop.is_set():
                    await self._answer(agent, row["conversation_id"])
            await self._rest(0.1, 0.4)

    async def _rows(self, agent: Agent, tab: str) -> list[Json]:
        page = await self._insist(agent.client, "GET", "/v1/conversations", query={"tab": tab})
        rows: list[Json] = page["items"]
        self._random.shuffle(rows)
        return rows

    async def _take(self, agent: Agent, conversation_id: str) -> None:
        try:
            await self._command(agent, conversation_id, "take")
        except RequestRefused as refusal:
            if refusal.status != 409 or refusal.problem.get("member_id") == agent.member_id:
                self._unexpected(agent, "take", conversation_id, refusal)
        else:
            agent.taken.add(conversation_id)

    async def _answer(self, agent: Agent, conversation_id: str) -> None:
        text = f"Answer {len(agent.replies) + 1} of {agent.name}"
        try:
            sent = await self._command(agent, conversation_id, "messages", {"text": text})
            agent.replies.append(Reply(sent["item"]["id"], conversation_id, agent.member_id, text))
            if self._random.random() < 0.2:
                await self._close(agent, conversation_id)
                agent.closed.append(conversation_id)
        except RequestRefused as refusal:
            self._unexpected(agent, "answer or close", conversation_id, refusal)

    async def _close(self, agent: Agent, conversation_id: str) -> None:
        """Their own case leaves their sight by its being closed alone: the next one may wait in
        routing before they are answered. That it was closed once is counted in the timeline."""
        with suppress(LostSight):
            await self._command(agent, conversation_id, "close")

    def _unexpected(self, agent: Agent, what: str, where: str, refusal: RequestRefused) -> None:
        self._team.unexpected.append(f"{agent.name} was refused to {what} in {where}: {refusal}")

    async def _command(
        self, agent: Agent, conversation_id: str, action: str, body: Json | None = None
    ) -> Json:
        """With a key of its own, and sometimes once more. Errors: RequestRefused."""
        path = f"/v1/conversations/{conversation_id}/{action}"
        headers = {"idempotency-key": uuid.uuid4().hex}
        first: Json = await self._insist(agent.client, "POST", path, body=body, headers=headers)
        if self._random.random() < 0.2:
            try:
                again = await self._insist(agent.client, "POST", path, body=body, headers=headers)
            except RequestRefused as refusal:
                # The case may have gone where they do not see it (a new one waits in routing while
                # Kafka is away), and then nobody is told again what they were told before.
                if refusal.status != _NOT_FOUND:
                    raise
                return first
            if again != first:
                self._team.unexpected.append(f"{path} answered a repeat otherwise: {again}")
        return first

    async def _rearrange(self) -> None:
        """The owner makes a group now and then and renames it, so that routing has work too."""
        owner = self._team.company.owner
        number = 0
        while not self._stop.is_set():
            number += 1
            headers = {"idempotency-key": uuid.uuid4().hex}
            body = {"name": f"Group {number}"}
            made = await self._insist(owner, "POST", "/v1/groups", body=body, headers=headers)
            self._team.groups[made["group_id"]] = body["name"]
            await self._rest(0.2, 0.6)
            renamed = {"name": f"Group {number}, renamed"}
            await self._insist(owner, "PATCH", f"/v1/groups/{made['group_id']}", body=renamed)
            self._team.groups[made["group_id"]] = renamed["name"]
            await self._rest(0.2, 0.6)

    async def _insist(self, client: ApiClient, method: str, path: str, **request: Any) -> Any:
        """Again until it is answered. Errors: RequestRefused (below 500), NotAnswered."""
        deadline = asyncio.get_running_loop().time() + self._patience_s
        last: Exception | None = None
        while asyncio.get_running_loop().time() < deadline:
            try:
                return await client.call(method, path, **request)
            except RequestRefused as refusal:
                if refusal.status == _NOT_FOUND and last is not None:
                    raise LostSight(refusal.status, refusal.problem) from refusal
                if refusal.status < _SERVER_ERROR:
                    raise
                last = refusal
            except (aiohttp.ClientError, TimeoutError) as error:
                last = error
            await asyncio.sleep(PAUSE_S)
        raise NotAnswered(f"{method} {path} was never answered: {last!r}")
