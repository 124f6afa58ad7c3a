"""A refusal, told to the one who asked: what stands against it, and who."""

from datetime import datetime

from libs.aggregates.aggregate import RuleBroken
from libs.aggregates.commands import NotDone, TooMuch, Unfit
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.problems import Conflict, Invalid, NotFound, Problem, TooLarge
from services.conversation.domain.refusal import Refusal
from services.conversation.localization.localizer import TEXTS, Localizer


class RefusalProblem(Conflict):
    """What a rule of the domain does not allow."""

    texts = TEXTS

    def __init__(self, refusal: Refusal, localizer: Localizer) -> None:
        self.kind = refusal.kind
        super().__init__(localizer.say(refusal.text, refusal.told), **refusal.extra)


class NotBegun(NotFound):
    """Asked for as it was before there was anything of it."""

    kind = "not-begun"
    texts = TEXTS

    def __init__(self, localizer: Localizer, began_at: datetime) -> None:
        super().__init__(
            localizer.say("not-found.not-begun", {"moment": began_at}), began_at=began_at
        )


def problem_of(
    refusal: NotDone,
    directory: WorkspaceDirectory,
    location_id: str,
    now: datetime,
) -> Problem:
    """The problem to answer. Times are told in the time zone of the case's location."""
    match refusal:
        case Refusal():
            return RefusalProblem(refusal, Localizer(directory, location_id, now))
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
