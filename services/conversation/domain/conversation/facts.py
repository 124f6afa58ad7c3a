"""The facts of a case, as public events and the API's answers tell them alike."""

from libs.events.conversation.case import CaseFacts
from libs.events.conversation.case import Offer as PublicOffer
from services.conversation.domain.conversation.state import NO_CASE, ConversationState, Offer


def facts_of(state: ConversationState) -> CaseFacts:
    case, thread = state.case, state.thread
    return CaseFacts(
        case_id=case.case_id,
        conversation_id=thread.conversation_id,
        source_id=thread.source_id,
        channel=thread.channel,
        location_id=case.location_id,
        customer_id=state.customer_id,
        state=case.state,
        opened_at=case.opened_at,
        opened_by=case.opened_by,
        repeat=case.repeat,
        group_id=case.group_id,
        responsible=case.responsible,
        responsible_before=case.responsible_before,
        participants=case.participants,
        offer=_offer(case.offer),
        due_at=case.due_at,
        waiting_since=case.waiting_since,
        first_response_at=case.first_response_at,
        last_message_at=case.last_message_at,
        closed_at=case.closed_at,
        closed_by=case.closed_by,
        short_number=case.short_number,
        unread=state.unread,
        flagged=state.flagged,
        priority=case.priority,
        status=case.status,
        type=case.type,
        tags=case.tags,
        topics=case.topics,
        reasons=case.reasons,
        components=case.components,
        withheld=case.number == NO_CASE and case.state == "done",
    )


def _offer(offer: Offer | None) -> PublicOffer | None:
    if offer is None:
        return None
    return PublicOffer(member_id=offer.member_id, offered_by=offer.offered_by, offered_at=offer.at)
