"""Sealing what the aggregates of one type decided, with the keys of the persons concerned."""

from collections.abc import Callable, Sequence
from typing import Any

from libs.aggregates.sealing import Seal
from libs.eventstore.commits import PublicMessage, StoredEvent
from services.conversation.domain.aggregate import Aggregate
from services.conversation.privacy.keyring import Wanted
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.privacy.sealed_store import SealedStore


class Sealer[S, A: Aggregate[Any]]:
    """``owner_of``: whose personal data the events of a state's stream hold; ``workspace_of``: the
    workspace of a state."""

    def __init__(
        self,
        store: SealedStore,
        owner_of: Callable[[S], Owner],
        workspace_of: Callable[[S], str],
    ) -> None:
        self._store = store
        self._owner_of = owner_of
        self._workspace_of = workspace_of

    async def prepare(self, aggregates: Sequence[A]) -> Seal[A]:
        """Fetch the keys in one query. A stream that begins is told how often its person was
        forgotten before. Errors: KeyLost, the driver's."""
        wanted = {one.stream: self._wanted(one) for one in aggregates}
        about = [who for one in aggregates for who in _others(one, wanted[one.stream])]
        keys = await self._store.keys([*wanted.values(), *about])
        for one in aggregates:
            of = wanted[one.stream]
            if of.begins and (erasures := keys[of.owner.identity][0].generation - 1):
                one.begins_after(erasures)

        def seal(
            aggregate: A,
            events: tuple[StoredEvent, ...],
            messages: tuple[PublicMessage, ...],
        ) -> tuple[tuple[StoredEvent, ...], tuple[PublicMessage, ...]]:
            stream, first = aggregate.stream, aggregate.loaded_version + 1
            key = keys[wanted[stream].owner.identity]
            others = {c.version: keys[who] for c in aggregate.changes if (who := c.event.about)}
            return (
                self._store.sealed_events(stream, first, events, key, others),
                self._store.sealed_messages(messages, key, others),
            )

        return seal

    def _wanted(self, aggregate: A) -> Wanted:
        state: S = aggregate.snapshot().state
        begins = aggregate.loaded_version == 0
        return Wanted(self._owner_of(state), self._workspace_of(state), begins)


def _others(aggregate: Aggregate[Any], own: Wanted) -> list[Wanted]:
    """The keys of whom else the changes are about. The stream does not tell of their erasures, as
    if it had just begun."""
    about = {change.event.about for change in aggregate.changes} - {None, own.owner.identity}
    return [Wanted(Owner(one, 1), own.workspace_id, begins=True) for one in about if one]
