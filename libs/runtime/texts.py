"""What Parley says to people: texts by key, one gettext catalogue a language.

A catalogue is ``<folder>/<language>.po``; ``msgid`` is the key, ``{name}`` in a text stands for a
variable. A text with a number in it has ``msgid_plural`` (the key again) and a form for each of its
language's plural categories, in CLDR's order: one, few, many, other, without those that no whole
number has. The number is the variable ``count``.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.pofile import read_po

from libs.events.api.directory import Language
from libs.runtime.language import spoken

LOCALES: Final[Mapping[Language, Locale]] = {
    "en": Locale("en", "GB"),  # days before months, as the other two have it
    "ru": Locale("ru"),
    "uk": Locale("uk"),
}
# The categories that whole numbers have in a language, in CLDR's order. Checked against CLDR's own
# rules by the tests.
PLURALS: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": ("one", "other"),
    "ru": ("one", "few", "many"),
    "uk": ("one", "few", "many"),
}

type Forms = tuple[str, ...]


class Texts:
    """The texts in ``folder``, before those of ``common``. A language is read when it is first
    spoken."""

    def __init__(self, folder: Path, common: "Texts | None" = None) -> None:
        self.folder = folder
        self._common = common
        self._catalogues: dict[Language, dict[str, Forms]] = {}

    def say(
        self,
        key: str,
        variables: Mapping[str, str | int] | None = None,
        language: Language | None = None,
    ) -> str:
        """The text in ``language``, by default the caller's. Errors: KeyError (no such text, or a
        variable of it was not given)."""
        language = language or spoken()
        given = variables or {}
        forms = self.of(language)[key]
        if len(forms) == 1:
            return forms[0].format_map(given)
        category = LOCALES[language].plural_form(int(given["count"]))
        return forms[PLURALS[language].index(category)].format_map(given)

    def find(self, key: str) -> str | None:
        """A text without variables in the caller's language, None where there is none."""
        forms = self.of(spoken()).get(key)
        return forms[0] if forms else None

    def of(self, language: Language) -> Mapping[str, Forms]:
        """All texts of a language by key, each with its plural forms or with the only one."""
        known = self._catalogues.get(language)
        if known is None:
            known = self._catalogues[language] = self._read(language)
        return known

    def _read(self, language: Language) -> dict[str, Forms]:
        with (self.folder / f"{language}.po").open("rb") as file:
            catalogue = read_po(file, locale=language, abort_invalid=True)
        texts: dict[str, Forms] = dict(self._common.of(language)) if self._common else {}
        for message in catalogue:
            if message.id:
                key = message.id if isinstance(message.id, str) else message.id[0]
                said = message.string
                texts[key] = (said,) if isinstance(said, str) else tuple(said or ())
        return texts


def listed(names: list[str], language: Language | None = None) -> str:
    """``A, B and C``, as the language puts it."""
    return format_list(names, locale=LOCALES[language or spoken()])


def day(at: datetime, zone: ZoneInfo, language: Language | None = None) -> str:
    """The date at a place, such as ``20 Nov 2026``."""
    return format_date(
        at.astimezone(zone).date(), format="medium", locale=LOCALES[language or spoken()]
    )


COMMON: Final = Texts(Path(__file__).with_name("texts"))
