"""Where cases sent to the CRM go: the secret stays unless another is asked for."""

import pytest

from services.routing.domain.crm_webhook import change_crm_webhook, remove_crm_webhook
from services.routing.domain.errors import InvalidValue, NotThere
from services.routing.domain.events import CrmWebhookRemoved, CrmWebhookSet
from tests.support.routing.directory import after, given

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
