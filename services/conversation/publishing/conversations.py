"""From stored events to public ones: each stored event gives rise to exactly one on
``parley.conversation``, so a message's ``ce_sequence`` is the event's version in its stream.
What the team writes asks besides for its sending, on ``parley.outbound``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from libs.events.conversation import case as told_case
from libs.events.conversation import customer as told_customer
from libs.events.conversation import marks as told_marks
from libs.events.conversation import message as told_message
from libs.events.conversation.case import Audience
from libs.events.customer import Card
from libs.events.envelope import Envelope
from libs.events.registry import Body
from libs.eventstore.commits import PublicMessage, StoredEvent
from libs.runtime.outbox import public_message
from services.conversation.domain.aggregate import Aggregate, Change
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation import (
    activities,
    assignment,
    blocking,
    corrections,
    crm,
    customer_profile,
    erasure,
    life,
    marks,
    messages,
    notes,
    participants,
    reading,
    sending,
    transfer,
    watermarks,
)
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.facts import facts_of
from services.conversation.domain.conversation.state import (
    ConversationState,
    case_id_of,
)
from services.conversation.domain.events import Event, encode, name_of
from services.conversation.domain.sent_message import SentMessage
from services.conversation.publishing.outbound import outbound_requests

SOURCE: Final = "/parley/conversation"

# Those whose public event says, beside the case, what the stored one does under the same names.
_ALIKE: Final[dict[type[Event[Any]], type[Body]]] = {
    life.CaseTaken: told_case.CaseTaken,
    life.CaseClosed: told_case.CaseClosed,
    life.CaseReopened: told_case.CaseReopened,
    crm.CaseSentToCrm: told_case.CaseSentToCrm,
    assignment.CaseAssigned: told_case.CaseAssigned,
    assignment.CaseUnassigned: told_case.CaseUnassigned,
    assignment.CaseForwarded: told_case.CaseForwarded,
    assignment.CaseTakenOver: told_case.CaseTakenOver,
    assignment.CaseDueChanged: told_case.CaseDueChanged,
    assignment.MemberGone: told_case.MemberGone,
    transfer.TransferOffered: told_case.TransferOffered,
    transfer.TransferWithdrawn: told_case.TransferWithdrawn,
    transfer.TransferAccepted: told_case.TransferAccepted,
    transfer.TransferDeclined: told_case.TransferDeclined,
    participants.ParticipantAdded: told_case.ParticipantAdded,
    participants.ParticipantRemoved: told_case.ParticipantRemoved,
    participants.ParticipantLeft: told_case.ParticipantLeft,
    blocking.CustomerBlocked: told_customer.CustomerBlocked,
    blocking.CustomerUnblocked: told_customer.CustomerUnblocked,
    reading.MarkedRead: told_marks.MarkedRead,
    reading.MarkedUnread: told_marks.MarkedUnread,
    marks.Flagged: told_marks.Flagged,
    marks.Unflagged: told_marks.Unflagged,
    marks.PrioritySet: told_marks.PrioritySet,
    marks.MarksChanged: told_marks.MarksChanged,
    marks.FieldsSet: told_marks.FieldsSet,
    marks.MessageMarked: told_marks.MessageMarked,
    notes.NoteAdded: told_message.NoteAdded,
    activities.ActivityRecorded: told_message.ActivityRecorded,
    sending.SendingFailed: told_message.SendingFailed,
    erasure.CustomerErased: told_customer.CustomerErased,
    erasure.AttachmentsErased: told_customer.AttachmentsErased,
}
_OWN_FIELDS: Final = {
    stored: [
        name
        for name in body.__struct_fields__
        if name not in told_case.ConversationEvent.__struct_fields__
    ]
    for stored, body in _ALIKE.items()
}


def stored_events(aggregate: Aggregate[Any]) -> tuple[StoredEvent, ...]:
    """What the aggregate decided, as its stream keeps it."""
    return tuple(StoredEvent(name_of(c.event), encode(c.event)) for c in aggregate.changes)


def conversation_messages(
    conversation: Conversation, traces: Sequence[Mapping[str, str]]
) -> tuple[PublicMessage, ...]:
    """What the world is told of it. ``traces``: each change's trace headers, where it has any."""
    return tuple(
        public_message(envelope)
        for change, trace in zip(conversation.changes, traces, strict=True)
        for envelope in _envelopes(conversation, change, dict(trace))
    )


def delivery_messages(
    message: SentMessage, origins: Sequence[tuple[Audience | None, Mapping[str, str]]]
) -> tuple[PublicMessage, ...]:
    """``origins``: each change's audience (the conversation's) and trace headers.

    The key is the conversation's id, so that a message and its delivery share a partition.
    """
    return tuple(
        public_message(
            Envelope(
                id=f"{message.stream}.{change.version}",
                source=SOURCE,
                subject=message.stream,
                key=change.after.sent_in.conversation_id,
                workspace_id=change.after.sent_in.workspace_id,
                sequence=change.version,
                time=change.event.at,
                body=told_message.MessageDeliveryChanged(
                    conversation_id=change.after.sent_in.conversation_id,
                    case_id=change.after.sent_in.case_id,
                    message_id=message.stream,
                    state=change.after.state,
                    recorded_at=message.now,
                    audience=audience,
                    reason=change.after.reason,
                    reason_code=change.after.reason_code,
                    attempt=change.after.attempt,
                ),
                extra=dict(trace),
            )
        )
        for change, (audience, trace) in zip(message.changes, origins, strict=True)
    )


def _envelopes(
    conversation: Conversation, change: Change[ConversationState], trace: dict[str, str]
) -> Iterator[Envelope]:
    stream, event, version = conversation.stream, change.event, change.version
    workspace_id = change.after.thread.workspace_id
    body = _conversation_event(change, conversation.now)
    name = f"{stream}.{version}"
    yield Envelope(name, SOURCE, stream, stream, workspace_id, version, event.at, body, trace)
    for name, subject, request in outbound_requests(event, version, change.after):
        yield Envelope(name, SOURCE, subject, stream, workspace_id, 0, event.at, request, trace)


def _conversation_event(change: Change[ConversationState], recorded_at: datetime) -> Body:
    if isinstance(change.event, blocking.MessageWithheld):
        return told_message.MessageWithheld(
            message=_received(change.event),
            received_at=change.event.received_at,
            recorded_at=recorded_at,
            **_withheld_in(change.after),
        )
    if isinstance(change.event, blocking.EditWithheld):
        return told_message.EditWithheld(
            message=_edited(change.event), recorded_at=recorded_at, **_withheld_in(change.after)
        )
    common: dict[str, Any] = {
        "case": facts_of(change.after),
        "recorded_at": recorded_at,
        "audience_before": audience_of(change.before),
        "audience_after": audience_of(change.after),
    }
    kind = type(change.event)
    if (alike := _ALIKE.get(kind)) is not None:
        own = {name: getattr(change.event, name) for name in _OWN_FIELDS[kind]}
        return alike(**own, **common)
    match change.event:
        case life.CaseOpened() as event:
            return told_case.CaseOpened(member_id=event.member_id, **common)
        case life.CaseRouted() as event:
            return told_case.CaseRouted(reason=event.reason, **common)
        case messages.MessageReceived() as event:
            return told_message.MessageReceived(
                message=_received(event),
                received_at=event.received_at,
                starts_turn=event.starts_turn,
                **common,
            )
        case messages.MessageSent() as event:
            return told_message.MessageSent(
                message=_sent(event), response=_response(event), **common
            )
        case corrections.MessageEdited() as event:
            return told_message.MessageEdited(
                message=_edited(event), member_id=event.member_id, **common
            )
        case corrections.MessageDeleted() as event:
            return told_message.MessageDeleted(
                message_id=event.message_id,
                direction=event.direction,
                member_id=event.member_id,
                **common,
            )
        case corrections.CorrectionFailed() as event:
            return told_message.CorrectionFailed(
                message_id=event.message_id,
                correction=event.correction,
                reason=event.reason,
                reason_code=event.reason_code,
                content=event.content if event.is_known else None,
                **common,
            )
        case sending.AnswerTakenBack() as event:
            return told_message.AnswerTakenBack(
                message_id=event.message_id,
                answered_case_id=case_id_of(change.after.thread.conversation_id, event.case),
                was_first=event.was_first,
                withdrawn=event.withdrawn,
                response=_instead(event.instead),
                response_sequence=event.instead.position if event.instead else None,
                **common,
            )
        case sending.MessageResent() as event:
            return told_message.MessageResent(
                message_id=event.message_id,
                attempt=event.attempt,
                member_id=event.member_id,
                response=_response(event),
                **common,
            )
        case watermarks.WatermarkMoved() as event:
            return told_message.WatermarkMoved(state=event.state, up_to=event.up_to, **common)
        case customer_profile.CustomerKnown() as event:
            return told_customer.CustomerKnown(
                member_id=event.member_id,
                primary_id=event.primary_id,
                name=event.name,
                card=event.card or Card(),
                funnel_status=event.funnel_status,
                sales_plans=event.sales_plans,
                **common,
            )
    raise TypeError(f"{type(change.event).__name__} has no public event")


def _withheld_in(state: ConversationState) -> dict[str, Any]:
    """Where it was, in words that are nothing to who acts on what is heard."""
    return {
        "conversation_id": state.thread.conversation_id,
        "customer_id": state.customer_id,
        "source_id": state.thread.source_id,
        "channel": state.thread.channel,
        "location_id": state.case.location_id,
    }


def _received(event: messages.MessageReceived | blocking.MessageWithheld) -> told_message.Message:
    return told_message.Message(
        message_id=event.message_id,
        direction="incoming",
        content=event.content,
        occurred_at=event.at,
        sender=event.sender,
        reply_to=event.reply_to,
        visibility=event.visibility,
        permalink=event.permalink,
    )


def _sent(event: messages.MessageSent) -> told_message.Message:
    return told_message.Message(
        message_id=event.message_id,
        direction="outgoing",
        content=event.content,
        occurred_at=event.at,
        sender=event.sender,
        member_id=event.member_id,
        reply_to=event.reply_to,
        visibility=event.visibility,
        permalink=event.permalink,
    )


def _edited(event: corrections.MessageEdited | blocking.EditWithheld) -> told_message.Message:
    return told_message.Message(
        message_id=event.message_id,
        direction=event.direction if isinstance(event, corrections.MessageEdited) else "incoming",
        content=event.content,
        occurred_at=event.at,
        sender=event.sender,
        reply_to=event.reply_to,
    )


def _instead(instead: sending.Instead | None) -> told_message.Response | None:
    if instead is None:
        return None
    return told_message.Response(
        waiting_since=instead.waiting_since,
        answered_at=max(instead.at, instead.waiting_since),
        is_first=instead.is_first,
        member_id=instead.member_id,
    )


def _response(
    event: messages.MessageSent | sending.MessageResent,
) -> told_message.Response | None:
    if event.answered_since is None:
        return None
    return told_message.Response(
        waiting_since=event.answered_since,
        answered_at=max(event.at, event.answered_since),
        is_first=event.first_response,
        member_id=event.member_id,
    )
