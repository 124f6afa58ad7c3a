"""From a customer's stored events to the public ones on ``parley.customer``, one for each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from libs.events import customer as public
from libs.events.envelope import Envelope
from libs.eventstore.commits import PublicMessage
from libs.runtime.outbox import public_message
from services.conversation.domain.aggregate import Change
from services.conversation.domain.customer import blocks, subscriptions
from services.conversation.domain.customer import card as customer_card
from services.conversation.domain.customer import erasure as customer_erasure
from services.conversation.domain.customer import identities as customer_identities
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import CustomerState
from services.conversation.publishing.conversations import SOURCE


def customer_messages(
    customer: Customer, traces: Sequence[Mapping[str, str]]
) -> tuple[PublicMessage, ...]:
    """``traces``: each change's trace headers, where it has any."""
    return tuple(
        public_message(
            Envelope(
                id=f"{customer.stream}.{change.version}",
                source=SOURCE,
                subject=customer.stream,
                key=customer.stream,
                workspace_id=change.after.workspace_id,
                sequence=change.version,
                time=change.event.at,
                body=_public_event(change, customer.now),
                extra=dict(trace),
            )
        )
        for change, trace in zip(customer.changes, traces, strict=True)
    )


def customer_facts(state: CustomerState) -> public.CustomerFacts:
    return public.CustomerFacts(
        customer_id=state.customer_id,
        card=state.card,
        funnel_status=state.funnel_status,
        sales_plans=state.sales_plans,
        subscription=state.subscription,
        blocked=state.blocked,
        merged_into=state.merged_into,
    )


def _public_event(change: Change[CustomerState], recorded_at: datetime) -> public.CustomerEvent:
    common: dict[str, Any] = {
        "customer": customer_facts(change.after),
        "recorded_at": recorded_at,
    }
    match change.event:
        case customer_card.CardEdited() as event:
            changed = tuple(sorted([*event.card, *(["fields"] if event.fields else [])]))
            return public.CardEdited(changed=changed, member_id=event.member_id, **common)
        case customer_card.MovedInFunnel() as event:
            before = change.before or CustomerState(event.workspace_id, event.customer_id)
            return public.MovedInFunnel(
                before=before.funnel_status, member_id=event.member_id, **common
            )
        case customer_card.SalesPlansChanged() as event:
            return public.SalesPlansChanged(
                added=event.plans_added,
                removed=event.plans_removed,
                member_id=event.member_id,
                **common,
            )
        case customer_card.VisitRecorded(visit=public.Visit() as visit) as event:
            return public.VisitRecorded(visit=visit, member_id=event.member_id, **common)
        case subscriptions.Subscribed() as event:
            return public.Subscribed(again=event.again, member_id=event.member_id, **common)
        case subscriptions.Unsubscribed() as event:
            return public.Unsubscribed(member_id=event.member_id, **common)
        case blocks.Blocked() as event:
            return public.Blocked(member_id=event.member_id, **common)
        case blocks.Unblocked() as event:
            return public.Unblocked(member_id=event.member_id, **common)
        case customer_identities.Merged() as event:
            return public.Merged(member_id=event.member_id, **common)
        case customer_erasure.Erased() as event:
            return public.Erased(member_id=event.member_id, **common)
        case customer_identities.Split() as event:
            return public.Split(split_from=event.split_from, member_id=event.member_id, **common)
    raise TypeError(f"{type(change.event).__name__} has no public event")
