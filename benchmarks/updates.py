"""Updates as Telegram's webhook brings them: private text messages, each distinct.

Source: https://core.telegram.org/bots/api#update
"""

import time
from collections.abc import Iterator, Mapping
from itertools import count

import msgspec

from benchmarks.wire import request

FIRST_CHAT = 5_000_000_000
_WORDS = "Good afternoon! My order has not arrived yet, could you please tell me where it is now?"


class Updates:
    """Makes requests to one source's webhook. Every update and message has a number of its own."""

    def __init__(self, webhook_url: str, headers: Mapping[str, str]) -> None:
        self._url = webhook_url
        self._headers = headers
        self._numbers = count(1)

    def to(self, chat: int, text: str = _WORDS, *, seconds_ago: int = 0) -> bytes:
        """A message in the private chat of that number, counted from 0; about 480 bytes."""
        number = next(self._numbers)
        person = {
            "id": FIRST_CHAT + chat,
            "first_name": "Olena",
            "last_name": f"Kovalenko {chat}",
            "username": f"olena_{chat}",
        }
        update = {
            "update_id": 700_000_000 + number,
            "message": {
                "message_id": number,
                "from": {**person, "is_bot": False, "language_code": "uk"},
                "chat": {**person, "type": "private"},
                "date": int(time.time()) - seconds_ago,
                "text": text,
            },
        }
        return request("POST", self._url, self._headers, msgspec.json.encode(update))

    def over(self, chats: range, messages: int) -> Iterator[bytes]:
        """So many messages, one chat after the other."""
        for number in range(messages):
            yield self.to(chats[number % len(chats)])
