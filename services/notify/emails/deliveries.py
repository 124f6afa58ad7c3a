"""E-mails to send, written down before they are tried.

    queued ──claim──▶ sending ──hand over──▶ handing_over ──▶ sent · failed
      ▲                 │ (nothing was handed over)   │
      └──── retry ──────┴─────────────────────────────┤ the server's 4xx
                                                      └──▶ uncertain: the end is not known

A claim is a lease: a replica that dies gives it up by time. What was not handed over then is
tried again; what may have been is *uncertain* and never sent blindly a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pymongo.asynchronous.collection import AsyncCollection

from libs.runtime.mongo import Document
from services.notify.queue import Queue

HANDOVER_LEASE: Final = timedelta(seconds=180)
_OPEN: Final = ("queued", "sending", "handing_over")

EmailKind = Literal["case-in-group", "assigned", "transfer-offered"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An e-mail about a case, for a member. Address, names and text are found when it is sent.

    ``created_at``: when it was first written down. ``wanted_by``: the case's due date, which is
    told in the time zone of the location.
    """

    delivery_id: str
    workspace_id: str
    member_id: str
    conversation_id: str
    group_id: str | None
    source_id: str
    channel: str
    created_at: datetime
    kind: EmailKind = "case-in-group"
    location_id: str | None = None
    wanted_by: datetime | None = None
    attempt: int = 0


class Deliveries:
    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._queue = Queue(collection)

    async def ensure_indexes(self) -> None:
        await self._queue.ensure_indexes()

    async def add(self, deliveries: Sequence[Delivery]) -> int:
        """Keep those that are new, due at once; how many were."""
        return await self._queue.add({one.delivery_id: _document(one) for one in deliveries})

    async def claim(self, now: datetime) -> Delivery | None:
        """One that is due, for this caller until its lease ends."""
        document = await self._queue.claim(now)
        return _delivery(document) if document else None

    async def hand_over(self, delivery: Delivery, now: datetime) -> bool:
        """Write down that the e-mail is about to be given away. False: the lease was lost."""
        change = {"state": "handing_over", "due_at": now + HANDOVER_LEASE}
        return await self._move(delivery, "sending", change)

    async def retry(self, delivery: Delivery, due_at: datetime, reason: str) -> None:
        await self._settle(delivery, {"state": "queued", "due_at": due_at, "reason": reason})

    async def end(self, delivery: Delivery, state: str, now: datetime, reason: str = "") -> None:
        """``state``: sent, failed or uncertain."""
        await self._settle(delivery, {"state": state, "ended_at": now, "reason": reason})

    async def give_up_leases(self, now: datetime) -> int:
        """What dead replicas left behind; how many became uncertain."""
        await self._queue.give_up_leases(now, "sending", {"state": "queued"})
        unknown = "the sender stopped before the server's answer"
        return await self._queue.give_up_leases(
            now, "handing_over", {"state": "uncertain", "ended_at": now, "reason": unknown}
        )

    async def count_waiting(self) -> int:
        return await self._queue.count(_OPEN)

    async def _settle(self, delivery: Delivery, change: Document) -> None:
        # Where the lease was lost meanwhile, the other's word stands.
        for state in ("handing_over", "sending"):
            if await self._move(delivery, state, change):
                return

    async def _move(self, delivery: Delivery, state: str, change: Document) -> bool:
        return await self._queue.move(delivery.delivery_id, delivery.attempt, state, change)


def _document(delivery: Delivery) -> Document:
    return {
        "workspace": delivery.workspace_id,
        "member": delivery.member_id,
        "conversation": delivery.conversation_id,
        "group": delivery.group_id,
        "source": delivery.source_id,
        "channel": delivery.channel,
        "kind": delivery.kind,
        "location": delivery.location_id,
        "wanted_by": delivery.wanted_by,
        "created_at": delivery.created_at,
        "due_at": delivery.created_at,
    }


def _delivery(document: Document) -> Delivery:
    return Delivery(
        delivery_id=document["_id"],
        workspace_id=document["workspace"],
        member_id=document["member"],
        conversation_id=document["conversation"],
        group_id=document["group"],
        source_id=document["source"],
        channel=document["channel"],
        created_at=document["created_at"],
        # Those written down before there were several kinds are all of the first.
        kind=document.get("kind", "case-in-group"),
        location_id=document.get("location"),
        wanted_by=document.get("wanted_by"),
        attempt=document["attempt"],
    )
