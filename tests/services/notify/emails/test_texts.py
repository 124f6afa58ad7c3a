from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libs.events.api.directory import Language
from libs.runtime.backoff import LONGEST_PAUSE, pause
from services.notify.emails.smtp import Unwritable, written
from services.notify.emails.texts import (
    AssignedCase,
    CaseInGroup,
    Text,
    assigned_case,
    case_in_group,
)

ABOUT = CaseInGroup("Anna", "Sales", "Shop page", "widget", "https://inbox.example/c/1")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "channel"),
    [("en", "website chat"), ("ru", "чат на сайте"), ("uk", "чат на сайті")],
)
def test_every_language_says_the_same_things(language: Language, channel: str) -> None:
    text = case_in_group(language, ABOUT)

    assert "Sales" in text.subject
    for part in ("Anna", "Sales", f"Shop page ({channel})", "https://inbox.example/c/1"):
        assert part in text.body


@pytest.mark.parametrize("kind", ["assigned", "transfer-offered"])
@pytest.mark.parametrize(
    ("language", "due"),
    [
        ("en", "by 14:30 on 1 Mar 2026"),
        ("ru", "1 мар. 2026\u202fг., 14:30"),
        ("uk", "1 бер. 2026\u202fр., 14:30"),
    ],
)
def test_a_case_in_ones_hands_is_told_with_its_due_date(
    kind: str, language: Language, due: str
) -> None:
    zone = ZoneInfo("Europe/Kyiv")
    due_at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    about = AssignedCase("Anna {x}", "Shop", "widget", "https://inbox.example/c/1", due_at, zone)

    text = assigned_case(kind, language, about)

    for part in ("Anna {x}", "Shop (", "https://inbox.example/c/1", due):
        assert part in text.body


def test_a_name_with_a_line_break_makes_no_header() -> None:
    about = CaseInGroup("Anna", "Sales\r\nBcc: all@team.example", "s", "widget", "l")

    text = case_in_group("en", about)
    message = written(text, "a@inbox.example", "b@team.example", "eml_1", NOW)

    assert message["Subject"] == "New case in Sales Bcc: all@team.example"
    assert message["Bcc"] is None


def test_a_name_with_braces_stays_as_it_is() -> None:
    assert case_in_group("en", CaseInGroup("Anna", "{x}", "s", "widget", "l")).subject == (
        "New case in {x}"
    )


def test_an_address_with_a_line_break_cannot_be_written() -> None:
    with pytest.raises(Unwritable):
        written(Text("s", "b"), "a@inbox.example", "b@team.example\nBcc: c@d", "eml_1", NOW)


def test_the_pause_doubles_up_to_an_hour() -> None:
    first = timedelta(seconds=30)

    assert [pause(first, attempt).total_seconds() for attempt in (1, 2, 3)] == [30, 60, 120]
    assert pause(first, 1000) == LONGEST_PAUSE
