"""``parley.customer``, read by its own writer: what a customer's change means to conversations.

A customer and their conversations are streams of their own, so a block, or a name, reaches the
conversations by way of Kafka: however the process ends in between, it is not forgotten.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command
from libs.events import customer as public
from libs.events.activity import ActivityKind
from libs.events.envelope import Envelope
from libs.runtime.consumer import Received, Refused
from libs.runtime.rows import Rows
from services.conversation.consumers.customer_profiles import CustomerProfileProcess
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.customers.sets import sets_of


class CustomerChangeHandler:
    """Updates the conversations of the customer, and leaves in them the trace of a
    subscription."""

    def __init__(
        self,
        handler: CommandHandler[ConversationState, Conversation],
        customers: Rows,
        profiles: CustomerProfileProcess,
    ) -> None:
        self._handler = handler
        self._customers = customers
        self._profiles = profiles

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
                    await self._update(one.envelope, body)
                case public.Merged(customer=customer) if customer.merged_into:
                    await self._update(one.envelope, body, customer.merged_into)
                case public.Split(split_from=split_from):
                    await self._update(one.envelope, body, split_from)
                case public.Subscribed():
                    activity: ActivityKind = "resubscribed" if body.again else "subscribed"
                    await self._record(one.envelope, body, activity)
                case public.Unsubscribed():
                    await self._record(one.envelope, body, "unsubscribed")
        return []

    async def _update(self, envelope: Envelope, event: public.CustomerEvent, *others: str) -> None:
        customer_ids = [event.customer.customer_id, *others]
        await self._profiles.update(envelope, customer_ids, event.member_id)

    async def _record(
        self, envelope: Envelope, event: public.CustomerEvent, activity: ActivityKind
    ) -> None:
        """In the latest conversation of the identity: the subscription is the identity's own."""
        customer_id = event.customer.customer_id
        sets = await sets_of(self._customers, envelope.workspace_id, [customer_id])
        found = sets.get(customer_id)
        conversations = found.rows[customer_id].get("conversations", {}) if found else {}
        if not conversations:
            return
        latest = max(conversations, key=lambda one: (_opened(conversations[one]), one))

        def decide(conversation: Conversation) -> None:
            if conversation.state is not None:
                conversation.record_activity(
                    event.member_id, f"act_{envelope.id}", activity, {}, envelope.time
                )

        await self._handler.handle(
            [Command(envelope.workspace_id, latest, f"customer/{envelope.id}", decide)]
        )


def _opened(conversation: Mapping[str, Mapping[str, Mapping[str, datetime]]]) -> datetime:
    """When its latest case was opened."""
    openings = [case["at"] for case in conversation.get("cases", {}).values()]
    return max(openings, default=datetime.min.replace(tzinfo=UTC))
