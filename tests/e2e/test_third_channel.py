"""A channel of a package of its own, and a service that does not know it yet: a rolling upgrade.

The suite runs with pigeon post installed, but for conversation, which is upgraded in the middle.
"""

import asyncio
import re
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from libs.devstack import Servers
from libs.runtime.settings import SERVICES
from parley.client import RequestRefused, eventually
from parley.doubles.bot_api import BotApiDouble
from parley.migrate import migrate_all
from parley.suite import Suite
from tests.support.e2e.team import Company, person
from tests.support.kafka import read_records
from tests.support.pigeon import API_URL, INSTALLED
from tests.support.pigeon.post import PigeonPost, letter

pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = "a secret of the loft"
CREDENTIALS: Final = {"loft": "north", "secret": SECRET, "verify_token": "who is there"}
STOPPED: Final = re.compile(
    r'^parley_consumer_stopped_partitions\{group="(?P<group>[^"]+)",partition="(?P<partition>\d+)"'
    r',topic="[^"]*parley\.inbound"\} 1\.0$',
    re.MULTILINE,
)


class Upgradable:
    """A suite with pigeon post, in which conversation has it only once ``upgrade`` was called."""

    def __init__(self, servers: Servers, folder: Path, post: str, telegram: str) -> None:
        unique = uuid.uuid4().hex[:8]
        self._upgraded = folder / "upgraded"
        installed = ["env", f"PYTHONPATH={INSTALLED}:{ROOT}", f"{API_URL}={post}"]
        today = {name: [sys.executable, "-m", "parley", "serve", name] for name in SERVICES}
        tomorrow = {name: [*installed, *command] for name, command in today.items()}
        either = f'if [ -e "{self._upgraded}" ]; then exec "$@"; fi; shift 3; exec "$@"'
        self.suite = Suite(
            servers,
            folder,
            settings={
                "PARLEY_INGEST_TELEGRAM_API_URL": telegram,
                "PARLEY_KAFKA_NAMESPACE": f"third{unique}.",
                "PARLEY_MONGODB_DATABASE": f"test_third_{unique}",
            },
            commands=tomorrow
            | {
                "conversation": ["/bin/sh", "-c", either, "conversation", *tomorrow["conversation"]]
            },
        )

    async def upgrade(self) -> None:
        conversation = self.suite.processes["conversation"]
        await asyncio.to_thread(conversation.stop)
        self._upgraded.touch()
        await asyncio.to_thread(conversation.start)
        await asyncio.to_thread(conversation.wait_ready, 60)


@pytest.fixture
async def post() -> AsyncIterator[PigeonPost]:
    async with PigeonPost() as post:
        yield post


@pytest.fixture
async def upgradable(
    servers: Servers, post: PigeonPost, telegram: BotApiDouble, tmp_path: Path
) -> AsyncIterator[Upgradable]:
    # One process holds an embedded engine's folder, and another suite may be running.
    own = replace(servers, clickhouse_dsn=f"chdb://{tmp_path / 'clickhouse'}")
    upgradable = Upgradable(own, tmp_path, post.url, telegram.url)
    await migrate_all(upgradable.suite.settings)
    await asyncio.to_thread(upgradable.suite.start)
    yield upgradable
    await asyncio.to_thread(upgradable.suite.stop)


@pytest.fixture
async def company(upgradable: Upgradable, telegram: BotApiDouble) -> AsyncIterator[Company]:
    async with AsyncExitStack() as stack:
        yield await Company.opened(upgradable.suite, telegram, stack)


async def metrics_of(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        return await answer.text()


async def connected(company: Company) -> dict[str, Any]:
    source: dict[str, Any] = await company.owner.post(
        "/v1/sources",
        channel="pigeon",
        name="Loft",
        location_id=await company.location_id(),
        credentials=CREDENTIALS,
    )
    return source


async def test_a_message_of_a_channel_of_tomorrow_waits_and_is_answered(
    company: Company, upgradable: Upgradable, post: PigeonPost
) -> None:
    # Its credentials are checked by its own type, and told by nobody.
    with pytest.raises(RequestRefused) as wrong:
        await company.owner.post(
            "/v1/sources",
            channel="pigeon",
            name="Loft",
            location_id=await company.location_id(),
            credentials={"loft": "north", "secret": "short"},
        )
    assert wrong.value.status == 422
    assert "credentials.secret" in str(wrong.value.problem)
    source = await connected(company)
    assert SECRET not in str(source)
    assert source["capabilities"]["text"] == {"unit": "bytes", "text": 40, "caption": 0}
    assert source["capabilities"]["windows"] == [{"within_seconds": 86400, "allows": "anything"}]
    url = source["webhook_url"]

    # The post asks whose the address is; who cannot sign is refused.
    assert await post.shake(url, "who is there", "42") == (200, "42")
    assert (await post.shake(url, "a guess", "42"))[0] == 403
    assert (await post.deliver(url, "", letter(1, "Anna", "forged")))[0] == 401
    assert (await post.deliver(url, "another secret", letter(1, "Anna", "forged")))[0] == 403

    # One that nobody can read takes no other with it, and a repetition is no second message.
    basket = (letter(1, "Anna", "Coo"), {"id": 7}, letter(2, "Boris", "Coo coo"))
    assert await post.deliver(url, SECRET, *basket) == (200, "ok")
    assert await post.deliver(url, SECRET, *basket) == (200, "ok")
    ingest = await metrics_of(company.suite.operations_url("ingest"))
    assert 'parley_ingest_unreadable_total{channel="pigeon"} 2.0' in ingest

    # Conversation of today stands still at them, and nowhere else.
    async def standing_still() -> set[int]:
        told = await metrics_of(company.suite.url("conversation"))
        return {int(found["partition"]) for found in STOPPED.finditer(told)}

    await eventually("a partition that stands still", standing_still)
    bot, _ = await company.connect_telegram()
    people = [person(f"Olena{number}") for number in range(8)]
    for one in people:
        await company.writes(bot, one, "Hello")
    settings = company.suite.settings
    records = await read_records(
        settings["PARLEY_KAFKA_BOOTSTRAP_SERVERS"],
        settings["PARLEY_KAFKA_NAMESPACE"] + "parley.inbound",
        lambda found: len(found) >= len(people) + 4,
    )
    of_pigeons = {one.partition for one in records if b'"channel":"pigeon"' in one.value}
    assert await standing_still() == of_pigeons
    others = [
        one["first_name"]
        for one in people
        for record in records
        if record.partition not in of_pigeons and f'"{one["first_name"]}"'.encode() in record.value
    ]
    assert others
    for name in others:
        await company.case_of(name)
    page = await company.owner.get("/v1/conversations", tab="new")
    assert not {"Anna", "Boris"} & {one["customer"]["name"] for one in page["items"]}

    # The newer one goes on there: each message once, nothing was lost, nobody is left behind.
    await upgradable.upgrade()
    anna = await company.case_of("Anna")
    assert await company.texts(anna["conversation_id"]) == ["Coo"]
    boris = await company.case_of("Boris")
    assert await company.texts(boris["conversation_id"]) == ["Coo coo"]
    for one in people:
        row = await company.case_of(one["first_name"])
        assert await company.texts(row["conversation_id"]) == ["Hello"]
    dead = await read_records(
        settings["PARLEY_KAFKA_BOOTSTRAP_SERVERS"],
        settings["PARLEY_KAFKA_NAMESPACE"] + "parley.inbound.dead",
        lambda found: len(found) >= 2,
    )
    assert {one.value for one in dead} == {b'{"id": 7}'}

    # An answer is measured as the channel measures, and flies.
    path = f"/v1/conversations/{anna['conversation_id']}"
    await company.owner.post(f"{path}/take")
    with pytest.raises(RequestRefused) as too_long:
        await company.owner.post(f"{path}/messages", text="ж" * 21)
    assert "more than the 40 bytes that pigeon post takes" in str(too_long.value.problem)
    answer = await company.owner.post(f"{path}/messages", text="ж" * 20)

    async def was_sent() -> bool:
        items = await company.timeline(anna["conversation_id"])
        return any(
            item["id"] == answer["item"]["id"] and item["delivery"]["state"] == "sent"
            for item in items
        )

    await eventually("the delivery state", was_sent)
    assert post.sent == [("north", {"to": "anna", "text": "ж" * 20})]
    with pytest.raises(RequestRefused) as never:
        await company.owner.call("DELETE", f"{path}/messages/{answer['item']['id']}")
    assert never.value.problem["type"].endswith(":channel-does-not-allow")

    # What waits in the loft is fetched, once: the next look begins behind it.
    post.waiting += [letter(3, "Clara", "Waiting"), letter(1, "Anna", "Coo")]
    clara = await company.case_of("Clara")
    looked_on = len(post.looks) + 2

    async def looked() -> bool:
        return len(post.looks) >= looked_on and post.looks[-1] == 2

    await eventually("a look behind them", looked)
    assert await company.texts(clara["conversation_id"]) == ["Waiting"]
    assert await company.texts(anna["conversation_id"]) == ["Coo", "ж" * 20]
    health = await company.owner.get(f"/v1/sources/{source['source_id']}/health")
    assert health["registered"]
    assert health["last_update_at"]

    # While a person takes a new secret to the post, both hold.
    renewed = {"credentials": CREDENTIALS | {"secret": "another secret of it"}}
    await company.owner.call("PATCH", f"/v1/sources/{source['source_id']}", body=renewed)
    for number, secret in enumerate((SECRET, "another secret of it"), 4):
        assert await post.deliver(url, secret, letter(number, "Dora", "Signed")) == (200, "ok")
    dora = await company.case_of("Dora")

    async def both() -> bool:
        return await company.texts(dora["conversation_id"]) == ["Signed", "Signed"]

    await eventually("both letters", both)
