"""Derived ids: the same for the same, different for what is different, and nobody guesses them."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.events.ids import IdKey, random_id

IDS = IdKey(bytes(range(32)))
parts = st.lists(st.text(max_size=12), max_size=5)


@given(parts, parts)
def test_other_parts_make_another_id(one: list[str], other: list[str]) -> None:
    assume(one != other)

    assert IDS.derive("cnv", *one) != IDS.derive("cnv", *other)


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), st.integers(0, 16))
def test_where_one_part_ends_and_the_next_begins_counts(left: str, right: str, at: int) -> None:
    joined = left + right
    cut = at % (len(joined) + 1)
    assume(cut != len(left))

    assert IDS.derive("cnv", left, right) != IDS.derive("cnv", joined[:cut], joined[cut:])
    assert IDS.derive("cnv", left, right) != IDS.derive("cnv", joined)


@given(parts)
def test_the_same_parts_make_the_same_id_on_every_replica(given_parts: list[str]) -> None:
    other_replica = IdKey(bytes(range(32)))

    assert IDS.derive("cnv", *given_parts) == other_replica.derive("cnv", *given_parts)


@given(parts)
def test_another_deployment_has_other_ids(given_parts: list[str]) -> None:
    other_deployment = IdKey(bytes(32))

    assert IDS.derive("cnv", *given_parts) != other_deployment.derive("cnv", *given_parts)


def test_the_kind_is_part_of_it() -> None:
    made = {
        IDS.conversation("src_1", "7"),
        IDS.customer("src_1", "7"),
        IDS.attachment("src_1", "7"),
        IDS.derive("case", "src_1", "7"),
    }

    assert len({one.partition("_")[2] for one in made}) == len(made)


@pytest.mark.parametrize("made", [IDS.source("w", "telegram", "4839574812"), random_id("src")])
def test_an_id_is_short_and_goes_into_a_path(made: str) -> None:
    assert re.fullmatch(r"src_[0-9a-f]{30}", made)


def test_ids_do_not_change_between_versions() -> None:
    """Stored conversations are found by them: this text is the contract."""
    assert IDS.source("wsp_1", "telegram", "42") == "src_42c75490d8e30c65046debed88b6af"


def test_random_ids_differ() -> None:
    assert len({random_id("case") for _ in range(1000)}) == 1000


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="31"):
        IdKey(bytes(31))
