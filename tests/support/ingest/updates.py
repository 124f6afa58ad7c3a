"""Updates as Telegram posts them."""

from typing import Any


def text_update(update_id: int = 1, message_id: int = 10, text: str = "hello") -> dict[str, Any]:
    person = {"id": 42, "is_bot": False, "first_name": "Anna"}
    return {
        "update_id": update_id,
        "message": {
            "message_id": message_id,
            "from": person,
            "chat": {"id": 42, "first_name": "Anna", "type": "private"},
            "date": 1760000000,
            "text": text,
        },
    }
