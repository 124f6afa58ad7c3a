"""Read and unread: what the customer writes is unread until a person says otherwise.

Nothing is marked read by being shown, or answered: whoever opened a conversation by chance would
take it from the eyes of those who have to look at it.
"""

from msgspec.structs import replace

from services.conversation.domain.conversation.life import Life, MemberEvent
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import stored


@stored("conversation.marked-read.v1")
class MarkedRead(MemberEvent, frozen=True, kw_only=True):
    """Somebody said that all of the conversation is read; it is never said by itself."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, unread=False)


@stored("conversation.marked-unread.v1")
class MarkedUnread(MemberEvent, frozen=True, kw_only=True):
    """Somebody wants the conversation to be looked at again."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, unread=True)


class Reading(Life):
    """For all the team: a conversation that one member marks read is read for everybody."""

    def mark_read(self, member_id: str) -> None:
        if self.state is not None and self.state.unread:
            self._trigger(
                MarkedRead(at=self.at(self.now), case=self.case.number, member_id=member_id)
            )

    def mark_unread(self, member_id: str) -> None:
        if self.state is not None and not self.state.unread:
            self._trigger(
                MarkedUnread(at=self.at(self.now), case=self.case.number, member_id=member_id)
            )
