"""The rules for where a workspace takes the cases that its members send to the CRM."""

from services.routing.domain.errors import InvalidValue, NotThere
from services.routing.domain.events import CrmWebhookRemoved, CrmWebhookSet, DirectoryEvent
from services.routing.domain.workspace import Workspace


def change_crm_webhook(
    there: Workspace, *, url: str | None, sealed_secret: str, renew_secret: bool
) -> list[DirectoryEvent]:
    """``sealed_secret``: a new one, for where there is none yet or another is asked for.

    The secret stays with a changed address: the receiver is the workspace's own.
    Errors: InvalidValue.
    """
    now = there.crm_webhook
    if now is None:
        if url is None:
            raise InvalidValue("url", "missing-field")
        return [CrmWebhookSet(url=url, sealed_secret=sealed_secret)]
    wanted = CrmWebhookSet(
        url=now.url if url is None else url,
        sealed_secret=sealed_secret if renew_secret else now.sealed_secret,
    )
    return [wanted] if renew_secret or wanted.url != now.url else []


def remove_crm_webhook(there: Workspace) -> list[DirectoryEvent]:
    """Errors: NotThere."""
    now = there.crm_webhook
    if now is None:
        raise NotThere("crm-webhook")
    return [CrmWebhookRemoved(url=now.url)]
