"""A member of a group whose handler gathers records as they are, and says when they are durable.

For what is written seldom, out of very much: nothing is decoded, so that what nobody can read holds
up nothing and becomes no dead letter here. What was not written when a process stopped is met again
by the next.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from libs.runtime.away import Transient
from libs.runtime.streams import Record

log = structlog.get_logger()

# Is given what has come, perhaps nothing; answers whether all that it was ever given is durable.
Gatherer = Callable[[Sequence[Record]], Awaitable[bool]]


class GatheringMember:
    """A subscriber's member, as ``consumer.GroupMember`` is one."""

    # Its handler is asked also where nothing was fetched: it may be time to write.
    has_more_to_do: Final = True

    def __init__(self, group: str) -> None:
        self._group = group
        self._positions: dict[TopicPartition, int] = {}

    async def take(
        self,
        consumer: "AIOKafkaConsumer[bytes, bytes]",
        fetched: Mapping[TopicPartition, Sequence[Record]],
        gather: Gatherer,
        _stop: asyncio.Event,
    ) -> None:
        for partition, records in fetched.items():
            self._positions[partition] = records[-1].offset + 1
        if await gather([one for records in fetched.values() for one in records]):
            await self._commit(consumer)

    async def _commit(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        assigned = consumer.assignment()
        offsets = {tp: offset for tp, offset in self._positions.items() if tp in assigned}
        self._positions.clear()
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except KafkaError as error:
            log.warning("offsets of what is written not committed", group=self._group, error=error)

    @asynccontextmanager
    async def committing(self, _consumer: "AIOKafkaConsumer[bytes, bytes]") -> AsyncIterator[None]:
        # Perhaps another's partitions by now; what was gathered of them may be written twice.
        self._positions.clear()
        yield

    def check_commits(self) -> None:
        """They are made by ``take``, and no failure of one ends anything."""

    def check(self, consumer: "AIOKafkaConsumer[bytes, bytes] | None") -> None:
        """For readiness. Errors: Transient."""
        if consumer is None or not consumer.assignment():
            raise Transient(f"the consumer {self._group} has no partitions yet")

    def set_aside(self) -> dict[str, str]:
        return {}

    async def before_losing_partitions(self, _consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        """Whoever gets them gathers them again."""

    def got_partitions(self) -> None:
        """It is of no interest which."""
