"""From stored events to public ones: each stored event gives rise to exactly one on
``parley.conversation``, so a message's ``ce_sequence`` is the event's version in its stream.
What the team writes asks besides for its sending, on ``parley.outbound``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from libs.events import conversation as public
from libs.events import correcting, marking, watermark, withholding
from libs.events import sending as public_sending
from libs.events.conversation import Audience
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
from services.conversation.domain.conversation import customer_profile as naming
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
    life.CaseTaken: public.CaseTaken,
    life.CaseClosed: public.CaseClosed,
    life.CaseReopened: public.CaseReopened,
    crm.CaseSentToCrm: public.CaseSentToCrm,
    assignment.CaseAssigned: public.CaseAssigned,
    assignment.CaseUnassigned: public.CaseUnassigned,
    assignment.CaseForwarded: public.CaseForwarded,
    assignment.CaseTakenOver: public.CaseTakenOver,
    assignment.CaseDueChanged: public.CaseDueChanged,
    assignment.MemberGone: public.MemberGone,
    transfer.TransferOffered: public.TransferOffered,
    transfer.TransferWithdrawn: public.TransferWithdrawn,
    transfer.TransferAccepted: public.TransferAccepted,
    transfer.TransferDeclined: public.TransferDeclined,
    participants.ParticipantAdded: public.ParticipantAdded,
    participants.ParticipantRemoved: public.ParticipantRemoved,
    participants.ParticipantLeft: public.ParticipantLeft,
    blocking.CustomerBlocked: public.CustomerBlocked,
    blocking.CustomerUnblocked: public.CustomerUnblocked,
    reading.MarkedRead: marking.MarkedRead,
    reading.MarkedUnread: marking.MarkedUnread,
    marks.Flagged: marking.Flagged,
    marks.Unflagged: marking.Unflagged,
    marks.PrioritySet: marking.PrioritySet,
    marks.MarksChanged: marking.MarksChanged,
    marks.FieldsSet: marking.FieldsSet,
    marks.MessageMarked: marking.MessageMarked,
    notes.NoteAdded: public.NoteAdded,
    activities.ActivityRecorded: public.ActivityRecorded,
    sending.SendingFailed: public_sending.SendingFailed,
    erasure.CustomerErased: public.CustomerErased,
    erasure.AttachmentsErased: public.AttachmentsErased,
}
_OWN_FIELDS: Final = {
    stored: [
        name
        for name in body.__struct_fields__
        if name not in public.ConversationEvent.__struct_fields__
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
                body=public.MessageDeliveryChanged(
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
        return withholding.MessageWithheld(
            message=_received(change.event),
            received_at=change.event.received_at,
            recorded_at=recorded_at,
            **_withheld_in(change.after),
        )
    if isinstance(change.event, blocking.EditWithheld):
        return withholding.EditWithheld(
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
            return public.CaseOpened(member_id=event.member_id, **common)
        case life.CaseRouted() as event:
            return public.CaseRouted(reason=event.reason, **common)
        case messages.MessageReceived() as event:
            return public.MessageReceived(
                message=_received(event),
                received_at=event.received_at,
                starts_turn=event.starts_turn,
                **common,
            )
        case messages.MessageSent() as event:
            return public.MessageSent(message=_sent(event), response=_response(event), **common)
        case corrections.MessageEdited() as event:
            return public.MessageEdited(message=_edited(event), member_id=event.member_id, **common)
        case corrections.MessageDeleted() as event:
            return correcting.MessageDeleted(
                message_id=event.message_id,
                direction=event.direction,
                member_id=event.member_id,
                **common,
            )
        case corrections.CorrectionFailed() as event:
            return correcting.CorrectionFailed(
                message_id=event.message_id,
                correction=event.correction,
                reason=event.reason,
                reason_code=event.reason_code,
                content=event.content if event.is_known else None,
                **common,
            )
        case sending.AnswerTakenBack() as event:
            return public_sending.AnswerTakenBack(
                message_id=event.message_id,
                answered_case_id=case_id_of(change.after.thread.conversation_id, event.case),
                was_first=event.was_first,
                withdrawn=event.withdrawn,
                response=_instead(event.instead),
                response_sequence=event.instead.position if event.instead else None,
                **common,
            )
        case sending.MessageResent() as event:
            return public_sending.MessageResent(
                message_id=event.message_id,
                attempt=event.attempt,
                member_id=event.member_id,
                response=_response(event),
                **common,
            )
        case watermarks.WatermarkMoved() as event:
            return watermark.WatermarkMoved(state=event.state, up_to=event.up_to, **common)
        case naming.CustomerKnown() as event:
            return public.CustomerKnown(
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


def _received(event: messages.MessageReceived | blocking.MessageWithheld) -> public.Message:
    return public.Message(
        message_id=event.message_id,
        direction="incoming",
        content=event.content,
        occurred_at=event.at,
        sender=event.sender,
        reply_to=event.reply_to,
        visibility=event.visibility,
        permalink=event.permalink,
    )


def _sent(event: messages.MessageSent) -> public.Message:
    return public.Message(
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


def _edited(event: corrections.MessageEdited | blocking.EditWithheld) -> public.Message:
    return public.Message(
        message_id=event.message_id,
        direction=event.direction if isinstance(event, corrections.MessageEdited) else "incoming",
        content=event.content,
        occurred_at=event.at,
        sender=event.sender,
        reply_to=event.reply_to,
    )


def _instead(instead: sending.Instead | None) -> public.Response | None:
    if instead is None:
        return None
    return public.Response(
        waiting_since=instead.waiting_since,
        answered_at=max(instead.at, instead.waiting_since),
        is_first=instead.is_first,
        member_id=instead.member_id,
    )


def _response(event: messages.MessageSent | sending.MessageResent) -> public.Response | None:
    if event.answered_since is None:
        return None
    return public.Response(
        waiting_since=event.answered_since,
        answered_at=max(event.at, event.answered_since),
        is_first=event.first_response,
        member_id=event.member_id,
    )
