"""Live answers: what happens in conversations, handed to the open sockets of their visitors."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import msgspec
import structlog

from libs.events.api import CustomerMessage
from libs.events.content import Channel, Content
from libs.events.conversation.message import (
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
)
from libs.events.envelope import Envelope, InvalidEnvelope, read_envelope
from libs.events.registry import InvalidBody, UnknownType
from libs.events.topics import Topic
from libs.runtime.follower import Follower, Offsets
from libs.runtime.kafka_access import Kafka
from libs.runtime.streams import Record
from services.ingest.channels.widget.files import FileHandles

log = structlog.get_logger()

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
    """Follows ``parley.conversation`` from its end: every replica reads it all.

    ``run`` goes to the runtime's tasks and ``check`` to its readiness. Where a socket is open
    before it reads, nothing is missed: the route refuses sockets until ``check`` passes, and the
    client reads the history after it has subscribed.
    """

    def __init__(self, files: FileHandles, *, bootstrap_servers: Kafka, namespace: str) -> None:
        self._files = files
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._follower = Follower(
            "widget",
            (Topic.CONVERSATION,),
            self._take,
            began=self._begin,
            bootstrap_servers=bootstrap_servers,
            namespace=namespace,
        )

    async def check(self) -> None:
        """For readiness. Errors: Unavailable."""
        await self._follower.check()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        await self._follower.run(stop)

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

    def _begin(self, _offsets: Offsets) -> None:
        """Events may be gone unread: the clients read the history again."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.leave_out()

    def _take(self, record: Record) -> None:
        # Most events concern nobody here: those are not even decoded.
        subscriptions = self._subscriptions.get((record.key or b"").decode(errors="replace"))
        if not subscriptions or record.value is None:
            return
        try:
            frame = frame_of(read_envelope(record.key, record.headers, record.value), self._files)
        except (InvalidEnvelope, InvalidBody, UnknownType) as error:
            # Perhaps a newer version's, which the history knows how to tell.
            log.warning("event not understood", topic=record.topic, error=str(error))
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
