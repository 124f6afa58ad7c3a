"""The messages of a conversation: receive, edit, send."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from libs.events.content import Content, Direction, Post, Sender, Visibility
from services.conversation.domain.conversation.blocking import (
    Begins,
    Blocking,
    EditWithheld,
    MessageWithheld,
)
from services.conversation.domain.conversation.corrections import Corrections, MessageEdited
from services.conversation.domain.conversation.life import CaseEvent, CaseOpened
from services.conversation.domain.conversation.state import (
    NO_CASE,
    RECENTLY_SENT,
    ConversationState,
    Head,
    SentCase,
    active,
    preview_of,
    shown_by,
)
from services.conversation.domain.conversation.written import Place, Written
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal

_FIRST: Final = 1
_CLOCKS_DIFFER: Final = timedelta(seconds=10)


@stored(
    "conversation.message-received.v1",
    personal=("content", "sender", "thread", "post", "permalink"),
)
class MessageReceived(CaseEvent, frozen=True, kw_only=True):
    """The customer wrote. ``starts_turn``: nobody owed an answer before this message. ``thread``
    and ``post`` are told again where they had been forgotten. ``written_at`` is the platform's time
    where the case was not open yet."""

    message_id: str
    external_message_id: str
    content: Content
    sender: Sender
    received_at: datetime
    starts_turn: bool
    reply_to: str | None = None
    thread: str = ""
    visibility: Visibility = "private"
    post: Post | None = None
    permalink: str | None = None
    written_at: datetime | None = None

    def change(self, state: ConversationState) -> ConversationState:
        waiting = self.at if self.starts_turn else state.case.waiting_since
        changed = _with_message(state, "incoming", self.at, self)
        return replace(
            changed,
            case=replace(changed.case, waiting_since=waiting),
            customer_name=self.sender.name or state.customer_name,
            thread=replace(
                state.thread,
                thread=self.thread or state.thread.thread,
                post=self.post or state.thread.post,
            ),
            last_comment=self.external_message_id
            if self.visibility == "public"
            else state.last_comment,
            unread=True,
        )


@stored("conversation.message-sent.v1", personal=("content", "sender", "permalink"))
class MessageSent(CaseEvent, frozen=True, kw_only=True):
    """The team wrote: ``member_id``, or (None) the account's owner in the platform's own app.

    ``answered_since``: when the customer whom this answers began to wait. ``recorded_at`` is told
    of what the platform dates: a member's is sent as it is recorded. ``external_message_id`` is
    known for what the platform told of; ``reply_to_external`` is the platform's name of the quoted
    message. ``written_at`` as of ``MessageReceived``.
    """

    message_id: str
    content: Content
    member_id: str | None = None
    sender: Sender | None = None
    external_message_id: str | None = None
    reply_to: str | None = None
    reply_to_external: str | None = None
    answered_since: datetime | None = None
    first_response: bool = False
    visibility: Visibility = "private"
    permalink: str | None = None
    recorded_at: datetime | None = None
    written_at: datetime | None = None

    def change(self, state: ConversationState) -> ConversationState:
        changed = _with_message(state, "outgoing", self.at, self)
        if state.case.waiting_since is not None:
            moved = replace(state.moved_back, waiting=self.recorded_at or self.at)
            changed = replace(changed, moved_back=moved)
        case = replace(
            changed.case,
            waiting_since=None,
            first_response_at=self.at if self.first_response else state.case.first_response_at,
        )
        if self.member_id is None:
            return replace(changed, case=case)
        sent = (*state.recently_sent, SentCase(self.message_id, case.case_id))[-RECENTLY_SENT:]
        return replace(changed, case=case, recently_sent=sent)


class SourceDisconnected(Refusal):
    """The source by which it would go is not connected: nothing can be sent by it."""

    kind = "source-not-connected"

    def __init__(self, source_id: str) -> None:
        super().__init__(source_id=source_id)
        self.source_id = source_id


class NothingPublic(Refusal):
    """A direct conversation: there is no post to answer under, for all to read."""

    kind = "nothing-public"


class Messages(Blocking, Corrections):
    """The rules about who may write what, and when a message begins a case."""

    def arrive(self, written: Written, direction: Direction, place: Place) -> None:
        """A platform tells of a message, whoever wrote it."""
        if direction == "incoming":
            self.receive(written, place)
        else:
            self.seen_sent(written, place)

    def receive(self, written: Written, place: Place) -> None:
        """The customer's message; the first, and the first after Done, open a case."""
        if self._is_withheld(written):
            self._withhold(written, place)
            return
        if self.state is None or self.case.state == "done":
            self._open(written, place, opened_by_customer=True)
        self._trigger(
            MessageReceived(
                at=self._fact(written),
                case=self.case.number,
                message_id=written.message_id,
                external_message_id=written.external_message_id,
                content=written.content,
                sender=written.sender,
                received_at=written.received_at,
                starts_turn=self.case.waiting_since is None,
                reply_to=written.reply_to,
                thread=written.thread if not self._is_reachable() else "",
                visibility=written.visibility,
                post=written.post if not self._is_reachable() else None,
                permalink=written.permalink,
                written_at=self._before_the_case(written),
            )
        )

    def edit(self, written: Written, direction: Direction, place: Place) -> None:
        """An edit. In a thread never seen before it is all there is to know of the message, so
        it is taken as that message, lest nobody sees it. A blocked customer's is withheld as their
        messages are, whenever they wrote what they edit."""
        if self.state is None:
            self.arrive(written, direction, place)
            return
        if direction == "incoming" and self._is_withheld(written):
            self._trigger(
                EditWithheld(
                    at=self._fact(written),
                    case=self.case.number,
                    message_id=written.message_id,
                    content=written.content,
                    sender=written.sender,
                    reply_to=written.reply_to,
                )
            )
            return
        self._trigger(
            MessageEdited(
                at=self._fact(written),
                case=self.case.number,
                message_id=written.message_id,
                direction=direction,
                content=written.content,
                sender=written.sender,
                reply_to=written.reply_to,
                edited_at=written.happened_at,
            )
        )

    def join(self, written: Written, direction: Direction) -> None:
        """More of an album came: all of it is what is ``written`` now."""
        self._trigger(
            MessageEdited(
                at=self._fact(written),
                case=self.case.number,
                message_id=written.message_id,
                direction=direction,
                content=written.content,
                sender=written.sender,
                joined=True,
            )
        )

    def seen_sent(self, written: Written, place: Place) -> None:
        """The account's owner wrote with the platform's own application: it is the team's answer.

        It opens a case only in a thread that has none: after Done it belongs to the case just
        closed, because nobody needs to look at what the team itself said.
        """
        if self.state is None:
            self._open(written, place, opened_by_customer=False)
        self._trigger(
            MessageSent(
                at=self._fact(written),
                case=self.case.number,
                message_id=written.message_id,
                content=written.content,
                sender=written.sender,
                external_message_id=written.external_message_id,
                reply_to=written.reply_to,
                answered_since=self._waited_since(),
                first_response=self._is_first_response(),
                visibility=written.visibility,
                permalink=written.permalink,
                recorded_at=self.now,
                written_at=self._before_the_case(written),
            )
        )

    def reply(
        self,
        member_id: str,
        message_id: str,
        content: Content,
        *,
        reply_to: str | None = None,
        reply_to_external: str | None = None,
        visibility: Visibility | None = None,
    ) -> None:
        """The responsible and the participants of an active case answer the customer.

        ``visibility`` None: as the last message was. Errors: NobodyTookIt, TakenBy, AlreadyDone,
        NobodyToAnswer, NothingPublic.
        """
        case = self.case
        self._refuse_unless_answered_by(member_id)
        if visibility is None:
            visibility = self._last_visibility()
        if visibility == "public" and (self.state is None or self.state.thread.post is None):
            raise NothingPublic
        self._trigger(
            MessageSent(
                at=self.at(self.now),
                case=case.number,
                message_id=message_id,
                content=content,
                member_id=member_id,
                reply_to=reply_to,
                reply_to_external=reply_to_external,
                answered_since=self._waited_since(),
                first_response=self._is_first_response(),
                visibility=visibility,
            )
        )

    def _last_visibility(self) -> Visibility:
        state = self.state
        if state is None or state.thread.post is None or state.last_message is None:
            return "private"
        return state.last_message.visibility

    def _is_withheld(self, written: Written) -> bool:
        """What the conversation was told of a block counts, else what is known of the customer."""
        told = self.state.blocked if self.state else None
        return written.blocked if told is None else told

    def _withhold(self, written: Written, place: Place) -> None:
        begins = Begins(
            workspace_id=place.workspace_id,
            conversation_id=self.stream,
            source_id=place.source_id,
            channel=place.channel,
            customer_id=written.customer_id,
            location_id=place.location_id,
        )
        fact = written.happened_at
        self._trigger(
            MessageWithheld(
                at=self.at(fact) if self.state else fact,
                case=self.case.number if self.state else NO_CASE,
                message_id=written.message_id,
                external_message_id=written.external_message_id,
                content=written.content,
                sender=written.sender,
                received_at=written.received_at,
                reply_to=written.reply_to,
                begins=None if self.state else begins,
                thread=None if self.state else written.thread,
                visibility=written.visibility,
                post=None if self.state else written.post,
                permalink=written.permalink,
            )
        )

    def _open(self, written: Written, place: Place, *, opened_by_customer: bool) -> None:
        opened_at = written.happened_at
        number, before = _FIRST, None
        if self.state is not None:
            number = self.case.number + 1
            before = self.case.responsible or self.case.responsible_before
            # What was written before Done and arrived after it: cases do not overlap.
            opened_at = max(opened_at, self.case.closed_at or opened_at)
        self._trigger(
            CaseOpened(
                at=opened_at,
                workspace_id=place.workspace_id,
                conversation_id=self.stream,
                source_id=place.source_id,
                channel=place.channel,
                thread=written.thread,
                post=written.post,
                customer_id=written.customer_id,
                customer_name=written.sender.name if opened_by_customer else written.customer_name,
                number=number,
                location_id=place.location_id,
                opened_by="customer" if opened_by_customer else "team",
                recorded_at=self.now,
                routed=place.routed and opened_by_customer,
                responsible_before=before,
                short_number=place.next_number(),
            )
        )

    def _before_the_case(self, written: Written) -> datetime | None:
        fact = written.happened_at
        return fact if fact < self.case.opened_at else None

    def _fact(self, written: Written) -> datetime:
        return self.at(written.happened_at)


def _clocks_differ(state: ConversationState, last: Head) -> timedelta:
    """What the team sent was dated by our clock, and what it is compared with by the platform's."""
    ours = any(one.message_id == last.message_id for one in state.recently_sent)
    return _CLOCKS_DIFFER if ours else timedelta()


def _with_message(
    state: ConversationState,
    direction: Direction,
    at: datetime,
    event: MessageReceived | MessageSent,
) -> ConversationState:
    case, last = state.case, state.last_message
    written_at = event.written_at or at
    if last is None or written_at >= last.occurred_at - _clocks_differ(state, last):
        last = Head(
            direction,
            written_at,
            preview_of(event.content),
            event.message_id,
            event.visibility,
            shown_by(event.content),
        )
    return replace(
        state,
        case=replace(case, last_message_at=max(case.last_message_at or at, at)),
        last_message=last,
        active_at=active(state, at),
    )
