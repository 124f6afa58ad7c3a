"""One example of each stored event."""

from datetime import UTC, datetime
from typing import Any

from libs.events.content import Attachment, Channel, Content, GeoPoint, Post, Sender
from services.conversation.domain import sent_message
from services.conversation.domain.conversation import (
    assignment,
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
from services.conversation.domain.events import Event, name_of

AT = datetime(2026, 11, 2, 10, 41, 7, 123_456, tzinfo=UTC)


EARLIER = datetime(2026, 11, 2, 10, 40, tzinfo=UTC)


SENDER = Sender(external_id="100", name="Ада", username="ada", language="uk")


CONTENT = Content(
    text="Добрий день",
    attachments=(
        Attachment(
            attachment_id="att_1",
            kind="image",
            media_type="image/jpeg",
            reference="AgAD",
            file_name="cat.jpg",
            size_bytes=1024,
        ),
    ),
    point=GeoPoint(latitude=50.45, longitude=30.52, title="Podil"),
)


POST = Post(external_id="p1", permalink="https://social.example/p/1", text="Новий сорт")


EXAMPLES: dict[str, Event[Any]] = {
    name_of(event): event
    for event in (
        life.CaseOpened(
            at=EARLIER,
            workspace_id="wsp_1",
            conversation_id="cnv_1",
            source_id="src_1",
            channel=Channel.TELEGRAM,
            thread="100",
            customer_id="cus_1",
            customer_name="Ада",
            number=2,
            location_id="loc_1",
            opened_by="customer",
            recorded_at=AT,
            routed=True,
            responsible_before="mem_1",
            member_id="mem_2",
            short_number=1042,
        ),
        erasure.CustomerErased(
            at=AT, case=2, member_id="mem_2", erasure=1, upto=9, primary_id="cus_1", edits=4
        ),
        erasure.AttachmentsErased(
            at=AT, case=2, member_id="mem_2", attachment_ids=("att_1", "att_2")
        ),
        life.CaseRouted(at=AT, case=2, group_id="grp_1", reason="autoforward"),
        life.CaseTaken(at=AT, case=2, member_id="mem_2", joined=("mem_1",)),
        life.CaseClosed(at=AT, case=2, member_id="mem_2"),
        life.CaseReopened(at=AT, case=2, member_id="mem_3", responsible="mem_2", joined=("mem_1",)),
        crm.CaseSentToCrm(at=AT, case=2, member_id="mem_2"),
        assignment.CaseAssigned(
            at=AT, case=2, member_id="mem_3", responsible="mem_2", due_at=AT, joined=("mem_1",)
        ),
        assignment.CaseUnassigned(at=AT, case=2, member_id="mem_2"),
        assignment.CaseForwarded(at=AT, case=2, member_id="mem_2", group_id="grp_1"),
        assignment.CaseTakenOver(at=AT, case=2, member_id="mem_3", joined=("mem_2",)),
        assignment.MemberGone(at=AT, case=2, member_id="mem_2", returned=True, deactivation=4),
        assignment.CaseDueChanged(at=AT, case=2, member_id="mem_2", due_at=AT),
        transfer.TransferOffered(at=AT, case=2, member_id="mem_2", to="mem_3"),
        transfer.TransferAccepted(at=AT, case=2, member_id="mem_3", joined=("mem_2",)),
        transfer.TransferDeclined(at=AT, case=2, member_id="mem_3"),
        transfer.TransferWithdrawn(at=AT, case=2, member_id="mem_2", to="mem_3"),
        participants.ParticipantAdded(at=AT, case=2, member_id="mem_2", participant="mem_3"),
        participants.ParticipantRemoved(at=AT, case=2, member_id="mem_2", participant="mem_3"),
        participants.ParticipantLeft(at=AT, case=2, member_id="mem_3"),
        messages.MessageReceived(
            at=AT,
            case=2,
            message_id="msg_1",
            external_message_id="7",
            content=CONTENT,
            sender=SENDER,
            received_at=AT,
            starts_turn=True,
            reply_to="msg_0",
            thread="100",
            visibility="public",
            post=POST,
            permalink="https://social.example/p/1#c7",
        ),
        messages.MessageSent(
            at=AT,
            case=2,
            message_id="msg_2",
            content=CONTENT,
            member_id="mem_2",
            sender=SENDER,
            external_message_id="8",
            reply_to="msg_1",
            reply_to_external="7",
            answered_since=EARLIER,
            first_response=True,
            visibility="public",
            permalink="https://social.example/p/1#c8",
        ),
        corrections.MessageEdited(
            at=AT,
            case=2,
            message_id="msg_1",
            direction="incoming",
            content=CONTENT,
            sender=SENDER,
            reply_to="msg_0",
            member_id="mem_2",
            external_message_ids=("7",),
        ),
        corrections.CorrectionFailed(
            at=AT,
            case=2,
            message_id="msg_1",
            correction="edit",
            reason="message can't be edited",
            reason_code="telegram-400",
            asked=7,
            content=CONTENT,
            edited_at=AT,
            attempted=CONTENT,
        ),
        corrections.MessageDeleted(
            at=AT,
            case=2,
            message_id="msg_1",
            direction="outgoing",
            member_id="mem_2",
            external_message_ids=("7",),
        ),
        notes.NoteAdded(
            at=AT,
            case=2,
            note_id="note_1",
            member_id="mem_2",
            text="передзвонити",
            mentions=("mem_3",),
        ),
        reading.MarkedRead(at=AT, case=2, member_id="mem_2"),
        reading.MarkedUnread(at=AT, case=2, member_id="mem_2"),
        marks.Flagged(at=AT, case=2, member_id="mem_2"),
        marks.Unflagged(at=AT, case=2, member_id="mem_2"),
        marks.PrioritySet(at=AT, case=2, member_id="mem_2", priority="urgent"),
        marks.MarksChanged(
            at=AT, case=2, member_id="mem_2", kind="tag", added=("кава",), removed=("чай",)
        ),
        marks.FieldsSet(
            at=AT,
            case=2,
            member_id="mem_2",
            values={
                "fld_1": "2026-11-22",
                "fld_2": 4.5,
                "fld_3": True,
                "fld_4": ("chc_1",),
                "fld_5": None,
                "fld_6": 7,
            },
        ),
        marks.MessageMarked(
            at=AT, case=2, member_id="mem_2", message_id="msg_1", emotion="negative"
        ),
        sending.SendingFailed(
            at=AT,
            case=2,
            message_id="msg_2",
            attempt=2,
            member_id="mem_2",
            state="failed",
            reason="bot was blocked by the user",
            reason_code="blocked",
        ),
        sending.AnswerTakenBack(
            at=AT,
            case=2,
            message_id="msg_2",
            waiting_since=EARLIER,
            was_first=True,
            instead=sending.Instead(9, AT, EARLIER, is_first=True, member_id="mem_3"),
            withdrawn=(5, 7),
        ),
        sending.MessageResent(
            at=AT,
            case=2,
            message_id="msg_2",
            member_id="mem_2",
            attempt=2,
            content=CONTENT,
            earlier=(sending.Attempt(1, EARLIER, "mem_3", "failed", "bot was blocked", "blocked"),),
            external_message_ids=("77",),
            reply_to="msg_1",
            reply_to_external="7",
            visibility="public",
            answered_since=EARLIER,
            first_response=True,
        ),
        watermarks.WatermarkMoved(at=AT, case=2, state="read", up_to=EARLIER, up_to_external="77"),
        sent_message.DeliveryChanged(
            at=AT,
            sent_in=sent_message.SentIn("wsp_1", "cnv_1", "cnv_1.2"),
            state="failed",
            external_message_ids=("77",),
            reason="bot was blocked by the user",
            reason_code="blocked",
            sent_at=EARLIER,
        ),
    )
}
