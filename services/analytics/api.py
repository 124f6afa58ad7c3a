"""The figures over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.figures import By
from libs.events.registry import Instant
from libs.runtime.bodies import invalid_field, read_query
from libs.runtime.http import caller_of, json_response
from libs.runtime.problems import Forbidden, Unavailable
from libs.runtime.tokens import Caller, ServiceTokens
from services.analytics.figures import Period
from services.analytics.reports import Reports
from services.analytics.telling import TEXTS
from services.analytics.warehouse import WarehouseUnavailable

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=3660)  # so that the period before it can be kept too


class _PeriodQuery(
    msgspec.Struct, rename={"start": "from", "end": "to"}, forbid_unknown_fields=True
):
    start: Instant
    end: Instant


class _PerformanceQuery(_PeriodQuery):
    by: By


def router(reports: Reports, tokens: ServiceTokens) -> APIRouter:
    routes = APIRouter(prefix="/v1/metrics")
    caller_from = caller_of(tokens)

    def analyst(request: Request) -> Caller:
        caller = caller_from(request)
        if not caller.may(Action.SEE_METRICS):
            raise Forbidden(TEXTS.say("forbidden.action"))
        return caller

    @routes.get("/summary")
    async def summary(request: Request) -> Response:
        caller, period = analyst(request), _period(read_query(request, _PeriodQuery))
        try:
            return json_response(await reports.summary(caller.workspace_id, period))
        except WarehouseUnavailable as error:
            raise Unavailable(TEXTS.say("unavailable.figures")) from error

    @routes.get("/performance")
    async def performance(request: Request) -> Response:
        caller, asked = analyst(request), read_query(request, _PerformanceQuery)
        period = _period(asked)
        try:
            return json_response(await reports.performance(asked.by, caller.workspace_id, period))
        except WarehouseUnavailable as error:
            raise Unavailable(TEXTS.say("unavailable.figures")) from error

    return routes


def _period(asked: _PeriodQuery) -> Period:
    """Errors: Invalid."""
    period = Period(asked.start, asked.end)
    if period.end <= period.start:
        raise invalid_field("to", TEXTS.say("invalid.not-later"))
    if period.start < _EARLIEST or period.end > _LATEST or period.end - period.start > _LONGEST:
        raise invalid_field("from", TEXTS.say("invalid.period"))
    return period
