"""What a platform tells of messages is right by the platform's own times, whatever came first."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from libs.events.content import Attachment, Content, GeoPoint, Sender
from libs.events.inbound import InboundReceived
from tests.support.conversation.steps import deleted, shown, tell
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def at(seconds: int) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def instant(seconds: int) -> str:
    return at(seconds).isoformat().replace("+00:00", "Z")


def edit(world: World, thread: str, number: int, text: str, seconds: int) -> InboundReceived:
    """Of a message that was written at the beginning."""
    told = world.inbound(thread, number, text, kind="edit", at=at(seconds))
    cause = world.id_key.message_cause(world.source_id, thread, str(number))
    return msgspec.structs.replace(told, sent_at=at(0), message_cause=cause)


def part(world: World, thread: str, number: int, text: str = "") -> InboundReceived:
    """Of an album, as ingest tells of it."""
    told = world.inbound(thread, number, at=at(number))
    photo = Attachment(
        attachment_id=f"att_{number}",
        kind="image",
        media_type="image/jpeg",
        reference=f"file-{number}",
        external_message_id=str(number),
    )
    return msgspec.structs.replace(
        told,
        content=Content(text=text, attachments=(photo,)),
        message_id=world.id_key.message(world.source_id, thread, "album:13"),
        album=True,
    )


async def messages(world: World, member_id: str, thread: str) -> list[dict[str, Any]]:
    items = (await world.timeline(member_id, world.conversation_id(thread)))["items"]
    return [item for item in items if item["kind"] == "message"]


def files(message: dict[str, Any]) -> list[str]:
    return [one["attachment_id"] for one in message["content"]["attachments"]]


async def at_version(world: World, member_id: str, conversation_id: str, version: int) -> None:
    await world.seen(member_id, conversation_id, lambda view: view["version"] == version)


async def told(world: World, member_id: str, thread: str, last: str) -> None:
    """Return when the message ``last`` was told of after all others."""
    marker = world.inbound(thread, 900 + len(last), last)
    await world.receive(marker)
    await world.seen(
        member_id,
        world.conversation_id(thread),
        lambda view: view.get("last_message", {}).get("preview") == last,
    )


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
async def test_whatever_comes_first_one_message_says_what_was_said_last(
    served: World, direction: Any
) -> None:
    dima = await served.member("Dima")
    orders = list(permutations(("message", "first", "second")))
    customer = Sender(external_id="1", name="Anna")
    for thread, order in enumerate(orders):
        told_of = {
            "message": served.inbound(str(thread), 1, "one", at=at(0)),
            "first": edit(served, str(thread), 1, "two", 20),
            "second": edit(served, str(thread), 1, "three", 60),
        }
        for name in order:
            body = msgspec.structs.replace(told_of[name], direction=direction, customer=customer)
            await served.receive(body)

    for thread, order in enumerate(orders):
        await told(served, dima, str(thread), "done")
        _, message = await messages(served, dima, str(thread))
        assert message["content"]["text"] == "three", order
        assert message["at"] == instant(0)
        assert message["edited_at"] == instant(60)
        assert message["direction"] == direction
    if direction == "outgoing":
        # Who writes first in a business chat is its owner; the customer is told with it.
        view = (await served.view(dima, served.conversation_id("0"))).body
        assert view["customer"]["name"] in ("Anna", "Customer 0")


async def test_an_edit_of_what_never_came_is_shown_as_that_message(served: World) -> None:
    dima = await served.member("Dima")
    await served.receive(served.inbound("1", 1, "one", at=at(0)), edit(served, "1", 2, "two", 9))
    await told(served, dima, "1", "done")

    texts = [one["content"]["text"] for one in await messages(served, dima, "1")]
    assert texts == ["done", "two", "one"]


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_deletion_before_its_message(served: World, is_new: bool) -> None:
    dima = await served.member("Dima")
    for thread, together in (("1", True), ("2", False)):
        conversation_id = served.conversation_id(thread)
        if not is_new:
            await served.receive(served.inbound(thread, 1, "before", at=at(0)))
            await served.seen(dima, conversation_id)
        gone, message = deleted(served, thread, "2"), served.inbound(thread, 2, "a secret")
        if together:
            await served.publish_all([(gone, conversation_id), (message, conversation_id)])
        else:
            await tell(served, gone)
            await served.receive(message)
        await served.seen(dima, conversation_id, lambda v: v["version"] == (3 if is_new else 4))

        item = await shown(served, dima, conversation_id, message.message_id)
        assert item["deleted_at"]
        assert item["content"] == {}
        view = (await served.view(dima, conversation_id)).body
        assert view["last_message"].get("preview", "") == ""


async def test_many_deleted_at_once(served: World) -> None:
    dima, conversation_id = await served.member("Dima"), served.conversation_id("1")
    await served.receive(*(served.inbound("1", n, f"m{n}", at=at(n)) for n in range(1, 61)))
    gone = deleted(served, "1", "1")
    more = tuple(str(n) for n in range(2, 51))
    await tell(served, msgspec.structs.replace(gone, more=(*more, "1000", "1001")))
    await told(served, dima, "1", "done")

    page = await served.timeline(dima, conversation_id, limit="200")
    found = [item for item in page["items"] if item["kind"] == "message"]
    left = [item["content"]["text"] for item in found if not item.get("deleted_at")]
    assert left == ["done", *(f"m{n}" for n in range(60, 50, -1))]
    assert len(found) == 61


async def test_an_album_is_one_message_in_the_platforms_order(served: World) -> None:
    dima = await served.member("Dima")
    orders = ((1, 2, 3), (3, 1, 2), (2, 3, 1))
    for number, order in enumerate((*orders, *orders)):
        thread, conversation_id = str(number), served.conversation_id(str(number))
        parts = [part(served, thread, n, "all of them" if n == 2 else "") for n in order]
        if number < len(orders):
            await served.receive(*parts)
        else:
            for so_far, one in enumerate(parts):
                await served.receive(one)
                await at_version(served, dima, conversation_id, 3 + so_far)
        await served.receive(parts[0])  # repeated
        await told(served, dima, thread, "done")

        _, album = await messages(served, dima, thread)
        assert files(album) == ["att_1", "att_2", "att_3"]
        assert album["content"]["text"] == "all of them"
        assert "edited_at" not in album

        await tell(served, deleted(served, thread, "2"))
        await told(served, dima, thread, "again")
        album = await shown(served, dima, conversation_id, parts[0].message_id)
        assert files(album) == ["att_1", "att_3"]


async def test_an_older_message_that_comes_last_is_not_the_lists(served: World) -> None:
    dima, conversation_id = await served.member("Dima"), served.conversation_id("1")
    await served.receive(served.inbound("1", 2, "newer", at=at(50)))
    await served.receive(served.inbound("1", 1, "older", at=at(10)))
    view = await served.seen(dima, conversation_id, lambda view: view["version"] == 3)

    assert view["last_message"]["preview"] == "newer"
    older = await shown(served, dima, conversation_id, served.inbound("1", 1).message_id)
    assert older["at"] == instant(10)


async def test_the_list_names_files_and_places(served: World) -> None:
    dima = await served.member("Dima")
    one, two = part(served, "1", 1), served.inbound("2", 1)
    point = GeoPoint(latitude=50.4, longitude=30.5)
    two = msgspec.structs.replace(two, content=Content(point=point))
    await served.receive(one, two)
    for thread, *names in (
        ("1", "Фото", "Фото", "Photo"),
        ("2", "Місце на карті", "Место на карте", "Location"),
    ):
        conversation_id = served.conversation_id(thread)
        await served.seen(dima, conversation_id)
        for language, name in zip(("uk", "ru", "en"), names, strict=True):
            path = f"/v1/conversations/{conversation_id}"
            answer = await served.call(dima, "GET", path, language=language)
            assert answer.body["last_message"]["preview"] == name


async def test_a_time_before_all_times_is_the_earliest_that_can_be_kept(served: World) -> None:
    dima, conversation_id = await served.member("Dima"), served.conversation_id("1")
    await served.receive(served.inbound("1", 1, "hello", at=datetime(1, 1, 1, tzinfo=UTC)))
    await served.seen(dima, conversation_id)
    [message] = await messages(served, dima, "1")
    assert message["at"] == "1970-01-01T00:00:00Z"
