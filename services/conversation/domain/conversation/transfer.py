"""Handing a case on with the other's consent: offer, then accept, decline or withdraw.

An offer stands until one of these, and lapses with whatever makes it pointless: the case is closed,
goes back to a New, or to another responsible; the member to whom it was offered leaves or is
removed.
"""

from datetime import datetime

from msgspec.structs import replace

from services.conversation.domain.conversation.life import Answers, Life, MemberEvent, anybody, held
from services.conversation.domain.conversation.state import ConversationState, Offer
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Member


class AlreadyResponsible(Refusal):
    """``member_id`` is responsible for the case already, since ``since``."""

    kind = "already-responsible"

    def __init__(self, member_id: str, since: datetime) -> None:
        super().__init__(
            {"member": Member(member_id), "moment": since}, member_id=member_id, at=since
        )
        self.member_id = member_id
        self.since = since


class AlreadyOffered(Refusal):
    """The case is offered to ``member_id``, since ``at``: to nobody else meanwhile."""

    kind = "already-offered"

    def __init__(self, member_id: str, at: datetime) -> None:
        super().__init__({"member": Member(member_id), "moment": at}, member_id=member_id, at=at)
        self.member_id = member_id
        self.at = at


class OfferedToAnother(Refusal):
    """Only ``member_id``, to whom it is offered, accepts or declines."""

    kind = "offered-to-another"

    def __init__(self, member_id: str) -> None:
        super().__init__({"member": Member(member_id)}, member_id=member_id)
        self.member_id = member_id


class NothingOffered(Refusal):
    """The case is offered to nobody, or not any more."""

    kind = "nothing-offered"


@stored("conversation.transfer-offered.v1")
class TransferOffered(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` offers the case to ``to``."""

    to: str

    def change(self, state: ConversationState) -> ConversationState:
        offer = Offer(self.to, self.member_id, self.at)
        return replace(state, case=replace(state.case, offer=offer))


@stored("conversation.transfer-accepted.v1")
class TransferAccepted(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` is responsible now; who was stays as a participant (``joined``)."""

    joined: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=held(state.case, self.member_id, self.at, self.joined))


class _OfferGone(MemberEvent, frozen=True, kw_only=True):
    """Base: nothing is offered any more, and who was responsible stays so."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=replace(state.case, offer=None))


@stored("conversation.transfer-declined.v1")
class TransferDeclined(_OfferGone, frozen=True, kw_only=True):
    """``member_id`` does not want it."""


@stored("conversation.transfer-withdrawn.v1")
class TransferWithdrawn(_OfferGone, frozen=True, kw_only=True):
    """``member_id`` took back what was offered to ``to``."""

    to: str


class Transfer(Life):
    """The rules of an offer."""

    def offer(self, by: str, to: str, *, manages: bool) -> None:
        """The responsible offers the case, or who manages cases. The same offer again is nothing.

        Errors: TakenBy, NobodyTookIt, AlreadyDone, AlreadyResponsible, AlreadyOffered.
        """
        self._refuse_unless_led_by(by, manages)
        case = self.case
        if case.responsible == to and case.held_since:
            raise AlreadyResponsible(to, case.held_since)
        if case.offer is not None:
            if case.offer.member_id == to:
                return
            raise AlreadyOffered(case.offer.member_id, case.offer.at)
        self._trigger(TransferOffered(at=self.at(self.now), case=case.number, member_id=by, to=to))

    def accept(self, member_id: str, *, answers: Answers = anybody) -> None:
        """Errors: NothingOffered, OfferedToAnother, AlreadyDone."""
        self._refuse_not_offered_to(member_id)
        case = self.case
        self._trigger(
            TransferAccepted(
                at=self.at(self.now),
                case=case.number,
                member_id=member_id,
                joined=self._joined(case.responsible, member_id, answers),
            )
        )

    def decline(self, member_id: str) -> None:
        """Errors: NothingOffered, OfferedToAnother, AlreadyDone."""
        self._refuse_not_offered_to(member_id)
        self._trigger(
            TransferDeclined(at=self.at(self.now), case=self.case.number, member_id=member_id)
        )

    def withdraw(self, by: str, *, manages: bool) -> None:
        """Errors: TakenBy, NobodyTookIt, NothingOffered, AlreadyDone."""
        self._refuse_unless_led_by(by, manages)
        offer = self.case.offer
        if offer is None:
            raise NothingOffered
        self._trigger(
            TransferWithdrawn(
                at=self.at(self.now), case=self.case.number, member_id=by, to=offer.member_id
            )
        )

    def _refuse_not_offered_to(self, member_id: str) -> None:
        self._refuse_done()
        offer = self.case.offer
        if offer is None:
            raise NothingOffered
        if offer.member_id != member_id:
            raise OfferedToAnother(offer.member_id)
