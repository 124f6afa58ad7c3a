"""Cursors: each is of one list, asked for in one way, and of no other."""

import base64

import pytest

from libs.events.instants import EARLIEST
from libs.runtime.cursors import Ids, Instants, cursor_of, place_of
from libs.runtime.problems import Invalid

PLACE = Instants(EARLIEST, "cnv_1")


def test_a_cursor_comes_back_where_it_is_from() -> None:
    cursor = cursor_of(PLACE, "conversations", {"tag": "їжа", "from": EARLIEST})
    assert place_of(cursor, Instants, "conversations", {"tag": "їжа", "from": EARLIEST}) == PLACE
    assert place_of(cursor_of(Ids("grp_1"), "groups"), Ids, "groups").id == "grp_1"


@pytest.mark.parametrize(
    "of", [(), ("customers", {"tag": "a"}), ("conversations", {"tag": "b"}), ("conversations",)]
)
def test_another_lists_cursor_is_none(of: tuple[object, ...]) -> None:
    cursor = cursor_of(PLACE, "conversations", {"tag": "a"})
    with pytest.raises(Invalid, match="cursor"):
        place_of(cursor, Instants, *of)


@pytest.mark.parametrize("cursor", ["x", "é", "grp_1", "....", "A" * 9, "\x00", "A" * 100_000])
def test_any_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        place_of(cursor, Ids, "groups")


@pytest.mark.parametrize(
    "place",
    [
        b'["0001-01-01T00:00:00+23:59","a"]',
        b'["2026-01-01T00:00:00","a"]',
        b'["2026-01-01T00:00:00Z","\\u0000"]',
        b'["2026-01-01T00:00:00Z"]',
        b"[" * 50_000,
        b"\xff",
        b"",
    ],
)
def test_a_place_that_nobody_was_given_is_refused(place: bytes) -> None:
    cursor = cursor_of(PLACE, "list")
    bound = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[:6]
    made = base64.urlsafe_b64encode(bound + place).decode().rstrip("=")
    with pytest.raises(Invalid, match="cursor"):
        place_of(made, Instants, "list")
