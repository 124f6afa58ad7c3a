"""The consumer's policy on a real Kafka: commits after effects, and each failure by its kind."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from libs.events.commands import RouteCase
from libs.runtime.away import ServerAway
from libs.runtime.consumer import (
    COMMIT_INTERVAL_SECONDS,
    Received,
    Refused,
    Transient,
)
from libs.runtime.header_names import understand_header_names
from libs.runtime.kafka import Outgoing
from tests.support.eventually import eventually
from tests.support.raw_records import poisoned, put_raw, raw
from tests.support.runtime.consuming import GROUP, TOPIC, Broker, Effects, causes, command, running

pytestmark = pytest.mark.servers


async def test_offsets_are_committed_only_after_the_effects(broker: Broker) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(_batch: Sequence[Received]) -> Sequence[Refused]:
        entered.set()
        await release.wait()
        return []

    await broker.put("a", "b", "c", key="one")
    consumer = broker.consumer(slow)
    async with running(consumer):
        await asyncio.wait_for(entered.wait(), 20)
        await asyncio.sleep(1.5 * COMMIT_INTERVAL_SECONDS)
        before = await broker.committed()
        release.set()
        after = await eventually(broker.committed)

    assert before == {}
    assert list(after.values()) == [3]


async def test_a_patient_consumer_gets_messages_that_nothing_else_joins(broker: Broker) -> None:
    effects = Effects()
    async with running(broker.consumer(effects, patience_seconds=0.1)):
        await broker.put("a", key="one")
        await effects.wait(lambda seen: seen == ["a"])
        await broker.put("b", key="one")
        await effects.wait(lambda seen: seen == ["a", "b"])


async def test_what_is_not_wanted_is_consumed_unread(broker: Broker) -> None:
    effects = Effects()
    foreign = Outgoing(TOPIC, b"one", b"{", [("ce_type", b"parley.case.taken.v1")])
    untyped = Outgoing(TOPIC, b"one", b"{", [])
    await broker.publisher.publish([foreign, untyped])
    await broker.put("a", key="one")
    await broker.publisher.publish([foreign])

    async with running(broker.consumer(effects, messages=(RouteCase,))):
        await effects.wait(lambda seen: seen == ["a"])
        [letter] = await broker.dead_letters(1)
    committed = await broker.committed()

    assert letter.headers[0][0] == "parley_dead_reason"
    assert sum(committed.values()) == 4


async def test_what_is_done_is_committed_when_it_stops(broker: Broker) -> None:
    effects = Effects()
    await broker.put("a", "b", key="one")
    async with running(broker.consumer(effects)):
        await effects.wait(lambda seen: len(seen) == 2)

    again = Effects()
    await broker.put("c", key="one")
    async with running(broker.consumer(again)):
        await again.wait(lambda seen: "c" in seen)

    assert (effects.seen, again.seen) == (["a", "b"], ["c"])


async def test_a_poison_message_becomes_a_dead_letter_and_the_partition_goes_on(
    broker: Broker,
) -> None:
    good = command("good", "one")
    headers = [*good.headers, ("x_origin", b"\xff\x00")]
    poison = Outgoing(TOPIC, b"one", b"\x00not json", headers)
    foreign = Outgoing(TOPIC, b"one", None, [])
    large = Outgoing(TOPIC, b"one", b"x" * 1_040_000, [("ce_id", b"large")])
    effects = Effects()
    await broker.publisher.publish([command("first", "one"), poison, foreign, good])
    await broker.publisher.publish([large])
    await broker.put("last", key="one")

    async with running(broker.consumer(effects)):
        await effects.wait(lambda seen: "last" in seen)
        letters = await broker.dead_letters(3)

    assert effects.seen == ["first", "good", "last"]
    assert [(one.key, one.value) for one in letters] == [
        (b"one", poison.value),
        (b"one", None),
        (b"one", large.value),
    ]
    kept = list(letters[0].headers)
    assert kept[: len(headers)] == headers
    added = dict(kept[len(headers) :])
    assert b"JSON is malformed" in added["parley_dead_reason"]
    assert added["parley_dead_group"].decode() == broker.namespace + GROUP
    topic, _, offset = added["parley_dead_origin"].decode().split(":")
    assert (topic, offset) == (TOPIC.value, "1")


@pytest.mark.parametrize("declared", [{}, {"messages": (RouteCase,)}], ids=["all", "messages"])
async def test_poison_of_every_kind_becomes_dead_letters_and_the_partition_goes_on(
    broker: Broker, declared: dict[str, Any]
) -> None:
    understand_header_names()
    good = command("good", "one")
    [first] = await broker.publisher.publish([command("first", "one")])
    poison = [
        *poisoned(good),
        *(
            raw(msgspec.structs.replace(good, headers=[*good.headers, spoilt]))
            for spoilt in (
                ("ce_time", b"yesterday"),
                ("ce_time", b"2026-01-01T00:00:00"),
                ("ce_sequence", b"-1"),
                ("ce_sequence", b"9" * 5_000),
                ("ce_specversion", b"2.0"),
            )
        ),
    ]
    topic = broker.namespace + TOPIC
    await put_raw(broker.bootstrap, topic, [*poison, raw(good)], first.partition)
    await broker.put("last", key="one")

    effects = Effects()
    async with running(broker.consumer(effects, **declared)):
        await effects.wait(lambda seen: "last" in seen)
        # Whose type cannot be one of ours is not wanted where types are named.
        letters = await broker.dead_letters(len(poison) - bool(declared))

    assert effects.seen == ["first", "good", "last"]
    assert sum((await broker.committed()).values()) == len(poison) + 3
    assert {one.value for one in letters} <= {value for _, value, _ in poison}
    assert all(one.headers[-2][0] == "parley_dead_group" for one in letters)


async def test_a_stop_in_the_middle_of_a_batch_lets_it_end_and_commits_it(broker: Broker) -> None:
    """As SIGTERM does, which sets ``stop``."""
    entered, release = asyncio.Event(), asyncio.Event()
    batches: list[list[str]] = []

    async def slow(batch: Sequence[Received]) -> Sequence[Refused]:
        batches.append(causes(batch))
        entered.set()
        await release.wait()
        return []

    await broker.put("a", "b", key="one")
    stop = asyncio.Event()
    ending = asyncio.create_task(broker.consumer(slow, max_batch=2).run(stop))
    await asyncio.wait_for(entered.wait(), 20)
    await broker.put("c", key="one")
    stop.set()
    assert await broker.committed() == {}
    release.set()
    await asyncio.wait_for(ending, 20)
    assert batches == [["a", "b"]]
    assert list((await broker.committed()).values()) == [2]

    later = Effects()
    async with running(broker.consumer(later)):
        await later.wait(lambda seen: "c" in seen)
    assert later.seen == ["c"]


async def test_what_the_handler_refuses_becomes_a_dead_letter(broker: Broker) -> None:
    async def refuse(batch: Sequence[Received]) -> Sequence[Refused]:
        return [Refused(one, "no such case") for one in batch if causes([one]) == ["bad"]]

    await broker.put("ok", "bad", "fine", key="one")
    async with running(broker.consumer(refuse)):
        [letter] = await broker.dead_letters(1)

    assert dict(letter.headers)["parley_dead_reason"] == b"no such case"
    assert b'"cause":"bad"' in letter.value
    assert list((await broker.committed()).values()) == [3]


class _ServerGone(ServerAway):
    pass


async def test_a_transient_failure_is_tried_again_and_nothing_is_committed_meanwhile(
    broker: Broker,
) -> None:
    failures: list[Exception] = [Transient("no answer"), _ServerGone(), _ServerGone()]
    batches: list[list[str]] = []
    done = asyncio.Event()

    async def flaky(batch: Sequence[Received]) -> Sequence[Refused]:
        batches.append(causes(batch))
        if failures:
            assert await broker.committed() == {}
            raise failures.pop()
        done.set()
        return []

    await broker.put("a", "b", key="one")
    async with running(broker.consumer(flaky)):
        await asyncio.wait_for(done.wait(), 20)

    assert batches == [["a", "b"]] * 4
    assert list((await broker.committed()).values()) == [2]


async def test_a_stop_during_an_outage_commits_nothing(broker: Broker) -> None:
    tried = asyncio.Event()

    async def outage(_batch: Sequence[Received]) -> Sequence[Refused]:
        tried.set()
        raise Transient("no answer")

    await broker.put("a")
    async with running(broker.consumer(outage)):
        await asyncio.wait_for(tried.wait(), 20)

    assert await broker.committed() == {}


async def test_a_bug_that_every_batch_meets_ends_the_run_and_the_message_comes_again(
    broker: Broker,
) -> None:
    async def bug(_batch: Sequence[Received]) -> Sequence[Refused]:
        raise ZeroDivisionError

    await broker.put("a")
    async with running(broker.consumer(bug)) as task:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(asyncio.shield(task), 20)
    effects = Effects()
    async with running(broker.consumer(effects)):
        await effects.wait(lambda seen: seen == ["a"])

    assert effects.seen == ["a"]


async def test_a_second_consumer_takes_over_without_a_loss(broker: Broker) -> None:
    """Messages go on coming while one joins and the other leaves."""
    one, other = Effects(), Effects()
    sent: list[str] = []

    async def keep_sending(until: asyncio.Event) -> None:
        while not until.is_set():
            batch = [f"m{len(sent) + n}" for n in range(20)]
            await broker.put(*batch)
            sent.extend(batch)
            await asyncio.sleep(0.05)

    enough = asyncio.Event()
    sending = asyncio.create_task(keep_sending(enough))
    async with running(broker.consumer(other, max_batch=50)):
        async with running(broker.consumer(one, max_batch=50)):
            await one.wait(lambda seen: len(seen) >= 100)
            await other.wait(lambda seen: len(seen) >= 100)
        await asyncio.sleep(0.5)
        enough.set()
        await sending
        await other.wait(lambda seen: set(sent) <= set(seen) | set(one.seen))

    assert set(one.seen) | set(other.seen) == set(sent)
    assert one.seen
    assert other.seen
    assert sum((await broker.committed()).values()) == len(sent)


async def test_it_is_ready_when_it_has_partitions(broker: Broker) -> None:
    effects = Effects()
    consumer = broker.consumer(effects)
    with pytest.raises(Transient):
        await consumer.check()
    await broker.put("a")

    async with running(consumer):
        await effects.wait(lambda seen: seen == ["a"])
        await consumer.check()
