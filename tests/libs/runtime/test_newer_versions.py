"""What a newer version of Parley wrote, met by a consumer that does not know it."""

from typing import Any, Literal

import msgspec
import pytest

from libs.events import registry
from libs.events.commands import RouteCase
from libs.runtime.consumer import Transient, of_types
from libs.runtime.kafka import Outgoing
from libs.runtime.metrics import CONSUMER_STOPPED
from tests.support.eventually import eventually
from tests.support.runtime.consuming import GROUP, TOPIC, Broker, Effects, command, running

pytestmark = pytest.mark.servers


NEWER = "parley.command.route-case.v2"


def newer(cause: str, key: str) -> Outgoing:
    """What a newer version of Parley publishes."""
    known = command(cause, key)
    headers = [(n, NEWER.encode() if n == "ce_type" else v) for n, v in known.headers]
    return Outgoing(TOPIC, known.key, known.value, headers)


def stopped(broker: Broker) -> float:
    return sum(
        sample.value
        for metric in CONSUMER_STOPPED.collect()
        for sample in metric.samples
        if sample.labels["group"] == broker.namespace + GROUP
    )


@pytest.mark.parametrize("options", [{}, {"wanted": of_types(RouteCase)}], ids=["all", "wanted"])
async def test_what_a_newer_version_wrote_stops_its_partition_and_is_not_lost(
    broker: Broker, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = Outgoing(TOPIC, b"one", b"{", [])
    await broker.publisher.publish(
        [command("a", "one"), poison, newer("b", "one"), poison, command("c", "one")]
    )
    await broker.put("other", key="two")

    effects = Effects()
    consumer = broker.consumer(effects, **options)
    async with running(consumer):
        await effects.wait(lambda seen: {"a", "other"} <= set(seen))
        await eventually(lambda: stopped(broker) == 1)
        with pytest.raises(Transient, match=r"parley\.command\.route-case\.v2"):
            await consumer.check()
        await broker.put("goes on", key="two")
        await effects.wait(lambda seen: "goes on" in seen)
        assert len(await broker.dead_letters(1)) == 1
    assert "c" not in effects.seen
    assert sorted((await broker.committed()).values()) == [2, 2]

    # A process that knows it goes on where this one stopped.
    known = registry.spec_of(RouteCase)
    monkeypatch.setitem(registry._by_name, NEWER, known)
    later = Effects()
    async with running(broker.consumer(later, **options)) as _:
        await later.wait(lambda seen: "c" in seen)
    assert later.seen == ["b", "c"]


class Today(RouteCase):
    decided_by: Literal["rule"] = "rule"


class Tomorrow(RouteCase):
    decided_by: Literal["rule", "model"] = "rule"


def of_tomorrow(cause: str, key: str) -> Outgoing:
    known = command(cause, key)
    value = msgspec.json.encode(
        {"cause": cause, "conversation_id": "cnv", "case_id": "case", "decided_by": "model"}
    )
    return Outgoing(TOPIC, known.key, value, known.headers)


async def test_a_value_of_tomorrow_in_an_event_of_today_waits_too(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = registry.spec_of(RouteCase)

    def this_version_has(body: type[RouteCase]) -> None:
        decoder = msgspec.json.Decoder(body)
        spec = registry.TypeSpec(known.name, known.topic, body, decoder, known.personal)
        monkeypatch.setitem(registry._by_name, known.name, spec)

    this_version_has(Today)
    await broker.publisher.publish(
        [command("a", "one"), of_tomorrow("b", "one"), command("c", "one")]
    )
    await broker.put("other", key="two")

    effects = Effects()
    consumer = broker.consumer(effects)
    async with running(consumer):
        await effects.wait(lambda seen: {"a", "other"} <= set(seen))
        await eventually(lambda: stopped(broker) == 1)
        with pytest.raises(Transient, match="decided_by"):
            await consumer.check()
        await broker.put("goes on", key="two")
        await effects.wait(lambda seen: "goes on" in seen)
    assert "c" not in effects.seen

    this_version_has(Tomorrow)
    later = Effects()
    async with running(broker.consumer(later)):
        await later.wait(lambda seen: "c" in seen)
    assert later.seen == ["b", "c"]
    await broker.publisher.publish([Outgoing(TOPIC, b"one", b"{", [])])
    async with running(broker.consumer(later)):
        # The poison is the only dead letter.
        assert len(await broker.dead_letters(1)) == 1
