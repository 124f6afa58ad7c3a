"""Marks over HTTP: what the workspace defined is taken, what it did not is refused by its field."""

from typing import Any

import pytest

from libs.events.conversation.marks import FieldsSet, MarksChanged
from libs.events.directory import Choice, FieldState, LabelState
from tests.support.conversation.steps import a_new_case
from tests.support.conversation.world import AGENT, World

pytestmark = pytest.mark.servers


@pytest.fixture
async def catalogue(served: World) -> World:
    """A workspace with labels and fields."""
    await served.directory(
        LabelState(label_id="lbl_delivery", kind="topic", name="Delivery"),
        LabelState(label_id="lbl_old", kind="topic", name="Fax", active=False),
        LabelState(label_id="lbl_waiting", kind="status", name="Waiting"),
        FieldState(field_id="fld_text", applies_to="case", name="Shop", kind="text"),
        FieldState(
            field_id="fld_number",
            applies_to="case",
            name="Cups",
            kind="number",
            minimum=1,
            maximum=10,
        ),
        FieldState(field_id="fld_boolean", applies_to="case", name="VIP", kind="boolean"),
        FieldState(field_id="fld_date", applies_to="case", name="Day", kind="date"),
        FieldState(
            field_id="fld_choice",
            applies_to="case",
            name="Size",
            kind="choice",
            choices=(Choice(choice_id="chc_m", name="M"), Choice(choice_id="chc_l", name="L")),
        ),
        FieldState(
            field_id="fld_choices",
            applies_to="case",
            name="Extras",
            kind="choices",
            choices=(Choice(choice_id="chc_milk", name="Milk"),),
        ),
        FieldState(field_id="fld_customer", applies_to="customer", name="Age", kind="number"),
        FieldState(field_id="fld_old", applies_to="case", name="Fax", kind="text", active=False),
    )
    return served


async def test_a_conversation_is_marked_and_each_mark_leaves_its_trace(catalogue: World) -> None:
    dima = await catalogue.member("Dima")
    case = await a_new_case(catalogue, dima)

    async def marked(action: str, body: object | None = None) -> Any:
        answer = await catalogue.call(dima, "POST", f"{case}/{action}", body)
        assert answer.status == 200, answer
        return answer.body["case"] | {"fields": answer.body.get("fields")}

    assert (await catalogue.view(dima, case.rpartition("/")[2])).body["case"]["unread"] is True
    assert "unread" not in await marked("read")
    assert (await marked("unread"))["unread"] is True
    assert (await marked("flag"))["flagged"] is True
    assert "flagged" not in await marked("unflag")
    assert (await marked("priority", {"priority": "high"}))["priority"] == "high"
    tags = {"add": [" Hot  COFFEE ", "hot coffee", "Київ"]}
    assert (await marked("tags", tags))["tags"] == ["hot coffee", "київ"]
    assert (await marked("tags", {"remove": ["КИЇВ"]}))["tags"] == ["hot coffee"]
    assert (await marked("topics", {"add": ["lbl_delivery"]}))["topics"] == ["lbl_delivery"]
    assert (await marked("status", {"label_id": "lbl_waiting"}))["status"] == "lbl_waiting"
    assert "status" not in await marked("status", {"label_id": None})
    values = {
        "fld_text": " Podil ",
        "fld_number": 3,
        "fld_boolean": False,
        "fld_date": "2026-11-22",
        "fld_choice": "chc_m",
        "fld_choices": ["chc_milk"],
    }
    filled = (await marked("fields", {"values": values}))["fields"]
    assert filled == values | {"fld_text": "Podil"}
    assert "fld_date" not in (await marked("fields", {"values": {"fld_date": None}}))["fields"]

    timeline = await catalogue.timeline(dima, case.rpartition("/")[2], limit="20")
    keys = [item["key"] for item in timeline["items"] if item["kind"] == "system"]
    assert keys[-2:-13:-1] == [
        "marked-read",
        "marked-unread",
        "flagged",
        "unflagged",
        "priority-set",
        "marks-changed",
        "marks-changed",
        "marks-changed",
        "marks-changed",
        "marks-changed",
        "fields-set",
    ]
    bodies = [one.body for one in await catalogue.events(14)]
    changed = [body for body in bodies if isinstance(body, MarksChanged)]
    assert (changed[0].kind, changed[0].added) == ("tag", ("hot coffee", "київ"))
    assert changed[0].case.tags == ("hot coffee", "київ")
    [filled_in, emptied] = [body for body in bodies if isinstance(body, FieldsSet)]
    assert emptied.values == {"fld_date": None}
    assert filled_in.values["fld_choices"] == ("chc_milk",)


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("priority", {"priority": "extreme"}, "priority"),
        ("priority", {"priority": "high", "why": "x"}, "why"),
        ("tags", {}, "add"),
        ("tags", {"add": [" "]}, "add"),
        ("tags", {"add": ["x" * 51]}, "add"),
        ("tags", {"remove": ["a\u0000b"]}, "remove"),
        ("tags", {"add": [str(n) for n in range(31)]}, "add"),
        ("topics", {"add": ["lbl_nothing"]}, "add"),
        ("topics", {"add": ["lbl_waiting"]}, "add"),
        ("topics", {"add": ["lbl_old"]}, "add"),
        ("status", {"label_id": "lbl_delivery"}, "label_id"),
        ("status", {}, "label_id"),
        ("fields", {"values": {"fld_nothing": 1}}, "values.fld_nothing"),
        ("fields", {"values": {"fld_customer": 1}}, "values.fld_customer"),
        ("fields", {"values": {"fld_old": "x"}}, "values.fld_old"),
        ("fields", {"values": {"fld_text": 1}}, "values.fld_text"),
        ("fields", {"values": {"fld_text": " "}}, "values.fld_text"),
        ("fields", {"values": {"fld_text": "x" * 2001}}, "values.fld_text"),
        ("fields", {"values": {"fld_number": 0}}, "values.fld_number"),
        ("fields", {"values": {"fld_number": 11}}, "values.fld_number"),
        ("fields", {"values": {"fld_number": True}}, "values.fld_number"),
        ("fields", {"values": {"fld_number": 1e300}}, "values.fld_number"),
        ("fields", {"values": {"fld_boolean": "yes"}}, "values.fld_boolean"),
        ("fields", {"values": {"fld_date": "2026-02-30"}}, "values.fld_date"),
        ("fields", {"values": {"fld_date": 20261122}}, "values.fld_date"),
        ("fields", {"values": {"fld_date": "20261122"}}, "values.fld_date"),
        ("fields", {"values": {"fld_date": "2026-W47-7"}}, "values.fld_date"),
        ("fields", {"values": {"fld_choice": "chc_xl"}}, "values.fld_choice"),
        ("fields", {"values": {"fld_choices": "chc_milk"}}, "values.fld_choices"),
        ("fields", {"values": {"fld_choices": []}}, "values.fld_choices"),
    ],
)
async def test_a_bad_mark_is_refused_by_naming_the_field(
    catalogue: World, action: str, body: object, field: str
) -> None:
    dima = await catalogue.member("Dima")
    case = await a_new_case(catalogue, dima)
    answer = await catalogue.call(dima, "POST", f"{case}/{action}", body)
    assert answer.status == 422, answer
    assert [one["field"] for one in answer.body["errors"]] == [field]


async def test_what_a_message_sounds_like_stays_with_the_message(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    conversation_id = case.rpartition("/")[2]
    message_id = served.inbound("1", 1).message_id
    path = f"{case}/messages/{message_id}/emotion"

    for emotion in ("positive", "negative", None):
        answer = await served.call(dima, "PUT", path, {"emotion": emotion})
        assert answer.status == 200, answer
        timeline = await served.timeline(dima, conversation_id, limit="20")
        [message] = [item for item in timeline["items"] if item["kind"] == "message"]
        assert message.get("emotion") == emotion

    assert (await served.call(dima, "PUT", path, {"emotion": "angry"})).status == 422
    nowhere = f"{case}/messages/msg_nowhere/emotion"
    assert (await served.call(dima, "PUT", nowhere, {"emotion": None})).status == 404


async def test_too_many_marks_are_refused(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    for batch in (range(20), range(20, 30)):
        body = {"add": [str(n) for n in batch]}
        assert (await served.call(dima, "POST", f"{case}/tags", body)).status == 200
    answer = await served.call(dima, "POST", f"{case}/tags", {"add": ["30"]})
    assert (answer.status, answer.body["type"]) == (409, "urn:parley:problem:too-many-marks")


async def test_a_case_is_closed_once_its_required_fields_are_filled(served: World) -> None:
    await served.directory(
        FieldState(field_id="fld_why", applies_to="case", name="Why", kind="text", required=True)
    )
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    await served.call(dima, "POST", f"{case}/take")
    reply = {"content": {"text": "bye"}, "close": True}
    for path, body in ((f"{case}/close", None), (f"{case}/messages", reply)):
        answer = await served.call(dima, "POST", path, body)
        assert (answer.status, answer.body["type"]) == (409, "urn:parley:problem:fields-missing")
        assert "Why" in answer.body["detail"]
    await served.call(dima, "POST", f"{case}/fields", {"values": {"fld_why": "order"}})
    closed = await served.call(dima, "POST", f"{case}/close", actions=AGENT)
    assert closed.body["case"]["state"] == "done"
