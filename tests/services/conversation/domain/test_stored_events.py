"""Stored events are for ever: each payload is pinned, and old ones are brought up to date."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import msgspec
import pytest

from libs.aggregates.events import UnknownEvent
from libs.events.content import Attachment, Channel, Content, GeoPoint, Post, Sender
from services.conversation.domain import events, sent_message
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
from services.conversation.domain.events import Event, decode, encode, name_of
from tests.services.conversation.domain.customer_examples import customer_examples

GOLDEN = Path(__file__).parent.parent / "golden"
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

# Texts of stored events that name nobody and say nothing of a person: ids that Parley made, the
# platforms' numbers of messages, the words of the platforms' refusals, and the team's vocabulary of
# tags and labels (``added``, ``removed``), by which cases are still counted after an erasure.
# Whatever else holds a text is to be declared personal.
HARMLESS = {
    "attachment_ids",
    "workspace_id",
    "conversation_id",
    "source_id",
    "location_id",
    "group_id",
    "customer_id",
    "member_id",
    "responsible",
    "responsible_before",
    "joined",
    "message_id",
    "note_id",
    "reply_to",
    "external_message_id",
    "external_message_ids",
    "up_to_external",
    "reply_to_external",
    "sent_in",
    "reason",
    "reason_code",
    "participant",
    "to",
    "added",
    "removed",
    "begins",
    "activity_id",
    "earlier",
    "instead",
    "plans_added",
    "plans_removed",
    "sales_plans",
    "primary_id",
    "split_from",
    "mentions",
}

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
EXAMPLES |= {name_of(event): event for event in customer_examples(AT, CONTENT, SENDER)}


def test_every_stored_event_has_a_golden_payload() -> None:
    assert sorted(EXAMPLES) == events.names()
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == events.names()


@pytest.mark.parametrize("name", events.names())
def test_a_payload_stays_as_it_was_first_written(name: str) -> None:
    golden = (GOLDEN / f"{name}.json").read_bytes()
    assert decode(name, golden) == EXAMPLES[name]
    assert msgspec.json.decode(encode(EXAMPLES[name])) == msgspec.json.decode(golden)


class TestPersonalFields:
    @pytest.mark.parametrize("name", events.names())
    def test_every_text_is_declared_personal_or_known_to_be_harmless(self, name: str) -> None:
        fields = msgspec.structs.fields(type(EXAMPLES[name]))
        texts = {field.name for field in fields if _holds_text(field.type)}
        assert texts - HARMLESS <= events.personal(name).keys()
        assert not HARMLESS & events.personal(name).keys()

    @pytest.mark.parametrize("name", events.names())
    def test_an_erased_event_has_blanks_that_can_be_written_down(self, name: str) -> None:
        erased = events.erased(EXAMPLES[name])
        assert decode(name, encode(erased)) == erased

    def test_what_is_personal_has_to_be_a_field(self) -> None:
        with pytest.raises(ValueError, match="has no field nickname"):
            events.stored("conversation.made-up.v1", personal=("nickname",))(life.CaseClosed)

    def test_what_has_no_blank_cannot_be_personal(self) -> None:
        with pytest.raises(ValueError, match="has no blank"):
            events.stored("conversation.made-up.v1", personal=("at",))(life.CaseClosed)


def _holds_text(kind: Any) -> bool:
    """Whether a value of the type may hold a text that somebody wrote. Literals and enumerations
    do not."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(_holds_text(field.type) for field in msgspec.structs.fields(kind))
    if get_origin(kind) is Literal:
        return False
    return kind in (str, Any) or any(_holds_text(part) for part in get_args(kind))


def test_an_event_of_a_newer_version_is_not_skipped() -> None:
    with pytest.raises(UnknownEvent, match=r"case-taken\.v9"):
        decode("conversation.case-taken.v9", b"{}")


class TestUpcasting:
    OLD: ClassVar = "conversation.case-closed.v0"

    def test_an_old_payload_is_read_as_the_present_event(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events.EVENTS, "_upcasters", {})
        events.upcast("conversation.case-closed.v00", self.OLD, lambda old: {**old, "by": "mem_2"})
        events.upcast(
            self.OLD,
            "conversation.case-closed.v1",
            lambda old: {"at": old["at"], "case": 1, "member_id": old["by"]},
        )
        event = decode("conversation.case-closed.v00", b'{"at":"2026-11-02T10:41:07Z"}')
        assert event == life.CaseClosed(
            at=datetime(2026, 11, 2, 10, 41, 7, tzinfo=UTC), case=1, member_id="mem_2"
        )
