"""FastStream's subscriber as Parley needs it: it fetches as patiently as it is told, and batches
go to the handler through the consumer's policy, which is FastStream's middleware.

What of FastStream's own is not used, and why (0.7.8): after an empty poll it sleeps as long once
more, and after an error five seconds; it swallows what a handler raises, and the next commit goes
past it; it starts a loop again that has failed. Here a batch's failure comes through to whoever
runs the subscriber, and what ends aiokafka's consumer makes a new one (``reading.py``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from faststream import BaseMiddleware
from faststream._internal.endpoint.subscriber import SubscriberSpecification
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream._internal.endpoint.subscriber.usecase import SubscriberUsecase
from faststream.kafka import KafkaMessage
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.config import KafkaSubscriberConfig
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import StreamMessage

from libs.runtime.consumer import GroupMember
from libs.runtime.gathering import GatheringMember
from libs.runtime.reading import read_on
from libs.runtime.stopping import stopped_within
from libs.runtime.streams import Record

POLL_MS: Final = 500

type Member = GroupMember | GatheringMember
type Fetched = Mapping[TopicPartition, Sequence[Record]]


class Subscriber(BatchSubscriber):
    """One member of a group. FastStream's life of it (``start``, ``stop``) is ``run``'s, which
    tells what it failed with."""

    def __init__(
        self,
        config: KafkaSubscriberConfig,
        specification: SubscriberSpecification[Any, Any],
        calls: CallsCollection[Any],
        *,
        member: Member,
        max_batch: int,
        linger_seconds: float,
    ) -> None:
        super().__init__(
            config, specification, calls, batch_timeout_ms=POLL_MS, max_records=max_batch
        )
        self.member = member
        self.stopping = asyncio.Event()
        self._linger_seconds = linger_seconds
        self._reading: asyncio.Task[None] | None = None
        self.add_call(parser_=self._as_it_came, decoder_=_as_it_is, dependencies_=())

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set, then commit what is durable and leave the group.

        Errors: what every batch would meet."""
        reading = await self._started()
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self.stop()
        await reading

    async def start(self) -> None:
        await self._started()

    async def stop(self) -> None:
        self.stopping.set()
        if self._reading is not None:
            await asyncio.wait([self._reading])
        await super().stop()

    async def check(self) -> None:
        """For readiness: the group has given this member its partitions. Errors: Transient."""
        self.member.check(self.consumer)

    def set_aside(self) -> dict[str, str]:
        """For ``/readyz``: each stream of which messages are set aside here, and why."""
        return self.member.set_aside()

    async def _started(self) -> "asyncio.Task[None]":
        # Neither makes topics nor a consumer yet: ``parley migrate`` does the one, ``_read`` the
        # other, as often as it has to.
        await SubscriberUsecase.start(self)
        self._post_start()
        self.stopping.clear()
        self._reading = asyncio.create_task(
            read_on(self._read, self.stopping, self.group_id or ""), name=self.group_id
        )
        return self._reading

    async def _read(self, stop: asyncio.Event) -> None:
        self.consumer = consumer = self.builder(group_id=self.group_id, **self._connection_args)
        consumer.subscribe(
            self.topic_names_for_subscribe, listener=_CommitBeforeLosing(self.member, consumer)
        )
        try:
            async with self.member.committing(consumer):
                await consumer.start()
                while not stop.is_set():
                    self.member.check_commits()
                    fetched = await consumer.getmany(
                        timeout_ms=self.batch_timeout_ms, max_records=self.max_records
                    )
                    if fetched or self.member.has_more_to_do:
                        await self.process_message(fetched)
                    if fetched and self._linger_seconds:
                        await stopped_within(stop, self._linger_seconds)
        finally:
            await consumer.stop()
            self.consumer = None

    async def _as_it_came(self, fetched: Any) -> KafkaMessage:
        return self.message_of(fetched, fetched)

    def message_of(self, fetched: Any, body: Any) -> KafkaMessage:
        return KafkaAckableMessage(raw_message=fetched, body=body, consumer=self.consumer)

    def get_log_context(self, message: StreamMessage[Any] | None) -> dict[str, str]:
        """Of FastStream's own log, which is not kept."""
        return {}


class ConsumerPolicy(BaseMiddleware[Any, Any]):
    """FastStream's middleware: the handler is given what the member makes of a batch (the policy,
    as often as it takes), and the offsets of what is durable are the member's to commit."""

    async def consume_scope(
        self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]
    ) -> None:
        subscriber: Subscriber = self.context.get_local("handler_")

        async def handler(batch: Sequence[Any]) -> Any:
            message = subscriber.message_of(msg.raw_message, batch)
            message.set_decoder(_as_it_is)
            return await call_next(message)

        await subscriber.member.take(
            subscriber.consumer, msg.raw_message, handler, subscriber.stopping
        )


async def _as_it_is(message: StreamMessage[Any]) -> Any:
    return message.body


class _CommitBeforeLosing(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """A partition is given up only when the batch in hand is durable and committed."""

    def __init__(self, member: Member, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        self._member = member
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            await self._member.before_losing_partitions(self._consumer)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._member.got_partitions()
