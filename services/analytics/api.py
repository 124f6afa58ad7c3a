"""The figures over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.figures import By
from libs.runtime.http import caller_of, json_response
from libs.runtime.problems import Forbidden, Invalid, Unavailable
from libs.runtime.tokens import Caller, ServiceTokens
from services.analytics.figures import Period
from services.analytics.reports import Reports
from services.analytics.warehouse import WarehouseUnavailable

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=3660)  # so that the period before it can be kept too


def router(reports: Reports, tokens: ServiceTokens) -> APIRouter:
    routes = APIRouter(prefix="/v1/metrics")
    caller_from = caller_of(tokens)

    def analyst(request: Request) -> Caller:
        caller = caller_from(request)
        if not caller.may(Action.SEE_METRICS):
            raise Forbidden("your role does not see the metrics")
        return caller

    Analyst = Annotated[Caller, Depends(analyst)]
    InPeriod = Annotated[Period, Depends(_period)]

    @routes.get("/summary")
    async def summary(caller: Analyst, period: InPeriod) -> Response:
        try:
            return json_response(await reports.summary(caller.workspace_id, period))
        except WarehouseUnavailable as error:
            raise Unavailable("the figures cannot be read now") from error

    @routes.get("/performance")
    async def performance(caller: Analyst, period: InPeriod, by: By) -> Response:
        try:
            return json_response(await reports.performance(by, caller.workspace_id, period))
        except WarehouseUnavailable as error:
            raise Unavailable("the figures cannot be read now") from error

    return routes


def _period(
    start: Annotated[str, Query(alias="from")], end: Annotated[str, Query(alias="to")]
) -> Period:
    """Errors: Invalid."""
    period = Period(_instant("from", start), _instant("to", end))
    if period.end <= period.start:
        raise Invalid("to must be later than from")
    if period.start < _EARLIEST or period.end > _LATEST or period.end - period.start > _LONGEST:
        raise Invalid("a period is at most ten years, between the years 2000 and 2200")
    return period


def _instant(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{name} is not an RFC 3339 time") from error
    if at.tzinfo is None:
        raise Invalid(f"{name} needs a time zone, such as Z")
    return at.astimezone(UTC)
