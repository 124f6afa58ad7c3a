"""Names and texts: one form each, whatever keyboard, page or attacker they come from."""

import unicodedata

import pytest

from libs.events.words import (
    NotValid,
    checked_line,
    checked_name,
    is_blank,
    line_of,
    text_of,
    without_nul,
)
from libs.events.zones import ZONES, checked_zone, zone_of

BLANK = (
    *("", " ", "\u00a0", "\u200b", "\u3164", "\u2800", "\u00ad", "\x00", "\u202e", "\ufeff"),
    *("\u115f", "\uffa0", "\u180e", "\u2060", "\u200d", "\ufe0f", "\u0301", "\U000e0041"),
    *("\u2028", "\t\r\n", "\u200b \u3164\u2800\x00\u00ad", "\x85"),
)


@pytest.mark.parametrize("text", BLANK)
def test_what_nobody_sees_is_blank(text: str) -> None:
    assert is_blank(text)
    assert line_of(text) == ""
    assert text_of(text) == ""
    with pytest.raises(NotValid):
        checked_name(text)


@pytest.mark.parametrize(
    "twin",
    [
        unicodedata.normalize("NFD", "Київ їжа"),
        " Київ  їжа\n",
        "Київ\u00a0їжа",
        "Ки\u00adїв їжа",
        "\ufeffКиїв\u200b їжа",
        "\u202eКиїв\u202c їжа",
        "Київ \u200dїжа\u200d",
        "К\ufe0fиїв\u2800їжа",
        "Ки\u034fїв їжа",
    ],
)
def test_names_that_look_alike_are_one(twin: str) -> None:
    assert checked_name(twin) == "Київ їжа"
    assert line_of(checked_name(twin)) == checked_name(twin)


@pytest.mark.parametrize(
    "name", ["👩\u200d👧 VIP", "❤\ufe0f", "می\u200cخواهم", "שלום", "O'Brien", "№ 5"]
)
def test_what_holds_letters_together_stays(name: str) -> None:
    assert checked_name(name) == name
    assert text_of(name) == name


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\x00b", "a\u2028b", "a\x9bb", "a\ud800b"])
def test_what_breaks_a_line_is_in_no_name(name: str) -> None:
    for check in (checked_name, checked_line):
        with pytest.raises(NotValid, match="unprintable"):
            check(name)


def test_a_text_is_kept_as_it_is_said() -> None:
    assert text_of("Перший\r\nдругий\r\tтретій\x00\x1b[0m ") == "Перший\nдругий\n\tтретій[0m "
    assert text_of(unicodedata.normalize("NFD", "Київ")) == "Київ"
    assert text_of("  plain ") == "  plain "


def test_an_id_has_no_nul() -> None:
    assert without_nul("a\u200bb") == "a\u200bb"
    with pytest.raises(NotValid):
        without_nul("a\x00")


@pytest.mark.parametrize(
    "name",
    [
        "localtime",
        "Factory",
        "posixrules",
        "right/Europe/Kyiv",
        "posix/UTC",
        "europe/kyiv",
        "",
        "/",
    ],
)
def test_what_is_no_place_is_no_time_zone(name: str) -> None:
    with pytest.raises(NotValid, match="not-a-time-zone"):
        checked_zone(name)
    # Where one was kept nevertheless, times are told in UTC.
    assert zone_of(name).key == "UTC"


def test_places_are_time_zones() -> None:
    assert {"UTC", "Europe/Kyiv", "Europe/Kiev", "Asia/Kolkata"} <= ZONES
    assert zone_of("Europe/Kyiv").key == "Europe/Kyiv"
