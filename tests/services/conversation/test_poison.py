"""One poisonous stream, planted by hand: it tells of itself, and all others go on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.asynchronous.database import AsyncDatabase

from libs.aggregates.commands import Command, Done, Unfit
from libs.events.actions import Action
from libs.eventstore.codec import to_document
from libs.eventstore.commits import Commit, StoredEvent
from libs.eventstore.store import AsyncEventStore
from libs.runtime.broker import publishing
from libs.runtime.directory import Directory
from libs.runtime.mongo import Document
from services.conversation.dependencies import dependencies_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models.inbox.rows import INBOX
from tests.support.conversation.world import Answer, World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

FLAGGED = "conversation.flagged.v1"


async def plant(
    database: AsyncDatabase[Document],
    conversation_id: str,
    name: str,
    payload: bytes,
    **fields: object,
) -> str:
    """One commit more in the conversation's stream, left on its way; its document's id."""
    store = AsyncEventStore(database[COMMITS])
    last = (await store.read(conversation_id, 0, 1, backwards=True))[0]
    commit = Commit(
        stream=conversation_id,
        first=last.last + 1,
        causes=(f"planted/{name}",),
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        events=(StoredEvent(name, payload),),
        prev=last.hash,
    )
    document = to_document(commit) | fields
    await database[COMMITS].insert_one(document)
    return str(document["_id"])


def flagged(at: str) -> bytes:
    return f'{{"at": "{at}", "case": 1, "member_id": "mbr_x"}}'.encode()


POISON: list[Any] = [
    pytest.param(FLAGGED, b"\xff\xfe not an event", {}, id="undecodable bytes"),
    pytest.param("conversation.no-such-thing.v1", b"{}", {}, id="an event nobody knows"),
    pytest.param(FLAGGED, b"[" * 50_000, {}, id="nested without end"),
    pytest.param(
        FLAGGED,
        flagged("2026-01-01T00:00:00Z"),
        {"at": DatetimeMS(9_000_000_000_000_000)},
        id="recorded at no instant",
    ),
    pytest.param(
        "conversation.case-assigned.v1",
        b'{"at":"2026-01-01T00:00:00Z","case":1,"by":"mbr_x","member_id":"mbr_y",'
        b'"due_at":"9999-12-31T23:59:59-23:59"}',
        {},
        id="a state that its row cannot hold",
    ),
    pytest.param(
        FLAGGED,
        flagged("2026-01-01T00:00:00Z"),
        {"public": [{"topic": "parley.conversation"}]},
        id="a message that is none",
    ),
    pytest.param(FLAGGED, flagged("2026-01-01T00:00:00Z"), {"events": 7}, id="no commit at all"),
]


async def set_aside(world: World, member: str, where: str) -> dict[str, str]:
    ready = await world.call(member, "GET", "/readyz")
    assert ready.status == 200, ready.body
    told: dict[str, str] = ready.body.get("set_aside", {}).get(where, {})
    return told


@pytest.mark.parametrize(("name", "payload", "fields"), POISON)
async def test_a_poisonous_commit_is_its_streams_own_trouble(
    world: World,
    database: AsyncDatabase[Document],
    name: str,
    payload: bytes,
    fields: dict[str, object],
) -> None:
    bad, good = world.conversation_id("bad"), world.conversation_id("good")
    async with serving(world):
        dima = await world.member("Dima")
        await world.receive(world.inbound("bad", 1), world.inbound("good", 1))
        await world.seen(dima, bad)
        await world.seen(dima, good)
        # given a commit of one stream that nobody can see to the end
        document_id = await plant(database, bad, name, payload, **fields)

        async def told() -> bool:
            return bad in await set_aside(world, dima, "streams")

        await eventually(told)

        # then nothing more is decided on it, in plain words
        refused = await world.call(dima, "POST", f"/v1/conversations/{bad}/take")
        # (what nobody here knows may be a newer version's, and then it is only a matter of time)
        kind = "unavailable" if "no-such-thing" in name else "set-aside"
        assert (refused.status, refused.body["type"]) == (503, f"urn:parley:problem:{kind}")
        # what comes for it waits, and what comes for others does not
        await world.receive(world.inbound("bad", 2), world.inbound("good", 2))
        view = await world.seen(dima, good, lambda v: v["version"] >= 3)
        assert view["version"] == 3
        taken = await world.call(dima, "POST", f"/v1/conversations/{good}/take")
        assert taken.status == 200

        async def waits() -> bool:
            return f"parley.inbound:{bad}" in await set_aside(world, dima, "parley.inbound")

        await eventually(waits)
        # the lists have all others
        listed = await world.call(dima, "GET", "/v1/conversations", query={"tab": "all"})
        assert good in [one["conversation_id"] for one in listed.body["items"]]
        assert (await world.call(dima, "GET", "/v1/conversations/counts")).status == 200
        audit = await world.call(
            dima, "GET", f"/v1/conversations/{good}/audit", actions=frozenset({Action.AUDIT})
        )
        assert audit.body["chain"]["verified"] is True

    # when it is mended, and another process begins
    await database[COMMITS].delete_one({"_id": document_id})
    async with serving(world):
        await world.seen(dima, bad, lambda v: v["version"] >= 3)

        async def nothing() -> bool:
            streams = await set_aside(world, dima, "streams")
            return not streams and not await set_aside(world, dima, "parley.inbound")

        await eventually(nothing)
        assert (await world.call(dima, "POST", f"/v1/conversations/{bad}/take")).status == 200


ROWS: list[Any] = [
    pytest.param({"state": b"\xc1 no state"}, id="no state"),
    pytest.param({"recorded_at": DatetimeMS(9_000_000_000_000_000)}, id="recorded at no instant"),
    pytest.param({"active_at": DatetimeMS(9_000_000_000_000_000)}, id="active at no instant"),
    pytest.param({"people": None}, id="nobody"),
    pytest.param({"state": 2**60}, id="a number"),
]


@pytest.mark.parametrize("fields", ROWS)
async def test_a_damaged_row_spoils_no_page(
    world: World, database: AsyncDatabase[Document], fields: dict[str, object]
) -> None:
    async with serving(world):
        dima = await world.member("Dima")
        for n in range(3):
            await world.receive(world.inbound(f"t{n}", 1))
            await world.seen(dima, world.conversation_id(f"t{n}"))
        bad = world.conversation_id("t1")
        await database[INBOX].update_one({"_id": bad}, {"$set": {"v": 99, **fields}})
        others = {world.conversation_id("t0"), world.conversation_id("t2")}

        async def page(path: str, **query: str) -> Answer:
            answer = await world.call(dima, "GET", path, query=query)
            assert answer.status == 200, answer
            return answer

        for query in ({"tab": "new"}, {"tab": "all"}, {"tab": "all", "sort": "priority"}):
            listed = await page("/v1/conversations", **query)
            assert others <= {one["conversation_id"] for one in listed.body["items"]}
        assert (await page("/v1/conversations/counts")).body["all"] >= 2
        assert len((await page("/v1/customers")).body["items"]) >= 2
        for one in others:
            assert (await world.call(dima, "POST", f"/v1/conversations/{one}/take")).status == 200


def test_the_server_takes_an_instant_that_python_cannot_hold() -> None:
    """What is planted above is what a server may really send."""
    far = bson.encode({"at": DatetimeMS(9_000_000_000_000_000)})
    with pytest.raises(bson.errors.InvalidBSON):
        bson.decode(far)


async def test_what_no_row_can_hold_is_refused_before_it_is_appended(
    world: World, database: AsyncDatabase[Document]
) -> None:
    """The edges let no such instant in; were one to come by, the decision is the last to see it."""
    bad, good = world.conversation_id("bad"), world.conversation_id("good")
    async with serving(world):
        dima = await world.member("Dima")
        await world.receive(world.inbound("bad", 1), world.inbound("good", 1))
        await world.seen(dima, bad)
        await world.seen(dima, good)
    never = datetime.fromisoformat("0001-01-01T00:00:00+23:59")
    settings = world.settings
    async with publishing(settings.kafka_bootstrap_servers, settings.kafka_namespace) as publisher:
        engine = dependencies_of(
            settings, database, publisher, Directory(settings), mark_later=False
        )

        def assigned(conversation_id: str, cause: str, due_at: datetime) -> Command[Conversation]:
            return Command(
                world.workspace_id,
                conversation_id,
                cause,
                lambda one: one.assign(dima, dima, due_at, manages=True),
            )

        tomorrow = datetime.now(UTC) + timedelta(days=1)
        outcomes = await engine.handler.handle(
            [assigned(bad, "a", never), assigned(good, "b", tomorrow)]
        )
        # its own stream goes on as well, with what can be kept
        outcomes += await engine.handler.handle([assigned(bad, "c", tomorrow)])

    assert [type(outcome) for outcome in outcomes] == [Unfit, Done, Done]
    commits = await AsyncEventStore(database[COMMITS]).load({bad: 0, good: 0})
    assert [commits[one][-1].causes for one in (bad, good)] == [("c",), ("b",)]
    assert not any(commit.pending for own in commits.values() for commit in own)
