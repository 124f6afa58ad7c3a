"""A person is forgotten where it is easily overlooked: in another process, in kept answers,
in dead letters."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.directory import Role
from libs.events.topics import Topic
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.privacy.answer_vault import ANSWERS
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_store import COMMITS, SealedStore
from tests.support.conversation.erasing import ADA, EVERYTHING, SAID, a_conversation, erase
from tests.support.conversation.world import DEPLOYMENT_KEY, World, serving
from tests.support.eventually import eventually
from tests.support.kafka import read_records

pytestmark = pytest.mark.servers

OTHER = "161803398"


async def test_another_replica_that_has_the_keys_in_memory_shows_nothing_either(
    world: World,
) -> None:
    dima = await world.member("Dima", Role.ADMIN)
    conversation_id = world.conversation_id(ADA)
    customer = f"/v1/customers/{world.id_key.customer(world.source_id, ADA)}"
    other = replica_of(world)
    async with serving(world), serving(other):
        await world.receive(world.inbound(ADA, 1, "my heirloom teapot"))
        await world.seen(dima, conversation_id)
        cases = (await other.call(dima, "GET", f"{customer}/cases")).body["items"]
        assert cases[0]["first_message"]["preview"] == "my heirloom teapot"

        await erase(world, dima)

        cases = (await other.call(dima, "GET", f"{customer}/cases")).body["items"]
        assert [(one["case_id"], one["state"]) for one in cases] == [
            (f"{conversation_id}.1", "new")
        ]
        assert cases[0]["first_message"].get("preview", "") == ""
        shown = [
            cases,
            (await other.call(dima, "GET", customer)).body,
            (await other.view(dima, conversation_id)).body,
            await other.timeline(dima, conversation_id),
        ]
        assert not [text for text in SAID if text in str(shown)]


def replica_of(world: World) -> World:
    """The same workspace, for another process, which does not look after erasures by itself."""
    settings = world.settings.model_copy(update={"conversation_sweep_interval_seconds": 3_600})
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    return replace(world, settings=settings, client=None, failure=failure)


async def test_no_answer_is_kept_in_clear(world: World, database: AsyncDatabase[Document]) -> None:
    dima, olena = await world.member("Dima", Role.ADMIN), await world.member("Olena")
    conversation_id = world.conversation_id(ADA)
    path = f"/v1/conversations/{conversation_id}"

    async def do(method: str, path: str, body: object | None = None) -> Any:
        key = f"{method} {path}"
        answer = await world.call(dima, method, path, body, key=key, actions=EVERYTHING)
        assert answer.status in (200, 201), answer
        return answer.body

    async with serving(world):
        await world.receive(world.inbound(ADA, 1, "my heirloom teapot"))
        await world.seen(dima, conversation_id)
        await do("POST", f"{path}/take")
        sent = await do("POST", f"{path}/messages", {"content": {"text": "a samovar then"}})
        message_id = sent["item"]["id"]
        await do("POST", f"{path}/participants", {"member_id": olena})
        await do("DELETE", f"{path}/participants/{olena}")
        await world.deliver(conversation_id, message_id, "sent", ("77",))
        await reached(world, dima, conversation_id, message_id)
        await do("PATCH", f"{path}/messages/{message_id}", {"text": "a samovar now"})
        await do("DELETE", f"{path}/messages/{message_id}")
        customer = f"/v1/customers/{world.id_key.customer(world.source_id, ADA)}"
        await do("PATCH", customer, {"name": "Ada Lovelace"})
        await do("POST", f"{customer}/activities", {"activity": "ordered"})

        kept = await database[ANSWERS].find().to_list()
        assert len(kept) == 8
        assert not [text for text in (*SAID, "Lovelace") if text in str(kept)]

        await erase(world, dima)
        for again in (f"{path}/messages/{message_id}", f"{path}/participants/{olena}"):
            shown = str(await do("DELETE", again))
            assert not [text for text in (*SAID, "Lovelace") if text in shown]


async def reached(world: World, member_id: str, conversation_id: str, message_id: str) -> None:
    async def is_sent() -> bool:
        items = (await world.timeline(member_id, conversation_id))["items"]
        [item] = [one for one in items if one["id"] == message_id]
        return bool(item["delivery"]["state"] == "sent")

    await eventually(is_sent)


@pytest.mark.parametrize("forgotten", [ADA, OTHER])
async def test_what_told_of_two_goes_with_either(
    world: World, database: AsyncDatabase[Document], forgotten: str
) -> None:
    """An answer, or the past: they were one person then, and are two when one is forgotten."""
    dima = await world.member("Dima", Role.ADMIN)
    ada, other = (world.id_key.customer(world.source_id, one) for one in (ADA, OTHER))
    path = f"/v1/conversations/{world.conversation_id(OTHER)}"

    async def do(path: str, body: object, method: str = "POST", key: str | None = None) -> Any:
        answer = await world.call(dima, method, path, body, key=key, actions=EVERYTHING)
        assert answer.status in (200, 201), answer
        return answer.body

    async with serving(world):
        for thread in (ADA, OTHER):
            await world.receive(world.inbound(thread, 1, f"written by {thread}"))
            await world.seen(dima, world.conversation_id(thread))
        await do(f"/v1/customers/{ada}", {"name": "Ada Lovelace"}, "PATCH")
        merged = await do(f"/v1/customers/{ada}/merge", {"customer_id": other}, key="merge")
        conversation_id = world.conversation_id(OTHER)
        await world.seen(dima, conversation_id, lambda v: v["customer"]["name"] == "Ada Lovelace")
        noted = await do(f"{path}/notes", {"text": "who is it?"}, key="note")
        merged_at = {"as_of": datetime.now(UTC).isoformat()}
        told = str(merged) + str(noted)
        assert "Ada Lovelace" in told
        assert f"written by {OTHER}" in told
        await do(f"/v1/customers/{ada}/split", {"customer_id": other})
        await world.seen(dima, conversation_id, lambda v: v["customer"]["customer_id"] == other)

        await erase(world, dima, forgotten)

        again = str(await do(f"/v1/customers/{ada}/merge", {"customer_id": other}, key="merge"))
        again += str(await do(f"{path}/notes", {"text": "who is it?"}, key="note"))
        past = await world.call(dima, "GET", path, query=merged_at)
        again += str((past.status, past.body))
        assert past.status == 200
        gone = "Ada Lovelace" if forgotten == ADA else f"written by {OTHER}"
        assert gone not in again

    # Nor does the stream of the other open where it told of the one who was forgotten.
    store = SealedStore(
        AsyncEventStore(database[COMMITS]), Keyring(database, DEPLOYMENT_KEY, cache_size=10)
    )
    said = [event.data for commit in await store.read(conversation_id, 0, 100)
            for event in commit.events]  # fmt: skip
    assert gone not in b"".join(said).decode()
    assert ("Ada Lovelace" in b"".join(said).decode()) == (forgotten == OTHER)


async def test_dead_letters_of_the_person_are_taken_out(world: World) -> None:
    dima = await world.member("Dima", Role.ADMIN)
    dead = world.namespace + Topic.INBOUND.dead_letter
    async with serving(world):
        conversation_id = await a_conversation(world, dima)
        customer = f"/v1/customers/{world.id_key.customer(world.source_id, ADA)}"
        card = {"email": "ada@coffee.example"}
        edited = await world.call(dima, "PATCH", customer, card, actions=EVERYTHING)
        assert edited.status == 200, edited
        letters = [
            (conversation_id.encode(), b"not understood: heirloom"),
            (b"src_1", f'{{"from":{{"id":{ADA}}},"text":"heirloom"}}'.encode()),
            (b"src_1", f'{{"from":{{"id":{ADA}1}},"text":"somebody else"}}'.encode()),
            (b"cnv_9", b"of somebody else"),
            (b"src_2", b'{"mail":"ada@coffee.example","text":"heirloom"}'),
        ]
        producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap)
        await producer.start()
        try:
            for key, value in letters:
                await producer.send_and_wait(dead, value, key)
            await erase(world, dima)

            async def gone() -> bool:
                return "heirloom" not in str(await letters_of(world, dead))

            await eventually(gone)
            left = [one.value for one in await letters_of(world, dead)]
            assert left == [letters[2][1], letters[3][1]]

            # one that came late, from a process that had been stopped
            await producer.send_and_wait(dead, b"once more: heirloom", conversation_id.encode())
            await erase(world, dima)
            await eventually(gone)
        finally:
            await producer.stop()


async def letters_of(world: World, dead: str) -> list[Any]:
    return await read_records(world.bootstrap, dead, lambda read: len(read) >= 2)
