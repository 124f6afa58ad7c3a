"""Conversations as the rules' tests need them: given what happened, when, then what changed."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

from libs.events.content import Channel, Content, DeliveryState, Sender
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.sending import (
    Attempt,
    MessageResent,
    Placed,
    Sending,
)
from services.conversation.domain.conversation.written import Place, Written
from services.conversation.domain.events import Event
from tests.support.scenarios import NOON, STREAM, minutes

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
        self._kept: list[Placed] = []

    @property
    def log(self) -> list[Placed]:
        """All events with their versions."""
        return [*self._kept, *((c.version, c.event) for c in self._conversation.changes)]

    def sending(self, message_id: str, state: DeliveryState = "queued") -> Sending | None:
        """A message of members' as the timeline looks it up, its latest sending as far as told."""
        sent = since = None
        attempts: list[Attempt] = []
        for place, (_, event) in enumerate(self.log):
            if getattr(event, "message_id", None) != message_id:
                continue
            if isinstance(event, MessageSent) and event.member_id is not None:
                sent, since = event, self.log[place:]
                attempts = [Attempt(1, event.at, event.member_id, state)]
            elif isinstance(event, MessageResent):
                since = self.log[place:]
                latest = Attempt(event.attempt, event.at, event.member_id, state)
                attempts = [*event.earlier, latest]
        if sent is None or since is None:
            return None
        return Sending(
            message_id=message_id,
            attempt=attempts[-1],
            content=sent.content,
            since=since,
            earlier=tuple(attempts[:-1]),
        )

    def at(self, now: datetime) -> Conversation:
        """The conversation as it is loaded at ``now``, with no changes yet."""
        self._kept = self.log
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
