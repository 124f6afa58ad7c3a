"""Stored events are for ever: each payload is pinned, and old ones are brought up to date."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import msgspec
import pytest

from libs.aggregates.events import UnknownEvent
from services.conversation.domain import events
from services.conversation.domain.conversation import (
    life,
)
from services.conversation.domain.events import decode, encode, name_of
from tests.support.conversation.customers import customer_examples
from tests.support.conversation.stored import AT, CONTENT, EXAMPLES, SENDER

GOLDEN = Path(__file__).parent.parent / "golden"

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
