"""The live clients of this process, and what each of them is shown."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from opentelemetry.trace import INVALID_SPAN

from libs.events.conversation.case import ConversationEvent
from libs.events.conversation.customer import CustomerErased
from libs.events.envelope import Envelope
from libs.runtime.directory import Directory, WorkspaceDirectory
from libs.runtime.tracing import started
from services.gateway.accounts.sessions import Principal
from services.gateway.live.frames import PING, Happening, shown_to
from services.gateway.live.history import History
from services.gateway.live.order import LastSequences, Seen
from services.gateway.live.positions import Cursors, Positions, Vector
from services.gateway.live.subscriber import End, Subscriber, Waiting
from services.gateway.metrics import GAPS, REPEATS


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
        self._is_leaving = False

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
        happening = Happening(envelope.body, place, offset, size_bytes, seal, envelope.extra)
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
        """A new client: ready at once, then what it missed, or told to reload.

        ``cursor`` is what the client has seen, None for a new one; ``since`` what ``wait_for``
        made of it.
        """
        subscriber = Subscriber(principal)
        workspace_id = principal.workspace_id
        missed = self._history.since(workspace_id, since) if since is not None else None
        if cursor is not None and missed is not None:
            # Its own cursor again, not the present one: it may break off before it has them all.
            subscriber.ready(cursor)
        elif cursor is not None:
            subscriber.reload(self._present(workspace_id))
        else:
            subscriber.ready(self._present(workspace_id))
        directory = self._directory.of(workspace_id)
        for happening in missed or ():
            _offer(subscriber, directory, happening, live=False)
        self._subscribers.setdefault(workspace_id, set()).add(subscriber)
        if self._is_leaving:
            subscriber.end(End.MOVE)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        workspace_id = subscriber.principal.workspace_id
        there = self._subscribers[workspace_id]
        there.discard(subscriber)
        if not there:
            del self._subscribers[workspace_id]

    def end(self, keys: Iterable[str]) -> None:
        """Show nothing more to these sessions and API tokens."""
        ended = frozenset(keys)
        for subscriber in self._everybody():
            if subscriber.principal.key in ended:
                subscriber.end(End.SIGNED_OUT)

    def end_unless(self, still_there: Callable[[Principal], bool]) -> None:
        for subscriber in self._everybody():
            if not still_there(subscriber.principal):
                subscriber.end(End.SIGNED_OUT)

    def leave_all(self) -> None:
        """This replica stops: who is here goes on at another, from the last cursor."""
        self._is_leaving = True
        for subscriber in self._everybody():
            subscriber.end(End.MOVE)

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
        frame = happening.frame(shown)
        span = started(f"show {shown}", happening.trace) if live else INVALID_SPAN
        subscriber.offer(Waiting(frame, shown, happening.cursor, received_at, span))
