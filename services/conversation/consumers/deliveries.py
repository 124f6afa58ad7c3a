"""``parley.delivery``: what became of the messages that were sent.

A receipt is of one message; a watermark is of all that were sent until a point. Whichever of them
comes first, the outcome is the same: a watermark moves what is known as sent, and is kept with the
conversation, where each later receipt meets it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done
from libs.events.content import ReachedState
from libs.events.conversation.case import Audience
from libs.events.inbound import CorrectionFailed, DeliveryChanged, DeliveryWatermark
from libs.runtime.consumer import Received, Refused
from libs.runtime.rows import Rows
from services.conversation.aggregates.sent_messages import DeliveryCommand
from services.conversation.consumers.dead_letter_reasons import not_expected, reason_of
from services.conversation.consumers.failure_reports import (
    ConversationSnapshots,
    FailureReports,
    LoadConversations,
)
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.state import (
    ConversationState,
    Watermarks,
    case_id_of,
)
from services.conversation.domain.sent_message import (
    Receipt,
    SentIn,
    SentMessage,
    SentMessageState,
)
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.messages.rows import delivery_of
from services.conversation.read_models.timeline import Timeline

_Told = DeliveryChanged | DeliveryWatermark | CorrectionFailed

# How many messages one watermark moves at a time.
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class _Mark:
    """A watermark, and the message it came in. ``up_to`` None: its message is not known as sent."""

    one: Received
    body: DeliveryWatermark
    audience: Audience | None
    up_to: datetime | None

    @property
    def cause(self) -> str:
        point = self.up_to.isoformat() if self.up_to else "awaited"
        return "/".join(("watermark", self.body.state, self.body.up_to_external or "", point))


class DeliveryHandler:
    """Takes a whole batch: its receipts first, so that its watermarks find what they are about.

    ``find`` gives the conversations as their rows are, not as this process remembers them: another
    one may have had the watermarks that these receipts have to meet.
    """

    def __init__(
        self,
        handler: CommandHandler[SentMessageState, SentMessage],
        conversations: CommandHandler[ConversationState, Conversation],
        find: LoadConversations,
        store: SealedStore,
        messages: Rows,
    ) -> None:
        self._handler = handler
        self._conversations = conversations
        self._find = find
        self._store = store
        self._messages = messages
        self._failure_reports = FailureReports(conversations, find, store, messages)

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        refused: list[Refused] = []
        receipts: list[tuple[Received, DeliveryChanged]] = []
        watermarks: list[tuple[Received, DeliveryWatermark]] = []
        failures: list[tuple[Received, CorrectionFailed]] = []
        streams = {
            one.envelope.body.conversation_id
            for one in batch
            if isinstance(one.envelope.body, _Told)
        }
        snapshots = await self._find(streams)
        for one in batch:
            body = one.envelope.body
            if not isinstance(body, _Told):
                refused.append(not_expected(one))
                continue
            snapshot = snapshots.get(body.conversation_id)
            if snapshot and snapshot.state.thread.workspace_id != one.envelope.workspace_id:
                refused.append(Refused(one, "its conversation is of another workspace"))
            elif isinstance(body, DeliveryChanged):
                receipts.append((one, body))
            elif isinstance(body, DeliveryWatermark):
                watermarks.append((one, body))
            else:
                failures.append((one, body))
        undelivered = await self._receipts(receipts, snapshots, refused)
        refused += await self._failure_reports.report(undelivered, failures)
        watermarks += _awaited(receipts, snapshots)
        return refused + await self._watermarks(watermarks, snapshots)

    async def _receipts(
        self,
        receipts: Sequence[tuple[Received, DeliveryChanged]],
        snapshots: ConversationSnapshots,
        refused: list[Refused],
    ) -> list[tuple[Received, DeliveryChanged]]:
        """Those by which their conversations' messages did not arrive, as far as is known."""
        commands = []
        for one, body in receipts:
            workspace_id = one.envelope.workspace_id
            snapshot = snapshots.get(body.conversation_id)
            case_id = await self._case_of(snapshot, body.message_id)
            sent_in = SentIn(workspace_id, body.conversation_id, case_id)
            marks = snapshot.state.watermarks if snapshot else Watermarks()
            commands.append(
                DeliveryCommand(
                    workspace_id,
                    body.message_id,
                    _cause_of(body),
                    _receipt(body, sent_in, marks),
                    one.envelope.extra,
                    # Where the message is not known (yet), its delivery is kept and told to nobody.
                    audience=audience_of(snapshot.state) if snapshot and case_id else None,
                )
            )
        outcomes = await self._handler.handle(commands)
        undelivered = []
        for (one, body), outcome in zip(receipts, outcomes, strict=True):
            if not isinstance(outcome, Done):
                refused.append(Refused(one, reason_of(outcome)))
            elif body.conversation_id in snapshots and _stays_undelivered(body, outcome.snapshot):
                undelivered.append((one, body))
        return undelivered

    async def _case_of(self, snapshot: Snapshot[ConversationState] | None, message_id: str) -> str:
        if snapshot is None:
            return ""
        for sent in snapshot.state.recently_sent:
            if sent.message_id == message_id:
                return sent.case_id
        placed = await Timeline(self._store, self._messages, snapshot).find(message_id)
        if placed is None or not isinstance(placed[1], MessageSent):
            return ""
        return case_id_of(snapshot.state.thread.conversation_id, placed[1].case)

    async def _watermarks(
        self,
        watermarks: Sequence[tuple[Received, DeliveryWatermark]],
        snapshots: ConversationSnapshots,
    ) -> list[Refused]:
        if not watermarks:
            return []
        sent_at = await self._sent_at([body for _, body in watermarks])
        marks = []
        for one, body in watermarks:
            snapshot = snapshots.get(body.conversation_id)
            audience = audience_of(snapshot.state) if snapshot else None
            point = (body.conversation_id, body.up_to_external or "")
            marks.append(_Mark(one, body, audience, body.up_to or sent_at.get(point)))
        # First it is kept: what is moved by it, a crash leaves to the batch when it comes again.
        outcomes = await self._conversations.handle(
            [
                Command(
                    mark.one.envelope.workspace_id,
                    mark.body.conversation_id,
                    mark.cause,
                    _reached(mark),
                    mark.one.envelope.extra,
                )
                for mark in marks
            ]
        )
        kept = list(zip(marks, outcomes, strict=True))
        await self._move([mark for mark, outcome in kept if isinstance(outcome, Done)])
        return [
            Refused(mark.one, reason_of(outcome))
            for mark, outcome in kept
            if not isinstance(outcome, Done)
        ]

    async def _sent_at(
        self, watermarks: Sequence[DeliveryWatermark]
    ) -> dict[tuple[str, str], datetime]:
        """When the platform took the messages that watermarks name: one query a batch."""
        asked = {(b.conversation_id, b.up_to_external) for b in watermarks if b.up_to_external}
        if not asked:
            return {}
        rows = await self._messages.find(
            {"$or": [{"conversation": c, "external": e} for c, e in sorted(asked)]},
        ).to_list()
        return {
            (row["conversation"], external): sent.state.sent_at
            for row in rows
            if (sent := delivery_of(row)) and sent.state.sent_at
            for external in row["external"]
        }

    async def _move(self, marks: Sequence[_Mark]) -> None:
        """Move the messages that are not as far, a page of each mark at once."""
        while marks:
            pages = await asyncio.gather(*(self._behind(mark) for mark in marks))
            commands = [
                DeliveryCommand(
                    mark.one.envelope.workspace_id,
                    message_id,
                    mark.cause,
                    _moved(mark),
                    mark.one.envelope.extra,
                    audience=mark.audience,
                )
                for mark, page in zip(marks, pages, strict=True)
                for message_id in page
            ]
            outcomes = await self._handler.handle(commands)
            if not any(isinstance(outcome, Done) and outcome.changes for outcome in outcomes):
                # Their rows are behind: another replica has moved them, and is about to say so.
                return
            marks = [m for m, page in zip(marks, pages, strict=True) if len(page) == _PAGE]

    async def _behind(self, mark: _Mark) -> list[str]:
        """Ids of at most a page of messages sent until the point that have not got as far."""
        if mark.up_to is None:
            return []
        before = ["sent"] if mark.body.state == "delivered" else ["sent", "delivered"]
        rows = await self._messages.find(
            {
                "conversation": mark.body.conversation_id,
                "delivery.reach": {"$in": before},
                "delivery.sent_at": {"$lte": mark.up_to},
            },
            {"_id": 1},
            limit=_PAGE,
        ).to_list()
        return [row["_id"] for row in rows]


def _awaited(
    receipts: Sequence[tuple[Received, DeliveryChanged]], snapshots: ConversationSnapshots
) -> list[tuple[Received, DeliveryWatermark]]:
    """The watermarks that came before the receipt of the message that they name."""
    found = []
    for one, body in receipts:
        snapshot = snapshots.get(body.conversation_id)
        for awaited in snapshot.state.watermarks.awaited if snapshot else ():
            if awaited.external in body.external_message_ids:
                watermark = DeliveryWatermark(
                    conversation_id=body.conversation_id,
                    source_id=body.source_id,
                    state=awaited.state,
                    occurred_at=body.occurred_at,
                    up_to_external=awaited.external,
                )
                found.append((one, watermark))
    return found


def _receipt(
    body: DeliveryChanged, sent_in: SentIn, marks: Watermarks
) -> Callable[[SentMessage], None]:
    receipt = Receipt(
        state=body.state,
        occurred_at=body.occurred_at,
        external_message_ids=body.external_message_ids,
        reason=body.reason,
        reason_code=body.reason_code,
        attempt=body.attempt,
    )
    states: tuple[ReachedState, ...] = ("read", "delivered")

    def decide(message: SentMessage) -> None:
        message.receipt(receipt, sent_in)
        for state in states:
            message.reached(state, body.occurred_at, marks.up_to(state))

    return decide


def _reached(mark: _Mark) -> Callable[[Conversation], None]:
    body = mark.body
    return lambda conversation: conversation.reached(
        body.state, body.occurred_at, mark.up_to, body.up_to_external
    )


def _moved(mark: _Mark) -> Callable[[SentMessage], None]:
    body = mark.body
    return lambda message: message.reached(body.state, body.occurred_at, mark.up_to)


def _stays_undelivered(body: DeliveryChanged, message: Snapshot[SentMessageState] | None) -> bool:
    """Whether the attempt has failed, or has no known end, and nothing else was heard of it."""
    return (
        body.state in ("failed", "uncertain")
        and message is not None
        and (message.state.state, message.state.attempt) == (body.state, body.attempt)
    )


def _cause_of(body: DeliveryChanged) -> str:
    """The same receipt twice is one cause; ingest names none, for it says all that it is."""
    attempt = (str(body.attempt),) if body.attempt > 1 else ()
    return "/".join(("delivery", *attempt, body.state, *body.external_message_ids))
