"""The live sockets of this process, and what each of them is shown."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from libs.events.conversation.case import ConversationEvent
from libs.events.conversation.customer import CustomerErased
from libs.events.envelope import Envelope
from libs.runtime.directory import Directory, WorkspaceDirectory
from services.gateway.accounts.sessions import Principal
from services.gateway.live.frames import PING, RELOAD, Happening, ready, shown_to
from services.gateway.live.history import History
from services.gateway.live.order import LastSequences, Seen
from services.gateway.live.positions import Cursors, Positions, Vector
from services.gateway.metrics import GAPS, REPEATS

WAITING_AT_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame on its way to one socket. ``received_at`` is set where its latency is of interest."""

    text: str
    kind: str
    received_at: datetime | None = None


class Subscriber:
    """One socket's frames, in order and bounded: who falls behind is told to reload."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.is_ended = False
        self._waiting: deque[Waiting] = deque()
        self._some = asyncio.Event()

    @property
    def is_behind(self) -> bool:
        return len(self._waiting) >= WAITING_AT_MOST

    def offer(self, *frames: Waiting) -> None:
        self._waiting.extend(frames)
        self._some.set()

    def reload(self, cursor: str) -> None:
        """What waits is dropped: the client asks for the present, and goes on from ``cursor``."""
        self._waiting.clear()
        self.offer(Waiting(RELOAD, "reload"), Waiting(ready(cursor), "ready"))

    def end(self) -> None:
        """The session is over; nothing more is shown."""
        self.is_ended = True
        self._waiting.clear()
        self._some.set()

    async def next(self) -> Waiting | None:
        """The next frame, as soon as there is one; None when the session has ended."""
        while not self._waiting and not self.is_ended:
            self._some.clear()
            await self._some.wait()
        return None if self.is_ended else self._waiting.popleft()


class Hub:
    """Takes what is read from Kafka and hands it to those who may see it."""

    def __init__(self, directory: Directory, cursors: Cursors) -> None:
        self._directory = directory
        self._cursors = cursors
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._sequences = LastSequences()
        self._ids = LastSequences()
        self._positions = Positions(())
        self._history: History[Happening] = History(())
        self._moved = asyncio.Event()
        self._missing: set[str] = set()

    def begin(self, positions: Positions) -> None:
        """Reading begins, or begins anew, at these positions: nobody can go on from before."""
        self._positions = positions
        self._history = History(positions.vector)
        for subscriber in self._everybody():
            subscriber.reload(self._present(subscriber.principal.workspace_id))

    def take(self, envelope: Envelope, place: int, offset: int, size_bytes: int) -> None:
        """Show an event that was read; ``positions`` have moved past it already."""
        if self._seen(envelope) is Seen.REPEAT:
            REPEATS.inc()
            return
        workspace_id, vector = envelope.workspace_id, self._positions.vector
        seal = partial(self._cursors.seal, workspace_id, self._positions.shape, vector)
        happening = Happening(envelope.body, place, offset, size_bytes, seal)
        self._history.add(workspace_id, happening, vector)
        if isinstance(envelope.body, CustomerErased):
            # What was said before is among it. Who was away reloads, which is rare and harmless.
            self._history.forget(envelope.workspace_id, self._positions.vector)
        directory = self._directory.of(envelope.workspace_id)
        for subscriber in self._subscribers.get(envelope.workspace_id, ()):
            if subscriber.is_behind:
                subscriber.reload(happening.cursor)
            else:
                _offer(subscriber, directory, happening, live=True)

    def skip(self, workspace_id: str, subject: str, sequence: int) -> None:
        """An event that this version cannot read: nobody goes on as if it had not been."""
        if sequence > 0 and self._sequences.see(subject, sequence) is Seen.REPEAT:
            return
        self._history.forget(workspace_id, self._positions.vector)
        self._missing.add(workspace_id)

    def moved(self) -> None:
        """The positions have moved, by all that was fetched at once."""
        for workspace_id in self._missing:
            for subscriber in self._subscribers.get(workspace_id, ()):
                subscriber.reload(self._present(workspace_id))
        self._missing.clear()
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait_for(
        self, workspace_id: str, cursor: str, timeout_seconds: float
    ) -> Vector | None:
        """The vector of the workspace's ``cursor`` once this replica has read as far; None: it
        cannot be served.

        Another replica may have shown more than this one has read yet.
        """
        vector = self._read(workspace_id, cursor)
        try:
            async with asyncio.timeout(timeout_seconds):
                while vector is not None and not self._positions.reached(vector):
                    await self._moved.wait()
                    vector = self._read(workspace_id, cursor)
        except TimeoutError:
            return None
        return vector

    def join(self, principal: Principal, cursor: str | None, since: Vector | None) -> Subscriber:
        """A new socket: ready at once, then what it missed, or told to reload.

        ``cursor`` is what the client has seen, None for a new one; ``since`` what ``wait_for``
        made of it.
        """
        subscriber = Subscriber(principal)
        workspace_id = principal.workspace_id
        missed = self._history.since(workspace_id, since) if since is not None else None
        if cursor is not None and missed is not None:
            # Its own cursor again, not the present one: it may break off before it has them all.
            subscriber.offer(Waiting(ready(cursor), "ready"))
        elif cursor is not None:
            subscriber.reload(self._present(workspace_id))
        else:
            subscriber.offer(Waiting(ready(self._present(workspace_id)), "ready"))
        directory = self._directory.of(workspace_id)
        for happening in missed or ():
            _offer(subscriber, directory, happening, live=False)
        self._subscribers.setdefault(workspace_id, set()).add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        workspace_id = subscriber.principal.workspace_id
        there = self._subscribers[workspace_id]
        there.discard(subscriber)
        if not there:
            del self._subscribers[workspace_id]

    def end(self, keys: Iterable[str]) -> None:
        """Close the sockets of these sessions and API tokens."""
        ended = frozenset(keys)
        for subscriber in self._everybody():
            if subscriber.principal.key in ended:
                subscriber.end()

    def end_unless(self, still_there: Callable[[Principal], bool]) -> None:
        for subscriber in self._everybody():
            if not still_there(subscriber.principal):
                subscriber.end()

    def ping(self) -> None:
        for subscriber in self._everybody():
            if not subscriber.is_behind:
                subscriber.offer(Waiting(PING, "ping"))

    @property
    def principals(self) -> list[Principal]:
        return [subscriber.principal for subscriber in self._everybody()]

    def _everybody(self) -> list[Subscriber]:
        return [one for there in self._subscribers.values() for one in there]

    def _seen(self, envelope: Envelope) -> Seen:
        if envelope.sequence == 0:
            # No stream, so no order: only the same event again is a repeat.
            return self._ids.see(envelope.id, 1)
        seen = self._sequences.see(envelope.subject, envelope.sequence)
        if seen is Seen.GAP and isinstance(envelope.body, ConversationEvent):
            # Never on Kafka as it should be; what is missing is to be asked for, not to be guessed.
            GAPS.inc()
            for subscriber in self._subscribers.get(envelope.workspace_id, ()):
                subscriber.reload(self._present(envelope.workspace_id))
        return seen

    def _present(self, workspace_id: str) -> str:
        return self._cursors.seal(workspace_id, self._positions.shape, self._positions.vector)

    def _read(self, workspace_id: str, cursor: str) -> Vector | None:
        return self._cursors.open(workspace_id, self._positions.shape, cursor)


def _offer(
    subscriber: Subscriber, directory: WorkspaceDirectory, happening: Happening, *, live: bool
) -> None:
    member = directory.members.get(subscriber.principal.member_id)
    shown = shown_to(member, directory, happening.body)
    if shown is not None:
        received_at = happening.received_at if live else None
        subscriber.offer(Waiting(happening.frame(shown), shown, received_at))
