"""Which secrets prove a delivery while one is being replaced."""

import time
from typing import Any

import pytest

from libs.events.content import Channel
from libs.events.credentials import TelegramCredentials
from services.ingest.ports.registration import Registration
from services.ingest.sources import OpenSource
from services.ingest.webhooks.intake import FORMER_HOLD_SECONDS, Intake
from services.ingest.webhooks.registrar import Registrar, RegistrarParts
from tests.support.ingest.service import telegram_source

NEW = TelegramCredentials(bot_token="1:a", secret_token="new")
OLD = TelegramCredentials(bot_token="1:a", secret_token="old")


def keys(source: OpenSource[Any], *, is_told_by_us: bool) -> list[Any]:
    nobody: Any = None
    told: dict[Channel, Registration[Any]] = {Channel.TELEGRAM: nobody} if is_told_by_us else {}
    registrar = Registrar(nobody, RegistrarParts(nobody, nobody, told, nobody, nobody))
    return Intake(Channel.TELEGRAM, nobody, None, nobody, nobody, registrar).keys_of(source)


def replaced(seconds_ago: float) -> OpenSource[Any]:
    return OpenSource("wsp_1", telegram_source(), NEW, OLD, time.monotonic() - seconds_ago)


@pytest.mark.parametrize("is_told_by_us", [True, False])
def test_a_secret_that_was_never_another(is_told_by_us: bool) -> None:
    source = OpenSource("wsp_1", telegram_source(), NEW)
    assert keys(source, is_told_by_us=is_told_by_us) == [NEW]


def test_the_former_holds_until_the_platform_was_told() -> None:
    assert keys(replaced(10 * FORMER_HOLD_SECONDS), is_told_by_us=True) == [NEW, OLD]


def test_the_former_holds_for_a_while_where_only_a_person_tells_the_platform() -> None:
    assert keys(replaced(FORMER_HOLD_SECONDS - 60), is_told_by_us=False) == [NEW, OLD]
    assert keys(replaced(FORMER_HOLD_SECONDS + 1), is_told_by_us=False) == [NEW]
