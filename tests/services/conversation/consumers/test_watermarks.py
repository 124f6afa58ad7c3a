"""One word of the platform about all that was sent until a point, through the real servers."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.conversation.message import MessageDeliveryChanged, WatermarkMoved
from libs.events.envelope import Envelope
from libs.events.registry import Body
from libs.runtime.mongo import Document
from services.conversation.read_models.messages.rows import MESSAGES
from tests.support.conversation.explain import indexes_of
from tests.support.conversation.world import World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def answer(world: World, member_id: str, conversation_id: str, number: int) -> list[str]:
    """The ids of so many answers to a case that is taken."""
    path = f"/v1/conversations/{conversation_id}/messages"
    body = {"content": {"text": "answer"}}
    sent = await asyncio.gather(*(world.call(member_id, "POST", path, body) for _ in range(number)))
    return [one.body["item"]["id"] for one in sent]


async def taken_cases(world: World, member_id: str, threads: Sequence[str]) -> list[str]:
    """The conversations' ids."""
    await world.receive(*(world.inbound(thread, 1) for thread in threads))
    ids = [world.conversation_id(thread) for thread in threads]
    for conversation_id in ids:
        await world.seen(member_id, conversation_id)
    for conversation_id in ids:
        await world.call(member_id, "POST", f"/v1/conversations/{conversation_id}/take")
    return ids


async def test_all_before_the_point_are_read_whatever_comes_first(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    now = world.inbound("0", 1).occurred_at
    sent_at = [now + timedelta(milliseconds=100 * n) for n in range(3)]
    # Every order is tried on the rules alone (domain/conversation/test_watermarks.py).
    orders = list(permutations(range(5)))[::5]
    wanted: dict[str, str] = {}
    words: list[list[tuple[Body, str]]] = [[] for _ in range(7)]
    async with serving(world):
        conversations = await taken_cases(world, dima, [str(n) for n in range(len(orders))])
        for one, order in zip(conversations, orders, strict=True):
            ids = await answer(world, dima, one, 3)
            wanted |= zip(ids, ("read", "read", "delivered"), strict=True)
            # when the second is read and the third delivered: three receipts, two watermarks,
            # of which some come twice
            of_one: list[Body] = [
                *(world.receipt(one, ids[n], "sent", (f"x{n}",), sent_at[n]) for n in range(3)),
                world.watermark(one, "read", external="x1"),
                world.watermark(one, "delivered", sent_at[2]),
            ]
            for place, word in enumerate((*order, order[0], order[3])):
                words[place].append((of_one[word], one))
        for at_once in words:
            await world.publish_all(at_once)

        # then in every order each is where it should be
        async def settled() -> bool:
            rows = await database[MESSAGES].find({"_id": {"$in": list(wanted)}}).to_list()
            return {row["_id"]: row["delivery"]["reach"] for row in rows} == wanted

        await eventually(settled)
        # and moved there step by step
        moved: list[Envelope] = []
        heard = 0
        while {event.subject for event in moved} != wanted.keys():
            events = await world.events(heard + 1)
            heard = len(events)
            moved = [e for e in events if isinstance(e.body, MessageDeliveryChanged)]
    by_message: dict[str, list[int]] = {}
    for event in moved:
        by_message.setdefault(event.subject, []).append(event.sequence)
    assert by_message.keys() == wanted.keys()
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_message.values())


async def test_one_watermark_moves_as_many_as_there_are(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    rows = database[MESSAGES]
    async with serving(world):
        [conversation_id] = await taken_cases(world, dima, ["1"])
        sent: list[str] = []
        now = world.inbound("1", 2).received_at
        while len(sent) < 240:
            answers = await answer(world, dima, conversation_id, 8)
            receipts: list[tuple[Body, str]] = []
            for number, message_id in enumerate(answers, len(sent)):
                at = now - timedelta(seconds=240 - number)
                external = (f"x{number}",)
                receipt = world.receipt(conversation_id, message_id, "sent", external, at)
                receipts.append((receipt, conversation_id))
            await world.publish_all(receipts)
            sent += answers
        # when all but the last five are read, which the platform says twice
        for _ in range(2):
            await world.reached(conversation_id, "read", external="x234")

        async def moved() -> bool:
            return await rows.count_documents({"delivery.reach": "read"}) == 235

        await eventually(moved)
        await world.reached(conversation_id, "delivered", external="x235")
        # then they are moved, each once, and no later one
        events = await world.events(3 + 2 * 240 + 236 + 2)
        assert len([e for e in events if isinstance(e.body, WatermarkMoved)]) == 2
        left = await rows.find({"delivery.reach": {"$ne": "read"}}).to_list()
        assert {row["_id"]: row["delivery"]["reach"] for row in left} == {
            sent[235]: "delivered",
            **dict.fromkeys(sent[236:], "sent"),
        }
        # and what the watermark asked is answered by its index
        asked = {
            "conversation": conversation_id,
            "delivery.reach": {"$in": ["sent", "delivered"]},
            "delivery.sent_at": {"$lte": now},
        }
        plan = await rows.find(asked).explain()
        assert indexes_of(plan["queryPlanner"]["winningPlan"]) == {"reach"}
