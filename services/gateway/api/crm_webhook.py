"""Where a workspace takes the cases that its members send to the CRM."""

from fastapi import Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.directory import ChangeCrmWebhook, CrmWebhook
from libs.runtime.http import json_response
from libs.runtime.problems import Forbidden, NotFound, Unavailable
from services.gateway.api.directory import DirectoryApi
from services.gateway.api.passing import REFUSED
from services.gateway.api.routes import Routes

_PATH = "/v1/crm-webhook"
_SIGNED = (
    "Deliveries are signed as Standard Webhooks says, and tell `CrmEvent`; see `webhooks` here."
)


def add_crm_webhook_routes(routes: Routes, api: DirectoryApi) -> None:
    async def get(request: Request) -> Response:
        actor = (await api.access.actor(request)).must(Action.MANAGE_DIRECTORY)
        webhook = actor.directory.crm_webhook
        if webhook is None:
            raise NotFound
        return json_response(CrmWebhook(url=webhook.url))

    async def change(request: Request) -> Response:
        _, answer = await api.write(request, _PATH)
        return answer

    async def remove(request: Request) -> Response:
        _, answer = await api.write(request, _PATH)
        return answer if answer.status_code >= REFUSED else Response(status_code=204)

    refusals = (Forbidden, NotFound, Unavailable)
    routes.add(
        "GET", _PATH, get,
        name="getCrmWebhook", summary="Where cases sent to the CRM go", description=_SIGNED,
        answer=CrmWebhook, problems=refusals,
    )  # fmt: skip
    routes.add(
        "PATCH", _PATH, change,
        name="changeCrmWebhook", summary="Set where cases sent to the CRM go, or renew its secret",
        description=_SIGNED, body=ChangeCrmWebhook, answer=CrmWebhook, problems=refusals,
    )  # fmt: skip
    routes.add(
        "DELETE", _PATH, remove,
        name="removeCrmWebhook", summary="Send cases to the CRM no longer", status=204,
        problems=refusals,
    )  # fmt: skip
