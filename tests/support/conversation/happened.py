"""What happened to a case before a command, as its stream tells it, by the minute after noon."""

from collections.abc import Sequence
from typing import Any, Final

from libs.aggregates.aggregate import RuleBroken
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.life import CaseClosed, CaseTaken
from services.conversation.domain.conversation.participants import ParticipantAdded
from services.conversation.domain.conversation.transfer import TransferOffered
from services.conversation.domain.events import Event
from tests.support.conversation.cases import new_case
from tests.support.scenarios import Given, minutes

# A customer's message opened the first case, at noon.
NEW: Final[Sequence[Event[Any]]] = [event for _, event in new_case().log]


def given(history: Sequence[Event[Any]]) -> Given[Conversation]:
    return Given(Conversation, RuleBroken, history)


def taken(by: str, at: float = 1) -> CaseTaken:
    return CaseTaken(case=1, at=minutes(at), member_id=by)


def closed(by: str, at: float = 2) -> CaseClosed:
    return CaseClosed(case=1, at=minutes(at), member_id=by)


def offered(by: str, to: str, at: float = 2) -> TransferOffered:
    return TransferOffered(case=1, at=minutes(at), member_id=by, to=to)


def added(by: str, participant: str, at: float = 2) -> ParticipantAdded:
    return ParticipantAdded(case=1, at=minutes(at), member_id=by, participant=participant)


# Dima's since a minute after noon.
ACTIVE: Final[Sequence[Event[Any]]] = [*NEW, taken("dima")]
# Closed by him a minute later.
DONE: Final[Sequence[Event[Any]]] = [*ACTIVE, closed("dima")]
# His, with Olena as a participant.
SHARED: Final[Sequence[Event[Any]]] = [*ACTIVE, added("dima", "olena")]
# His, and offered to Olena two minutes after noon.
OFFERED: Final[Sequence[Event[Any]]] = [*ACTIVE, offered("dima", "olena")]
