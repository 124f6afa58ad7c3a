"""What may be written on a card, checked before anything is decided."""

import re
from typing import Final

from msgspec import UNSET

from libs.events.activity import ActivityVariables
from libs.events.api.customers import EditCustomer, RecordVisit
from libs.events.words import is_line, text_of
from services.conversation.domain.conversation.marks import folded
from services.conversation.domain.customer.card import CardValue
from services.conversation.localization.localizer import wrong

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
        text = text_of(value).strip() if value else ""
        if len(text) > longest:
            raise wrong(name, "too-long", count=longest)
        changes[name] = text or None
    for name, pattern in (("email", _EMAIL), ("phone", _PHONE)):
        if (value := changes.get(name)) and not pattern.fullmatch(str(value)):
            raise wrong(name, f"not-{name}")
    if asked.tags is not UNSET:
        changes["tags"] = _tags(asked.tags)
    return changes


def check_visit(visit: RecordVisit) -> None:
    """Errors: Invalid."""
    if not (visit.tool or visit.google_id or visit.link or visit.utm):
        raise wrong("tool", "empty-visit")


def check_variables(variables: ActivityVariables) -> None:
    """Errors: Invalid, naming the variable."""
    for name, value in variables.items():
        field = f"variables.{name[:_VARIABLE_NAME_CHARACTERS]}"
        if not 0 < len(name) <= _VARIABLE_NAME_CHARACTERS:
            raise wrong(field, "length", longest=_VARIABLE_NAME_CHARACTERS)
        if isinstance(value, str) and len(value) > _VARIABLE_CHARACTERS:
            raise wrong(field, "too-long", count=_VARIABLE_CHARACTERS)


def _tags(asked: tuple[str, ...]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(map(folded, asked)))
    if len(tags) > _TAGS_AT_MOST:
        raise wrong("tags", "too-many", count=_TAGS_AT_MOST)
    for number, tag in enumerate(tags):
        if not 0 < len(tag) <= _TAG_CHARACTERS:
            raise wrong(f"tags.{number}", "length", longest=_TAG_CHARACTERS)
        if not is_line(tag):
            raise wrong(f"tags.{number}", "unprintable-tag")
    return tags
