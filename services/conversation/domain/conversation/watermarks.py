"""How far what the team sent has got: one word of the platform about all until a point.

The messages themselves are moved by whoever hears of it (each has a small stream of its own). Here
the point is kept, because a message's own receipt may come after the word that it was read.
"""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from libs.events.content import ReachedState
from services.conversation.domain.conversation.life import CaseEvent, Life
from services.conversation.domain.conversation.state import Awaited, ConversationState
from services.conversation.domain.events import stored

# Receipts are late by seconds: of what is still not there after four more, nobody will ever hear.
_AWAITED: Final = 4


@stored("conversation.watermark-moved.v1")
class WatermarkMoved(CaseEvent, frozen=True, kw_only=True):
    """``up_to`` None: until the message ``up_to_external``, whose receipt is awaited."""

    state: ReachedState
    up_to: datetime | None = None
    up_to_external: str | None = None

    def change(self, state: ConversationState) -> ConversationState:
        marks = state.watermarks
        awaited = tuple(
            one for one in marks.awaited if (one.state, one.external) != self._awaited_as
        )
        if self.up_to is None:
            awaited = (*awaited, Awaited(*self._awaited_as))[-_AWAITED:]
            return replace(state, watermarks=replace(marks, awaited=awaited))
        up_to = max(self.up_to, marks.up_to(self.state) or self.up_to)
        if self.state == "read":
            moved = replace(marks, read_up_to=up_to, awaited=awaited)
        else:
            moved = replace(marks, delivered_up_to=up_to, awaited=awaited)
        return replace(state, watermarks=moved)

    @property
    def _awaited_as(self) -> tuple[ReachedState, str]:
        return self.state, self.up_to_external or ""


class Reached(Life):
    def reached(
        self,
        state: ReachedState,
        occurred_at: datetime,
        up_to: datetime | None,
        up_to_external: str | None = None,
    ) -> None:
        """It only moves forward. ``up_to`` None: until a message that is not known as sent."""
        if self.state is None:
            return
        marks = self.state.watermarks
        waited = any((one.state, one.external) == (state, up_to_external) for one in marks.awaited)
        known = marks.up_to(state)
        if up_to is None:
            if waited or up_to_external is None:
                return
        else:
            # A platform's clock may be ahead: what is sent after this was not read by then.
            up_to = min(up_to, self.now)
            if known is not None and up_to <= known and not waited:
                return
        self._trigger(
            WatermarkMoved(
                at=self.at(min(occurred_at, self.now)),
                case=self.case.number,
                state=state,
                up_to=up_to,
                up_to_external=up_to_external,
            )
        )
