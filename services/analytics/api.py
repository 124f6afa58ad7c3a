"""The figures over HTTP."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.figures import By
from libs.events.api.values import TimeZone
from libs.events.registry import Instant
from libs.events.visibility import sees_location, sight_of
from libs.events.zones import zone_of
from libs.runtime.bodies import invalid_field, read_query
from libs.runtime.directory import Directory, WorkspaceDirectory
from libs.runtime.http import json_response
from libs.runtime.problems import Unavailable
from libs.runtime.texts import COMMON
from libs.runtime.tokens import Caller
from libs.runtime.trust import caller_of
from services.analytics.localization import TEXTS
from services.analytics.periods import Period, midnight
from services.analytics.reports import Reports
from services.analytics.warehouse import WarehouseUnavailable

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST: Final = timedelta(days=3660)  # so that the period before it can be kept too


class _PeriodQuery(
    msgspec.Struct, rename={"start": "from", "end": "to"}, forbid_unknown_fields=True
):
    """``start`` and ``end``: an instant, or a local date."""

    start: str
    end: str
    time_zone: TimeZone | None = None


class _PerformanceQuery(_PeriodQuery, kw_only=True):
    by: By


class Analyst:
    """Who asks: what they may see, and in whose days. Errors: Unavailable."""

    def __init__(self, caller: Caller, directory: WorkspaceDirectory) -> None:
        member = directory.members.get(caller.member_id)
        if member is None:
            raise Unavailable(COMMON.say("unavailable.unknown-member"))
        self.workspace_id = caller.workspace_id
        self.sight = sight_of(member, directory.groups.values())
        self._locations = [
            location
            for location in directory.locations.values()
            if sees_location(member, location.location_id)
        ]

    def zone(self, asked: str | None) -> ZoneInfo:
        """The one asked for, else that of most of their locations."""
        if asked is not None:
            return zone_of(asked)
        zones = Counter(location.time_zone for location in self._locations)
        return zone_of(min(zones, key=lambda zone: (-zones[zone], zone), default=None))


def add_routes(app: FastAPI, reports: Reports, directory: Directory) -> None:
    def analyst_of(request: Request) -> Analyst:
        caller = caller_of(request)
        return Analyst(caller, directory.of(caller.workspace_id))

    async def summary(request: Request) -> Response:
        analyst, asked = analyst_of(request), read_query(request, _PeriodQuery)
        zone = analyst.zone(asked.time_zone)
        period = _period(asked, zone)
        try:
            return json_response(
                await reports.summary(analyst.workspace_id, period, analyst.sight, zone)
            )
        except WarehouseUnavailable as error:
            raise Unavailable(TEXTS.say("unavailable.figures")) from error

    async def performance(request: Request) -> Response:
        analyst, asked = analyst_of(request), read_query(request, _PerformanceQuery)
        period = _period(asked, analyst.zone(asked.time_zone))
        try:
            return json_response(
                await reports.performance(asked.by, analyst.workspace_id, period, analyst.sight)
            )
        except WarehouseUnavailable as error:
            raise Unavailable(TEXTS.say("unavailable.figures")) from error

    app.add_route("/v1/metrics/summary", summary, ["GET"])
    app.add_route("/v1/metrics/performance", performance, ["GET"])


def _period(asked: _PeriodQuery, zone: ZoneInfo) -> Period:
    """Errors: Invalid."""
    period = Period(_bound("from", asked.start, zone), _bound("to", asked.end, zone))
    if period.end <= period.start:
        raise invalid_field("to", TEXTS.say("invalid.not-later"))
    if period.start < _EARLIEST or period.end > _LATEST or period.end - period.start > _LONGEST:
        raise invalid_field("from", TEXTS.say("invalid.period"))
    return period


def _bound(field: str, asked: str, zone: ZoneInfo) -> datetime:
    """An instant, or the beginning of a local date, in UTC. Errors: Invalid."""
    try:
        if _DATE.fullmatch(asked):
            return midnight(date.fromisoformat(asked), zone)
        return msgspec.convert(asked, Instant).astimezone(UTC)
    except (msgspec.ValidationError, ValueError) as error:
        raise invalid_field(field, COMMON.say("invalid.not-an-instant")) from error
    except OverflowError as error:
        raise invalid_field(field, TEXTS.say("invalid.period")) from error
