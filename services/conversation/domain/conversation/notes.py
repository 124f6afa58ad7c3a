"""Notes: what the team writes for itself, and whom it mentions."""

from collections.abc import Sequence
from typing import Final

from services.conversation.domain.conversation.life import Answers, MemberEvent, anybody
from services.conversation.domain.conversation.participants import Participants
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST, ConversationState
from services.conversation.domain.events import stored

MENTIONS_AT_MOST: Final = 20


@stored("conversation.note-added.v1", personal=("text",))
class NoteAdded(MemberEvent, frozen=True, kw_only=True):
    """``mentions`` are the members who are told of it."""

    note_id: str
    text: str
    mentions: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        return state


class Notes(Participants):
    """The rules about notes."""

    def note(
        self,
        member_id: str,
        note_id: str,
        text: str,
        *,
        mentions: Sequence[str] = (),
        manages: bool = False,
        answers: Answers = anybody,
    ) -> None:
        """Whoever may see the conversation may write one, whatever state its case is in.

        Who is mentioned by the responsible, or by who manages cases, becomes a participant where
        the case is active, as long as they answer customers and there is room; all are told.
        """
        if self.leads(member_id, manages=manages):
            for mentioned in mentions:
                theirs = mentioned in (member_id, self.case.responsible)
                if not theirs and answers(mentioned) and self.has_room_for(mentioned):
                    self.add_participant(member_id, mentioned, manages=manages)
        self._trigger(
            NoteAdded(
                at=self.at(self.now),
                case=self.case.number,
                note_id=note_id,
                member_id=member_id,
                text=text,
                mentions=tuple(dict.fromkeys(mentions)),
            )
        )

    def has_room_for(self, member_id: str) -> bool:
        """Whether the member is a participant, or may become one more."""
        participants = self.case.participants
        return member_id in participants or len(participants) < PARTICIPANTS_AT_MOST

    def leads(self, member_id: str, *, manages: bool) -> bool:
        """Whether the member may add participants now."""
        case = self.case
        return case.state == "active" and (manages or case.responsible == member_id)
