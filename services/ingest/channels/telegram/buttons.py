"""Buttons under a message that is sent.

Source: https://core.telegram.org/bots/api#inlinekeyboardbutton
"""

from typing import Any

from libs.events.content import Button, Content


def keyboard_of(content: Content) -> dict[str, Any] | None:
    """``reply_markup``; None: there are no buttons."""
    rows = [[_button(one) for one in row] for row in content.buttons]
    return {"inline_keyboard": rows} if rows else None


def _button(button: Button) -> dict[str, str]:
    if button.url is not None:
        return {"text": button.text, "url": button.url}
    return {"text": button.text, "callback_data": button.data or button.text}
