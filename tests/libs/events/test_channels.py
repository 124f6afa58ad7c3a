"""The table of each channel: whole, and as the platform has it."""

from datetime import timedelta
from typing import get_args

import pytest

from libs.events.api.directory import Language
from libs.events.channels import TextLimits, capabilities_of, channel_name, channel_type
from libs.events.content import AttachmentKind, Channel


@pytest.mark.parametrize("channel", Channel)
def test_every_channel_has_a_name_in_each_language(channel: Channel) -> None:
    assert channel_type(channel).names.keys() == set(get_args(Language))
    assert all(channel_type(channel).names.values())


@pytest.mark.parametrize("channel", Channel)
def test_every_kind_of_file_can_be_sent_or_cannot(channel: Channel) -> None:
    named = [kind for limit in capabilities_of(channel).media for kind in limit.kinds]

    assert len(named) == len(set(named))
    assert set(named) <= set(get_args(AttachmentKind))


def test_the_files_of_telegram() -> None:
    telegram = capabilities_of(Channel.TELEGRAM)

    assert telegram.max_bytes("image") == 10 * 2**20
    assert telegram.max_bytes("video") == 50 * 2**20


def test_the_terms_of_telegram() -> None:
    corrections = capabilities_of(Channel.TELEGRAM).corrections

    assert corrections.edit_within is None
    assert corrections.delete_within == timedelta(hours=48)


def test_what_this_version_does_not_know_is_called_by_its_id() -> None:
    assert channel_name("pigeon", "uk") == "pigeon"


@pytest.mark.parametrize(("unit", "size"), [("characters", 2), ("bytes", 6)])
def test_texts_are_measured_in_the_unit_of_the_channel(unit: str, size: int) -> None:
    limits = TextLimits(unit=unit, text=10, caption=5)  # type: ignore[arg-type]

    assert limits.size_of("ж😀") == size
    assert (limits.longest(has_attachments=False), limits.longest(has_attachments=True)) == (10, 5)
