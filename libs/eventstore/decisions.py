"""What a step decided, as one value from the append to the read models and the broker."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.eventstore.commits import Commit, PublicMessage, StoredEvent


class Decision[S](msgspec.Struct, frozen=True, gc=False):
    """A commit, and what its writer knows of it beside what is stored.

    `commit` is what is stored, in which events and messages may be sealed; `events` and `messages`
    are the same ones open. `state` is what the read models need of the stream after the commit;
    None where it has to be loaded, as of a commit that somebody else decided on.
    """

    commit: Commit
    state: S | None
    events: tuple[StoredEvent, ...]
    messages: tuple[PublicMessage, ...]

    @property
    def stream(self) -> str:
        return self.commit.stream

    @property
    def opened(self) -> Commit:
        """The commit with its events open; its hash stays that of what is stored."""
        return replace(self.commit, events=self.events)


# A decision, or a commit that has still to be opened.
type Queued = Decision[Any] | Commit


async def as_stored(commits: Sequence[Commit]) -> list[Decision[None]]:
    """The decisions of commits in which nothing is sealed."""
    return [Decision(commit, None, commit.events, commit.public) for commit in commits]


def commit_of(one: Queued) -> Commit:
    return one if isinstance(one, Commit) else one.commit


def waves(decisions: Iterable[Decision[Any]]) -> list[list[Decision[Any]]]:
    """The first of each stream, then the second of each, …: one is acknowledged before the next is
    sent. In ordinary times there is one wave."""
    by_stream: dict[str, list[Decision[Any]]] = defaultdict(list)
    for decision in decisions:
        by_stream[decision.stream].append(decision)
    lists = zip_longest(*by_stream.values())
    return [[decision for decision in wave if decision is not None] for wave in lists]


def newest_of(commits: Iterable[Commit]) -> dict[str, int]:
    """The first version of the newest commit of each stream."""
    newest: dict[str, int] = {}
    for commit in commits:
        newest[commit.stream] = max(commit.first, newest.get(commit.stream, 0))
    return newest
