"""A rule that was broken, told to the one who asked: what stands against it, and who."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.problems import Conflict, NotFound, Problem, TooLarge
from services.conversation.domain.life import (
    AlreadyDone,
    NobodyTookIt,
    RuleBroken,
    StillOpen,
    TakenBy,
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
