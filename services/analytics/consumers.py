"""``parley.conversation`` into ClickHouse: one insert a table for a whole batch."""

from collections import defaultdict
from collections.abc import Sequence

from libs.runtime.consumer import Received, Refused
from services.analytics.facts import TABLES, CaseVersion, Fact, NotAnInstant, facts_of
from services.analytics.warehouse import Warehouse


class Projection:
    """Writes what a batch tells. The same batch, or its messages otherwise cut, changes nothing."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    async def apply(self, batch: Sequence[Received]) -> list[Refused]:
        refused: list[Refused] = []
        rows: dict[type[Fact], list[Fact]] = defaultdict(list)
        latest: dict[tuple[str, str], CaseVersion] = {}
        for received in batch:
            try:
                facts = facts_of(received.envelope)
            except NotAnInstant as error:
                refused.append(Refused(received, str(error)))
                continue
            for fact in facts:
                if isinstance(fact, CaseVersion):
                    key = (fact.workspace, fact.case_id)
                    if key not in latest or latest[key].sequence < fact.sequence:
                        latest[key] = fact
                else:
                    rows[type(fact)].append(fact)
        rows[CaseVersion] = list(latest.values())
        token = _token(batch)
        for kind, table in TABLES.items():
            if rows[kind]:
                await self._warehouse.insert(table, kind._fields, rows[kind], token)
        return refused


def _token(batch: Sequence[Received]) -> str:
    """Topic, partition, first and last offset of everything in the batch."""
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    for received in batch:
        record = received.record
        place = (record.topic, record.partition)
        first, last = spans.get(place, (record.offset, record.offset))
        spans[place] = (min(first, record.offset), max(last, record.offset))
    return " ".join(
        f"{topic}:{partition}:{first}-{last}"
        for (topic, partition), (first, last) in sorted(spans.items())
    )
