"""Forgetting a customer, passed on to the service that keeps what was said."""

from typing import Final

from libs.events.actions import Action
from libs.events.api.customers import ErasedCustomer
from services.gateway.api.passing import ANSWERED, PassThrough
from services.gateway.api.routes import Routes

_ERASE: Final = "/v1/customers/{id}/erase"


def add_erasure_route(routes: Routes, through: PassThrough) -> None:
    routes.add(
        "POST", _ERASE, through.to(_ERASE, Action.ERASE),
        name="eraseCustomer", summary="Forget a customer",
        description="What they said and who they are is gone for ever, from conversations, lists, "
        "attachments and all that is kept beside; how often and when they wrote stays. Whatever "
        "they write afterwards is a new beginning.",
        answer=ErasedCustomer, problems=ANSWERED,
    )  # fmt: skip
