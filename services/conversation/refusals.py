"""A rule that was broken, told to the one who asked: what stands against it, and who."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.problems import Conflict, NotFound, Problem, TooLarge
from services.conversation.domain.assignment import HandedOnByTransfer
from services.conversation.domain.life import (
    AlreadyDone,
    HasOpenCase,
    NobodyTookIt,
    RuleBroken,
    StillOpen,
    TakenBy,
)
from services.conversation.domain.marks import FieldsMissing, TooManyFields, TooManyMarks
from services.conversation.domain.participants import (
    NotParticipant,
    ResponsibleStays,
    TooManyParticipants,
)
from services.conversation.domain.transfer import (
    AlreadyOffered,
    AlreadyResponsible,
    NothingOffered,
    OfferedToAnother,
)
from services.conversation.tasks import NotThere, TooMuch


class CaseTaken(Conflict):
    kind, title = "case-taken", "Somebody else is responsible for this case"


class CaseNotTaken(Conflict):
    kind, title = "case-not-taken", "Nobody took this case yet"


class CaseDone(Conflict):
    kind, title = "case-done", "This case is closed"


class CaseOpen(Conflict):
    kind, title = "case-open", "This conversation has an open case"


class HasAnOpenCase(Conflict):
    kind, title = "has-open-case", "This conversation has an open case"


class TransferNeeded(Conflict):
    kind, title = "transfer-needed", "A case in your hands is another's once they accept it"


class CaseHeld(Conflict):
    kind, title = "already-responsible", "This member is responsible for the case already"


class CaseOffered(Conflict):
    kind, title = "already-offered", "This case is offered to somebody already"


class CaseOfferedToAnother(Conflict):
    kind, title = "offered-to-another", "This case is offered to somebody else"


class CaseNotOffered(Conflict):
    kind, title = "nothing-offered", "This case is offered to nobody"


class NotAParticipant(Conflict):
    kind, title = "not-a-participant", "This member is no participant of the case"


class ResponsibleCannotLeave(Conflict):
    kind, title = "responsible-stays", "Who is responsible for a case does not leave it"


class ParticipantsFull(Conflict):
    kind, title = "too-many-participants", "This case has as many participants as it can"


class TooManyMarksRefused(Conflict):
    kind, title = "too-many-marks", "This case has as many marks of this kind as it can have"


class TooManyFieldsRefused(Conflict):
    kind, title = "too-many-fields", "The custom fields of this case say too much together"


class CaseFieldsMissing(Conflict):
    kind, title = "fields-missing", "Fields have to be filled before this case can be closed"


def problem_of(
    refusal: RuleBroken | NotThere | TooMuch,
    directory: WorkspaceDirectory,
    location_id: str,
    now: datetime,
) -> Problem:
    """The problem to answer. Times are told in the time zone of the case's location."""
    match refusal:
        case TakenBy(member_id=member_id, since=since):
            name, at = _name(directory, member_id), _told(directory, location_id, since, now)
            return CaseTaken(f"{name} took this case {at}", member_id=member_id, at=since)
        case AlreadyDone(member_id=member_id, at=done_at):
            name, at = _name(directory, member_id), _told(directory, location_id, done_at, now)
            return CaseDone(f"{name} closed this case {at}", member_id=member_id, at=done_at)
        case NobodyTookIt():
            return CaseNotTaken("Take this case first")
        case StillOpen():
            return CaseOpen("Only a closed case can be reopened, and this one is open")
        case HasOpenCase(member_id=None):
            return HasAnOpenCase("Nobody took this conversation's open case yet")
        case HasOpenCase(member_id=str(member_id)):
            name = _name(directory, member_id)
            return HasAnOpenCase(f"{name} has this conversation's open case", member_id=member_id)
        case HandedOnByTransfer():
            return TransferNeeded("Transfer the case: it is theirs once they accept")
        case AlreadyResponsible(member_id=member_id, since=since):
            name, at = _name(directory, member_id), _told(directory, location_id, since, now)
            return CaseHeld(f"{name} took this case {at}", member_id=member_id, at=since)
        case AlreadyOffered(member_id=member_id, at=offered_at):
            name, at = _name(directory, member_id), _told(directory, location_id, offered_at, now)
            return CaseOffered(
                f"The case was offered to {name} {at}", member_id=member_id, at=offered_at
            )
        case OfferedToAnother(member_id=member_id):
            name = _name(directory, member_id)
            return CaseOfferedToAnother(f"The case is offered to {name}", member_id=member_id)
        case NothingOffered():
            return CaseNotOffered("There is no offer, or it was answered or withdrawn")
        case NotParticipant(member_id=member_id):
            name = _name(directory, member_id)
            return NotAParticipant(f"{name} is no participant of this case", member_id=member_id)
        case ResponsibleStays():
            return ResponsibleCannotLeave("Transfer, forward or unassign the case first")
        case TooManyParticipants(at_most=at_most):
            return ParticipantsFull(f"A case has at most {at_most} participants", at_most=at_most)
        case TooManyMarks(kind=kind, limit=limit):
            return TooManyMarksRefused(f"A case has at most {limit} marks of the kind {kind}")
        case TooManyFields():
            return TooManyFieldsRefused("Shorten what the custom fields of this case say")
        case FieldsMissing(field_ids=field_ids):
            names = [f.name for i in field_ids if (f := directory.fields.get(i))]
            return CaseFieldsMissing(f"Fill in {', '.join(names)} first", field_ids=field_ids)
        case TooMuch():
            return TooLarge("This is more than can be kept at once")
    return NotFound("There is no such conversation")


def _name(directory: WorkspaceDirectory, member_id: str) -> str:
    member = directory.members.get(member_id)
    return member.name if member else "Somebody"


def _told(directory: WorkspaceDirectory, location_id: str, at: datetime, now: datetime) -> str:
    location = directory.locations.get(location_id)
    try:
        zone = ZoneInfo(location.time_zone if location else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"at {local:%H:%M}"
    return f"on {local:%Y-%m-%d} at {local:%H:%M}"
