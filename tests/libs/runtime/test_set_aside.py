"""What a handler fails on is set aside, and nothing else waits for it."""

from collections.abc import Sequence

import pytest

from libs.runtime import consumer as consumer_module
from libs.runtime import policy as policy_module
from libs.runtime.away import ServerAway
from libs.runtime.consumer import Received, Refused, Transient
from libs.runtime.metrics import SET_ASIDE_MESSAGES
from libs.runtime.set_aside import kept_in_twin, retry_of
from libs.runtime.subscriber import Subscriber
from tests.support.eventually import eventually
from tests.support.runtime.consuming import GROUP, TOPIC, Broker, Effects, causes, running

pytestmark = pytest.mark.servers


class Brittle(Effects):
    """Fails on what is called bad, until it is mended."""

    def __init__(self, *bad: str) -> None:
        super().__init__()
        self.bad = set(bad)

    async def __call__(self, batch: Sequence[Received]) -> Sequence[Refused]:
        if self.bad & set(causes(batch)):
            raise OverflowError("date value out of range")
        return await super().__call__(batch)


async def kept(broker: Broker) -> list[tuple[str, str]]:
    """Key and reason of what is set aside."""
    found, _ = await kept_in_twin(broker.bootstrap, broker.namespace, TOPIC)
    return [(one.key.decode(), one.reason) for one in found]


def gauge(broker: Broker) -> float:
    group = broker.namespace + GROUP
    return sum(
        sample.value
        for metric in SET_ASIDE_MESSAGES.collect()
        for sample in metric.samples
        if sample.labels["group"] == group
    )


async def until(consumer: Subscriber, number: int) -> None:
    """So many streams are set aside."""
    await eventually(lambda: len(consumer.set_aside()) == number)


async def test_one_message_alone_is_set_aside_with_what_comes_after_it_in_its_stream(
    broker: Broker,
) -> None:
    handler = Brittle("bad")
    good = [f"good-{n}" for n in range(40)]
    await broker.put(*good[:20])
    await broker.put("first", "bad", "second", key="one")
    await broker.put(*good[20:])
    consumer = broker.consumer(handler)

    async with running(consumer):
        await handler.wait(lambda seen: {*good, "first"} <= set(seen))
        await until(consumer, 1)
        await broker.put("third", key="one")
        await broker.put("other")
        await handler.wait(lambda seen: "other" in seen)
        await eventually(lambda: gauge(broker) >= 3)
        await consumer.check()
        told = consumer.set_aside()

    assert list(told) == ["parley.commands:one"]
    assert "OverflowError" in told["parley.commands:one"]
    assert not {"bad", "second", "third"} & set(handler.seen)
    waits = "waits for what was set aside of its stream before"
    assert await kept(broker) == [
        ("one", "unexpected: OverflowError"),
        ("one", waits),
        ("one", waits),
    ]
    assert sum((await broker.committed()).values()) == 45


async def test_a_request_to_try_again_applies_all_of_it_in_order(broker: Broker) -> None:
    handler = Brittle("bad")
    await broker.put("a", "bad", "c", key="one")
    consumer = broker.consumer(handler)

    async with running(consumer):
        await until(consumer, 1)
        await broker.publisher.publish([retry_of(TOPIC, broker.namespace + GROUP, b"other")])
        handler.bad.clear()
        await broker.publisher.publish([retry_of(TOPIC, broker.namespace + GROUP, b"one")])
        await broker.put("d", key="one")
        await handler.wait(lambda seen: {"c", "d"} <= set(seen))
        await until(consumer, 0)
        await broker.put("e", key="one")
        await handler.wait(lambda seen: "e" in seen)
        await handler.wait(lambda seen: seen[-1] == "e")

    assert list(dict.fromkeys(handler.seen)) == ["a", "bad", "c", "d", "e"]
    assert await kept(broker) == []


async def test_who_takes_the_partition_over_tries_again_and_keeps_the_order(
    broker: Broker,
) -> None:
    broken = broker.consumer(Brittle("bad"))
    await broker.put("a", "bad", "c", key="one")
    async with running(broken):
        await until(broken, 1)

    still_broken = Brittle("bad")
    again = broker.consumer(still_broken)
    await broker.put("d", key="one")
    await broker.put("other")
    async with running(again):
        await still_broken.wait(lambda seen: "other" in seen)
        await until(again, 1)
        await eventually(lambda: gauge(broker) >= 3)
    assert still_broken.seen == ["other"]

    mended = Effects()
    await broker.put("e", key="one")
    async with running(broker.consumer(mended)):
        await mended.wait(lambda seen: "e" in seen)
    assert mended.seen == ["bad", "c", "d", "e"]
    assert await kept(broker) == []


async def test_where_messages_stand_for_themselves_nothing_waits(broker: Broker) -> None:
    handler = Brittle("bad")
    await broker.put("a", "bad", "c", key="one")
    consumer = broker.consumer(handler, ordered=False)

    async with running(consumer):
        await handler.wait(lambda seen: "c" in seen)
        await until(consumer, 1)
        await broker.put("d", key="one")
        await handler.wait(lambda seen: "d" in seen)

    assert set(handler.seen) == {"a", "c", "d"}
    assert await kept(broker) == [("one", "unexpected: OverflowError")]


async def test_what_is_refused_when_it_is_tried_again_is_a_dead_letter(broker: Broker) -> None:
    broken = broker.consumer(Brittle("bad"))
    await broker.put("bad", "c", key="one")
    async with running(broken):
        await until(broken, 1)
    seen: list[str] = []

    async def refusing(batch: Sequence[Received]) -> Sequence[Refused]:
        seen.extend(causes(batch))
        return [Refused(one, "no such case") for one in batch if causes([one]) == ["bad"]]

    consumer = broker.consumer(refusing)
    async with running(consumer):
        letters = await broker.dead_letters(5)
        await until(consumer, 0)

    assert seen == ["bad", "c"]
    assert dict(letters[2].headers)["parley_dead_reason"] == b"no such case"
    assert await kept(broker) == []


async def test_a_passing_failure_beside_it_sets_nothing_aside(broker: Broker) -> None:
    away = 3

    async def handler(batch: Sequence[Received]) -> Sequence[Refused]:
        nonlocal away
        if "bad" in causes(batch):
            raise KeyError
        if batch and away:
            away -= 1
            raise Transient("no answer")
        return []

    await broker.put("a", "bad", "c")
    consumer = broker.consumer(handler)
    async with running(consumer):
        await until(consumer, 1)

    assert [key for key, _ in await kept(broker)] == ["bad"]


class Held(Effects):
    """Says of what is called bad, for ever, that it will pass; of all, while nobody answers."""

    def __init__(self, *bad: str) -> None:
        super().__init__()
        self.bad = set(bad)
        self.tries = 0
        self.nobody_answers = False

    async def __call__(self, batch: Sequence[Received]) -> Sequence[Refused]:
        if batch and (self.nobody_answers or self.bad & set(causes(batch))):
            self.tries += 1
            raise Transient("not yet")
        return await super().__call__(batch)


@pytest.fixture
def soon_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "HELD_SECONDS", 0.5)
    monkeypatch.setattr(consumer_module, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(policy_module, "HELD_AGAIN_SECONDS", 3.0)


@pytest.mark.usefixtures("soon_held")
async def test_a_stream_that_alone_never_passes_is_set_aside_and_holds_nobody_up(
    broker: Broker,
) -> None:
    handler = Held("bad")
    await broker.put("a", "bad", "c", key="one")
    consumer = broker.consumer(handler)
    async with running(consumer):
        # What comes later is pulled to tell by, for the batch in hand has one stream only.
        await eventually(lambda: handler.tries > 1)
        await broker.put("other", key="two")
        await handler.wait(lambda seen: "other" in seen)
        await until(consumer, 1)
        await broker.put("d", key="one")
        await broker.put("goes on", key="two")
        await handler.wait(lambda seen: "goes on" in seen)
        assert consumer.set_aside()["parley.commands:one"].startswith("held: Transient")
    assert not {"bad", "c", "d"} & set(handler.seen)
    assert sum((await broker.committed()).values()) == 6

    still = Held("bad")
    again = broker.consumer(still)
    async with running(again):
        await until(again, 1)
        await broker.put("nobody waits", key="two")
        await still.wait(lambda seen: "nobody waits" in seen)
        # Nobody asks, and no process takes over: it is tried again by itself.
        still.bad.clear()
        await still.wait(lambda seen: "d" in seen)
        await until(again, 0)
    assert [one for one in still.seen if one != "nobody waits"] == ["bad", "c", "d"]
    assert await kept(broker) == []


@pytest.mark.usefixtures("soon_held")
async def test_a_server_that_is_away_is_no_streams_own_trouble(broker: Broker) -> None:
    """Though there are streams that have no need of it."""
    tries, away = 0, True

    async def needs_a_server(batch: Sequence[Received]) -> Sequence[Refused]:
        nonlocal tries
        if away and "needs it" in causes(batch):
            tries += 1
            raise ServerAway("no answer")
        return []

    await broker.put("needs it", key="one")
    await broker.put("does not", key="two")
    consumer = broker.consumer(needs_a_server)
    async with running(consumer):
        await eventually(lambda: tries > 20, within_seconds=60)
        assert consumer.set_aside() == {}
        away = False
        await eventually(broker.committed, lambda found: sum(found.values()) == 2)

    assert await kept(broker) == []


@pytest.mark.usefixtures("soon_held")
async def test_while_nobody_passes_nothing_is_set_aside(broker: Broker) -> None:
    handler = Held()
    handler.nobody_answers = True
    await broker.put("a", key="one")
    await broker.put("b", key="two")
    consumer = broker.consumer(handler)
    async with running(consumer):
        # Well beyond the time at which it would be held against a stream.
        await eventually(lambda: handler.tries > 20, within_seconds=60)
        assert consumer.set_aside() == {}
        handler.nobody_answers = False
        await handler.wait(lambda seen: {"a", "b"} <= set(seen))

    assert await kept(broker) == []
