"""Errors at an HTTP edge: RFC 9457 problems, made in one place."""

from typing import Any, ClassVar, Final

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from libs.runtime.texts import COMMON, Texts

log = structlog.get_logger()

_METHOD_NOT_ALLOWED: Final = 405


class Problem(Exception):
    """A refusal with its HTTP status. Subclasses set ``status``, ``kind`` and ``title``.

    ``type`` in the answer is ``urn:parley:problem:<kind>``; ``extra`` are further members, such
    as who holds the case; ``retry_after``: seconds, where it is known. The title is told in the
    caller's language where ``texts`` has it, under ``title.<kind>``; whoever raises a problem says
    its ``detail`` in that language.
    """

    status: ClassVar[int] = 500
    kind: str = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    texts: ClassVar[Texts] = COMMON

    def __init__(self, detail: str = "", *, retry_after: int | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.retry_after = retry_after
        self.detail = detail
        self.extra = extra

    def response(self) -> Response:
        title = self.texts.find(f"title.{self.kind}") or self.title
        answer = problem_response(self.status, self.kind, title, self.detail, **self.extra)
        if self.retry_after is not None:
            answer.headers["retry-after"] = str(self.retry_after)
        return answer


class BadRequest(Problem):
    status, kind, title = 400, "bad-request", "The request cannot be read"


class Unauthorized(Problem):
    status, kind, title = 401, "unauthorized", "Sign in first"


class Forbidden(Problem):
    status, kind, title = 403, "forbidden", "You may not do this"


class NotFound(Problem):
    status, kind, title = 404, "not-found", "There is nothing here"


class Conflict(Problem):
    status, kind, title = 409, "conflict", "This cannot be done now"


class TooLarge(Problem):
    status, kind, title = 413, "too-large", "The body is too large"


class TooSlow(Problem):
    status, kind, title = 408, "too-slow", "The request took too long to arrive"


class HeadTooLarge(Problem):
    status, kind, title = 431, "head-too-large", "The request's headers are too large"


class Invalid(Problem):
    status, kind, title = 422, "invalid", "The request is not valid"


class TooMany(Problem):
    status, kind, title = 429, "too-many-requests", "Too many requests"


class Unavailable(Problem):
    status, kind, title = 503, "unavailable", "Try again in a moment"


class SetAside(Problem):
    """A stream can be neither read nor changed until a person has mended it: nobody else's
    trouble, and told to the operators (``parley set-aside list``)."""

    status, kind, title = 503, "set-aside", "This is set aside until an operator has mended it"


def problem_response(status: int, kind: str, title: str, detail: str, **extra: Any) -> Response:
    body = {"type": f"urn:parley:problem:{kind}", "title": title, "status": status, **extra}
    if detail:
        body["detail"] = detail
    headers = {"retry-after": "1"} if status in (429, 503) else None
    return Response(
        msgspec.json.encode(body), status, headers, media_type="application/problem+json"
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of ``app`` is answered as a problem."""

    async def problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101  # registered for this type only
        return error.response()

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
        title = COMMON.find(f"title.{kind}") or str(error.detail)
        response = problem_response(error.status_code, kind, title, "")
        if error.status_code == _METHOD_NOT_ALLOWED:
            response.headers["allow"] = ", ".join(_methods(request))
        return response

    async def validation(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        # The value is left out: it may be a message's text or a password.
        fields = [
            {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"]}
            for one in error.errors()
        ]
        return Invalid(
            "; ".join(f"{f['field']}: {f['message']}" for f in fields), errors=fields
        ).response()

    async def broken_off(_request: Request, _error: Exception) -> Response:
        # Nobody is there to read it; it is counted as what it is, and not as a bug of ours.
        return BadRequest(COMMON.say("bad-request.broken-off")).response()

    async def bug(request: Request, error: Exception) -> Response:
        log.error("request failed", path=request.url.path, exc_info=error)
        return Problem().response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(ClientDisconnect, broken_off)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Exception, bug)


def _methods(request: Request) -> list[str]:
    """Those that the path takes: each method is a route of its own (RFC 9110, 15.5.6)."""
    return sorted(
        {
            method
            for route in request.app.router.routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
    )
