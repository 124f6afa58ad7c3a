"""The seam for what is sealed at rest. The kit knows nothing of keys: it asks before it commits."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from libs.aggregates.aggregate import Aggregate
from libs.eventstore.commits import PublicMessage, StoredEvent

# The events and messages of an aggregate's changes as they are to be stored.
type Seal[A] = Callable[
    [A, tuple[StoredEvent, ...], tuple[PublicMessage, ...]],
    tuple[tuple[StoredEvent, ...], tuple[PublicMessage, ...]],
]
# Fetches all that sealing needs, for aggregates that decided something. It may decide anew how a
# stream begins; nothing of an aggregate is written down before.
type Sealer[A] = Callable[[Sequence[A]], Awaitable[Seal[A]]]


async def unsealed(aggregates: Sequence[Aggregate[Any, Any]]) -> Seal[Aggregate[Any, Any]]:
    """Everything is stored as it is."""
    return lambda _aggregate, events, messages: (events, messages)
