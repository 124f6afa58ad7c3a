"""Who may ask the widget's routes: pages of the source's origins, visitors with their token."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.runtime.directory import Directory
from libs.runtime.problems import Forbidden, NotFound, Problem, Unauthorized, Unavailable
from services.ingest.channels.widget.visitors import InvalidVisitorToken, Visitor, VisitorTokens
from services.ingest.metrics import REFUSED

PREFLIGHT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class WidgetSource:
    """A connected widget and the workspace it belongs to."""

    workspace_id: str
    state: SourceState

    def admit(self, origin: str | None, *, required: bool) -> None:
        """Origins are compared as they are, character by character. Errors: Forbidden.

        Every browser sends one with a request to another host, a POST, or a socket. Where it is
        not ``required`` and missing, something else stands for the visitor: their token.
        """
        if origin is None and not required:
            return
        if origin not in self.state.allowed_origins:
            raise Forbidden("the widget is not set up for this page's origin")


def widget_source(directory: Directory, source_id: str) -> WidgetSource:
    """Errors: NotFound; Unavailable while it cannot be known yet."""
    if not directory.table.is_caught_up:
        raise Unavailable("the directory is not read to its end yet")
    match directory.source(source_id):
        case (workspace_id, SourceState(channel=Channel.WIDGET, connected=True) as state):
            return WidgetSource(workspace_id, state)
    raise NotFound("there is no such widget")


def visitor_of(request: HTTPConnection, tokens: VisitorTokens, source: WidgetSource) -> Visitor:
    """The visitor whom the bearer token proves. Errors: Unauthorized."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("a visitor's token is needed")
    try:
        return tokens.verify(token, source.state.source_id)
    except InvalidVisitorToken as error:
        raise Unauthorized("the visitor's token is not valid") from error


Endpoint = Callable[[Request, WidgetSource], Awaitable[Response]]


def cross_origin_route(
    path: str, directory: Directory, endpoint: Endpoint, *, method: str, origin_required: bool
) -> Route:
    """A route for pages of other hosts: with preflight, and with CORS headers on refusals too,

    so that the script can tell a refusal from a network that is down. Only origins of the source
    are ever named in them.
    """

    async def answer(request: Request) -> Response:
        origin = request.headers.get("origin")
        preflight = request.method == "OPTIONS"
        headers = {"vary": "origin"}
        try:
            source = widget_source(directory, request.path_params["source_id"])
            source.admit(origin, required=origin_required or preflight)
            if origin is not None:
                headers["access-control-allow-origin"] = origin
            response = preflighted(method) if preflight else await endpoint(request, source)
        except Problem as problem:
            REFUSED.labels(Channel.WIDGET.value, _reason(request, problem)).inc()
            response = problem.response()
        response.headers.update(headers)
        return response

    return Route(path, answer, methods=[method, "OPTIONS"])


def _reason(request: Request, problem: Problem) -> str:
    if isinstance(problem, Unauthorized):
        return "forged" if "authorization" in request.headers else "unsigned"
    return "foreign-origin" if isinstance(problem, Forbidden) else problem.kind


def preflighted(method: str) -> Response:
    headers: Mapping[str, str] = {
        "access-control-allow-methods": method,
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }
    return Response(status_code=204, headers=headers)
