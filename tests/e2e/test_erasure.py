"""A person is forgotten by the whole suite, while everything that could bring them back happens."""

import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from pymongo.asynchronous.database import AsyncDatabase

from libs.devstack.ports import free_port
from libs.devstack.processes import ManagedProcess
from libs.events.actions import Action
from libs.events.topics import Topic
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from libs.runtime.http import ServiceClient
from libs.runtime.mongo import Document, mongo_client
from libs.runtime.settings import Settings, load
from libs.runtime.tokens import ServiceTokens
from parley.dead_letters import dead_letters
from parley.suite import Suite
from services.conversation.privacy.keyring import KEYS
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models.inbox.rows import INBOX
from services.conversation.read_models.rebuild import rebuild
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.tokens import Found
from tests.support.e2e.team import Company, Json
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

ADA: Json = {
    "id": 577_215_664,
    "first_name": "Aglaya",
    "last_name": "Lovelacenko",
    "username": "aglaya_l",
    "language_code": "ru",
}
NAME = "Aglaya Lovelacenko"
CARD = {"phone": "+380671234567", "email": "aglaya@example.org", "note": "Любит самовары"}
TEXTS = (
    "Где мой самовар с гравировкой?",
    "Мне нужны два самовара к субботе",
    "Aglaya collects heirloom teapots",
    "The samovars are engraved for you",
    "One more heirloom remark, from a replica that stood still",
)
# What is looked for in everything that is left, in whatever case it stands there.
TRACES = (
    "самовар", "гравиров", "суббот", "heirloom", "teapot", "samovar", "engrav",
    "aglaya", "lovelacenko", "577215664", "671234567", "photo-of-aglaya",
)  # fmt: skip
# What a member looks for again and again: the first three name the person.
FILTERS: tuple[Json, ...] = (
    {"name": "Aglaya Lovelacenko", "filter": {"q": "Aglaya", "tab": "mine"}},
    {"name": "Called", "filter": {"q": "067 123-45-67", "unread": True}},
    {"name": "Wrote", "filter": {"q": "aglaya@example.org"}},
    {"name": "Refunds", "filter": {"q": "refund"}},
)
# The longest that the replica may have to: however slow the machine is with all that goes on
# meanwhile, the answer is still waited for.
_STANDS_STILL_SECONDS = 120
PICTURE = b"\x89PNG\r\n\x1a\n" + b"heirloom picture" * 20


@pytest.fixture
async def database(suite: Suite) -> AsyncIterator[AsyncDatabase[Document]]:
    client = mongo_client(suite.settings["PARLEY_MONGODB_URL"], "parley-tests")
    async with client:
        yield client[suite.settings["PARLEY_MONGODB_DATABASE"]]


class Replica:
    """A second conversation process, which can be told to stand still at a step of a commit."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self._order = folder / "order"
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        settings = suite.settings | {"PARLEY_CONVERSATION_PORT": str(port)}
        outside = {n: v for n, v in os.environ.items() if not n.startswith("PARLEY_")}
        self.process = ManagedProcess(
            "conversation-2",
            [sys.executable, "-m", "tests.support.crash.stop_at", "conversation", str(self._order)],
            log_path=folder / "conversation-2.log",
            ready=lambda: _is_ready(url),
            environment=outside | settings,
        )
        key = bytes.fromhex(suite.settings["PARLEY_GATEWAY_SIGNING_KEY"])
        self.client = ServiceClient("conversation", url, ServiceTokens("gateway", key))

    async def stand_still_at(
        self, step: str, do: Callable[[], Awaitable[Any]]
    ) -> "asyncio.Task[Any]":
        """What it does stays in the middle; it is done once it goes on."""
        self._order.write_text(f"{step} 1 pause")
        doing = asyncio.ensure_future(do())

        async def stands_still() -> bool:
            return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

        await eventually(stands_still)
        return doing

    def go_on(self) -> None:
        if self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGCONT)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310  # our own
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


@pytest.fixture
def replica(suite: Suite, tmp_path: Path) -> Iterator[Replica]:
    replica = Replica(suite, tmp_path)
    replica.process.start()
    replica.process.wait_ready(60)
    yield replica
    replica.go_on()
    replica.process.stop()


async def test_nothing_is_left_and_nothing_comes_back(
    company: Company,
    suite: Suite,
    database: AsyncDatabase[Document],
    replica: Replica,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bot, _ = await company.connect_telegram()
    conversation_id, updates = await _everything(company, bot)
    path = f"/v1/conversations/{conversation_id}"
    row = await database[INBOX].find_one({"_id": conversation_id})
    assert row
    before = (await company.owner.get(path))["case"]
    counts = (await company.summary())["all"]["value"]
    found = await _tokens(suite, row["workspace"])
    await eventually(lambda: _has_tokens(database, found))
    await _bury(suite, conversation_id)
    left = await _traces(suite, database)
    assert {"самовар", "heirloom", "577215664", "photo-of-aglaya"} <= left, left

    # given a replica that has appended a note, and stands still before anybody was told of it
    async def note() -> int:
        body = f'{{"text":"{TEXTS[4]}"}}'.encode()
        async with (
            replica.client as client,
            client.open(
                "POST",
                f"{path}/notes",
                workspace_id=row["workspace"],
                member_id=company.me["member"]["member_id"],
                actions=frozenset(Action),
                body=body,
                timeout=aiohttp.ClientTimeout(total=_STANDS_STILL_SECONDS),
            ) as answer,
        ):
            return answer.status

    noting = await replica.stand_still_at("APPENDED", note)

    # and rebuilds that have made their rows, and not yet put them in the place of the live ones
    made, go_on = asyncio.Semaphore(0), asyncio.Event()
    merge = rebuild._merge

    async def merging(*arguments: Any) -> Any:
        made.release()
        await go_on.wait()
        return await merge(*arguments)

    monkeypatch.setattr(rebuild, "_merge", merging)
    key = bytes.fromhex(suite.settings["PARLEY_DEPLOYMENT_KEY"])
    models = read_models(key).values()
    rebuilding = [asyncio.create_task(rebuild.rebuild(database, key, model())) for model in models]
    for _ in rebuilding:
        await made.acquire()

    # when the person is forgotten, the platform repeats what they wrote, and all go on
    erased = await company.owner.post(f"/v1/customers/{row['customer']}/erase")
    assert erased["conversations"] == 1
    for update in updates:
        assert (await company.telegram.deliver(bot, update))[-1] == 200
    go_on.set()
    await asyncio.gather(*rebuilding)
    replica.go_on()
    assert await noting in (201, 409, 503)
    for update in updates:
        await company.telegram.deliver(bot, update)

    # then nothing is left of them, anywhere
    async def nothing() -> bool:
        return not await _traces(suite, database) and not await _has_tokens(database, found)

    try:
        await eventually(nothing, within_seconds=60)
    except TimeoutError:
        raise AssertionError(await _traces(suite, database)) from None
    # and nothing comes back of what was still under way
    await asyncio.sleep(8)
    assert await nothing()
    for model in models:
        rebuilt = await rebuild.rebuild(database, key, model())
        assert rebuilt.removed == 0
    assert await nothing()

    # and what counts is as it was
    after = await company.owner.get(path)
    assert after["case"] == before
    assert after["customer"]["name"] == ""
    items = await company.timeline(conversation_id)
    messages = [one for one in items if one["kind"] == "message"]
    assert [one["content"] for one in messages] == [{"erased": True}] * 4
    # that the replica had noted something is a fact, and what it was is not known any more
    assert [one.get("text", "") for one in items if one["kind"] == "note"] == ["", ""]
    assert [one["key"] for one in items if one["kind"] == "system"][-1] == "customer-erased"
    keys = await database[KEYS].find_one({"_id": row["customer"]})
    assert keys
    assert list(keys["keys"]) == ["2"]
    assert (await company.summary())["all"]["value"] == counts
    verified = await verify_all(AsyncEventStore(database[COMMITS]))
    assert verified.commits > 0
    assert not verified.findings

    # and members' saved filters ask for what else they asked for
    saved = (await company.owner.get("/v1/saved-filters"))["items"]
    left_of = {one["name"]: (one["filter"], "forgotten_at" in one) for one in saved}
    assert left_of == {
        "A filter that named a forgotten customer": ({"tab": "mine"}, True),
        "Called": ({"unread": True}, True),
        "Wrote": ({}, True),
        "Refunds": ({"q": "refund"}, False),
    }

    # and the person can begin anew
    await company.writes(bot, ADA, "Здравствуйте, я новый клиент")
    again = await company.case_of(NAME, tab="mine")
    assert again["conversation_id"] == conversation_id
    assert again["last_message"]["preview"] == "Здравствуйте, я новый клиент"
    # who wrote that after all that was repeated: by now it was dealt with, and brought nothing
    assert await _traces(suite, database) <= {"aglaya", "lovelacenko", "577215664"}


async def _everything(company: Company, bot: Any) -> tuple[str, list[Json]]:
    """Three messages, one of them edited and one with a picture, an answer, a note, a card."""
    updates = [await company.writes(bot, ADA, TEXTS[0])]
    row = await company.case_of(NAME)
    conversation_id = str(row["conversation_id"])
    path = f"/v1/conversations/{conversation_id}"
    message = bot.message_from(ADA, text=TEXTS[0])
    edited = {**updates[0]["message"], "text": TEXTS[1], "edit_date": message["date"]}
    bot.files["photo-of-aglaya"] = PICTURE
    photo = [{"file_id": "photo-of-aglaya", "file_unique_id": "u", "width": 9, "height": 9}]
    with_photo = bot.message_from(ADA, photo=photo, caption="engraved heirloom")
    for kind, content in (("edited_message", edited), ("message", with_photo)):
        updates.append(bot.next_update(kind, content))
        assert (await company.telegram.deliver(bot, updates[-1]))[-1] == 200
    await company.owner.post(f"{path}/take")
    await company.owner.post(f"{path}/notes", text=TEXTS[2])
    await company.owner.post(f"{path}/messages", text=TEXTS[3])
    await company.owner.call("PATCH", f"/v1/customers/{row['customer']['customer_id']}", body=CARD)
    for one in FILTERS:
        await company.owner.post("/v1/saved-filters", **one)
    updates.append(await company.writes(bot, ADA, "and another teapot"))

    async def complete() -> bool:
        items = await company.timeline(conversation_id)
        mine = [one for one in items if one.get("delivery", {}).get("state") == "sent"]
        return len([one for one in items if one["kind"] == "message"]) == 4 and bool(mine)

    await eventually(complete)
    return conversation_id, updates


async def _bury(suite: Suite, conversation_id: str) -> None:
    """Dead letters: of what ingest understood, and of a webhook that it did not."""
    topic = suite.settings["PARLEY_KAFKA_NAMESPACE"] + Topic.INBOUND.dead_letter
    producer = AIOKafkaProducer(bootstrap_servers=suite.settings["PARLEY_KAFKA_BOOTSTRAP_SERVERS"])
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"heirloom", conversation_id.encode())
        await producer.send_and_wait(topic, b'{"from":{"id":577215664},"text":"heirloom"}', b"src")
        await producer.send_and_wait(topic, b"somebody else's", b"cnv_other")
    finally:
        await producer.stop()


async def _traces(suite: Suite, database: AsyncDatabase[Document]) -> set[str]:
    """Which traces of the person are in MongoDB, in the attachments' folder, in dead letters."""
    names = await database.list_collection_names()
    dump = [await database[name].find().to_list() for name in names]
    folder = Path(suite.settings["PARLEY_INGEST_STORAGE_URL"].removeprefix("file://"))
    files = await asyncio.to_thread(_files_in, folder)
    settings = load(Settings, suite.settings)
    letters = [
        (one.key or b"") + (one.value or b"")
        for topic in Topic
        async for one in dead_letters(settings, topic)
    ]
    # What is in MessagePack or JSON is shown by ``str`` as escapes, so the bytes are looked at too.
    raw = b"\n".join([_bytes_in(dump), *files, *letters]).decode("utf-8", "replace")
    everything = f"{dump}\n{raw}".lower()
    return {trace for trace in TRACES if trace in everything}


def _files_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def _bytes_in(value: Any) -> bytes:
    match value:
        case bytes():
            return value
        case dict():
            return b"\n".join(_bytes_in(one) for one in value.values())
        case list():
            return b"\n".join(_bytes_in(one) for one in value)
    return b""


async def _tokens(suite: Suite, workspace_id: str) -> Found:
    """What the search would find the person's words by: each form and beginning of each."""
    entries = Entries(bytes.fromhex(suite.settings["PARLEY_DEPLOYMENT_KEY"]))
    tokens = entries.tokens(workspace_id)
    found = await asyncio.to_thread(tokens.of_text, " ".join(TEXTS[:2]))
    named = await asyncio.to_thread(tokens.of_names, [NAME])
    return Found(found.t | named.t, found.p | named.p)


async def _has_tokens(database: AsyncDatabase[Document], found: Found) -> bool:
    rows = await database["conversation_search"].find().to_list()
    return any(found.t & set(row.get("t", ())) or found.p & set(row.get("p", ())) for row in rows)
