"""Who may see a case."""

from libs.events.conversation.case import Audience
from services.conversation.domain.conversation.state import ConversationState


def audience_of(state: ConversationState | None) -> Audience | None:
    """Who may see the case; nobody while it waits in routing."""
    if state is None or state.case.state == "routing":
        return None
    case = state.case
    return Audience(location_id=case.location_id, group_id=case.group_id, member_ids=case.people)
