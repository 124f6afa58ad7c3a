"""The HTTP side of the customers: parse, call, answer."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.customers import (
    ChangeSalesPlans,
    CustomerView,
    EditCustomer,
    MergeCustomer,
    RecordActivity,
    RecordVisit,
    SetFunnelStatus,
    SplitCustomer,
)
from libs.runtime.bodies import BodyReader, read_nothing, read_query
from libs.runtime.http import json_response
from libs.runtime.idempotency import Answers, Personal, Work
from libs.runtime.tokens import Caller
from libs.runtime.trust import caller_of
from services.conversation.api.routes import Endpoint, PageQuery
from services.conversation.commands import Parts
from services.conversation.commands.activities import ActivityCommands
from services.conversation.commands.customers import CustomerCommands
from services.conversation.read_models.customers.cases import Cases

_ALL = "/v1/customers"
_ONE = "/v1/customers/{customer_id}"


class CustomersDesktop(CustomerCommands, Cases, ActivityCommands):
    """What one member sees of the customers, and does to them."""


type _Act = Callable[[CustomersDesktop, str, str], Awaitable[CustomerView]]


def add_customer_routes(app: FastAPI, parts: Parts, answers: Answers) -> None:

    async def customers(request: Request) -> Response:
        desk = CustomersDesktop(parts, caller_of(request))
        asked = read_query(request, PageQuery)
        return json_response(await desk.customers(asked.cursor, asked.limit))

    async def customer(request: Request) -> Response:
        desk = CustomersDesktop(parts, caller_of(request))
        return json_response(await desk.customer(_id(request)))

    async def cases(request: Request) -> Response:
        desk = CustomersDesktop(parts, caller_of(request))
        asked = read_query(request, PageQuery)
        return json_response(await desk.cases(_id(request), asked.cursor, asked.limit))

    async def photo_places(request: Request) -> Response:
        desk = CustomersDesktop(parts, caller_of(request))
        return json_response(await desk.photo_places(_id(request)))

    async def once(request: Request, caller: Caller, raw: bytes, work: Work) -> Response:
        """The first answer again is only for who still sees the customer."""

        async def may_see() -> object:
            return await CustomersDesktop(parts, caller).customer(_id(request))

        return await answers.once(request, caller, raw, work, may_see)

    def acting(act: _Act) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            caller = caller_of(request)

            async def work(cause: str) -> Response:
                desk = CustomersDesktop(parts, caller)
                answer = json_response(await act(desk, _id(request), cause))
                return Personal(answer, desk.told_of)

            return await once(request, caller, await read_nothing(request), work)

        return endpoint

    def acting_with[T](
        body_type: type[T],
        act: Callable[[CustomersDesktop, str, str, T], Awaitable[object]],
        status: int = 200,
    ) -> Endpoint:
        reader = BodyReader(body_type)

        async def endpoint(request: Request) -> Response:
            caller = caller_of(request)
            body, raw = await reader.read(request)

            async def work(cause: str) -> Response:
                desk = CustomersDesktop(parts, caller)
                answer = json_response(await act(desk, _id(request), cause, body), status)
                return Personal(answer, desk.told_of)

            return await once(request, caller, raw, work)

        return endpoint

    async def record(
        desk: CustomersDesktop, customer_id: str, cause: str, asked: RecordActivity
    ) -> object:
        newest = await desk.newest_conversation(customer_id)
        return await desk.record_activity(newest, cause, asked)

    desktop = CustomersDesktop
    routes: list[tuple[str, str, Endpoint]] = [
        ("GET", _ALL, customers),
        ("GET", _ONE, customer),
        ("PATCH", _ONE, acting_with(EditCustomer, desktop.edit)),
        ("GET", f"{_ONE}/cases", cases),
        ("GET", f"{_ONE}/photo-places", photo_places),
        ("POST", f"{_ONE}/merge", acting_with(MergeCustomer, desktop.merge)),
        ("POST", f"{_ONE}/split", acting_with(SplitCustomer, desktop.split)),
        ("POST", f"{_ONE}/block", acting(desktop.block)),
        ("POST", f"{_ONE}/unblock", acting(desktop.unblock)),
        ("POST", f"{_ONE}/subscribe", acting(desktop.subscribe)),
        ("POST", f"{_ONE}/unsubscribe", acting(desktop.unsubscribe)),
        ("POST", f"{_ONE}/funnel", acting_with(SetFunnelStatus, desktop.move_in_funnel)),
        ("POST", f"{_ONE}/sales-plans", acting_with(ChangeSalesPlans, desktop.change_sales_plans)),
        ("POST", f"{_ONE}/acquisition", acting_with(RecordVisit, desktop.record_visit)),
        ("POST", f"{_ONE}/activities", acting_with(RecordActivity, record, 201)),
    ]
    for method, path, endpoint in routes:
        app.add_route(path, endpoint, [method])


def _id(request: Request) -> str:
    customer_id: str = request.path_params["customer_id"]
    return customer_id
