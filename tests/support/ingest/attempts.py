"""Requests to send, and the attempts of replicas that died."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Channel, Content
from libs.events.outbound import OutboundRequested
from services.ingest.sending.attempts import Attempts
from tests.support.ingest.service import (
    ANNA,
    IDS,
    SOURCE_ID,
)

AttemptsOf = Callable[[str], Attempts]


Database = AsyncDatabase[dict[str, Any]]


def request(
    message_id: str, text: str = "hello", chat: int = ANNA, **more: Any
) -> OutboundRequested:
    return OutboundRequested(
        **{
            "message_id": message_id,
            "conversation_id": IDS.conversation(SOURCE_ID, str(chat)),
            "case_id": "cas_1",
            "source_id": SOURCE_ID,
            "channel": Channel.TELEGRAM,
            "thread": str(chat),
            "content": Content(text=text),
            "requested_at": datetime.now(UTC),
            "member_id": "mem_1",
            **more,
        }
    )
