"""Live answers: what happens in conversations, handed to the open sockets of their visitors."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OffsetOutOfRangeError

from libs.events.api import CustomerMessage
from libs.events.content import Channel, Content
from libs.events.conversation import (
    MessageEdited,
    MessageReceived,
    MessageSent,
)
from libs.events.correcting import MessageDeleted
from libs.events.envelope import Envelope, InvalidEnvelope, read_envelope
from libs.events.registry import InvalidBody, UnknownType
from libs.events.topics import Topic
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.left_out import left_out
from libs.runtime.problems import Unavailable
from libs.runtime.reading import Reader, read_on
from services.ingest.channels.widget.files import FileHandles

log = structlog.get_logger()

POLL_MS: Final = 250
TOPIC_WAIT_SECONDS: Final = 15
QUEUE_SIZE: Final = 200


class FellBehind(Exception):
    """The socket did not take its events fast enough, or one of them was not understood here; its
    client has to read the history."""


class MessageFrame(msgspec.Struct, frozen=True, tag="message"):
    """A new message, as the history would show it. ``type`` is ``message``."""

    message: CustomerMessage


class EditedFrame(msgspec.Struct, frozen=True, tag="edited"):
    """A message's whole content after an edit; its position stays what it was."""

    message_id: str
    content: Content
    edited_at: datetime


class DeletedFrame(msgspec.Struct, frozen=True, tag="deleted"):
    """The team took the message back: it is not to be shown any more."""

    message_id: str


Frame = MessageFrame | EditedFrame | DeletedFrame


class Subscription:
    """The events of one conversation for one socket, in order and without gaps."""

    def __init__(self, size: int) -> None:
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue(size + 1)
        self._size = size
        self._behind = False

    def offer(self, frame: Frame) -> None:
        if self._frames.qsize() >= self._size:
            self.leave_out()
        elif not self._behind:
            self._frames.put_nowait(frame)

    def leave_out(self) -> None:
        """An event cannot be given: nothing is, from here on."""
        if not self._behind:
            self._behind = True
            self._frames.put_nowait(None)

    async def next(self) -> Frame:
        """Errors: FellBehind, as soon as an event had to be left out."""
        frame = None if self._behind else await self._frames.get()
        if frame is None:
            raise FellBehind
        return frame


class WidgetHub:
    """Follows ``parley.conversation`` from its end, without a group: every replica reads it all.

    ``run`` goes to the runtime's tasks and ``check`` to its readiness. Where a socket is open
    before it reads, nothing is missed: the route refuses sockets until ``check`` passes, and the
    client reads the history after it has subscribed.
    """

    def __init__(self, files: FileHandles, *, bootstrap_servers: Kafka, namespace: str) -> None:
        self._files = files
        self._topic = namespace + Topic.CONVERSATION.value
        self._bootstrap_servers = bootstrap_servers
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._is_following = False
        self._next: dict[TopicPartition, int] = {}

    async def check(self) -> None:
        """Errors: Unavailable."""
        if not self._is_following:
            raise Unavailable("the conversations' events are not followed yet")

    def sockets_of(self, conversation_id: str) -> int:
        return len(self._subscriptions.get(conversation_id, ()))

    @contextmanager
    def subscribed(self, conversation_id: str, size: int = QUEUE_SIZE) -> Iterator[Subscription]:
        """What is published from now on, at most ``size`` events waiting."""
        subscription = Subscription(size)
        of_conversation = self._subscriptions.setdefault(conversation_id, set())
        of_conversation.add(subscription)
        try:
            yield subscription
        finally:
            of_conversation.discard(subscription)
            if not of_conversation and self._subscriptions.get(conversation_id) is of_conversation:
                del self._subscriptions[conversation_id]

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Errors: RuntimeError where there is no topic."""
        await read_on(self._read, stop, "widget")

    async def _read(self, stop: asyncio.Event) -> None:
        partitions = await self._partitions()
        # No reset: should a position be lost with the log, the clients read the history again,
        # instead of missing what was in between.
        consumer = Reader(
            **client_options(self._bootstrap_servers),
            enable_auto_commit=False,
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            ends = await consumer.end_offsets(partitions)
            consumer.assign(partitions)
            for partition in partitions:
                # One that takes another's place goes on where that was.
                consumer.seek(partition, self._next.setdefault(partition, ends[partition]))
            self._is_following = True
            while not stop.is_set():
                for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        with left_out("widget", f"{record.partition}:{record.offset}"):
                            self._hand_on(record.key, record.headers, record.value)
                    self._next[partition] = records[-1].offset + 1
        except OffsetOutOfRangeError:
            self._next.clear()
            for subscriptions in self._subscriptions.values():
                for subscription in subscriptions:
                    subscription.leave_out()
            raise
        finally:
            self._is_following = False
            await consumer.stop()

    async def _partitions(self) -> list[TopicPartition]:
        """Waits a little for a topic that was made a moment ago. Errors: RuntimeError, KafkaError.

        A consumer does not tell them by itself: what it knows of topics is as old as its start.
        """
        admin = AIOKafkaAdminClient(**client_options(self._bootstrap_servers))
        try:
            await admin.start()
            async with asyncio.timeout(TOPIC_WAIT_SECONDS):
                while True:
                    [topic] = await admin.describe_topics([self._topic])
                    if topic["partitions"]:
                        numbers = [one["partition"] for one in topic["partitions"]]
                        return [TopicPartition(self._topic, number) for number in numbers]
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise RuntimeError(f"there is no topic {self._topic}: migrate first") from error
        finally:
            await admin.close()

    def _hand_on(
        self, key: bytes | None, headers: tuple[tuple[str, bytes], ...], value: bytes | None
    ) -> None:
        # Most events concern nobody here: those are not even decoded.
        subscriptions = self._subscriptions.get((key or b"").decode(errors="replace"))
        if not subscriptions or value is None:
            return
        try:
            frame = frame_of(read_envelope(key, headers, value), self._files)
        except (InvalidEnvelope, InvalidBody, UnknownType) as error:
            # Perhaps a newer version's, which the history knows how to tell.
            log.warning("event not understood", topic=self._topic, error=str(error))
            for subscription in subscriptions:
                subscription.leave_out()
            return
        if frame is not None:
            for subscription in subscriptions:
                subscription.offer(frame)


def frame_of(envelope: Envelope, files: FileHandles) -> Frame | None:
    """What the customer may see of an event; None where that is nothing."""
    match envelope.body:
        case MessageReceived(message=message, case=case) | MessageSent(message=message, case=case):
            if case.channel is not Channel.WIDGET:
                return None
            return MessageFrame(
                CustomerMessage(
                    message_id=message.message_id,
                    direction=message.direction,
                    content=files.shown(message.content, case.conversation_id),
                    occurred_at=message.occurred_at,
                    position=envelope.sequence,
                )
            )
        case MessageEdited(message=message, case=case) if case.channel is Channel.WIDGET:
            content = files.shown(message.content, case.conversation_id)
            return EditedFrame(message.message_id, content, envelope.time)
        case MessageDeleted(message_id=message_id, case=case) if case.channel is Channel.WIDGET:
            return DeletedFrame(message_id)
    return None
