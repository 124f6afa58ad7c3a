"""What becomes of an answer whose sending fails, and sending it again.

A message of the team's counts as an answer from the moment it is sent: to wait for the platform's
word would tell every customer as unanswered for a while. Where the sending failed it was no answer:
it is *taken back*. The customer waits since they began to wait, unless a later message answered
them, or Done came between; what was measured is withdrawn, and measured anew. A sending whose end
is not known takes nothing back: only a word of the platform's, or a person who sends it again,
decides about it.

What stands in the stream after the sending was read before; it is not in the state.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from libs.events.content import Content, DeliveryState, Visibility
from services.conversation.domain.conversation.corrections import AlreadyDeleted, MessageForgotten
from services.conversation.domain.conversation.life import (
    CaseClosed,
    CaseEvent,
    CaseOpened,
    Life,
    MemberEvent,
)
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.state import ConversationState, active
from services.conversation.domain.events import Event, stored
from services.conversation.domain.refusal import Refusal

# Of one message. Whoever was refused so often writes another one.
ATTEMPTS_AT_MOST: Final = 10

type Placed = tuple[int, Event[Any]]
FailedState = Literal["failed", "uncertain"]


class NotFailed(Refusal):
    """Only what failed, or whose end is not known, is sent again."""

    kind = "message-not-failed"

    def __init__(self, delivery: DeliveryState) -> None:
        super().__init__(variant="queued" if delivery == "queued" else "", delivery=delivery)
        self.delivery = delivery


class TriedTooOften(Refusal):
    """The message was sent ``at_most`` times."""

    kind = "too-many-attempts"

    def __init__(self, at_most: int) -> None:
        super().__init__({"count": at_most}, at_most=at_most)
        self.at_most = at_most


class Attempt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One sending of a message, and how it ended: the first, or one that ``member_id`` asked for
    again. ``reason`` is the platform's, in its words."""

    number: int
    at: datetime
    member_id: str
    state: DeliveryState
    reason: str | None = None
    reason_code: str | None = None


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """A message that members sent, as it is now. ``attempt`` is its latest sending, ``earlier`` are
    those before; ``content`` is what it says now.

    ``since``: the events from that sending on, each with its version. ``external_message_ids``: the
    platform's of the parts that it has taken.
    """

    message_id: str
    attempt: Attempt
    content: Content
    since: Sequence[Placed]
    earlier: tuple[Attempt, ...] = ()
    external_message_ids: tuple[str, ...] = ()
    reply_to: str | None = None
    reply_to_external: str | None = None
    visibility: Visibility = "private"
    deleted_at: datetime | None = None


class Instead(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The message at version ``position`` is the answer: ``waiting_since`` .. ``at``."""

    position: int
    at: datetime
    waiting_since: datetime
    is_first: bool
    member_id: str | None = None


@stored("conversation.sending-failed.v1")
class SendingFailed(CaseEvent, frozen=True, kw_only=True):
    """The customer does not have the message, or (``uncertain``) nobody knows whether they do.

    ``case`` is the one it was sent in; ``member_id`` asked for this ``attempt``.
    """

    message_id: str
    attempt: int
    member_id: str
    state: FailedState
    reason: str | None = None
    reason_code: str | None = None

    def change(self, state: ConversationState) -> ConversationState:
        return state


@stored("conversation.answer-taken-back.v1")
class AnswerTakenBack(CaseEvent, frozen=True, kw_only=True):
    """``message_id`` is not the answer that it was counted as in ``case``.

    ``waiting_since``: the customer waits again, since then; None: they wait as they did before, or
    do not. ``was_first``: it was the case's first answer. ``instead`` is the answer that counts, if
    there is one. ``withdrawn``: versions of the events what was measured by which holds no more.
    """

    message_id: str
    waiting_since: datetime | None = None
    was_first: bool = False
    instead: Instead | None = None
    withdrawn: tuple[int, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        case = state.case
        if case.number != self.case:
            return state
        first = case.first_response_at
        if self.was_first:
            first = self.instead.at if self.instead else None
        waiting = self.waiting_since or case.waiting_since
        return replace(state, case=replace(case, waiting_since=waiting, first_response_at=first))


@stored("conversation.message-resent.v1", personal=("content",))
class MessageResent(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` had the message sent once more; ``attempt`` is 2 for the first time.

    It is an answer as any other, at its own time. The platform is asked for the parts of
    ``content`` that it has not taken as ``external_message_ids``.
    """

    message_id: str
    attempt: int
    content: Content
    earlier: tuple[Attempt, ...]
    external_message_ids: tuple[str, ...] = ()
    reply_to: str | None = None
    reply_to_external: str | None = None
    visibility: Visibility = "private"
    answered_since: datetime | None = None
    first_response: bool = False

    def change(self, state: ConversationState) -> ConversationState:
        case, moved = state.case, state.moved_back
        if case.waiting_since is not None:
            moved = replace(moved, waiting=self.at)
        first = self.at if self.first_response else case.first_response_at
        return replace(
            state,
            case=replace(case, waiting_since=None, first_response_at=first),
            active_at=active(state, self.at),
            moved_back=moved,
        )


class Sendings(Life):
    """The rules about what was sent and did not arrive."""

    def sending_failed(
        self,
        sending: Sending | None,
        number: int,
        state: FailedState,
        at: datetime,
        reason: str | None = None,
        reason_code: str | None = None,
    ) -> None:
        """The platform, or the sender, says so of the ``number``-th attempt. ``sending`` was looked
        up before; None: no member sent such a message. It is nothing to one that was sent again."""
        if sending is None or sending.attempt.number != number:
            return
        ended = {e.state for _, e in _failures(sending) if e.attempt == number}
        if state in ended or "failed" in ended:
            return
        self._trigger(
            SendingFailed(
                at=self.at(min(at, self.now)),
                case=_case_of(sending),
                message_id=sending.message_id,
                attempt=number,
                member_id=sending.attempt.member_id,
                state=state,
                reason=reason,
                reason_code=reason_code,
            )
        )
        if state == "failed":
            self._take_back(sending)

    def resend(self, by: str, sending: Sending) -> None:
        """Whoever may answer sends once more what failed, or what nobody knows the end of.

        Errors: those of ``reply``, AlreadyDeleted, MessageForgotten, NotFailed, TriedTooOften.
        """
        self._refuse_unless_answered_by(by)
        attempt = sending.attempt
        if sending.deleted_at is not None:
            raise AlreadyDeleted(sending.deleted_at)
        if sending.content.erased:
            raise MessageForgotten
        if attempt.state not in ("failed", "uncertain"):
            raise NotFailed(attempt.state)
        if attempt.number >= ATTEMPTS_AT_MOST:
            raise TriedTooOften(ATTEMPTS_AT_MOST)
        # Of one whose end is not known, or whose failure is known here but not told yet.
        self._take_back(sending)
        self._trigger(
            MessageResent(
                at=self.at(self.now),
                case=self.case.number,
                member_id=by,
                message_id=sending.message_id,
                attempt=attempt.number + 1,
                content=sending.content,
                earlier=(*sending.earlier, attempt),
                external_message_ids=sending.external_message_ids,
                reply_to=sending.reply_to,
                reply_to_external=sending.reply_to_external,
                visibility=sending.visibility,
                answered_since=self._waited_since(),
                first_response=self._is_first_response(),
            )
        )

    def _take_back(self, sending: Sending) -> None:
        taken_back = _taken_back(sending, self.at(self.now))
        if taken_back is not None:
            self._trigger(taken_back)


class _Measured(msgspec.Struct, frozen=True):
    """An answer as it was measured; ``by`` is the version of the event that says so."""

    by: int
    waiting_since: datetime
    is_first: bool


class _Ledger:
    """What the events since a sending say of answers."""

    def __init__(self, since: Sequence[Placed]) -> None:
        self._failed = {
            (e.message_id, e.attempt)
            for _, e in since
            if isinstance(e, SendingFailed) and e.state == "failed"
        }
        self._latest = {e.message_id: e.attempt for _, e in since if isinstance(e, MessageResent)}
        self._moved: dict[int, _Measured] = {}
        self.withdrawn: set[int] = set()
        for position, event in since:
            if isinstance(event, AnswerTakenBack):
                self.withdrawn.update(event.withdrawn)
                if (one := event.instead) is not None:
                    measured = _Measured(position, one.waiting_since, one.is_first)
                    self._moved[one.position] = measured

    def measured(self, position: int, event: MessageSent | MessageResent) -> _Measured | None:
        """Whose turn the message at that version is the answer to now."""
        moved = self._moved.get(position)
        if moved is not None and moved.by not in self.withdrawn:
            return moved
        if event.answered_since is None or position in self.withdrawn:
            return None
        return _Measured(position, event.answered_since, event.first_response)

    def counts(self, event: MessageSent | MessageResent) -> bool:
        """Whether it has not failed, as far as is known, and was not sent again."""
        number = event.attempt if isinstance(event, MessageResent) else 1
        latest = self._latest.get(event.message_id, number)
        return latest == number and (event.message_id, number) not in self._failed


def _taken_back(sending: Sending, at: datetime) -> AnswerTakenBack | None:
    """None where the message, at its latest sending, is no answer."""
    (position, own), *after = sending.since
    assert isinstance(own, MessageSent | MessageResent)  # noqa: S101  # how ``since`` is read
    ledger = _Ledger(sending.since)
    lost = ledger.measured(position, own)
    if lost is None:
        return None
    withdrawn = [lost.by]
    heir: tuple[int, MessageSent | MessageResent] | None = None
    ended = False
    for place, event in _of_case(own.case, after):
        match event:
            case MessageReceived(starts_turn=True) if not ended and place not in ledger.withdrawn:
                # Nobody had been answered: it goes on with the turn before it.
                withdrawn.append(place)
            case MessageSent() | MessageResent() if ledger.counts(event):
                # After Done another one answers nothing of what was asked before; but it may be the
                # first answer of the case now.
                if not ended or (lost.is_first and ledger.measured(place, event)):
                    heir = (place, event)
                    break
            case CaseClosed():
                ended = True
    instead = None
    if heir is not None:
        measured = ledger.measured(*heir)
        if measured is not None:
            withdrawn.append(measured.by)
        since = measured.waiting_since if ended and measured else lost.waiting_since
        instead = Instead(heir[0], heir[1].at, since, lost.is_first, heir[1].member_id)
    return AnswerTakenBack(
        at=at,
        case=own.case,
        message_id=sending.message_id,
        waiting_since=None if heir or ended else lost.waiting_since,
        was_first=lost.is_first,
        instead=instead,
        withdrawn=tuple(withdrawn),
    )


def _of_case(number: int, events: Sequence[Placed]) -> Iterator[Placed]:
    for place, event in events:
        if isinstance(event, CaseOpened):
            return
        if getattr(event, "case", None) == number:
            yield place, event


def _failures(sending: Sending) -> Iterator[tuple[int, SendingFailed]]:
    for position, event in sending.since:
        if isinstance(event, SendingFailed) and event.message_id == sending.message_id:
            yield position, event


def _case_of(sending: Sending) -> int:
    """The number of the case of the latest sending."""
    event = sending.since[0][1]
    return event.case if isinstance(event, CaseEvent) else 0
