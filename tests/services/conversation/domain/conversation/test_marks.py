"""Marks and reading: given a case, when somebody marks it, then that is what changed."""

from collections.abc import Callable

import pytest

from libs.events.marks import MarkKind
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.marks import (
    FIELDS_MAX_CHARACTERS,
    MARKS_AT_MOST,
    FieldsMissing,
    MarksChanged,
    TooManyFields,
    TooManyMarks,
    marks_of,
)
from tests.support.conversation.cases import (
    PLACE,
    active_case,
    changes,
    done_case,
    events,
    new_case,
    written,
)
from tests.support.scenarios import minutes


def state_of(conversation: Conversation) -> str:
    """What is unread and flagged, in words."""
    assert conversation.state is not None
    words = [word for word in ("unread", "flagged") if getattr(conversation.state, word)]
    return " ".join(words)


def test_only_a_person_marks_read_and_the_next_message_is_unread_again() -> None:
    given = active_case()
    assert state_of(given.at(minutes(2))) == "unread"

    reply = given.at(minutes(3))
    reply.reply("dima", "msg_9", written(9, minutes(3)).content)
    assert state_of(reply) == "unread"

    read = given.at(minutes(4))
    read.mark_read("dima")
    assert (changes(read), state_of(read)) == (["MarkedRead"], "")
    again = given.at(minutes(5))
    again.mark_read("olena")
    assert changes(again) == []

    given.at(minutes(6)).receive(written(2, minutes(6)), PLACE)
    assert state_of(given.at(minutes(7))) == "unread"


def test_what_was_read_can_be_marked_unread() -> None:
    given = done_case()
    given.at(minutes(3)).mark_read("dima")
    unread = given.at(minutes(4))
    unread.mark_unread("dima")
    unread.mark_unread("dima")
    assert (changes(unread), state_of(unread)) == (["MarkedUnread"], "unread")


def test_a_flag_stays_when_the_next_case_opens_and_a_priority_does_not() -> None:
    given = done_case()
    marked = given.at(minutes(3))
    marked.flag("dima")
    marked.flag("dima")
    marked.set_priority("dima", "urgent")
    marked.set_priority("dima", "urgent")
    assert changes(marked) == ["Flagged", "PrioritySet"]

    given.at(minutes(4)).receive(written(2, minutes(4)), PLACE)
    case_two = given.at(minutes(5))
    assert state_of(case_two) == "unread flagged"
    assert (case_two.case.number, case_two.case.priority) == (2, "none")
    case_two.unflag("olena")
    case_two.unflag("olena")
    assert changes(case_two) == ["Unflagged"]


@pytest.mark.parametrize("kind", ["tag", "topic", "reason", "component"])
def test_marks_come_and_go(kind: MarkKind) -> None:
    given = new_case()
    first = given.at(minutes(1))
    first.change_marks("dima", kind, add=["b", "a", "b"], remove=["c"])
    assert marks_of(first.case, kind) == ("b", "a")

    second = given.at(minutes(2))
    second.change_marks("dima", kind, add=["a", "c"], remove=["b", "c"])
    assert marks_of(second.case, kind) == ("a", "c")
    [event] = events(second)
    assert isinstance(event, MarksChanged)
    assert (event.added, event.removed) == (("c",), ("b",))

    nothing = given.at(minutes(3))
    nothing.change_marks("dima", kind, add=["c"], remove=["b"])
    assert changes(nothing) == []


@pytest.mark.parametrize("kind", ["status", "type"])
def test_of_a_status_and_a_type_a_case_has_one(kind: MarkKind) -> None:
    given = new_case()
    case = given.at(minutes(1))
    case.set_mark("dima", kind, "lbl_1")
    case.set_mark("dima", kind, "lbl_1")
    case.set_mark("dima", kind, "lbl_2")
    assert marks_of(case.case, kind) == ("lbl_2",)
    case.set_mark("dima", kind, None)
    assert (marks_of(case.case, kind), len(changes(case))) == ((), 3)


def test_a_case_has_only_so_many_marks() -> None:
    case = new_case().at(minutes(1))
    case.change_marks("dima", "tag", add=[str(n) for n in range(MARKS_AT_MOST)], remove=())
    with pytest.raises(TooManyMarks):
        case.change_marks("dima", "tag", add=["one more"], remove=())
    case.change_marks("dima", "tag", add=["one more"], remove=["0"])
    assert len(case.case.tags) == MARKS_AT_MOST


def test_fields_are_filled_in_changed_and_emptied() -> None:
    given = new_case()
    case = given.at(minutes(1))
    case.set_fields("dima", {"fld_1": "Podil", "fld_2": 4, "fld_3": None})
    case.set_fields("dima", {"fld_1": "Podil"})
    case.set_fields("dima", {"fld_2": None, "fld_4": ("a", "b")})
    assert case.case.fields == {"fld_1": "Podil", "fld_4": ("a", "b")}
    assert changes(case) == ["FieldsSet", "FieldsSet"]
    with pytest.raises(TooManyFields):
        case.set_fields("dima", {"fld_5": "x" * (FIELDS_MAX_CHARACTERS + 1)})


def test_a_required_field_is_filled_in_before_the_case_is_closed() -> None:
    case = active_case().at(minutes(2))
    with pytest.raises(FieldsMissing) as refused:
        case.require_fields(("fld_1", "fld_2"))
    assert refused.value.field_ids == ("fld_1", "fld_2")
    case.set_fields("dima", {"fld_1": False, "fld_2": 0})
    case.require_fields(("fld_1", "fld_2"))


@pytest.mark.parametrize(
    "mark",
    [
        lambda c: c.set_priority("dima", "low"),
        lambda c: c.change_marks("dima", "tag", add=["vip"], remove=()),
        lambda c: c.set_mark("dima", "status", "lbl_1"),
        lambda c: c.set_fields("dima", {"fld_1": 1}),
        lambda c: c.mark_message("dima", "msg_1", "negative"),
    ],
)
def test_a_case_is_marked_whatever_state_it_is_in(mark: Callable[[Conversation], None]) -> None:
    for given in (new_case(), active_case(), done_case()):
        case = given.at(minutes(9))
        before = case.case.state
        mark(case)
        assert (len(changes(case)), case.case.state) == (1, before)
