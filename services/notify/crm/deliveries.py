"""Cases to post to workspaces' CRMs, written down before they are tried.

    queued ──claim──▶ sending ──▶ delivered · failed
      ▲                  │
      └──────────────────┘ no 2xx, or the replica died

At least once: what may have arrived is posted again, under the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection

from libs.events.conversation.case import Audience, CaseSentToCrm
from libs.events.envelope import Envelope
from libs.runtime.mongo import Document
from services.notify.queue import Queue

_OPEN: Final = ("queued", "sending")


@dataclass(frozen=True, slots=True)
class CrmDelivery:
    """``delivery_id`` is the event's id. Ids only: names are found when it is posted.

    ``audience`` is who may see the case, for telling where it is given up. ``created_at``: when it
    was first written down.
    """

    delivery_id: str
    workspace_id: str
    conversation_id: str
    case_id: str
    number: int
    customer_id: str
    member_id: str
    channel: str
    source_id: str
    audience: Audience
    sent_at: datetime
    created_at: datetime
    attempt: int = 0


def delivery_of(envelope: Envelope, now: datetime) -> CrmDelivery | None:
    """None where the event sends nothing to a CRM."""
    event = envelope.body
    if not isinstance(event, CaseSentToCrm):
        return None
    case = event.case
    return CrmDelivery(
        delivery_id=envelope.id,
        workspace_id=envelope.workspace_id,
        conversation_id=case.conversation_id,
        case_id=case.case_id,
        number=case.short_number,
        customer_id=case.customer_id,
        member_id=event.member_id,
        channel=str(case.channel),
        source_id=case.source_id,
        audience=event.audience_after or Audience(location_id=case.location_id),
        sent_at=event.recorded_at,
        created_at=now,
    )


class CrmDeliveries:
    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._queue = Queue(collection)

    async def ensure_indexes(self) -> None:
        await self._queue.ensure_indexes()

    async def add(self, deliveries: Sequence[CrmDelivery]) -> int:
        """Keep those that are new, due at once; how many were."""
        return await self._queue.add({one.delivery_id: _document(one) for one in deliveries})

    async def claim(self, now: datetime, *, not_of: Sequence[str] = ()) -> CrmDelivery | None:
        """One that is due, for this caller until its lease ends; of no workspace in ``not_of``."""
        document = await self._queue.claim(now, workspace={"$nin": list(not_of)})
        return _delivery(document) if document else None

    async def retry(self, delivery: CrmDelivery, due_at: datetime, reason: str) -> None:
        await self._settle(delivery, {"state": "queued", "due_at": due_at, "reason": reason})

    async def end(self, delivery: CrmDelivery, state: str, now: datetime, reason: str = "") -> None:
        """``state``: delivered or failed."""
        await self._settle(delivery, {"state": state, "ended_at": now, "reason": reason})

    async def give_up_leases(self, now: datetime) -> None:
        """What dead replicas left behind is posted again."""
        await self._queue.give_up_leases(now, "sending", {"state": "queued"})

    async def count_waiting(self) -> int:
        return await self._queue.count(_OPEN)

    async def _settle(self, delivery: CrmDelivery, change: Document) -> None:
        await self._queue.move(delivery.delivery_id, delivery.attempt, "sending", change)


def _document(delivery: CrmDelivery) -> Document:
    return {
        "workspace": delivery.workspace_id,
        "conversation": delivery.conversation_id,
        "case": delivery.case_id,
        "number": delivery.number,
        "customer": delivery.customer_id,
        "member": delivery.member_id,
        "channel": delivery.channel,
        "source": delivery.source_id,
        "location": delivery.audience.location_id,
        "group": delivery.audience.group_id,
        "members": list(delivery.audience.member_ids),
        "sent_at": delivery.sent_at,
        "created_at": delivery.created_at,
        "due_at": delivery.created_at,
    }


def _delivery(document: Document) -> CrmDelivery:
    return CrmDelivery(
        delivery_id=document["_id"],
        workspace_id=document["workspace"],
        conversation_id=document["conversation"],
        case_id=document["case"],
        number=document["number"],
        customer_id=document["customer"],
        member_id=document["member"],
        channel=document["channel"],
        source_id=document["source"],
        audience=Audience(
            location_id=document["location"],
            group_id=document["group"],
            member_ids=tuple(document["members"]),
        ),
        sent_at=document["sent_at"],
        created_at=document["created_at"],
        attempt=document["attempt"],
    )
