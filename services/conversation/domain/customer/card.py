"""What is known of a customer: the card, the funnel, the sales plans, where they came from."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from libs.events.customer import Card, FunnelStatus, Visit
from libs.events.marks import FieldValue
from services.conversation.domain.aggregate import Aggregate
from services.conversation.domain.customer.state import By, CustomerEvent, CustomerState, with_visit
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Member

CardValue = str | tuple[str, ...] | None

SALES_PLANS_AT_MOST: Final = 50
FIELDS_AT_MOST: Final = 100


class MergedAway(Refusal):
    """The customer is an identity of ``primary_id`` now: what is known of them stands there."""

    kind = "customer-merged"

    def __init__(self, primary_id: str) -> None:
        super().__init__(primary_id=primary_id)
        self.primary_id = primary_id


class NotInvolved(Refusal):
    """A card is edited by those who answer the customer: ``responsible`` does, or nobody yet."""

    kind = "customer-of-others"

    def __init__(self, responsible: str | None) -> None:
        if responsible is None:
            super().__init__(variant="nobody")
        else:
            super().__init__({"member": Member(responsible)}, member_id=responsible)
        self.responsible = responsible


class TooManyCustomerFields(Refusal):
    """A card has at most ``FIELDS_AT_MOST`` custom fields, with those no longer offered."""

    kind = "too-many-fields"

    def __init__(self) -> None:
        super().__init__(variant="customer")


class TooManySalesPlans(Refusal):
    """A customer is in at most ``SALES_PLANS_AT_MOST``."""

    kind = "too-many-sales-plans"

    def __init__(self) -> None:
        super().__init__({"count": SALES_PLANS_AT_MOST})


@stored("customer.card-edited.v1", personal=("card", "fields"))
class CardEdited(CustomerEvent, frozen=True, kw_only=True):
    """``card``: what changed, with its new value; None (or no tags) clears it. ``fields``: the
    custom fields that changed, by their ids."""

    card: dict[str, CardValue] = msgspec.field(default_factory=dict)
    fields: dict[str, FieldValue | None] = msgspec.field(default_factory=dict)

    def change(self, state: CustomerState) -> CustomerState:
        card = msgspec.convert({**msgspec.to_builtins(state.card), **self.card}, Card)
        values = {**card.fields, **self.fields}
        kept = {name: value for name, value in values.items() if value is not None}
        return replace(state, card=replace(card, fields=kept), edits=state.edits + 1)


@stored("customer.moved-in-funnel.v1")
class MovedInFunnel(CustomerEvent, frozen=True, kw_only=True):
    """How near the customer is to buying."""

    status: FunnelStatus

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, funnel_status=self.status, edits=state.edits + 1)


@stored("customer.sales-plans-changed.v1")
class SalesPlansChanged(CustomerEvent, frozen=True, kw_only=True):
    """Sales plans (funnels) that the customer came into and left."""

    plans_added: tuple[str, ...] = ()
    plans_removed: tuple[str, ...] = ()

    def change(self, state: CustomerState) -> CustomerState:
        left = tuple(plan for plan in state.sales_plans if plan not in self.plans_removed)
        plans = (*left, *self.plans_added)
        return replace(state, sales_plans=plans, edits=state.edits + 1)


@stored("customer.visit-recorded.v1", personal=("visit",))
class VisitRecorded(CustomerEvent, frozen=True, kw_only=True):
    """``visit`` is None only once it was erased."""

    visit: Visit | None

    def change(self, state: CustomerState) -> CustomerState:
        return with_visit(state, self.visit) if self.visit else state


class Cards(Aggregate[CustomerState]):
    """The rules about what is known. Who may change it is looked up before: it depends on the
    customer's cases, which are other streams."""

    def edit_card(
        self,
        by: By,
        changes: Mapping[str, CardValue],
        fields: Mapping[str, FieldValue | None] | None = None,
    ) -> None:
        """What is equal to what is known already is no change.

        Errors: MergedAway, TooManyCustomerFields.
        """
        self._refuse_merged()
        card = self._known.card
        changed = {name: value for name, value in changes.items() if getattr(card, name) != value}
        values = {i: v for i, v in (fields or {}).items() if card.fields.get(i) != v}
        if len(card.fields.keys() | values.keys()) > FIELDS_AT_MOST:
            raise TooManyCustomerFields
        if changed or values:
            self._trigger(CardEdited(at=self.now, card=changed, fields=values, **self._who(by)))

    def move_in_funnel(self, by: By, status: FunnelStatus) -> None:
        """Errors: MergedAway."""
        self._refuse_merged()
        if self._known.funnel_status != status:
            self._trigger(MovedInFunnel(at=self.now, status=status, **self._who(by)))

    def change_sales_plans(self, by: By, add: Iterable[str], remove: Iterable[str]) -> None:
        """Errors: MergedAway, TooManySalesPlans."""
        self._refuse_merged()
        present = self._known.sales_plans
        removed = tuple(plan for plan in dict.fromkeys(remove) if plan in present)
        added = tuple(plan for plan in dict.fromkeys(add) if plan not in present)
        if len(present) - len(removed) + len(added) > SALES_PLANS_AT_MOST:
            raise TooManySalesPlans
        if added or removed:
            self._trigger(
                SalesPlansChanged(
                    at=self.now, plans_added=added, plans_removed=removed, **self._who(by)
                )
            )

    def record_visit(self, by: By, visit: Visit) -> None:
        """Errors: MergedAway."""
        self._refuse_merged()
        at = min(visit.at, self.now)
        self._trigger(VisitRecorded(at=at, visit=replace(visit, at=at), **self._who(by)))

    @property
    def _known(self) -> CustomerState:
        """The state, or that of a customer of whom nothing was written down yet."""
        return self.state or CustomerState("", self.stream)

    def _who(self, by: By) -> dict[str, Any]:
        """The fields of an event that say of whom it is, and who did it."""
        return {
            "workspace_id": by.workspace_id,
            "customer_id": self.stream,
            "member_id": by.member_id,
        }

    def _refuse_merged(self) -> None:
        if self.state is not None and self.state.merged_into is not None:
            raise MergedAway(self.state.merged_into)
