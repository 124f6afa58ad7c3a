"""What comes by Kafka: customers' messages and routing's decisions.

Each handler takes a whole batch, turns its messages into tasks, and has the desk decide them.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from libs.events.commands import RouteCase
from libs.events.content import Direction
from libs.events.directory import SourceState
from libs.events.inbound import InboundDeleted, InboundReceived
from libs.runtime.consumer import Received, Refused
from libs.runtime.directory import Directory
from services.conversation.customers.blocked import BlockedCustomers
from services.conversation.desk import Desk
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.messages import Place, Written
from services.conversation.domain.state import ConversationState
from services.conversation.metrics import RECEIVED_TO_PUBLISHED
from services.conversation.numbers import CaseNumbers
from services.conversation.rows import Rows, deletion_of, find_rows
from services.conversation.tasks import Done, Task, reason_of

# A source's state and its first message travel on different topics: wait this long for the former.
_SOURCE_WAIT_SECONDS: Final = 3.0
_SOURCE_POLL_SECONDS: Final = 0.05

type _Decide = Callable[[Conversation], None]
type _Inbound = InboundReceived | InboundDeleted


class InboundHandler:
    """``parley.inbound``: what was written on the platforms, and what was deleted there."""

    def __init__(
        self,
        desk: Desk[ConversationState, Conversation],
        directory: Directory,
        messages: Rows,
        numbers: CaseNumbers,
        blocked: BlockedCustomers,
    ) -> None:
        self._desk = desk
        self._directory = directory
        self._messages = messages
        self._numbers = numbers
        self._blocked = blocked

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        understood: list[tuple[Received, _Inbound]] = []
        refused: list[Refused] = []
        for one in batch:
            body = one.envelope.body
            if isinstance(body, InboundReceived | InboundDeleted):
                understood.append((one, body))
            else:
                refused.append(_not_expected(one))
        places = await self._places(understood)
        quoted = await self._sent_by_us(
            (body.conversation_id, body.reply_to_external)
            for _, body in understood
            if isinstance(body, InboundReceived) and body.reply_to_external
        )
        gone = [body for _, body in understood if isinstance(body, InboundDeleted)]
        deletions = await self._deletions(gone)
        tasks, origins = [], []
        for one, body in understood:
            place = places.get(body.source_id)
            if place is None or place.workspace_id != one.envelope.workspace_id:
                refused.append(Refused(one, "its source is not known in its workspace"))
                continue
            if isinstance(body, InboundReceived):
                blocked = body.customer_id in self._blocked.ids
                tasks.append(_task_of(one, body, place, quoted, blocked))
            elif (decide := deletions.get(body.cause)) is not None:
                tasks.append(_deletion_task(one, body, decide))
            else:
                continue
            origins.append((one, body))
        # Within a batch a conversation opens one case at most: nobody closes it meanwhile.
        streams = {(task.workspace_id, task.stream) for task in tasks}
        await self._numbers.reserve(Counter(workspace_id for workspace_id, _ in streams))
        outcomes = await self._desk.handle(tasks)
        now = datetime.now(UTC)
        for (one, body), outcome in zip(origins, outcomes, strict=True):
            if isinstance(outcome, Done):
                if outcome.changes:
                    RECEIVED_TO_PUBLISHED.observe((now - body.received_at).total_seconds())
            else:
                refused.append(Refused(one, reason_of(outcome)))
        return refused

    async def _places(self, inbound: Sequence[tuple[Received, _Inbound]]) -> dict[str, Place]:
        known: dict[str, tuple[str, SourceState]] = {}
        wanted = {body.source_id for _, body in inbound}
        deadline = asyncio.get_running_loop().time() + _SOURCE_WAIT_SECONDS
        while True:
            for source_id in wanted - known.keys():
                if (found := self._directory.source(source_id)) is not None:
                    known[source_id] = found
            if len(known) == len(wanted) or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_SOURCE_POLL_SECONDS)
        return {
            source_id: Place(
                workspace_id=workspace_id,
                source_id=source_id,
                channel=source.channel,
                location_id=source.location_id,
                routed=self._directory.of(workspace_id).autoforward_of(source_id) is not None,
                next_number=self._numbers.of(workspace_id),
            )
            for source_id, (workspace_id, source) in known.items()
        }

    async def _sent_by_us(self, asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Messages that Parley sent, by conversation and the platform's id: one query a batch."""
        wanted = sorted(set(asked))
        if not wanted:
            return {}
        rows = await self._messages.find(
            {"$or": [{"conversation": c, "external": e} for c, e in wanted]},
            {"conversation": 1, "external": 1},
        ).to_list()
        return {
            (row["conversation"], external): row["_id"]
            for row in rows
            for external in row["external"]
        }

    async def _deletions(self, deleted: Sequence[InboundDeleted]) -> dict[str, _Decide]:
        """What is to be decided, by the cause. Nothing of what is deleted already: the team may
        have taken it back, of which the platform then tells. One that was sent in parts is deleted
        with the first of them."""
        if not deleted:
            return {}
        sent = await self._sent_by_us((b.conversation_id, b.external_message_id) for b in deleted)
        first: dict[str, InboundDeleted] = {}
        for body in deleted:
            ours = sent.get((body.conversation_id, body.external_message_id))
            first.setdefault(ours or body.message_id, body)
        rows = await find_rows(self._messages, list(first))
        already = {row["_id"] for row in rows if deletion_of(row)}
        ours_ids = set(sent.values())
        return {
            body.cause: _deleted(message_id, body, ours=message_id in ours_ids)
            for message_id, body in first.items()
            if message_id not in already
        }


class CommandsHandler:
    """``parley.commands``: routing's decisions."""

    def __init__(self, desk: Desk[ConversationState, Conversation]) -> None:
        self._desk = desk

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        tasks, origins, refused = [], [], []
        for one in batch:
            body = one.envelope.body
            if not isinstance(body, RouteCase):
                refused.append(_not_expected(one))
                continue
            origins.append(one)
            tasks.append(
                Task(
                    one.envelope.workspace_id,
                    body.conversation_id,
                    body.cause,
                    _route(body),
                    one.envelope.extra,
                )
            )
        outcomes = await self._desk.handle(tasks)
        for one, outcome in zip(origins, outcomes, strict=True):
            if not isinstance(outcome, Done):
                refused.append(Refused(one, reason_of(outcome)))
        return refused


def _task_of(
    one: Received,
    body: InboundReceived,
    place: Place,
    quoted: Mapping[tuple[str, str], str],
    blocked: bool,
) -> Task[Conversation]:
    reply_to = quoted.get((body.conversation_id, body.reply_to_external or ""), body.reply_to)
    written = Written(
        message_id=body.message_id,
        external_message_id=body.external_message_id,
        customer_id=body.customer_id,
        sender=body.sender,
        content=body.content,
        occurred_at=body.occurred_at,
        received_at=body.received_at,
        thread=body.thread,
        reply_to=reply_to,
        blocked=blocked,
        visibility=body.visibility,
        post=body.post,
        permalink=body.permalink,
    )

    def decide(conversation: Conversation) -> None:
        if body.kind == "edit":
            conversation.edit(written, body.direction, place)
        elif body.direction == "incoming":
            conversation.receive(written, place)
        else:
            conversation.seen_sent(written, place)

    return Task(
        place.workspace_id,
        body.conversation_id,
        body.cause,
        decide,
        one.envelope.extra,
        weight_bytes=2 * len(one.record.value or b"") + 4_000,
    )


def _deleted(message_id: str, body: InboundDeleted, *, ours: bool) -> _Decide:
    # Of a message that Parley did not send, the platform does not say who wrote it. Nearly always
    # it was the customer: the owner's own words in the platform's application are few.
    direction: Direction = "outgoing" if ours else "incoming"
    return lambda conversation: conversation.deleted_elsewhere(
        message_id, direction, body.occurred_at
    )


def _deletion_task(one: Received, body: InboundDeleted, decide: _Decide) -> Task[Conversation]:
    return Task(
        one.envelope.workspace_id, body.conversation_id, body.cause, decide, one.envelope.extra
    )


def _route(body: RouteCase) -> _Decide:
    return lambda conversation: conversation.route(body.case_id, body.group_id)


def _not_expected(one: Received) -> Refused:
    return Refused(one, f"{type(one.envelope.body).__name__} is not expected on this topic")
