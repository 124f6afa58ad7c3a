"""What may be written on a card, checked before anything is decided."""

import re
from typing import Final

from msgspec import UNSET

from libs.events.activity import ActivityVariables
from libs.events.api.customers import EditCustomer, RecordVisit
from libs.runtime.bodies import invalid_field
from services.conversation.domain.customer_card import CardValue

_LONGEST: Final = {
    "name": 200,
    "external_id": 200,
    "email": 254,
    "phone": 32,
    "sex": 10,
    "country": 100,
    "city": 100,
    "address": 500,
    "note": 10_000,
    "mark": 50,
}
_TAGS_AT_MOST: Final = 50
_TAG_CHARACTERS: Final = 50
_VARIABLE_CHARACTERS: Final = 500
_VARIABLE_NAME_CHARACTERS: Final = 50
# Only what cannot be one is refused: whether there is such a mailbox or number, nobody can tell.
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"\+?(?:[\s().-]*\d){5,15}")


def card_changes(asked: EditCustomer) -> dict[str, CardValue]:
    """The card's fields that are to change; a text of nothing clears. Errors: Invalid."""
    changes: dict[str, CardValue] = {}
    for name, longest in _LONGEST.items():
        value = getattr(asked, name)
        if value is UNSET:
            continue
        text = value.strip() if value else ""
        if len(text) > longest:
            raise invalid_field(name, f"has more than {longest} characters")
        changes[name] = text or None
    for name, pattern, what in (
        ("email", _EMAIL, "an e-mail address"),
        ("phone", _PHONE, "a phone number"),
    ):
        if (value := changes.get(name)) and not pattern.fullmatch(str(value)):
            raise invalid_field(name, f"is not {what}")
    if asked.tags is not UNSET:
        changes["tags"] = _tags(asked.tags)
    return changes


def check_visit(visit: RecordVisit) -> None:
    """Errors: Invalid."""
    if not (visit.tool or visit.google_id or visit.link or visit.utm):
        raise invalid_field("", "says neither a tool, nor a device, nor a link")


def check_variables(variables: ActivityVariables) -> None:
    """Errors: Invalid, naming the variable."""
    for name, value in variables.items():
        field = f"variables.{name[:_VARIABLE_NAME_CHARACTERS]}"
        if not 0 < len(name) <= _VARIABLE_NAME_CHARACTERS:
            raise invalid_field(field, f"must have 1 to {_VARIABLE_NAME_CHARACTERS} characters")
        if isinstance(value, str) and len(value) > _VARIABLE_CHARACTERS:
            raise invalid_field(field, f"has more than {_VARIABLE_CHARACTERS} characters")


def _tags(asked: tuple[str, ...]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in asked))
    if len(tags) > _TAGS_AT_MOST:
        raise invalid_field("tags", f"are more than {_TAGS_AT_MOST}")
    for number, tag in enumerate(tags):
        if not 0 < len(tag) <= _TAG_CHARACTERS:
            raise invalid_field(f"tags.{number}", f"must have 1 to {_TAG_CHARACTERS} characters")
    return tags
