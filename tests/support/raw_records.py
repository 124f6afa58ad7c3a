"""Records that no well-behaved producer writes, on a real broker."""

import time
from collections.abc import Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from libs.runtime.kafka import Outgoing

_BATCH_BYTES: Final = 1_000_000
_TIMEOUT_MS: Final = 10_000

type Headers = Sequence[tuple[bytes, bytes | None]]
type RawRecord = tuple[bytes | None, bytes | None, Headers]


class _Name(str):
    """A header's name as these very bytes."""

    __slots__ = ("raw",)
    raw: bytes

    def encode(self, *_how: str) -> bytes:
        return self.raw


async def put_raw(
    bootstrap: str,
    topic: str,
    records: Sequence[RawRecord],
    partition: int = 0,
) -> None:
    """Write records (key, value, headers) in one batch; a header's name may be any bytes."""
    batch = _DefaultRecordBatchBuilderPy(2, 0, False, -1, -1, 0, _BATCH_BYTES)
    for offset, (key, value, headers) in enumerate(records):
        named = [(_named(name), text) for name, text in headers]
        batch.append(offset, int(time.time() * 1000), key, value, named)
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        request = [(topic, [(partition, bytes(batch.build()))])]
        code = NotLeaderForPartitionError.errno  # of a topic that was made a moment ago
        while code == NotLeaderForPartitionError.errno:
            await client.force_metadata_update()
            node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            answer = await client.send(node, ProduceRequest(None, -1, _TIMEOUT_MS, request))
            [(_, [(_, code, *_)])] = answer.topics
        assert code == 0, code
    finally:
        await client.close()


def raw(message: Outgoing) -> RawRecord:
    """As it is published."""
    return message.key, message.value, [(name.encode(), text) for name, text in message.headers]


def poisoned(message: Outgoing) -> list[RawRecord]:
    """The message as nobody should publish it, in every way that cannot be read."""
    key, value, headers = raw(message)
    others = [one for one in headers if one[0] not in (b"ce_type", b"ce_sequence")]
    return [
        (key, b"\xff\xfe\x00", headers),
        (key, b"{}", headers),
        (key, value, []),
        (b"\xff", value, [(b"ce_\xff", b"1"), (b"\xfe", None)]),
        (key, value, [*others, (b"ce_type", b"\xff"), (b"ce_sequence", b"\xff")]),
        (key, value, [*headers, (b"ce_sequence", b"seven")]),
        (key, value, [*headers, (b"ce_workspace", b"\xff")]),
        (key, value, [(name, None) for name, _ in headers]),
    ]


def _named(raw: bytes) -> str:
    name = _Name(raw.decode("utf-8", "replace"))
    name.raw = raw
    return name
