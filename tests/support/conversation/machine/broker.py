"""Kafka as the machines use it: one writer and one reader for all of them.

The topics have one partition. Where a conversation's events are matters to nobody here, and to ask
the broker for thirty-six partitions each time took a tenth of an example.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.events.topics import Topic
from libs.runtime.broker import EVERYTHING, ServiceBroker
from libs.runtime.kafka import Outgoing, Position, Publisher

type Record = ConsumerRecord[bytes, bytes]

_TOLD = (Topic.CONVERSATION, Topic.OUTBOUND, Topic.CUSTOMER)


async def make_topics(bootstrap: str, namespace: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = [namespace + topic.value for topic in _TOLD]
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        await admin.close()


class Broker(Publisher):
    """Remembers how far each partition was written, so that a reader knows when it has all."""

    def __init__(self, bootstrap: str, namespace: str) -> None:
        self._service = ServiceBroker("tests", EVERYTHING, kafka=bootstrap, namespace=namespace)
        made = self._service.publishes()
        super().__init__(made._producer, made._publishers, made._timeout)
        self._names = [namespace + topic.value for topic in _TOLD]
        self._bootstrap = bootstrap
        self._prefix = namespace
        self._written: dict[TopicPartition, int] = defaultdict(lambda: -1)
        self._told: dict[bytes, list[Record]] = defaultdict(list)
        self._reading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._service.connect()
        # It waits at the broker: what is written comes at once, and nothing is asked for meanwhile.
        self._reader: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            *self._names,
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="latest",
            enable_auto_commit=False,
            fetch_max_wait_ms=2_000,
        )
        await self._reader.start()
        for partition in self._reader.assignment():
            await self._reader.position(partition)
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self._reader.stop()
        await self._service.stop()

    async def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        positions = await super().publish(messages)
        for message, position in zip(messages, positions, strict=True):
            partition = TopicPartition(self._prefix + message.topic, position.partition)
            self._written[partition] = max(self._written[partition], position.offset)
        return positions

    async def told(self, keys: Iterable[str]) -> list[Record]:
        """What was published by these keys since it was asked last, that of each in order."""
        async with self._reading:
            for partition in self._reader.assignment():
                while await self._reader.position(partition) <= self._written[partition]:
                    for fetched in (await self._reader.getmany(timeout_ms=50)).values():
                        for record in fetched:
                            self._told[record.key or b""].append(record)
        return [record for key in keys for record in self._told.pop(key.encode(), ())]
