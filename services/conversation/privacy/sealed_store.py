"""Between the domain, which knows nothing of keys, and the store, which keeps only sealed data.

What is decided is sealed before it is appended, and its decision has the open bytes too: in the
ordinary case the same process projects and publishes it, and nothing has to be opened. What is read
back is opened with the keys of all its persons, fetched in one query. Where a key was erased, an
event has the blanks of its personal fields, and so has a public message that is published only
then.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from libs.events.registry import personal_of
from libs.eventstore.commits import Commit, PublicMessage, StoredEvent
from libs.eventstore.decisions import Decision
from libs.eventstore.errors import CommitUnreadable
from libs.eventstore.store import AsyncEventStore
from services.conversation.domain.events import personal
from services.conversation.privacy.keyring import Keyring, Wanted
from services.conversation.privacy.sealed_payload import (
    Broken,
    Cipher,
    Owner,
    opened,
    owner_of,
    seal,
)

COMMITS: Final = "conversation_commits"

type Key = tuple[Owner, Cipher]

# What is raised where a payload does not open: it is damaged, or was never one.
_SHUT: Final = (Broken, msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError)
_NONE: Final[Mapping[int, Key]] = MappingProxyType({})


class SealedStore:
    """Reads the store and opens what it finds; seals what is to be appended. Errors of all that
    opens: Broken."""

    def __init__(self, store: AsyncEventStore, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    async def keys(self, wanted: Iterable[Wanted]) -> dict[str, Key]:
        """The keys to seal with, by identity. Errors: KeyLost, the driver's."""
        return await self._keyring.to_seal(wanted)

    @staticmethod
    def sealed_events(
        stream: str,
        first: int,
        events: Iterable[StoredEvent],
        key: Key,
        others: Mapping[int, Key] = _NONE,
    ) -> tuple[StoredEvent, ...]:
        """``others``: the keys of those events, by version, that are about somebody else."""
        return tuple(
            StoredEvent(
                event.type,
                seal(
                    event.data,
                    paths,
                    *others.get(version, key),
                    _place(stream, version, event.type),
                ),
            )
            if (paths := personal(event.type))
            else event
            for version, event in enumerate(events, first)
        )

    @staticmethod
    def sealed_messages(
        messages: Iterable[PublicMessage], key: Key, others: Mapping[int, Key] = _NONE
    ) -> tuple[PublicMessage, ...]:
        """``others``: of those messages, by sequence, which is the version they tell of."""
        return tuple(
            PublicMessage(
                message.topic,
                message.type,
                message.id,
                message.key,
                message.subject,
                message.sequence,
                message.time,
                message.headers,
                seal(
                    message.data,
                    paths,
                    *others.get(message.sequence, key),
                    _message_place(message),
                ),
            )
            if (paths := personal_of(message.type))
            else message
            for message in messages
        )

    async def open_events(self, commits: Sequence[Commit]) -> list[Commit]:
        """The commits with their events as they were decided, their messages as they are."""
        return await self._opened(commits, lambda _: True)

    async def decisions(self, commits: Sequence[Commit]) -> list[Decision[Any]]:
        """The commits open, as the outbox hands them on; their states have to be loaded."""
        opened = await self.open_events(commits)
        messages = iter(await self.open_messages([m for c in commits for m in c.public]))
        return [
            Decision(stored, None, one.events, tuple(next(messages) for _ in stored.public))
            for stored, one in zip(commits, opened, strict=True)
        ]

    async def open_messages(self, messages: Sequence[PublicMessage]) -> list[PublicMessage]:
        """As they go out to the world."""
        owners = [owner_of(message.data) for message in messages]
        keys = await self._keyring.to_open(owner for owner in owners if owner)
        return [
            replace(
                message,
                data=opened(
                    message.data,
                    personal_of(message.type),
                    keys.get(owner),
                    _message_place(message),
                ),
            )
            if owner
            else message
            for message, owner in zip(messages, owners, strict=True)
        ]

    async def load(self, streams: Mapping[str, int]) -> dict[str, list[Commit]]:
        """As the store's."""
        return await self._by_stream(await self._store.load(streams))

    async def load_pending(self, streams: Collection[str]) -> dict[str, list[Commit]]:
        """As the store's."""
        return await self._by_stream(await self._store.load_pending(streams))

    async def applied_causes(self, causes: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
        """As the store's."""
        return await self._store.applied_causes(causes)

    async def existing(self, streams: Collection[str]) -> set[str]:
        """As the store's."""
        return await self._store.existing(streams)

    async def read(
        self, stream: str, after: int, limit: int, *, backwards: bool = False
    ) -> list[Commit]:
        """As the store's."""
        return await self.open_events(
            await self._store.read(stream, after, limit, backwards=backwards)
        )

    async def at(self, places: Iterable[tuple[str, int]]) -> list[Commit]:
        """As the store's."""
        return await self.open_events(await self._store.at(places))

    async def pages(
        self, reads: Callable[[str], bool], unreadable: list[CommitUnreadable]
    ) -> AsyncIterator[list[Commit]]:
        """As the store's; what is sealed stays so in the events that are not read. What does not
        open is among the ``unreadable`` too."""
        async for page in self._store.pages(unreadable=unreadable):
            try:
                yield await self._opened(page, reads)
            except _SHUT:
                yield await self._those_that_open(page, reads, unreadable)

    async def _those_that_open(
        self,
        commits: Sequence[Commit],
        reads: Callable[[str], bool],
        unreadable: list[CommitUnreadable],
    ) -> list[Commit]:
        found = []
        for commit in commits:
            try:
                found += await self._opened([commit], reads)
            except _SHUT as error:
                named = f"{commit.stream}:{commit.first}"
                unreadable.append(CommitUnreadable(commit.stream, named, type(error).__name__))
        return found

    async def _opened(
        self, commits: Sequence[Commit], reads: Callable[[str], bool]
    ) -> list[Commit]:
        keys = await self._keyring.to_open(
            owner
            for commit in commits
            for event in commit.events
            if reads(event.type) and (owner := owner_of(event.data))
        )
        return [_open(commit, keys, reads) for commit in commits]

    async def _by_stream(self, loaded: Mapping[str, list[Commit]]) -> dict[str, list[Commit]]:
        flat = await self.open_events([commit for own in loaded.values() for commit in own])
        commits = iter(flat)
        return {stream: [next(commits) for _ in own] for stream, own in loaded.items()}


def _open(commit: Commit, keys: Mapping[Owner, Cipher], reads: Callable[[str], bool]) -> Commit:
    events = tuple(
        _opened(commit.stream, version, event, keys) if reads(event.type) else event
        for version, event in enumerate(commit.events, commit.first)
    )
    return commit if events == commit.events else replace(commit, events=events)


def _opened(
    stream: str, version: int, event: StoredEvent, keys: Mapping[Owner, Cipher]
) -> StoredEvent:
    if (owner := owner_of(event.data)) is None:
        return event
    place = _place(stream, version, event.type)
    data = opened(event.data, personal(event.type), keys.get(owner), place)
    return StoredEvent(event.type, data)


def _place(stream: str, version: int, name: str) -> bytes:
    return f"{stream}:{version}:{name}".encode()


def _message_place(message: PublicMessage) -> bytes:
    return f"{message.id}:{message.type}".encode()
