"""Who else belongs to a case: participants are added, removed, and leave by themselves.

They write to the customer as the responsible does, and do not close.
"""

from msgspec.structs import replace

from services.conversation.domain.conversation.life import Life, MemberEvent
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST, ConversationState
from services.conversation.domain.conversation.transfer import AlreadyResponsible
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Member


class NotParticipant(Refusal):
    """``member_id`` was not added to the case, or is not there any more."""

    kind = "not-a-participant"

    def __init__(self, member_id: str) -> None:
        super().__init__({"member": Member(member_id)}, member_id=member_id)
        self.member_id = member_id


class ResponsibleStays(Refusal):
    """Who is responsible does not leave: they hand the case on first."""

    kind = "responsible-stays"


class TooManyParticipants(Refusal):
    """A case has at most ``at_most`` of them."""

    kind = "too-many-participants"

    def __init__(self, at_most: int) -> None:
        super().__init__({"count": at_most}, at_most=at_most)
        self.at_most = at_most


@stored("conversation.participant-added.v1")
class ParticipantAdded(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` added ``participant``."""

    participant: str

    def change(self, state: ConversationState) -> ConversationState:
        case = state.case
        return replace(
            state, case=replace(case, participants=(*case.participants, self.participant))
        )


@stored("conversation.participant-removed.v1")
class ParticipantRemoved(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` removed ``participant``."""

    participant: str

    def change(self, state: ConversationState) -> ConversationState:
        return _without(state, self.participant)


@stored("conversation.participant-left.v1")
class ParticipantLeft(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` went by themselves."""

    def change(self, state: ConversationState) -> ConversationState:
        return _without(state, self.member_id)


class Participants(Life):
    """The rules about who else belongs to a case."""

    def add_participant(self, by: str, member_id: str, *, manages: bool) -> None:
        """The responsible adds, or who manages cases. Who is there already stays.

        Errors: TakenBy, NobodyTookIt, AlreadyDone, AlreadyResponsible, TooManyParticipants.
        """
        self._refuse_unless_led_by(by, manages)
        case = self.case
        if case.responsible == member_id and case.held_since:
            raise AlreadyResponsible(member_id, case.held_since)
        if member_id in case.participants:
            return
        if len(case.participants) >= PARTICIPANTS_AT_MOST:
            raise TooManyParticipants(PARTICIPANTS_AT_MOST)
        self._trigger(
            ParticipantAdded(
                at=self.at(self.now), case=case.number, member_id=by, participant=member_id
            )
        )

    def remove_participant(self, by: str, member_id: str, *, manages: bool) -> None:
        """Errors: TakenBy, NobodyTookIt, AlreadyDone, NotParticipant."""
        self._refuse_unless_led_by(by, manages)
        if member_id not in self.case.participants:
            raise NotParticipant(member_id)
        self._trigger(
            ParticipantRemoved(
                at=self.at(self.now), case=self.case.number, member_id=by, participant=member_id
            )
        )

    def leave(self, member_id: str) -> None:
        """At any time, whatever state the case is in. Errors: ResponsibleStays, NotParticipant."""
        case = self.case
        if case.responsible == member_id:
            raise ResponsibleStays
        if member_id not in case.participants:
            raise NotParticipant(member_id)
        self._trigger(ParticipantLeft(at=self.at(self.now), case=case.number, member_id=member_id))


def _without(state: ConversationState, member_id: str) -> ConversationState:
    """Who goes is not offered the case any more either."""
    case = state.case
    offered = case.offer is not None and case.offer.member_id == member_id
    return replace(
        state,
        case=replace(
            case,
            participants=tuple(one for one in case.participants if one != member_id),
            offer=None if offered else case.offer,
        ),
    )
