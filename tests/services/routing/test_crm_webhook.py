"""Where cases sent to the CRM go: its address is looked at, its secret is shown once."""

import json

import pytest

from libs.runtime.sealing import Sealer
from services.routing.api.crm_webhook import PURPOSE
from services.routing.domain.crm_webhook import change_crm_webhook, remove_crm_webhook
from services.routing.domain.errors import InvalidValue, NotThere
from services.routing.domain.events import CrmWebhookRemoved, CrmWebhookSet
from tests.support.routing.directory import after, given
from tests.support.routing.service import DEPLOYMENT_KEY, Client, Routing

PATH = "/v1/crm-webhook"
URL = "https://127.0.0.1:8443/hook"
OTHER = "http://localhost/other"


SET = CrmWebhookSet(url=URL, sealed_secret="first")


def test_the_first_address_comes_with_a_secret() -> None:
    assert change_crm_webhook(given(), url=URL, sealed_secret="first", renew_secret=False) == [SET]
    with pytest.raises(InvalidValue, match="url"):
        change_crm_webhook(given(), url=None, sealed_secret="first", renew_secret=True)


@pytest.mark.parametrize(
    ("url", "renew", "happened"),
    [
        (OTHER, False, [CrmWebhookSet(url=OTHER, sealed_secret="first")]),
        (None, True, [CrmWebhookSet(url=URL, sealed_secret="second")]),
        (OTHER, True, [CrmWebhookSet(url=OTHER, sealed_secret="second")]),
        (URL, False, []),
        (None, False, []),
    ],
)
def test_the_secret_stays_unless_another_is_asked_for(
    url: str | None, renew: bool, happened: list[CrmWebhookSet]
) -> None:
    there = given(SET)

    assert happened == change_crm_webhook(
        there, url=url, sealed_secret="second", renew_secret=renew
    )


def test_what_is_set_can_be_removed() -> None:
    there = given(SET)

    assert remove_crm_webhook(there) == [CrmWebhookRemoved(url=URL)]
    there = after(there, remove_crm_webhook(there))
    assert there.crm_webhook is None
    with pytest.raises(NotThere):
        remove_crm_webhook(there)


@pytest.mark.servers
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


@pytest.mark.servers
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
