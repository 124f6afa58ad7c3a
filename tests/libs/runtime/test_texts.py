"""Texts: in the caller's language, with its plural forms."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from libs.events.api.directory import Language
from libs.events.directory import Role
from libs.runtime.language import LANGUAGES, default_to, listen, preferred, spoken
from libs.runtime.problems import Conflict, NotFound, Problem
from libs.runtime.texts import COMMON, PLURALS, Texts, day, listed
from tests.support.texts import categories_of, check_files, check_texts

HEAD = """
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: {plurals}\\n"
"""
SLAVIC = (
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : "
    "n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);"
)


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    listen("")


@pytest.fixture
def tags(tmp_path: Path) -> Texts:
    said = {
        "en": ("{count} tag", "{count} tags"),
        "ru": ("{count} метка", "{count} метки", "{count} меток"),
        "uk": ("{count} мітка", "{count} мітки", "{count} міток"),
    }
    for language, forms in said.items():
        head = HEAD.format(
            language=language,
            plurals="nplurals=2; plural=(n != 1);" if language == "en" else SLAVIC,
        )
        body = '\nmsgid "tags"\nmsgid_plural "tags"\n' + "".join(
            f'msgstr[{at}] "{form}"\n' for at, form in enumerate(forms)
        )
        (tmp_path / f"{language}.po").write_text(head + body)
    return Texts(tmp_path)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("uk", "uk"),
        ("uk-UA,uk;q=0.9,ru;q=0.8", "uk"),
        ("de, ru;q=0.4, en-GB;q=0.7", "en"),
        ("RU", "ru"),
        ("ru;q=0, de", None),
        ("ru;q=nonsense", None),
        ("", None),
        ("*", None),
        ("ukrainian", None),
    ],
)
def test_the_first_language_of_the_callers_that_is_ours(
    header: str, language: Language | None
) -> None:
    assert preferred(header) == language


def test_what_the_caller_asks_for_is_before_what_the_workspace_speaks() -> None:
    listen("")
    assert spoken() == "en"
    default_to("uk")
    assert spoken() == "uk"
    listen("ru")
    default_to("uk")
    assert spoken() == "ru"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["0 tags", "1 tag", "2 tags", "5 tags", "11 tags", "21 tags"]),
        ("ru", ["0 меток", "1 метка", "2 метки", "5 меток", "11 меток", "21 метка"]),
        ("uk", ["0 міток", "1 мітка", "2 мітки", "5 міток", "11 міток", "21 мітка"]),
    ],
)
def test_a_number_has_the_form_of_its_language(
    tags: Texts, language: Language, said: list[str]
) -> None:
    counts = (0, 1, 2, 5, 11, 21)
    assert [tags.say("tags", {"count": count}, language) for count in counts] == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plural_categories_are_those_of_cldr(language: Language) -> None:
    assert set(PLURALS[language]) == categories_of(language)


def test_lists_and_days_are_told_as_the_language_does() -> None:
    late = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    kyiv = ZoneInfo("Europe/Kyiv")
    assert listed(["Ada", "Dima", "Olena"], "en") == "Ada, Dima and Olena"
    assert listed(["Ада", "Дима"], "ru") == "Ада и Дима"
    assert listed(["Ада", "Дмитро"], "uk") == "Ада і Дмитро"
    assert day(late, kyiv, "en") == "20 Nov 2026"
    assert day(late, kyiv, "uk").startswith("20 лист")


def test_a_text_that_is_not_there_or_lacks_a_variable_is_an_error(tags: Texts) -> None:
    with pytest.raises(KeyError):
        tags.say("nothing")
    with pytest.raises(KeyError):
        tags.say("tags", {})


def test_what_a_member_is_called_is_not_read_as_a_text(tags: Texts) -> None:
    listen("uk")
    assert COMMON.say("invalid.type", {"expected": "{got}", "got": "{0}"}).count("{") == 2


def test_the_common_texts_are_whole() -> None:
    check_texts(COMMON)
    check_files(COMMON)


def test_every_problem_of_the_runtime_has_its_title_in_every_language() -> None:
    problems: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    for problem in problems:
        if problem.__module__ == Problem.__module__:
            assert COMMON.of("en")[f"title.{problem.kind}"] == (problem.title,)


def test_every_role_has_a_name() -> None:
    assert {f"role.{role}" for role in Role} <= COMMON.of("en").keys()


def test_a_problem_is_told_in_the_callers_language() -> None:
    listen("uk")
    assert "Тут нічого немає".encode() in NotFound().response().body

    class Unheard(Conflict):
        kind, title = "unheard", "Of this nobody spoke"

    assert b"Of this nobody spoke" in Unheard().response().body
