"""What the service answers with, made of states and stored events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from libs.events.api import (
    ConversationView,
    CustomerMessage,
    CustomerRef,
    Delivery,
    LastMessage,
    TimelineItem,
)
from libs.events.content import Content
from services.conversation.domain import (
    activities,
    assignment,
    blocking,
    life,
    messages,
    notes,
    participants,
    transfer,
)
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.events import Event, name_of
from services.conversation.domain.state import ConversationState, case_id_of
from services.conversation.publishing import facts_of
from services.conversation.rows import delivery_of, edit_of, emotion_of

type MessageRow = Mapping[str, Any]
type _Message = messages.MessageReceived | blocking.MessageWithheld | messages.MessageSent

_MESSAGES: Final = (messages.MessageReceived, blocking.MessageWithheld, messages.MessageSent)


def conversation_view(snapshot: Snapshot[ConversationState]) -> ConversationView:
    state = snapshot.state
    head = state.last_message
    return ConversationView(
        conversation_id=state.thread.conversation_id,
        version=snapshot.version,
        customer=CustomerRef(customer_id=state.customer_id, name=state.customer_name),
        case=facts_of(state),
        last_message=LastMessage(
            direction=head.direction, occurred_at=head.occurred_at, preview=head.preview
        )
        if head
        else None,
        fields=state.case.fields,
    )


def message_id_of(event: Event[Any]) -> str | None:
    """The message that an event of the timeline shows, None where it shows none."""
    if isinstance(event, _MESSAGES):
        return event.message_id
    return None


def timeline_item(
    conversation_id: str, position: int, event: Event[Any], row: MessageRow | None
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
            variables=event.variables,
        )
    return _system(conversation_id, position, event)


def customer_message(
    position: int, event: Event[Any], row: MessageRow | None
) -> CustomerMessage | None:
    if not isinstance(event, _MESSAGES):
        return None
    content, _ = _content(event, row)
    return CustomerMessage(
        message_id=event.message_id,
        direction="outgoing" if isinstance(event, messages.MessageSent) else "incoming",
        content=content,
        occurred_at=event.at,
        position=position,
    )


def _message(
    conversation_id: str,
    position: int,
    event: _Message,
    row: MessageRow | None,
) -> TimelineItem:
    content, edited_at = _content(event, row)
    member_id, via_platform, delivery = None, False, None
    if isinstance(event, messages.MessageSent):
        member_id, via_platform = event.member_id, event.member_id is None
        delivery = None if via_platform else _delivery(row)
    return TimelineItem(
        id=event.message_id,
        kind="message",
        at=event.at,
        position=position,
        case_id=case_id_of(conversation_id, event.case),
        direction="outgoing" if isinstance(event, messages.MessageSent) else "incoming",
        content=content,
        sender=event.sender,
        member_id=member_id,
        reply_to=event.reply_to,
        edited_at=edited_at,
        delivery=delivery,
        via_platform=via_platform,
        emotion=emotion_of(row) if row else None,
        withheld=isinstance(event, blocking.MessageWithheld),
    )


def _content(event: _Message, row: MessageRow | None) -> tuple[Content, datetime | None]:
    edit = edit_of(row) if row else None
    return edit or (event.content, None)


def _delivery(row: MessageRow | None) -> Delivery:
    snapshot = delivery_of(row) if row else None
    if snapshot is None:
        return Delivery(state="queued")
    state = snapshot.state
    return Delivery(state=state.state, reason=state.reason, reason_code=state.reason_code)


def _system(conversation_id: str, position: int, event: Event[Any]) -> TimelineItem | None:
    """The trace of what happened to a case; its key is the middle of the event's stored name."""
    number, member_id = 0, None
    match event:
        case life.CaseOpened():
            number, member_id = event.number, event.member_id
        case life.CaseRouted():
            number = event.case
        case life.MemberEvent():
            number, member_id = event.case, event.member_id
        case _:
            return None
    return TimelineItem(
        id=f"{conversation_id}.e{position}",
        kind="system",
        at=event.at,
        position=position,
        case_id=case_id_of(conversation_id, number),
        member_id=member_id,
        key=name_of(event).split(".")[1],
        other_member_id=_other_member(event),
        group_id=getattr(event, "group_id", None),
        due_at=getattr(event, "due_at", None),
    )


def _other_member(event: Event[Any]) -> str | None:
    match event:
        case assignment.CaseAssigned():
            return event.responsible
        case transfer.TransferOffered() | transfer.TransferWithdrawn():
            return event.to
        case participants.ParticipantAdded() | participants.ParticipantRemoved():
            return event.participant
    return None
