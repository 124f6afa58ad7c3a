"""``/v1/customers``: customers, as who sees one of their conversations sees them."""

from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response

from libs.events.api import Sent
from libs.events.api.customers import (
    ChangeSalesPlans,
    EditCustomer,
    MergeCustomer,
    RecordActivity,
    RecordVisit,
    SetFunnelStatus,
    SplitCustomer,
)
from libs.runtime.bodies import read_nothing, read_query
from libs.runtime.http import json_response
from libs.runtime.trust import caller_of
from services.conversation.api.resource import PageQuery, Resource, Routes, acting, acting_with
from services.conversation.commands.activities import ActivityCommands
from services.conversation.commands.answers import Answer
from services.conversation.commands.customers import CustomerCommands
from services.conversation.commands.erasure import ErasureCommands
from services.conversation.read_models.customers.cases import CustomerCases
from services.conversation.read_models.customers.queries import CustomerQueries
from services.conversation.read_models.member import MemberContext

_ALL: Final = "/v1/customers"
_ONE: Final = "/v1/customers/{customer_id}"
_CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class CustomerHandlers:
    queries: CustomerQueries
    cases: CustomerCases
    activities: ActivityCommands
    erasure: ErasureCommands


async def page(resource: Resource[CustomerHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked = read_query(request, PageQuery)
    return json_response(await resource.handler.queries.customers(actor, asked.cursor, asked.limit))


async def customer(resource: Resource[CustomerHandlers], request: Request) -> Response:
    actor, customer_id = resource.requests.actor(request), resource.requests.id_of(request)
    return json_response(await resource.handler.queries.customer(actor, customer_id))


async def cases(resource: Resource[CustomerHandlers], request: Request) -> Response:
    actor, customer_id = resource.requests.actor(request), resource.requests.id_of(request)
    asked = read_query(request, PageQuery)
    return json_response(
        await resource.handler.cases.page(actor, customer_id, asked.cursor, asked.limit)
    )


async def photo_places(resource: Resource[CustomerHandlers], request: Request) -> Response:
    actor, customer_id = resource.requests.actor(request), resource.requests.id_of(request)
    return json_response(await resource.handler.queries.photo_places(actor, customer_id))


async def erase(resource: Resource[CustomerHandlers], request: Request) -> Response:
    caller, customer_id = caller_of(request), resource.requests.id_of(request)

    async def work(_cause: str) -> Response:
        actor = resource.requests.actor(request)
        return json_response(await resource.handler.erasure.erase_customer(actor, customer_id))

    raw = await read_nothing(request)
    return await resource.requests.answers.once(request, caller, raw, work)


async def _record_activity(
    handlers: CustomerHandlers,
    actor: MemberContext,
    customer_id: str,
    cause: str,
    asked: RecordActivity,
) -> Answer[Sent]:
    """In the conversation of the customer's last activity."""
    newest = await handlers.queries.newest_conversation(actor, customer_id)
    return await handlers.activities.record_activity(actor, newest, cause, asked)


record_activity = acting_with(RecordActivity, _record_activity, _CREATED)

ROUTES: Final[Routes[CustomerHandlers]] = (
    ("GET", _ALL, page),
    ("GET", _ONE, customer),
    ("GET", f"{_ONE}/cases", cases),
    ("GET", f"{_ONE}/photo-places", photo_places),
    ("POST", f"{_ONE}/activities", record_activity),
    ("POST", f"{_ONE}/erase", erase),
)

edit = acting_with(EditCustomer, CustomerCommands.edit)
merge = acting_with(MergeCustomer, CustomerCommands.merge)
split = acting_with(SplitCustomer, CustomerCommands.split)
block = acting(CustomerCommands.block)
unblock = acting(CustomerCommands.unblock)
subscribe = acting(CustomerCommands.subscribe)
unsubscribe = acting(CustomerCommands.unsubscribe)
move_in_funnel = acting_with(SetFunnelStatus, CustomerCommands.move_in_funnel)
change_sales_plans = acting_with(ChangeSalesPlans, CustomerCommands.change_sales_plans)
record_visit = acting_with(RecordVisit, CustomerCommands.record_visit)

COMMAND_ROUTES: Final[Routes[CustomerCommands]] = (
    ("PATCH", _ONE, edit),
    ("POST", f"{_ONE}/merge", merge),
    ("POST", f"{_ONE}/split", split),
    ("POST", f"{_ONE}/block", block),
    ("POST", f"{_ONE}/unblock", unblock),
    ("POST", f"{_ONE}/subscribe", subscribe),
    ("POST", f"{_ONE}/unsubscribe", unsubscribe),
    ("POST", f"{_ONE}/funnel", move_in_funnel),
    ("POST", f"{_ONE}/sales-plans", change_sales_plans),
    ("POST", f"{_ONE}/acquisition", record_visit),
)
