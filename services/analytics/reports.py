"""The figures, read: each number is one query of ``queries/`` over the views."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from libs.events.api.figures import By, Performance, Summary
from libs.events.visibility import Sight
from services.analytics.figures import (
    Figures,
    Seconds,
    performance,
    summary,
)
from services.analytics.metrics import QUERY_SECONDS
from services.analytics.periods import Period
from services.analytics.warehouse import Row, Warehouse

QUERIES: Final = Path(__file__).parent / "queries"
_COUNTED: Final = ("cases", "turns")
_MEASURED: Final = ("time_to_respond", "time_to_close")


class Reports:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._sql = {name: (QUERIES / f"{name}.sql").read_text() for name in _COUNTED + _MEASURED}

    async def summary(
        self, workspace_id: str, period: Period, sight: Sight, zone: ZoneInfo
    ) -> Summary:
        """Of what is in sight. Errors: WarehouseUnavailable."""
        previous = period.before(zone, datetime.now(UTC))
        now = await self._figures("workspace", workspace_id, period, sight)
        before = await self._figures("workspace", workspace_id, previous, sight)
        return summary(
            period,
            previous,
            zone.key,
            now.get(workspace_id, Figures()),
            before.get(workspace_id, Figures()),
        )

    async def performance(
        self, by: By, workspace_id: str, period: Period, sight: Sight
    ) -> Performance:
        """Of what is in sight. Errors: WarehouseUnavailable."""
        return performance(by, period, await self._figures(by, workspace_id, period, sight))

    async def _figures(
        self, by: str, workspace_id: str, period: Period, sight: Sight
    ) -> dict[str | None, Figures]:
        parameters = {
            "by": by,
            "workspace": workspace_id,
            "from": _instant(period.start),
            "to": _instant(period.end),
            "every_location": sight.location_ids is None,
            "locations": list(sight.location_ids or ()),
            "every_group": sight.group_ids is None,
            "groups": list(sight.group_ids or ()),
        }
        figures: dict[str | None, Figures] = {}
        for name in _COUNTED + _MEASURED:
            for row in await self._query(name, parameters):
                key = row.pop("key")
                found: dict[str, Any] = {name: Seconds(**row)} if name in _MEASURED else row
                figures[key] = msgspec.structs.replace(figures.get(key, Figures()), **found)
        return figures

    async def _query(self, name: str, parameters: dict[str, object]) -> list[Row]:
        with QUERY_SECONDS.labels(name).time():
            return await self._warehouse.rows(self._sql[name], parameters)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
