"""What is answered of a customer, made of the set's rows and the conversations in sight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from libs.events.api.customers import BlockView, CustomerView, IdentityView
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.customers.sets import CustomerSet


@dataclass(frozen=True, slots=True)
class InSight:
    """A customer with the conversations that a member may see, the latest active first."""

    customer: CustomerSet
    conversations: Sequence[ConversationState]

    @property
    def people(self) -> set[str]:
        """Those who answer the customer: of the latest case of each conversation."""
        return {member for one in self.conversations for member in one.case.assignees}

    @property
    def responsible(self) -> str | None:
        return next((r for one in self.conversations if (r := one.case.responsible)), None)

    @property
    def _told_name(self) -> str:
        return next((name for one in self.conversations if (name := one.customer_name)), "")

    def newest(self) -> str:
        """The conversation of the last activity."""
        return self.conversations[0].thread.conversation_id

    def view(self, member_id: str, *, manages: bool) -> CustomerView:
        customer, known = self.customer, self.customer.known
        own: dict[str, list[ConversationState]] = {customer_id: [] for customer_id in customer.rows}
        for one in self.conversations:
            own.setdefault(one.customer_id, []).append(one)
        first = customer.primary_id
        identities = sorted(customer.rows, key=lambda one: (one != first, one))
        return CustomerView(
            customer_id=first,
            version=customer.version,
            name=known.card.name or self._told_name,
            card=known.card,
            funnel_status=known.funnel_status,
            identities=tuple(_identity(customer, i, own[i]) for i in identities),
            sales_plans=known.sales_plans,
            tools=known.tools,
            google_ids=known.google_ids,
            visits=known.visits,
            blocked=_block(customer),
            last_activity_at=self.conversations[0].active_at if self.conversations else None,
            may_edit=manages or member_id in self.people,
        )


def _block(customer: CustomerSet) -> BlockView | None:
    known = customer.blocked_as
    if known is None or known.blocked_by is None or known.blocked_at is None:
        return None
    return BlockView(member_id=known.blocked_by, at=known.blocked_at)


def _identity(
    customer: CustomerSet, customer_id: str, conversations: Sequence[ConversationState]
) -> IdentityView:
    state = customer.state_of(customer_id)
    newest = conversations[0] if conversations else None
    return IdentityView(
        customer_id=customer_id,
        subscription=state.subscription,
        name=newest.customer_name if newest else "",
        source_id=newest.thread.source_id if newest else None,
        channel=newest.thread.channel if newest else None,
        conversation_ids=tuple(one.thread.conversation_id for one in conversations),
        merged_into=state.merged_into if customer_id != customer.primary_id else None,
    )


def newest_of(
    sets: Mapping[str, CustomerSet], states: Mapping[str, ConversationState]
) -> dict[str, InSight]:
    """Each customer's set with those of its conversations that are among ``states``."""
    return {
        customer_id: InSight(
            one,
            sorted(
                (states[i] for i in one.conversation_ids if i in states),
                key=lambda state: (state.active_at, state.thread.conversation_id),
                reverse=True,
            ),
        )
        for customer_id, one in sets.items()
    }
