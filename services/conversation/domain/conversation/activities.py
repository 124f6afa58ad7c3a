"""What the customer did elsewhere (subscribed, ordered, paid), shown to the team between messages.

Funnels, shops and bots tell it through the API. It changes nothing about the case.
"""

from datetime import datetime

import msgspec

from libs.events.activity import ActivityKind, ActivityVariables
from services.conversation.domain.conversation.life import CaseEvent, Life
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import stored


@stored("conversation.activity-recorded.v1", personal=("variables",))
class ActivityRecorded(CaseEvent, frozen=True, kw_only=True):
    """``member_id``: who told it, or (a subscription) did it. ``variables`` are shown with it."""

    activity_id: str
    activity: ActivityKind
    member_id: str
    variables: ActivityVariables = msgspec.field(default_factory=dict)

    def change(self, state: ConversationState) -> ConversationState:
        return state


class Activities(Life):
    def record_activity(
        self,
        member_id: str,
        activity_id: str,
        activity: ActivityKind,
        variables: ActivityVariables,
        occurred_at: datetime,
    ) -> None:
        """Whatever state the case is in. ``occurred_at`` is kept as it is: what was done elsewhere
        may well be older than the case, and nothing is measured by it."""
        self._trigger(
            ActivityRecorded(
                at=occurred_at,
                case=self.case.number,
                activity_id=activity_id,
                activity=activity,
                member_id=member_id,
                variables=variables,
            )
        )
