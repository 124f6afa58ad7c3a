"""Aggregates with few writes: saved and loaded through an `Application` of the library.

`EventSourcedApplication` is that application over `libs.eventstore`; a service subclasses it for
each class of aggregate. What it saves is the very commit that a hot loop would append, so that the
same outbox publishes it and the same sweeper finds it. `ApplicationCommandHandler` is the way from
a command to what it made.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from weakref import WeakValueDictionary

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import EventStore, IntegrityError, PersistenceError
from eventsourcing.utils import Environment, EnvType

from libs.aggregates.aggregate import Aggregate, Change, DomainEvent, StateSnapshot
from libs.aggregates.events import EventTypes, UnknownEvent, UnreadableEvent
from libs.aggregates.mapper import EventMapper, SnapshotStore
from libs.eventstore.commits import GENESIS, Commit, PublicMessage
from libs.eventstore.datastore import driver_errors
from libs.eventstore.errors import CommitUnreadable, StreamBroken, StreamSetAside
from libs.eventstore.outbox import Outbox
from libs.eventstore.recorders import CommitRecorder
from libs.eventstore.store import AsyncEventStore

_log = logging.getLogger(__name__)

_TRIES: Final = 20
# What comes of a stream whose events cannot be read, or do not fit each other: it was damaged, or a
# newer version has written it.
_UNREADABLE: Final = (
    CommitUnreadable,
    StreamBroken,
    UnknownEvent,
    UnreadableEvent,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


class StillInConflict(Exception):
    """Others appended to the stream each time that a decision on it was made."""


@dataclass(frozen=True, slots=True)
class Loaded[A]:
    """An aggregate as it is stored, and how many events were applied since its snapshot."""

    aggregate: A
    replayed: int


class EventSourcedApplication[A: Aggregate[Any, Any]](Application[str]):
    """The library's application for aggregates of one class. Its calls block: make them in threads.

    `env`: MONGODB_URL, MONGODB_NAME, COMMITS_COLLECTION and SNAPSHOTS_COLLECTION (see
    `libs.eventstore.factory`). Nothing else is looked up in the environment: the composition root
    says everything.
    """

    event_types: ClassVar[EventTypes[Any]]
    state_class: ClassVar[type]
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "libs.eventstore",
        "ORIGINATOR_ID_TYPE": "text",
        "IS_SNAPSHOTTING_ENABLED": "yes",
        "CREATE_TABLE": "no",  # the asynchronous store beside it creates the indexes
    }
    snapshot_class = StateSnapshot

    def __init__(self, aggregate_class: type[A], env: EnvType) -> None:
        self._aggregate_class = aggregate_class
        super().__init__(env)

    def load(self, stream: str) -> Loaded[A]:
        """As it is stored, and new where there is nothing of it.

        Errors: UnknownEvent, UnreadableEvent, CommitUnreadable, StreamBroken; LookupError and its
        like where the events do not fit each other; the library's PersistenceError.
        """
        replayed = 0

        def project(aggregate: A | None, events: Iterable[DomainEvent[Any]]) -> A | None:
            nonlocal replayed
            read = list(events)
            replayed = sum(isinstance(event, DomainEvent) for event in read)
            return self._aggregate_class.project(aggregate, read)

        try:
            aggregate: A = self.repository.get(stream, projector_func=project)
        except AggregateNotFoundError:
            aggregate = self._aggregate_class(stream, None, datetime.now(UTC))
        return Loaded(aggregate, replayed)

    def caused_by(self, stream: str, cause: str) -> Commit | None:
        """The commit of the stream that has the cause. Errors: CommitUnreadable, the library's."""
        return self._commits.caused_by(stream, cause)

    def keep_snapshot(self, stream: str) -> None:
        """Errors: as `load`."""
        self.take_snapshot(stream, projector_func=self._aggregate_class.project)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        return Environment(name, {**type(self).env, **(env or {})})

    def construct_mapper(self) -> EventMapper[Any]:
        return EventMapper(self.event_types, self.state_class)

    def construct_recorder(self) -> CommitRecorder:
        recorder = super().construct_recorder()
        if not isinstance(recorder, CommitRecorder):
            raise TypeError(f"{type(recorder).__name__} has no place for causes and messages")
        self._commits = recorder
        return recorder

    def construct_snapshot_store(self) -> EventStore[str]:
        recorder = self.factory.aggregate_recorder(purpose="snapshots")
        return SnapshotStore(self.construct_mapper(), recorder)


@dataclass(frozen=True, slots=True)
class Handled[A]:
    """The aggregate after a command, and what the command changed: nothing where there was nothing
    to do.

    `before`: the commit that the same cause made earlier; then nothing is changed now. `published`:
    this process has just published the changes; another may have been faster.
    """

    aggregate: A
    changes: Sequence[Change[Any, Any]] = ()
    before: Commit | None = None
    published: bool = False


class ApplicationCommandHandler[A: Aggregate[Any, Any]]:
    """Decides on one aggregate at a time, saves it, and sees the commit through the outbox.

    `store` and `outbox` are over the application's own collection. `public`: the messages that the
    changes of an aggregate give rise to. `snapshot_every`: a snapshot is kept once a load had to
    apply so many events.
    """

    def __init__(
        self,
        application: EventSourcedApplication[A],
        store: AsyncEventStore,
        outbox: Outbox,
        public: Callable[[A], Sequence[PublicMessage]],
        *,
        snapshot_every: int = 50,
    ) -> None:
        self._application = application
        self._store = store
        self._outbox = outbox
        self._public = public
        self._snapshot_every = snapshot_every
        # Of one process only one at a time decides on a stream: the others would lose the version.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Streams that this version cannot read, and why.
        self.unreadable: dict[str, str] = {}

    async def load(self, stream: str) -> A:
        """As it is stored, and new where there is nothing of it.

        Errors: StreamSetAside where it cannot be read; the driver's.
        """
        return (await self._load(stream)).aggregate

    async def handle(self, stream: str, cause: str, decide: Callable[[A], object]) -> Handled[A]:
        """Let `decide` change the aggregate, once for each `cause`; it may be called again, each
        time with what is newer. Afterwards all is projected and published.

        Errors: what `decide` raises; StillInConflict; StreamSetAside; CommitTooLarge, CommitUnfit;
        the driver's, the projector's and the publisher's (then the changes may be stored, and are
        published later).
        """
        turn = self._turns.setdefault(stream, asyncio.Lock())
        async with turn:
            loaded, handled = await self._decide(stream, cause, decide)
        if handled.before is not None and handled.before.pending:
            # It may have been left half-way; a repeat does not wait for the sweep.
            await self._outbox.take_up([handled.before])
        if not handled.changes:
            return handled
        published = await self._outbox.appended(stream, handled.changes[0].version)
        if loaded.replayed >= self._snapshot_every:
            await self._keep_snapshot(stream)
        return replace(handled, published=published > 0)

    async def _decide(
        self, stream: str, cause: str, decide: Callable[[A], object]
    ) -> tuple[Loaded[A], Handled[A]]:
        for _ in range(_TRIES):
            loaded = await self._load(stream)
            aggregate = loaded.aggregate
            # After the load: what was decided on has the effect of the cause, or the cause is new.
            if (before := await self._caused_by(stream, cause)) is not None:
                return loaded, Handled(aggregate, before=before)
            await self._check_not_aside(stream)
            aggregate.now = max(datetime.now(UTC), aggregate.now)
            decide(aggregate)
            changes = tuple(aggregate.changes)
            if not changes:
                return loaded, Handled(aggregate)
            try:
                await self._save(aggregate, cause)
            except IntegrityError:
                continue  # another was faster, or had the same cause: the next load shows which
            return loaded, Handled(aggregate, changes)
        raise StillInConflict(f"{stream} is appended to by many at once")

    async def _load(self, stream: str) -> Loaded[A]:
        try:
            with driver_errors():
                loaded = await asyncio.to_thread(self._application.load, stream)
        except _UNREADABLE as error:
            raise self._set_aside(stream, error) from error
        self.unreadable.pop(stream, None)
        return loaded

    async def _caused_by(self, stream: str, cause: str) -> Commit | None:
        try:
            with driver_errors():
                return await asyncio.to_thread(self._application.caused_by, stream, cause)
        except CommitUnreadable as error:
            raise self._set_aside(stream, error) from error

    async def _check_not_aside(self, stream: str) -> None:
        try:
            pending = (await self._store.load_pending([stream]))[stream]
        except CommitUnreadable as error:
            raise self._set_aside(stream, error) from error
        for commit in pending:
            if commit.aside:
                raise StreamSetAside(stream, commit.aside)

    async def _save(self, aggregate: A, cause: str) -> None:
        public, prev = self._public(aggregate), aggregate.head or GENESIS
        with driver_errors():
            await asyncio.to_thread(
                self._application.save, aggregate, causes=(cause,), public=public, prev=prev
            )

    async def _keep_snapshot(self, stream: str) -> None:
        try:
            await asyncio.to_thread(self._application.keep_snapshot, stream)
        except PersistenceError as error:
            # It only makes loading faster; the next command that finds none keeps one.
            _log.warning("no snapshot kept", extra={"stream": stream, "error": repr(error)})

    def _set_aside(self, stream: str, error: Exception) -> StreamSetAside:
        """Told as long as it cannot be read; a newer version of the service may be able to."""
        why = error.why if isinstance(error, CommitUnreadable) else type(error).__name__
        if self.unreadable.get(stream) != why:
            self.unreadable[stream] = why
            _log.critical(
                "stream set aside: its events cannot be read",
                extra={"stream": stream, "why": why},
                exc_info=error,
            )
        return StreamSetAside(stream, why)
