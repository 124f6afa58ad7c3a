"""Who may ask what of whom: one table, and nothing is answered that does not stand in it.

An operation is asked for on behalf of a member, whose token has to carry its action, or by a
service for itself. The gateway has asked the same of the member's role; it is asked again where the
work is done, so that a token that carries less does less, whoever made it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.events.actions import Action
from libs.runtime.problems import Forbidden, Unauthorized
from libs.runtime.texts import COMMON
from libs.runtime.tokens import Caller, InvalidToken, ServiceTokens

CALLER: Final = "parley.caller"


@dataclass(frozen=True, slots=True)
class Operation:
    """``caller``: the one service that may ask. ``action``: what the member's token has to carry;
    None: whatever it carries. ``member``: asked on behalf of one."""

    caller: str = "gateway"
    action: Action | None = None
    member: bool = True


def _all(action: Action | None, *operations: str) -> dict[str, Operation]:
    return dict.fromkeys(operations, Operation(action=action))


_CONVERSATION: Final = "/v1/conversations/{}"
_CUSTOMER: Final = "/v1/customers/{}"


def _on_case(action: Action, *commands: str) -> dict[str, Operation]:
    return _all(action, *(f"POST {_CONVERSATION}/{command}" for command in commands))


def _on_customer(action: Action, *commands: str) -> dict[str, Operation]:
    return _all(action, *(f"POST {_CUSTOMER}/{command}" for command in commands))


def _on_things(action: Action, *things: str) -> dict[str, Operation]:
    changes = ("POST /v1/{}s", "PATCH /v1/{}s/{{}}", "DELETE /v1/{}s/{{}}")
    return _all(action, *(change.format(thing) for thing in things for change in changes))


# By the service that is asked. What stands between braces in a path has no name here.
TRUST: Final[Mapping[str, Mapping[str, Operation]]] = {
    "conversation": {
        **_all(
            Action.READ,
            "GET /v1/conversations",
            "GET /v1/conversations/counts",
            f"GET {_CONVERSATION}",
            f"GET {_CONVERSATION}/timeline",
            f"GET {_CONVERSATION}/comments",
            f"GET {_CONVERSATION}/draft",
            f"DELETE {_CONVERSATION}/draft",
            "GET /v1/customers",
            f"GET {_CUSTOMER}",
            f"GET {_CUSTOMER}/cases",
            f"GET {_CUSTOMER}/photo-places",
            "GET /v1/saved-filters",
            "POST /v1/saved-filters",
            "POST /internal/v1/attachments",
            "POST /internal/v1/conversations",
            "PUT /v1/saved-filters/{}",
            "DELETE /v1/saved-filters/{}",
        ),
        **_all(Action.AUDIT, f"GET {_CONVERSATION}/audit"),
        **_on_case(Action.READ, "leave"),
        **_on_case(Action.TAKE, "take"),
        **_on_case(Action.CLOSE, "close"),
        **_on_case(Action.REOPEN, "reopen"),
        **_on_case(Action.OPEN, "open"),
        **_on_case(Action.SEND_TO_CRM, "send-to-crm"),
        **_on_case(Action.ASSIGN, "assign", "unassign", "due"),
        **_on_case(Action.MANAGE_CASES, "take-over"),
        **_on_case(Action.FORWARD, "forward"),
        **_on_case(Action.TRANSFER, "transfer", "accept", "decline", "withdraw"),
        **_on_case(Action.PARTICIPANTS, "participants"),
        **_all(Action.PARTICIPANTS, f"DELETE {_CONVERSATION}/participants/{{}}"),
        **_on_case(Action.ANSWER, "messages"),
        **_all(
            Action.ANSWER,
            f"PATCH {_CONVERSATION}/messages/{{}}",
            f"DELETE {_CONVERSATION}/messages/{{}}",
            f"POST {_CONVERSATION}/messages/{{}}/resend",
        ),
        **_on_case(Action.NOTE, "notes"),
        **_all(Action.NOTE, f"PUT {_CONVERSATION}/draft"),
        **_on_case(Action.RECORD_ACTIVITIES, "activities"),
        **_on_case(Action.MARK, "read", "unread", "flag", "unflag", "priority", "status", "type"),
        **_on_case(Action.MARK, "tags", "topics", "reasons", "components", "fields"),
        **_all(
            Action.MARK,
            "POST /v1/conversations/read-all",
            f"PUT {_CONVERSATION}/messages/{{}}/emotion",
        ),
        **_all(Action.EDIT_CUSTOMERS, f"PATCH {_CUSTOMER}"),
        **_on_customer(Action.EDIT_CUSTOMERS, "merge", "split", "subscribe", "unsubscribe"),
        **_on_customer(Action.EDIT_CUSTOMERS, "funnel", "sales-plans", "acquisition"),
        **_on_customer(Action.BLOCK_CUSTOMERS, "block", "unblock"),
        **_on_customer(Action.RECORD_ACTIVITIES, "activities"),
        **_on_customer(Action.ERASE, "erase"),
        "GET /internal/v1/customer-timeline/{}": Operation("ingest", member=False),
    },
    "routing": {
        "POST /v1/workspaces": Operation(member=False),
        **_all(None, "PATCH /v1/me"),
        **_on_things(Action.MANAGE_DIRECTORY, "location", "member", "group", "source"),
        **_on_things(Action.MANAGE_DIRECTORY, "autoforward", "label", "field"),
        **_all(Action.MANAGE_DIRECTORY, "PATCH /v1/crm-webhook", "DELETE /v1/crm-webhook"),
    },
    "ingest": {
        **_all(Action.ANSWER, "POST /v1/attachments", "POST /v1/attachments/describe"),
        **_all(
            Action.READ,
            "GET /v1/attachments/{}",
            "GET /internal/v1/sources/{}/health",
            "POST /v1/photos",
        ),
        **_all(
            Action.MANAGE_DIRECTORY,
            "POST /internal/v1/sources/{}/register",
            "POST /internal/v1/sources/{}/unregister",
        ),
    },
    "notify": {
        **_all(
            None,
            "GET /v1/notifications",
            "GET /v1/notifications/{}",
            "POST /v1/notifications/{}/read",
        ),
        **_all(Action.READ, "GET /v1/notification-rules"),
        **_all(Action.MANAGE_DIRECTORY, "PUT /v1/notification-rules/case-in-group"),
    },
    "analytics": _all(Action.SEE_METRICS, "GET /v1/metrics/summary", "GET /v1/metrics/performance"),
    "gateway": {"POST /internal/v1/workspaces": Operation("cli", member=False)},
}

# Of every process, without a token: see ``service_app``.
_OPERATING: Final = ("/healthz", "/readyz", "/metrics", "/asyncapi.yaml")
_NAMES: Final = re.compile(r"\{[^}]*\}")


class NotTrusted(Exception):
    """A route is mounted that the table does not know, or the table knows one that is not."""


def guard(app: FastAPI, tokens: ServiceTokens, *, public: tuple[str, ...] = ()) -> None:
    """Let each route of ``app`` ask who calls, as the table says; the last thing done to it.

    ``public``: what the paths of routes begin with that know by themselves whom they speak to.
    Errors: NotTrusted.
    """
    table = TRUST[tokens.service]
    left = set(table)
    for route in app.routes:
        if isinstance(route, Route) and route.path in _OPERATING:
            continue
        if getattr(route, "path", "").startswith(public or ("\0",)):
            continue
        if not isinstance(route, Route):
            raise NotTrusted(f"{_named(route)} of {tokens.service} is not in the table")
        operations = [
            f"{method} {_NAMES.sub('{}', route.path)}"
            for method in sorted(route.methods or ())
            if method != "HEAD"
        ]
        asked = [table.get(operation) for operation in operations]
        if len(asked) != 1 or asked[0] is None:
            raise NotTrusted(f"{' '.join(operations)} of {tokens.service} is not in the table")
        left.discard(operations[0])
        route.app = _Guarded(route.app, tokens, asked[0])
    if left:
        raise NotTrusted(f"{tokens.service} has no {', '.join(sorted(left))}")


def _named(route: BaseRoute) -> str:
    return str(getattr(route, "path", route))


class _Guarded:
    def __init__(self, app: ASGIApp, tokens: ServiceTokens, asked: Operation) -> None:
        self._app = app
        self._tokens = tokens
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Errors: Unauthorized, Forbidden."""
        scope[CALLER] = self._caller(Request(scope))
        await self._app(scope, receive, send)

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("a service token is needed")
        try:
            caller = self._tokens.verify(token)
        except InvalidToken as error:
            raise Unauthorized("the service token is not valid") from error
        asked = self._asked
        if caller.service != asked.caller:
            raise Forbidden("another service may ask this, this one may not")
        if asked.member and not caller.member_id:
            raise Forbidden(COMMON.say("forbidden.members-only"))
        if asked.action is not None and not caller.may(asked.action):
            raise Forbidden(COMMON.say("forbidden.action"), action=asked.action.value)
        return caller


def caller_of(request: Request) -> Caller:
    """Whom the guard let through. Errors: KeyError, on a route that nobody guards."""
    caller: Caller = request.scope[CALLER]
    return caller
