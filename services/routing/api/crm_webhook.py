"""The workspace's webhook for its CRM over HTTP: its secret is made here, and shown once."""

import base64
import secrets
from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.directory import OFFSET_HEADER, ChangeCrmWebhook, CrmWebhook
from libs.events.ids import random_id
from libs.runtime.bodies import BodyReader, invalid_field, read_nothing
from libs.runtime.outside import NotOutside, check_host, checked_url
from libs.runtime.problems import NotFound
from libs.runtime.sealing import Sealer
from libs.runtime.trust import caller_of
from services.routing.api.directory import DirectoryApi, answered
from services.routing.domain.crm_webhook import change_crm_webhook, remove_crm_webhook

PURPOSE: Final = "crm-webhook"
# Standard Webhooks: 24 to 64 bytes, in base64 behind this sign.
_SECRET_BYTES: Final = 32
_SECRET_SIGN: Final = "whsec_"  # noqa: S105  # what stands before each secret


def add_crm_webhook_routes(
    app: FastAPI, api: DirectoryApi, sealer: Sealer, *, allow_private: bool
) -> None:
    """``PATCH`` and ``DELETE /v1/crm-webhook``. ``sealer`` is the one for the purpose above."""
    changing = BodyReader(ChangeCrmWebhook)

    async def change(request: Request) -> Response:
        caller = caller_of(request)
        asked, _raw = await changing.read(request)
        if asked.url is not None:
            try:
                checked_url(asked.url, allow_private=allow_private)
                await check_host(asked.url, allow_private=allow_private)
            except NotOutside as error:
                raise invalid_field("url", error.told()) from error
        secret = _SECRET_SIGN + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        sealed = sealer.seal(secret.encode(), owner=caller.workspace_id)
        changed = await api.changed(
            caller,
            random_id("req"),
            "change_crm_webhook",
            lambda there: change_crm_webhook(
                there, url=asked.url, sealed_secret=sealed, renew_secret=asked.renew_secret
            ),
        )
        webhook = changed.workspace.crm_webhook
        if webhook is None:  # removed by another the moment after
            raise NotFound
        shown = secret if webhook.sealed_secret == sealed else None
        return answered(CrmWebhook(url=webhook.url, secret=shown), 200, changed)

    async def remove(request: Request) -> Response:
        caller = caller_of(request)
        await read_nothing(request)
        changed = await api.changed(
            caller, random_id("req"), "remove_crm_webhook", remove_crm_webhook
        )
        return Response(status_code=204, headers={OFFSET_HEADER: str(changed.offset)})

    app.add_route("/v1/crm-webhook", change, ["PATCH"])
    app.add_route("/v1/crm-webhook", remove, ["DELETE"])
