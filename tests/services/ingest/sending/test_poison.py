"""What one message to send meets is its own trouble."""

from typing import Any

import pytest

from services.ingest.channels.telegram.sender import TelegramSender
from tests.support.ingest.service import BORIS, Shop

pytestmark = pytest.mark.servers


async def test_a_bug_that_one_message_meets_keeps_nobody_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = TelegramSender.send

    async def failing(sender: TelegramSender, source: Any, request: Any, done: Any) -> Any:
        if request.content.text == "odd":
            raise KeyError("odd")
        return await send(sender, source, request, done)

    monkeypatch.setattr(TelegramSender, "send", failing)
    await shop.ask(
        shop.request("1", "odd"), shop.request("2", "after it"), shop.request("3", "other", BORIS)
    )

    told = [one.state for one in await shop.told("1", "2", "3")]

    # Nobody knows whether the platform took it: a person may send it again.
    assert told == ["uncertain", "sent", "sent"]
