"""Customers, passed on to the conversation service."""

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api import Sent
from libs.events.api.customers import (
    ChangeSalesPlans,
    CustomerCasePage,
    CustomerPage,
    CustomerView,
    EditCustomer,
    MergeCustomer,
    RecordActivity,
    RecordVisit,
    SetFunnelStatus,
    SplitCustomer,
)
from libs.runtime.problems import Conflict
from services.gateway.access import Access
from services.gateway.api.passing import ANSWERED, REFUSED, PassThrough
from services.gateway.api.routes import PAGE, Problems, Routes
from services.gateway.upstream import Upstream, passed_on, path_id

_PHOTO: Final[dict[str, Any]] = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
_REFUSED: Final[Problems] = (*ANSWERED, Conflict)
# Each with what it takes, and what it does.
_CHANGES: Final[tuple[tuple[str, str, type, str], ...]] = (
    ("merge", "mergeCustomer", MergeCustomer, "Another customer is the same person"),
    ("split", "splitCustomer", SplitCustomer, "An identity is a person of their own after all"),
    ("funnel", "setFunnelStatus", SetFunnelStatus, "How near the customer is to buying"),
    ("sales-plans", "changeSalesPlans", ChangeSalesPlans, "Put into sales plans, take out of them"),
    ("acquisition", "recordVisit", RecordVisit, "How the customer came: tool, device, link"),
)
_SUBSCRIPTIONS: Final = (
    ("subscribe", "subscribeCustomer", "This identity gets automatic messages again"),
    ("unsubscribe", "unsubscribeCustomer", "This identity gets no automatic messages any more"),
)
_BLOCKS: Final = (
    ("block", "blockCustomer", "Keep what the customer writes, open no case, tell nobody"),
    ("unblock", "unblockCustomer", "What the customer writes opens cases again"),
)

# The kind of thing that each of them is, by which the member's role decides.
COMMANDS: Final[dict[str, Action]] = {
    **{path: Action.EDIT_CUSTOMERS for path, _, _, _ in _CHANGES},
    **{path: Action.EDIT_CUSTOMERS for path, _, _ in _SUBSCRIPTIONS},
    **{path: Action.BLOCK_CUSTOMERS for path, _, _ in _BLOCKS},
    "activities": Action.RECORD_ACTIVITIES,
}


def add_customer_routes(
    routes: Routes, access: Access, conversation: Upstream, ingest: Upstream
) -> None:
    through = PassThrough(access, conversation)
    base = "/v1/customers"
    one = base + "/{id}"

    async def photo(request: Request) -> Response:
        actor = (await access.actor(request)).must(Action.READ)
        path = f"{base}/{path_id(request)}/photo-places"
        status, places, headers = await conversation.call("GET", path, actor=actor)
        if status >= REFUSED:
            return passed_on(status, places, headers)
        known = request.headers.get("if-none-match")
        answered = await ingest.call(
            "POST",
            "/v1/photos",
            actor=actor,
            body=places,
            headers={"if-none-match": known} if known is not None else None,
        )
        return passed_on(*answered)

    routes.add(
        "GET", base, through.to(base, Action.READ),
        name="listCustomers", summary="The customers, the last active first",
        answer=CustomerPage, query=PAGE, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", one, through.to(one, Action.READ),
        name="getCustomer", summary="One person with all their identities",
        description="Whichever of the identities is asked for, the answer is the person's.",
        answer=CustomerView, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "PATCH", one, through.to(one, Action.EDIT_CUSTOMERS, takes_body=True),
        name="editCustomer", summary="Correct what is known of the customer",
        description="For those who answer the customer, and for who manages cases.",
        body=EditCustomer, answer=CustomerView, problems=_REFUSED,
    )  # fmt: skip
    routes.add(
        "GET", one + "/photo", photo,
        name="getCustomerPhoto", summary="The customer's photo, as their channel shows it",
        description="An image, small, of one of the person's identities: the one that is asked "
        "for, if it has one. 404 where no channel shows any. With `If-None-Match` 304 while it is "
        "the same.",
        answer=_PHOTO, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", one + "/cases", through.to(one + "/cases", Action.READ),
        name="listCustomerCases", summary="The customer's cases, each with its first message",
        answer=CustomerCasePage, query=PAGE, problems=ANSWERED,
    )  # fmt: skip
    for action, name, body, summary in _CHANGES:
        path = f"{one}/{action}"
        routes.add(
            "POST", path, through.to(path, COMMANDS[action], takes_body=True),
            name=name, summary=summary, body=body, answer=CustomerView, problems=_REFUSED,
        )  # fmt: skip
    for action, name, summary in (*_SUBSCRIPTIONS, *_BLOCKS):
        path = f"{one}/{action}"
        routes.add(
            "POST", path, through.to(path, COMMANDS[action]),
            name=name, summary=summary, answer=CustomerView, problems=_REFUSED,
        )  # fmt: skip
    for path, name, where in (
        (one + "/activities", "recordCustomerActivity", "their latest conversation"),
        ("/v1/conversations/{id}/activities", "recordActivity", "the conversation"),
    ):
        routes.add(
            "POST", path, through.to(path, COMMANDS["activities"], takes_body=True),
            name=name, summary=f"What the customer did elsewhere, shown in {where}",
            description="Only the team sees it. For funnels, shops and bots.",
            status=201, body=RecordActivity, answer=Sent, problems=_REFUSED,
        )  # fmt: skip
