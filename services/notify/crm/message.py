"""What is posted, and how it is signed: https://www.standardwebhooks.com (webhook-signature v1)."""

import base64
import binascii
import hmac
from datetime import datetime
from typing import Final

import msgspec

from libs.events.api.crm import MEDIA_TYPE, TYPE, CaseForCrm, CrmEvent, CrmMember
from libs.events.content import Channel
from libs.runtime.directory import WorkspaceDirectory
from services.notify.crm.deliveries import CrmDelivery

SECRET_SIGN: Final = "whsec_"  # noqa: S105  # what stands before each secret


def written(delivery: CrmDelivery, there: WorkspaceDirectory, console_url: str) -> bytes:
    """The body. ``there``: for the name of who sent it."""
    member = there.members.get(delivery.member_id)
    event = CrmEvent(
        specversion="1.0",
        id=delivery.delivery_id,
        source="/parley/notify",
        type=TYPE,
        subject=delivery.conversation_id,
        time=delivery.sent_at,
        datacontenttype="application/json",
        workspace=delivery.workspace_id,
        data=CaseForCrm(
            conversation_id=delivery.conversation_id,
            case_id=delivery.case_id,
            number=delivery.number,
            url=f"{console_url.rstrip('/')}/conversations/{delivery.conversation_id}",
            customer_id=delivery.customer_id,
            sent_by=CrmMember(member_id=member.member_id, name=member.name, email=member.email)
            if member
            else None,
            channel=Channel(delivery.channel),
            source_id=delivery.source_id,
            location_id=delivery.audience.location_id,
        ),
    )
    return msgspec.json.encode(event)


def headers_of(delivery_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """``secret`` as the workspace was shown it. Errors: ValueError, where it is none."""
    timestamp = str(int(now.timestamp()))
    return {
        "content-type": MEDIA_TYPE,
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(delivery_id, timestamp, body, secret),
    }


def signature(delivery_id: str, timestamp: str, body: bytes, secret: str) -> str:
    """Errors: ValueError."""
    if not secret.startswith(SECRET_SIGN):
        raise ValueError("not a secret of a webhook")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_SIGN), validate=True)
    except binascii.Error as error:
        raise ValueError("not a secret of a webhook") from error
    signed = hmac.digest(key, f"{delivery_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"
