"""A header whose name is no UTF-8 is one record's trouble."""

from collections.abc import Sequence
from typing import Any

import pytest

from libs.runtime.consumer import Received, Refused
from libs.runtime.header_names import understand_header_names
from tests.support.raw_records import RawRecord, put_raw, raw
from tests.support.runtime.consuming import TOPIC, Broker, Effects, command, running

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def understood() -> None:
    understand_header_names()


async def test_the_others_of_its_batch_are_applied_and_it_is_a_dead_letter(broker: Broker) -> None:
    effects = Effects()
    records: list[RawRecord] = [
        raw(command("a")),
        (b"k", b"{}", [(b"ce_\xff", b"1")]),
        raw(command("b")),
    ]
    await put_raw(broker.bootstrap, broker.namespace + TOPIC, records)

    async with running(broker.consumer(effects)) as task:
        await effects.wait(lambda seen: "b" in seen)
        [letter] = await broker.dead_letters(1)
        assert not task.done()

    assert effects.seen == ["a", "b"]
    assert ("ce_\N{REPLACEMENT CHARACTER}", b"1") in letter.headers


async def test_a_name_that_is_utf_8_is_read_as_it_is(broker: Broker) -> None:
    name = "ключ"
    key, value, headers = raw(command("a"))
    await put_raw(
        broker.bootstrap,
        broker.namespace + TOPIC,
        [(key, value, [*headers, (name.encode(), b"1")]), (b"k", b"{}", [(b"\xff", b"1")])],
    )
    effects = Effects()
    seen: list[Any] = []

    async def handler(batch: Sequence[Received]) -> Sequence[Refused]:
        seen.extend(one.record.headers for one in batch)
        return await effects(batch)

    async with running(broker.consumer(handler)):
        await effects.wait(lambda applied: applied == ["a"])

    assert (name, b"1") in seen[0]
