"""Conversations as the rules' tests need them: given what happened, when, then what changed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from libs.events.content import Channel, Content, Sender
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.events import Event
from services.conversation.domain.written import Place, Written

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
STREAM = "cnv_1"
PLACE = Place(
    workspace_id="wsp_1",
    source_id="src_1",
    channel=Channel.TELEGRAM,
    location_id="loc_1",
    routed=False,
    next_number=count(1).__next__,
)
ROUTED = Place(
    workspace_id="wsp_1",
    source_id="src_1",
    channel=Channel.TELEGRAM,
    location_id="loc_1",
    routed=True,
    next_number=count(1).__next__,
)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def written(number: int, at: datetime, received_at: datetime | None = None) -> Written:
    return Written(
        message_id=f"msg_{number}",
        external_message_id=str(number),
        customer_id="cus_1",
        sender=Sender(external_id="100", name="Ada"),
        content=Content(text=f"message {number}"),
        occurred_at=at,
        received_at=received_at or at,
        thread="100",
    )


class Given:
    """A conversation that goes on: each step is decided at a time of its own, then kept."""

    def __init__(self) -> None:
        self._conversation = Conversation(STREAM, None, NOON)

    def at(self, now: datetime) -> Conversation:
        """The conversation as it is loaded at ``now``, with no changes yet."""
        snapshot = self._conversation.snapshot() if self._conversation.version else None
        self._conversation = Conversation(STREAM, snapshot, now)
        return self._conversation


def new_case(place: Place = PLACE) -> Given:
    given = Given()
    given.at(NOON).receive(written(1, NOON), place)
    return given


def active_case(member_id: str = "dima") -> Given:
    given = new_case()
    given.at(minutes(1)).take(member_id)
    return given


def done_case(member_id: str = "dima") -> Given:
    given = active_case(member_id)
    given.at(minutes(2)).close(member_id, manages=False)
    return given


def changes(conversation: Conversation) -> list[str]:
    return [type(change.event).__name__ for change in conversation.changes]


def events(conversation: Conversation) -> Sequence[Event[Any]]:
    return [change.event for change in conversation.changes]
