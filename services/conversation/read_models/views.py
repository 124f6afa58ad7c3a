"""What the service answers with, made of states and stored events."""

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.api import (
    ConversationView,
    CustomerMessage,
    CustomerRef,
    Delivery,
    FailedCorrection,
    LastMessage,
    SendingAttempt,
    TimelineItem,
)
from libs.events.content import Content
from services.conversation.domain.conversation import activities, blocking, messages, notes
from services.conversation.domain.conversation.corrections import MessageDeleted, MessageEdited
from services.conversation.domain.conversation.facts import facts_of
from services.conversation.domain.conversation.sending import Attempt
from services.conversation.domain.conversation.state import ConversationState, case_id_of
from services.conversation.domain.events import Event
from services.conversation.localization.localizer import TEXTS, Localizer, reason_told
from services.conversation.localization.system_messages import told, trace_of
from services.conversation.read_models.messages.parts import (
    MessageRow,
    attempts_of,
    deletion_of,
    edit_of,
    emotion_of,
    failure_of,
    stands,
    withheld_edit_of,
)

type MessageEvent = messages.MessageReceived | blocking.MessageWithheld | messages.MessageSent

_MESSAGES: Final = (messages.MessageReceived, blocking.MessageWithheld, messages.MessageSent)


def conversation_view(snapshot: Snapshot[ConversationState]) -> ConversationView:
    state = snapshot.state
    head, shown = state.last_message, state.shown_as
    return ConversationView(
        conversation_id=state.thread.conversation_id,
        version=snapshot.version,
        customer=CustomerRef(customer_id=shown.customer_id, name=shown.name or state.customer_name),
        case=facts_of(state),
        last_message=LastMessage(
            direction=head.direction,
            occurred_at=head.occurred_at,
            preview=preview_told(head.preview, head.shows),
        )
        if head
        else None,
        fields=state.case.fields,
        post=state.thread.post,
    )


def preview_told(preview: str, shows: str) -> str:
    """A file or a place has no text: it is named, in the caller's language."""
    return preview or (TEXTS.say(f"preview.{shows}") if shows else "")


def row_id_of(event: Event[Any]) -> str | None:
    """The message whose row says more of what the event shows."""
    if isinstance(event, MessageEdited | MessageDeleted):
        return event.message_id
    return message_id_of(event)


def message_id_of(event: Event[Any]) -> str | None:
    """The message that an event of the timeline shows, None where it shows none."""
    if isinstance(event, _MESSAGES):
        return event.message_id
    return None


def is_item(event: Event[Any]) -> bool:
    """Whether the timeline shows the event as an item of its own."""
    shown = (*_MESSAGES, notes.NoteAdded, activities.ActivityRecorded)
    return isinstance(event, shown) or trace_of(event) is not None


def timeline_item(
    conversation_id: str,
    position: int,
    event: Event[Any],
    row: MessageRow | None,
    localizer: Localizer,
) -> TimelineItem | None:
    """``row`` is the message's, if it has one. None for what is not an item of its own."""
    if isinstance(event, _MESSAGES):
        return _message(conversation_id, position, event, row)
    if isinstance(event, notes.NoteAdded):
        return TimelineItem(
            id=event.note_id,
            kind="note",
            at=event.at,
            position=position,
            case_id=case_id_of(conversation_id, event.case),
            member_id=event.member_id,
            text=event.text,
            mentions=event.mentions,
        )
    if isinstance(event, activities.ActivityRecorded):
        return TimelineItem(
            id=event.activity_id,
            kind="activity",
            at=event.at,
            position=position,
            case_id=case_id_of(conversation_id, event.case),
            member_id=event.member_id,
            key=event.activity,
            text=TEXTS.say(f"activity.{event.activity}"),
            variables=event.variables,
        )
    return _system(conversation_id, position, event, row, localizer)


def content_for_team(event: MessageEvent, row: MessageRow | None) -> Content:
    """What a message says now, to who answers the customer."""
    deletion = deletion_of(row) if row else None
    if deletion and not deletion[1]:
        # Who deleted it on the platform wants it seen by nobody, and platforms ask for as much.
        # What the team took back stays before the team.
        return Content()
    return _content(event, row)[0]


def customer_message(
    position: int, event: Event[Any], row: MessageRow | None
) -> CustomerMessage | None:
    if not isinstance(event, _MESSAGES):
        return None
    if row and deletion_of(row):
        return None
    # The customer is not to see that they are blocked.
    edit = withheld_edit_of(row) if row else None
    content = edit.content if edit else _content(event, row)[0]
    return CustomerMessage(
        message_id=event.message_id,
        direction="outgoing" if isinstance(event, messages.MessageSent) else "incoming",
        content=content,
        occurred_at=_written_at(event),
        position=position,
    )


def _written_at(event: MessageEvent) -> datetime:
    """The platform's time, also of what was written before the case was open."""
    if isinstance(event, blocking.MessageWithheld):
        return event.at
    return event.written_at or event.at


def _message(
    conversation_id: str,
    position: int,
    event: MessageEvent,
    row: MessageRow | None,
) -> TimelineItem:
    _, edited_at = _content(event, row)
    deleted_at, deleted_by = (deletion_of(row) if row else None) or (None, None)
    member_id, via_platform = None, False
    sendings: tuple[Attempt, ...] = ()
    if isinstance(event, messages.MessageSent):
        member_id, via_platform = event.member_id, event.member_id is None
        sendings = attempts_of(row, member_id, event.at) if member_id else ()
    return TimelineItem(
        id=event.message_id,
        kind="message",
        at=_written_at(event),
        position=position,
        case_id=case_id_of(conversation_id, event.case),
        direction="outgoing" if isinstance(event, messages.MessageSent) else "incoming",
        content=content_for_team(event, row),
        sender=event.sender,
        member_id=member_id,
        reply_to=event.reply_to,
        edited_at=edited_at,
        deleted_at=deleted_at,
        deleted_by=deleted_by,
        delivery=_delivery(sendings[-1]) if sendings else None,
        attempts=tuple(map(_attempt, sendings)) if len(sendings) > 1 else (),
        via_platform=via_platform,
        emotion=emotion_of(row) if row else None,
        withheld=isinstance(event, blocking.MessageWithheld),
        visibility=event.visibility,
        permalink=event.permalink,
        failed_correction=_failure(row) if row else None,
        withheld_edit=withheld_edit_of(row) if row and not deleted_at else None,
    )


def _content(event: MessageEvent, row: MessageRow | None) -> tuple[Content, datetime | None]:
    edit = edit_of(row) if row else None
    if edit and event.content.erased:
        # Whatever came of it later, what was erased is not told again.
        return event.content, edit[1]
    return edit or (event.content, None)


def _delivery(attempt: Attempt) -> Delivery:
    reason = reason_told(attempt.reason_code, attempt.reason)
    return Delivery(state=attempt.state, reason=reason, reason_code=attempt.reason_code)


def _attempt(attempt: Attempt) -> SendingAttempt:
    return SendingAttempt(
        attempt=attempt.number,
        at=attempt.at,
        member_id=attempt.member_id,
        state=attempt.state,
        reason=reason_told(attempt.reason_code, attempt.reason),
        reason_code=attempt.reason_code,
    )


def _failure(row: MessageRow) -> FailedCorrection | None:
    failed = failure_of(row)
    if failed is None:
        return None
    return replace(failed, reason=reason_told(failed.reason_code, failed.reason) or "")


def _system(
    conversation_id: str,
    position: int,
    event: Event[Any],
    row: MessageRow | None,
    localizer: Localizer,
) -> TimelineItem | None:
    trace = trace_of(event)
    if trace is None:
        return None
    if isinstance(event, MessageEdited | MessageDeleted) and event.member_id is not None:
        part = "edit" if isinstance(event, MessageEdited) else "deleted"
        if not stands(row, part, position):
            trace = replace(trace, variant="refused")
    variables, text = told(trace, localizer)
    return TimelineItem(
        id=f"{conversation_id}.e{position}",
        kind="system",
        at=event.at,
        position=position,
        case_id=case_id_of(conversation_id, trace.case),
        member_id=trace.member_id,
        text=text,
        key=trace.key,
        variables=variables,
        other_member_id=trace.other_member_id,
        group_id=trace.group_id,
        due_at=trace.due_at,
    )
