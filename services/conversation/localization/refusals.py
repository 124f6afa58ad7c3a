"""A rule that was broken, told to the one who asked: what stands against it, and who.

To add one: a class here, a case in ``problem_of``, its ``title.<kind>`` and ``refused.<kind>`` in
each of ``*.po`` here, and an example in the tests (``localization/test_texts.py``).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libs.events.channels import channel_name
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.language import spoken
from libs.runtime.problems import Conflict, Invalid, NotFound, Problem, TooLarge
from services.conversation.domain.conversation.assignment import HandedOnByTransfer, NotForMember
from services.conversation.domain.conversation.corrections import (
    AlreadyDeleted,
    ChannelRefuses,
    MessageForgotten,
    NoTextToEdit,
    NotSentYet,
    WrittenByAnother,
    WrittenElsewhere,
)
from services.conversation.domain.conversation.life import (
    AlreadyDone,
    NobodyToAnswer,
    NobodyTookIt,
    NoCaseYet,
    RuleBroken,
    StillOpen,
    TakenBy,
)
from services.conversation.domain.conversation.marks import (
    FieldsMissing,
    TooManyFields,
    TooManyMarks,
)
from services.conversation.domain.conversation.messages import NothingPublic, SourceDisconnected
from services.conversation.domain.conversation.opening import HasOpenCase
from services.conversation.domain.conversation.participants import (
    NotParticipant,
    ResponsibleStays,
    TooManyParticipants,
)
from services.conversation.domain.conversation.sending import NotFailed, TriedTooOften
from services.conversation.domain.conversation.transfer import (
    AlreadyOffered,
    AlreadyResponsible,
    NothingOffered,
    OfferedToAnother,
)
from services.conversation.domain.customer.card import (
    SALES_PLANS_AT_MOST,
    MergedAway,
    NotInvolved,
    TooManyCustomerFields,
    TooManySalesPlans,
)
from services.conversation.domain.customer.identities import NotMerged
from services.conversation.localization.localizer import (
    TEXTS,
    Counted,
    Fields,
    Member,
    Teller,
    Variable,
)
from services.conversation.tasks import NotDone, TooMuch, Unfit


class Refusal(Conflict):
    """What the case does not allow. ``told`` are the variables of ``refused.<kind>``, or of
    ``refused.<kind>.<variant>`` where a kind is told in several ways."""

    texts = TEXTS

    def __init__(
        self,
        teller: Teller,
        told: Mapping[str, Variable] | None = None,
        variant: str = "",
        **extra: Any,
    ) -> None:
        key = f"refused.{self.kind}.{variant}" if variant else f"refused.{self.kind}"
        super().__init__(teller.say(key, told or {}), **extra)


class CaseTaken(Refusal):
    kind = "case-taken"


class CaseNotTaken(Refusal):
    kind = "case-not-taken"


class CaseDone(Refusal):
    kind = "case-done"


class NoCase(Refusal):
    kind = "no-case"


class CaseOpen(Refusal):
    kind = "case-open"


class HasAnOpenCase(Refusal):
    kind = "has-open-case"


class TransferNeeded(Refusal):
    kind = "transfer-needed"


class NotForThisMember(Refusal):
    kind = "not-for-this-member"


class CaseHeld(Refusal):
    kind = "already-responsible"


class CaseOffered(Refusal):
    kind = "already-offered"


class CaseOfferedToAnother(Refusal):
    kind = "offered-to-another"


class CaseNotOffered(Refusal):
    kind = "nothing-offered"


class NotAParticipant(Refusal):
    kind = "not-a-participant"


class ResponsibleCannotLeave(Refusal):
    kind = "responsible-stays"


class ParticipantsFull(Refusal):
    kind = "too-many-participants"


class TooManyMarksRefused(Refusal):
    kind = "too-many-marks"


class TooManyFieldsRefused(Refusal):
    kind = "too-many-fields"


class CaseFieldsMissing(Refusal):
    kind = "fields-missing"


class CustomerOfOthers(Refusal):
    kind = "customer-of-others"


class CustomerMerged(Refusal):
    kind = "customer-merged"


class CustomerNotMerged(Refusal):
    kind = "customer-not-merged"


class TooManySalesPlansRefused(Refusal):
    kind = "too-many-sales-plans"


class NotYourMessage(Refusal):
    kind = "not-your-message"


class NotParleysMessage(Refusal):
    kind = "not-sent-from-here"


class MessageNotSent(Refusal):
    kind = "message-not-sent"


class MessageAlreadyDeleted(Refusal):
    kind = "message-deleted"


class MessageErased(Refusal):
    kind = "message-erased"


class MessageNotFailed(Refusal):
    kind = "message-not-failed"


class TooManyAttempts(Refusal):
    kind = "too-many-attempts"


class SourceNotConnected(Refusal):
    kind = "source-not-connected"


class MessageWithoutText(Refusal):
    kind = "message-without-text"


class NoPublicSide(Refusal):
    kind = "nothing-public"


class ChannelDoesNotAllow(Refusal):
    kind = "channel-does-not-allow"


class CustomerForgotten(Refusal):
    kind = "customer-erased"


class NotBegun(NotFound):
    """Asked for as it was before there was anything of it."""

    kind = "not-begun"
    texts = TEXTS

    def __init__(self, teller: Teller, began_at: datetime) -> None:
        super().__init__(teller.say("not-found.not-begun", {"moment": began_at}), began_at=began_at)


def problem_of(
    refusal: NotDone,
    directory: WorkspaceDirectory,
    location_id: str,
    now: datetime,
) -> Problem:
    """The problem to answer. Times are told in the time zone of the case's location."""
    tell = Teller(directory, location_id, now)
    match refusal:
        case TakenBy(member_id=member_id, since=since):
            return CaseTaken(tell, _who(member_id, since), member_id=member_id, at=since)
        case AlreadyDone(member_id=member_id, at=at):
            return CaseDone(tell, _who(member_id, at), member_id=member_id, at=at)
        case NobodyTookIt():
            return CaseNotTaken(tell)
        case NoCaseYet():
            return NoCase(tell)
        case StillOpen():
            return CaseOpen(tell)
        case HasOpenCase(member_id=None):
            return HasAnOpenCase(tell, variant="nobody")
        case HasOpenCase(member_id=str(member_id)):
            return HasAnOpenCase(tell, _who(member_id), member_id=member_id)
        case HandedOnByTransfer():
            return TransferNeeded(tell)
        case NotForMember(member_id=member_id):
            return NotForThisMember(tell, _who(member_id), member_id=member_id)
        case AlreadyResponsible(member_id=member_id, since=since):
            return CaseHeld(tell, _who(member_id, since), member_id=member_id, at=since)
        case AlreadyOffered(member_id=member_id, at=at):
            return CaseOffered(tell, _who(member_id, at), member_id=member_id, at=at)
        case OfferedToAnother(member_id=member_id):
            return CaseOfferedToAnother(tell, _who(member_id), member_id=member_id)
        case NothingOffered():
            return CaseNotOffered(tell)
        case NotParticipant(member_id=member_id):
            return NotAParticipant(tell, _who(member_id), member_id=member_id)
        case ResponsibleStays():
            return ResponsibleCannotLeave(tell)
        case TooManyParticipants(at_most=at_most):
            return ParticipantsFull(tell, {"count": at_most}, at_most=at_most)
        case TooManyMarks(kind=kind, limit=limit):
            return TooManyMarksRefused(tell, {"marks": Counted(f"mark.{kind}", limit)})
        case NobodyToAnswer():
            return CustomerForgotten(tell)
        case NothingPublic():
            return NoPublicSide(tell)
        case TooManyFields():
            return TooManyFieldsRefused(tell)
        case TooManyCustomerFields():
            return TooManyFieldsRefused(tell, variant="customer")
        case FieldsMissing(field_ids=field_ids):
            return CaseFieldsMissing(tell, {"fields": Fields(field_ids)}, field_ids=field_ids)
        case NotInvolved(responsible=None):
            return CustomerOfOthers(tell, variant="nobody")
        case NotInvolved(responsible=str(member_id)):
            return CustomerOfOthers(tell, _who(member_id), member_id=member_id)
        case MergedAway(primary_id=primary_id):
            return CustomerMerged(tell, primary_id=primary_id)
        case NotMerged():
            return CustomerNotMerged(tell)
        case TooManySalesPlans():
            return TooManySalesPlansRefused(tell, {"count": SALES_PLANS_AT_MOST})
        case WrittenByAnother(member_id=member_id):
            return NotYourMessage(tell, _who(member_id), member_id=member_id)
        case WrittenElsewhere():
            return NotParleysMessage(tell)
        case NotSentYet(delivery=delivery):
            return MessageNotSent(tell, delivery=delivery)
        case AlreadyDeleted(at=at):
            return MessageAlreadyDeleted(tell, {"moment": at}, at=at)
        case MessageForgotten():
            return MessageErased(tell)
        case NotFailed(delivery="queued"):
            return MessageNotFailed(tell, variant="queued", delivery="queued")
        case NotFailed(delivery=delivery):
            return MessageNotFailed(tell, delivery=delivery)
        case TriedTooOften(at_most=at_most):
            return TooManyAttempts(tell, {"count": at_most}, at_most=at_most)
        case SourceDisconnected(source_id=source_id):
            return SourceNotConnected(tell, source_id=source_id)
        case NoTextToEdit():
            return MessageWithoutText(tell)
        case ChannelRefuses(channel=channel, correction=correction, within=within):
            hours = int(within.total_seconds() // 3600)
            told: dict[str, Variable] = {"channel": channel_name(channel, spoken()), "count": hours}
            return ChannelDoesNotAllow(tell, told, correction, channel=channel, hours=hours)
        case RuleBroken():
            raise TypeError(f"{type(refusal).__name__} has no problem of its own")
        case TooMuch():
            return TooLarge(TEXTS.say("refused.too-much"))
        case Unfit():
            return Invalid(TEXTS.say("refused.unfit"))
    return no_such_conversation()


def no_such_conversation() -> NotFound:
    return NotFound(TEXTS.say("not-found.conversation"))


def no_such_customer() -> NotFound:
    return NotFound(TEXTS.say("not-found.customer"))


def no_such_message() -> NotFound:
    return NotFound(TEXTS.say("not-found.message"))


def _who(member_id: str, moment: datetime | None = None) -> dict[str, Variable]:
    who: dict[str, Variable] = {"member": Member(member_id)}
    return who if moment is None else {**who, "moment": moment}
