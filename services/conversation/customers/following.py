"""``parley.customer``, read by its own writer: what a customer's change means to conversations.

A customer and their conversations are streams of their own, so a block, or a name, reaches the
conversations by way of Kafka: however the process ends in between, it is not forgotten.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched, count
from typing import Final, NamedTuple

from libs.events import customer as public
from libs.events.activity import ActivityKind
from libs.events.envelope import Envelope
from libs.runtime.consumer import Received, Refused
from services.conversation.customers.sets import CustomerSet, sets_of
from services.conversation.desk import Desk
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.naming import Known
from services.conversation.domain.state import ConversationState
from services.conversation.rows import Rows
from services.conversation.tasks import Task

_AT_ONCE: Final = 500


class _Shown(NamedTuple):
    """Of a person, in their conversations."""

    blocked: bool
    known: Known


class CustomerHandler:
    """Tells conversations whose card they show and whether the customer is blocked, and leaves in
    them the trace of a subscription."""

    def __init__(self, desk: Desk[ConversationState, Conversation], customers: Rows) -> None:
        self._desk = desk
        self._customers = customers

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        for one in batch:
            body = one.envelope.body
            match body:
                case (
                    public.Blocked()
                    | public.Unblocked()
                    | public.CardEdited()
                    | public.MovedInFunnel()
                    | public.SalesPlansChanged()
                ):
                    await self._tell(one.envelope, body, [])
                case public.Merged(customer=customer) if customer.merged_into:
                    await self._tell(one.envelope, body, [customer.merged_into])
                case public.Split(split_from=split_from):
                    await self._tell(one.envelope, body, [split_from])
                case public.Subscribed():
                    activity: ActivityKind = "resubscribed" if body.again else "subscribed"
                    await self._record(one.envelope, body, activity)
                case public.Unsubscribed():
                    await self._record(one.envelope, body, "unsubscribed")
        return []

    async def _tell(
        self, envelope: Envelope, event: public.CustomerEvent, others: Iterable[str]
    ) -> None:
        """What holds is what the rows say now, not what the event said: events of two customers
        who were merged overtake each other. So the rows are read again after the effect."""
        customer_ids = [event.customer.customer_id, *others]
        done: Mapping[str, _Shown] | None = None
        for attempt in count():
            wanted = _shown(await self._sets(envelope, customer_ids))
            if wanted == done:
                return
            tasks = [
                _telling(envelope, event.member_id, conversation_id, shown, attempt)
                for conversation_id, shown in wanted.items()
            ]
            for some in batched(tasks, _AT_ONCE):
                await self._desk.handle(some)
            done = wanted

    async def _record(
        self, envelope: Envelope, event: public.CustomerEvent, activity: ActivityKind
    ) -> None:
        """In the latest conversation of the identity: the subscription is the identity's own."""
        customer_id = event.customer.customer_id
        found = (await self._sets(envelope, [customer_id])).get(customer_id)
        conversations = found.rows[customer_id].get("conversations", {}) if found else {}
        if not conversations:
            return
        latest = max(conversations, key=lambda one: (_opened(conversations[one]), one))

        def decide(conversation: Conversation) -> None:
            if conversation.state is not None:
                conversation.record_activity(
                    event.member_id, f"act_{envelope.id}", activity, {}, envelope.time
                )

        await self._desk.handle([Task(envelope.workspace_id, latest, _cause(envelope), decide)])

    async def _sets(
        self, envelope: Envelope, customer_ids: Sequence[str]
    ) -> dict[str, CustomerSet]:
        return await sets_of(self._customers, envelope.workspace_id, customer_ids)


def _shown(sets: Mapping[str, CustomerSet]) -> dict[str, _Shown]:
    """What each conversation is to show of its person."""
    return {
        conversation_id: _Shown(one.known.blocked, _known(one))
        for one in sets.values()
        for conversation_id in one.conversation_ids
    }


def _known(customer: CustomerSet) -> Known:
    state = customer.known
    return Known(
        customer.primary_id, state.edits, state.card, state.funnel_status, state.sales_plans
    )


def _telling(
    envelope: Envelope, member_id: str, conversation_id: str, shown: _Shown, attempt: int
) -> Task[Conversation]:
    def decide(conversation: Conversation) -> None:
        conversation.know_customer(member_id, shown.known)
        conversation.set_blocked(member_id, blocked=shown.blocked)

    cause = f"{_cause(envelope)}/{attempt}"
    return Task(envelope.workspace_id, conversation_id, cause, decide, envelope.extra)


def _cause(envelope: Envelope) -> str:
    return f"customer/{envelope.id}"


def _opened(conversation: Mapping[str, Mapping[str, Mapping[str, datetime]]]) -> datetime:
    """When its latest case was opened."""
    openings = [case["at"] for case in conversation.get("cases", {}).values()]
    return max(openings, default=datetime.min.replace(tzinfo=UTC))
