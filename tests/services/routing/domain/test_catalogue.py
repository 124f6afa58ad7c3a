"""Labels and custom fields: given the catalogue, when this is asked for, then that happens."""

from collections.abc import Mapping
from typing import Any

import pytest

from libs.events.api.directory import FieldChoice
from libs.events.directory import Choice
from services.routing.domain import catalogue
from services.routing.domain.errors import Clash, InvalidValue, NotThere
from services.routing.domain.events import FieldSet, LabelSet
from services.routing.domain.workspace import Workspace
from tests.support.routing.directory import after, given

FIELD: Mapping[str, Any] = {
    "applies_to": "case",
    "name": "Shop",
    "kind": "text",
    "required": False,
    "minimum": None,
    "maximum": None,
    "max_characters": None,
    "choices": (),
    "position": 0,
}


@pytest.fixture
def there() -> Workspace:
    workspace = given()
    workspace = after(
        workspace,
        catalogue.add_label(workspace, "lbl_1", kind="topic", name="Delivery", position=2),
    )
    field = {**FIELD, "kind": "choice", "choices": (FieldChoice(name="M"), FieldChoice(name="L"))}
    return after(workspace, catalogue.add_field(workspace, "fld_1", **field))


def test_a_label_is_renamed_taken_away_and_offered_again(there: Workspace) -> None:
    [renamed] = catalogue.change_label(there, "lbl_1", name=" Delivery to home ")
    there = after(there, [renamed])
    assert there.label("lbl_1").name == "Delivery to home"
    there = after(there, catalogue.remove_label(there, "lbl_1"))
    assert not there.label("lbl_1").active
    assert catalogue.remove_label(there, "lbl_1") == []
    [again] = catalogue.change_label(there, "lbl_1", active=True)
    assert isinstance(again, LabelSet)
    assert again.active
    with pytest.raises(NotThere):
        catalogue.remove_label(there, "lbl_2")


def test_labels_of_one_kind_have_names_of_their_own(there: Workspace) -> None:
    with pytest.raises(InvalidValue, match="name"):
        catalogue.add_label(there, "lbl_2", kind="topic", name="DELIVERY", position=0)
    assert catalogue.add_label(there, "lbl_2", kind="reason", name="Delivery", position=0)
    there = after(there, catalogue.remove_label(there, "lbl_1"))
    assert catalogue.add_label(there, "lbl_2", kind="topic", name="Delivery", position=0)


def test_there_are_only_so_many(there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LABELS_AT_MOST", 1)
    monkeypatch.setattr(catalogue, "FIELDS_AT_MOST", 1)
    with pytest.raises(Clash):
        catalogue.add_label(there, "lbl_2", kind="topic", name="Price", position=0)
    with pytest.raises(Clash):
        catalogue.add_field(there, "fld_2", **{**FIELD, "name": "Other"})
    customers = {**FIELD, "applies_to": "customer"}
    assert catalogue.add_field(there, "fld_2", **customers)


def test_only_cases_have_fields_that_are_required(there: Workspace) -> None:
    of_customers = {**FIELD, "applies_to": "customer"}
    with pytest.raises(InvalidValue, match="required"):
        catalogue.add_field(there, "fld_2", **{**of_customers, "required": True})
    there = after(there, catalogue.add_field(there, "fld_2", **of_customers))
    with pytest.raises(InvalidValue, match="required"):
        catalogue.change_field(there, "fld_2", required=True)
    [changed] = catalogue.change_field(there, "fld_1", required=True)
    assert isinstance(changed, FieldSet)
    assert changed.required


def test_choices_that_stay_keep_their_ids(there: Workspace) -> None:
    medium, large = there.field("fld_1").choices
    wanted = (FieldChoice(name="XL"), FieldChoice(name="Medium", choice_id=medium.choice_id))
    [changed] = catalogue.change_field(there, "fld_1", choices=wanted)
    assert isinstance(changed, FieldSet)
    new, kept = changed.choices
    assert kept == Choice(choice_id=medium.choice_id, name="Medium")
    assert new.choice_id not in (medium.choice_id, large.choice_id)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "shop"}),
        ("position", {"position": -1}),
        ("minimum", {"minimum": 1.0}),
        ("minimum", {"kind": "number", "minimum": 2.0, "maximum": 1.0}),
        ("maximum", {"kind": "number", "maximum": 1e300}),
        ("max_characters", {"max_characters": 0}),
        ("max_characters", {"kind": "date", "max_characters": 5}),
        ("choices", {"kind": "choice"}),
        ("choices", {"choices": (FieldChoice(name="M"),)}),
        ("choices", {"kind": "choices", "choices": (FieldChoice(name="M"), FieldChoice(name="m"))}),
        ("choices", {"kind": "choices", "choices": (FieldChoice(name="M", choice_id="chc_x"),)}),
    ],
)
def test_a_wrong_definition_is_refused_by_naming_its_field(
    there: Workspace, field: str, wrong: Mapping[str, Any]
) -> None:
    with pytest.raises(InvalidValue) as refused:
        catalogue.add_field(there, "fld_2", **{**FIELD, "name": "Size", **wrong})
    assert refused.value.field == field
