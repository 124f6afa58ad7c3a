"""The CRM webhook over HTTP: its address is looked at, its secret is shown once."""

import json

import pytest

from libs.runtime.sealing import Sealer
from services.routing.api.crm_webhook import PURPOSE
from tests.support.routing.service import DEPLOYMENT_KEY, Client, Routing

pytestmark = pytest.mark.servers

PATH = "/v1/crm-webhook"
URL = "https://127.0.0.1:8443/hook"
OTHER = "http://localhost/other"


async def test_the_secret_is_shown_once_and_sealed(routing: Routing) -> None:
    async with routing.running(PARLEY_WEBHOOKS_ALLOW_PRIVATE="true") as client:
        opened = await client.open_workspace()
        first = await client.done("PATCH", PATH, {"url": URL})
        moved = await client.done("PATCH", PATH, {"url": OTHER})
        renewed = await client.done("PATCH", PATH, {"renew_secret": True})
        removed = await client.call("DELETE", PATH)
        gone = await client.call("DELETE", PATH)

    assert first["url"] == URL
    assert moved == {"url": OTHER}
    assert renewed["url"] == OTHER
    assert first["secret"].startswith("whsec_")
    assert renewed["secret"] not in (None, first["secret"])
    assert (removed.status, gone.status) == (204, 404)
    records = await routing.records(9 + 4)
    key = f"{opened['workspace']['workspace_id']}:crm-webhook".encode()
    states = [record.value for record in records if record.key == key]
    assert len(states) == 4
    assert states[-1] is None
    sealer = Sealer(DEPLOYMENT_KEY, PURPOSE)
    sealed = [json.loads(state)["sealed_secret"] for state in states[:-1]]
    workspace_id = opened["workspace"]["workspace_id"]
    secrets = [sealer.open(one, workspace_id).decode() for one in sealed]
    assert secrets == [first["secret"], first["secret"], renewed["secret"]]
    assert not any(first["secret"].encode() in (state or b"") for state in states)


async def test_an_address_that_is_not_outside_is_refused(client: Client) -> None:
    await client.open_workspace()
    refused = [
        await client.call("PATCH", PATH, body)
        for body in (
            *({"url": url} for url in (URL, "https://localhost/", "http://crm.example/hook", "x")),
            *({"url": "https://nobody.invalid/hook"}, {}, {"renew_secret": True}),
        )
    ]
    unknown = await client.call("PATCH", PATH, {"url": URL, "secret": "mine"})
    operator = await client.call("PATCH", PATH, {"url": URL}, actions=())

    assert [(answer.status, answer.fields) for answer in refused] == [(422, ["url"])] * 7
    assert unknown.status == 422
    assert operator.status == 403
