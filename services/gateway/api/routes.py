"""How a route is added: with everything that OpenAPI should say of it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args, get_origin

import msgspec
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import Response

from libs.events.api.crm import CrmEvent
from libs.events.api.values import PAGE_AT_MOST, VALUES_AT_MOST, AnyOf
from libs.runtime.bodies import check_query, read_nothing
from libs.runtime.problems import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
)
from services.gateway.api.shapes import ProblemDetails

Endpoint = Callable[[Request], Awaitable[Response]]
Problems = Sequence[type[Problem]]

BODY_PROBLEMS: Final[Problems] = (BadRequest, TooLarge, Invalid)

_REF: Final = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"\{(\w+)\}")
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key again gives the first answer again, and does nothing twice.",
    "schema": {"type": "string", "maxLength": 255},
}


PAGE: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "cursor",
        "in": "query",
        "description": "`next` of the page before, asked for with the same filters.",
        "schema": {"type": "string"},
    },
    {
        "name": "limit",
        "in": "query",
        "description": "How many at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_AT_MOST},
    },
)


def query_parameter(name: str, kind: Any, description: str) -> dict[str, Any]:
    """A query's parameter in OpenAPI, its schema made of its type."""
    (schema,), shapes = msgspec.json.schema_components([kind])
    # A parameter's schema stands alone.
    named = str(schema.get("$ref", "")).rpartition("/")[2]
    whole = shapes.get(named, schema)
    return {"name": name, "in": "query", "description": description, "schema": whole}


def repeatable(parameter: dict[str, Any]) -> dict[str, Any]:
    """The same parameter, which may be repeated: any of its values will do."""
    schema = {
        "type": "array",
        "items": parameter["schema"],
        "minItems": 1,
        "maxItems": VALUES_AT_MOST,
    }
    told = f"{parameter['description']} Repeated: of any of them."
    return {**parameter, "description": told, "schema": schema, "explode": True}


def query_parameters(filters: type[msgspec.Struct]) -> tuple[dict[str, Any], ...]:
    """A parameter for each field of a struct, all of them optional."""
    described = []
    for one in msgspec.structs.fields(filters):
        [kind] = [kind for kind in get_args(one.type) if kind is not type(None)]
        told = f"Only those of this {one.name.replace('_', ' ')}."
        if get_origin(kind) is AnyOf:
            [kind] = get_args(kind)
            described.append(repeatable(query_parameter(one.name, kind, told)))
        else:
            described.append(query_parameter(one.name, kind, told))
    return tuple(described)


AS_OF: Final = {
    "name": "as_of",
    "in": "query",
    "description": "As it was recorded then: an instant of the past, RFC 3339.",
    "schema": {"type": "string", "format": "date-time"},
}
WHOLE: Final = {
    "name": "whole",
    "in": "query",
    "description": "The chain is read from its beginning, also what was verified before.",
    "schema": {"type": "boolean", "default": False},
}
# What each refusal means wherever it is met; an operation lists those that it can answer.
_MEANINGS: Final[dict[type[Problem], str]] = {
    BadRequest: "The body is not JSON.",
    Unauthorized: "The token is missing, not valid, or no longer.",
    Forbidden: "The member's role may not do this.",
    NotFound: "It is not there, or not for this member to see.",
    Conflict: "The present state does not allow it; `detail` says why.",
    TooLarge: "The body is over the limit.",
    Invalid: "A field, a parameter or a header is not valid, or not known; `detail` names it.",
    TooMany: "Too many attempts; wait as `Retry-After` says.",
    Unavailable: "A part of Parley does not answer now; `part` names it. Try again.",
}


@dataclass(frozen=True, slots=True)
class Described:
    """What OpenAPI tells: the routes, and the shapes that they speak of."""

    routes: list[APIRoute] = field(default_factory=list)
    shapes: set[type] = field(default_factory=set)


class Routes:
    """Adds routes to ``app``, and to what is told of it, under one tag."""

    def __init__(self, app: FastAPI, described: Described, tag: str) -> None:
        self._app = app
        self._described = described
        self._tag = tag

    def add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        name: str,
        summary: str,
        answer: type | dict[str, Any] | None = None,
        status: int = 200,
        body: type | dict[str, Any] | None = None,
        query: Sequence[dict[str, Any]] = (),
        problems: Problems = (),
        signed_in: bool = True,
        once: bool = True,
        description: str | None = None,
        cookie: dict[str, Any] | None = None,
        answer_headers: dict[str, Any] | None = None,
    ) -> None:
        """``answer`` and ``body``: a struct, answered or taken as JSON, or OpenAPI's ``content``.

        ``name`` is the operation's id. Problems that follow from the rest are added: 401 where one
        must be signed in, those of a body, 404 where the path has an id. ``once``: a POST takes
        ``Idempotency-Key``; not one that may be repeated as it is. What is not told of here,
        a parameter or a body, is refused and not ignored, so that each may answer 422.
        """
        in_path = _IN_PATH.findall(path)
        all_problems = [
            *problems,
            *([Unauthorized, TooMany] if signed_in else []),
            *([Invalid] if method == "GET" else BODY_PROBLEMS),
            *([NotFound] if in_path else []),
        ]
        more: dict[str, Any] = {
            "parameters": [
                *(
                    {"name": one, "in": "path", "required": True, "schema": {"type": "string"}}
                    for one in in_path
                ),
                *query,
                *([cookie] if cookie else []),
                *([_IDEMPOTENCY_KEY] if method == "POST" and once else []),
            ]
        }
        if body is not None:
            more["requestBody"] = {"required": True, "content": self._content(body)}
        if signed_in:
            more["security"] = [{"token": []}]
        responses: dict[int | str, dict[str, Any]] = {
            status: {"description": "Done." if answer is None else "The answer."}
        }
        if answer is not None:
            responses[status]["content"] = self._content(answer)
        if answer_headers is not None:
            responses[status]["headers"] = answer_headers
        responses |= {
            refusal: {
                "description": " ".join(dict.fromkeys(_MEANINGS[p] for p in kinds)),
                "content": {"application/problem+json": {"schema": {"$ref": _ref(ProblemDetails)}}},
            }
            for refusal, kinds in _by_status(all_problems).items()
        }
        self._described.shapes.add(ProblemDetails)
        # Requests are met by a plain route; FastAPI's own is only told of. It would solve the
        # dependencies that none of these has, a fifth of the CPU of what is only passed on.
        names = {one["name"]: one.get("explode", False) for one in query}
        takes_body = method == "GET" or body is not None
        self._app.add_route(path, _strict(endpoint, names, takes_body), [method])
        self._described.routes.append(
            APIRoute(
                path,
                endpoint,
                methods=[method],
                tags=[self._tag],
                operation_id=name,
                summary=summary,
                description=description,
                status_code=status,
                responses=responses,
                response_model=None,
                response_class=Response,
                openapi_extra=more,
            )
        )

    def tell(self, shape: type) -> None:
        """Tell of a shape that no operation takes or answers."""
        self._described.shapes.add(shape)

    def _content(self, shape: type | dict[str, Any]) -> dict[str, Any]:
        if isinstance(shape, dict):
            return shape
        self._described.shapes.add(shape)
        return {"application/json": {"schema": {"$ref": _ref(shape)}}}


def _strict(endpoint: Endpoint, names: Mapping[str, bool], takes_body: bool) -> Endpoint:
    """``names``: of the parameters, each with whether it may be repeated."""
    repeated = {name for name, may in names.items() if may}

    async def strict(request: Request) -> Response:
        check_query(request, names, repeated)
        if not takes_body:
            await read_nothing(request)
        return await endpoint(request)

    return strict


def document(app: FastAPI, described: Described, public_url: str, tags: dict[str, str]) -> None:
    """Let ``app`` answer its OpenAPI."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version="1",
                description=_ABOUT,
                routes=described.routes,
                tags=[{"name": name, "description": text} for name, text in tags.items()],
                servers=[{"url": public_url}],
            )
            ordered = sorted(described.shapes, key=lambda shape: shape.__name__)
            _, schemas = msgspec.json.schema_components(ordered, ref_template=_REF)
            for shape in ordered:
                if fields := getattr(shape, "SAYS_ONE_OF", ()):
                    schemas[shape.__name__]["anyOf"] = _says_one_of(schemas[shape.__name__], fields)
            made["webhooks"] = _webhooks()
            made["components"] = {
                "schemas": dict(sorted(schemas.items())),
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            }
            app.openapi_schema = made
        return app.openapi_schema

    described.shapes.add(CrmEvent)
    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def _says_one_of(schema: Mapping[str, Any], fields: Sequence[str]) -> list[dict[str, Any]]:
    """That one of the fields is there and says something."""
    something: dict[str, dict[str, Any]] = {
        "array": {"minItems": 1},
        "object": {"minProperties": 1},
    }
    return [
        {
            "required": [field],
            "properties": {
                field: something.get(
                    schema["properties"][field].get("type"), {"not": {"type": "null"}}
                )
            },
        }
        for field in fields
    ]


_ABOUT: Final = """\
The public API of Parley, a team inbox for every channel a company's customers write to.

Sign in with `POST /v1/sign-in`, or make an API token, and send it as `Authorization: Bearer …`.
Refusals are RFC 9457 problems. What a member may not see is answered as 404. Times are RFC 3339 in
UTC. A token and a workspace may ask so much a second, and so much at once that takes long: beyond
it is 429, with `Retry-After`, and for a quota `RateLimit` and `RateLimit-Policy`. Pages are asked
for with `cursor` and `limit`. `Idempotency-Key` makes a POST safe to repeat where it is declared.
What is told to people (problems, system messages) is in the language of `Accept-Language`, of `en`,
`ru` and `uk`, else in the member's own (`PATCH /v1/me`), else in the workspace's.

`/v1/live` is a WebSocket. Its first frame is `{"token": "…", "cursor": null}`; then come `ready`,
`event`, `gone`, `notification`, `reload` and `ping` frames, each with the `cursor` to resume from.
It closes with 4401 where the session is over, and with 1012 where another replica goes on. The same
frames come as server-sent events to a GET of the same address.
"""


def _webhooks() -> dict[str, Any]:
    """What Parley itself posts, to where a workspace says."""
    names = {
        "webhook-id": "The same however often it is delivered: the event's `id`.",
        "webhook-timestamp": "When this try was made, in seconds since 1970.",
        "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, by the "
        "bytes that stand in base64 behind `whsec_` in the webhook's secret.",
    }
    headers = [
        {"name": name, "in": "header", "required": True, "description": text}
        | {"schema": {"type": "string"}}
        for name, text in names.items()
    ]
    body = {"application/cloudevents+json": {"schema": {"$ref": _ref(CrmEvent)}}}
    return {
        "caseSentToCrm": {
            "post": {
                "operationId": "caseSentToCrm",
                "summary": "A member sent a case to the CRM",
                "description": _DELIVERED,
                "parameters": headers,
                "requestBody": {"required": True, "content": body},
                "responses": {
                    "2XX": {"description": "Taken."},
                    "410": {"description": "Nothing more is wanted: this one is given up."},
                    "default": {"description": "Delivered again later, for a day."},
                },
            }
        }
    }


_DELIVERED: Final = """\
Posted to the address of `PATCH /v1/crm-webhook`, at least once, in no certain order, until an
answer of 2xx within 15 seconds. Redirects are not followed. Owners and admins are notified when a
case could not be delivered.
"""


def _ref(shape: type) -> str:
    return _REF.format(name=shape.__name__)


def _by_status(problems: Problems) -> dict[int, list[type[Problem]]]:
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in sorted(set(problems), key=lambda one: (one.status, one.__name__)):
        meaning = next(base for base in problem.__mro__ if base in _MEANINGS)
        by_status.setdefault(problem.status, []).append(meaning)
    return by_status
