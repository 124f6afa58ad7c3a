"""In words, what a person sent that is neither text nor file nor place.

Each kind has its name in the workspace's language, in brackets before what can be said of it: a
customer's message that nobody sees would be overlooked. What Telegram itself says (who joined, what
was pinned) is no message of a person's; what is neither is of a kind that this version does not
know, and is named as such.

Source: https://core.telegram.org/bots/api#message
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from babel.numbers import get_currency_precision

from services.ingest.channels.telegram.shapes import TelegramMessage

# The text of a key, in the workspace's language.
type Say = Callable[[str], str]

_LONGEST: Final = 4096
_LINES: Final = 30
_STARS: Final = "XTR"
_DEPTH: Final = 16

# In the order in which they are looked for: a game's animation, say, is no file of its own.
KINDS: Final = (
    *("poll", "invoice", "successful_payment", "refunded_payment", "web_app_data"),
    *("users_shared", "user_shared", "chat_shared", "passport_data", "gift", "unique_gift"),
    *("gift_upgrade_sent", "giveaway", "giveaway_winners", "giveaway_completed", "checklist"),
    *("story", "game", "paid_media", "managed_bot_created"),
)
# What Telegram says of the chat.
SERVICE: Final = frozenset(
    {
        *("new_chat_members", "new_chat_member", "new_chat_participant", "left_chat_member"),
        *("left_chat_participant", "new_chat_title", "new_chat_photo", "delete_chat_photo"),
        *("group_chat_created", "supergroup_chat_created", "channel_chat_created"),
        *("migrate_to_chat_id", "migrate_from_chat_id", "pinned_message", "boost_added"),
        *("message_auto_delete_timer_changed", "connected_website", "write_access_allowed"),
        *("proximity_alert_triggered", "chat_background_set", "checklist_tasks_done"),
        *("checklist_tasks_added", "direct_message_price_changed", "forum_topic_created"),
        *("forum_topic_edited", "forum_topic_closed", "forum_topic_reopened"),
        *("general_forum_topic_hidden", "general_forum_topic_unhidden", "giveaway_created"),
        *("paid_message_price_changed", "poll_option_added", "poll_option_deleted"),
        *("suggested_post_approved", "suggested_post_approval_failed", "suggested_post_declined"),
        *("suggested_post_paid", "suggested_post_refunded", "video_chat_scheduled"),
        *("video_chat_started", "video_chat_ended", "video_chat_participants_invited"),
        *("voice_chat_scheduled", "voice_chat_started", "voice_chat_ended"),
        *("voice_chat_participants_invited", "chat_owner_left", "chat_owner_changed"),
        *("community_chat_added", "community_chat_removed", "community_chat_joined"),
    }
)


def words(message: TelegramMessage, say: Say) -> str:
    """Empty where there is nothing but text, files and places."""
    if message.contact is not None:
        name = _joined(" ", *(_text(message.contact, n) for n in ("first_name", "last_name")))
        told = _joined(" ", name, _text(message.contact, "phone_number"))
        return told or _named(say, "contact")
    if message.dice is not None:
        return _joined(" ", _text(message.dice, "emoji") or "🎲", _number(message.dice, "value"))
    if message.rich_message is not None:
        told = "\n".join(_flat(_of(message.rich_message, "blocks")))[:_LONGEST]
        return told or _named(say, "rich_message")
    for kind in KINDS:
        if (content := getattr(message, kind)) is not None:
            lines = [line for line in _lines(kind, content) if line][:_LINES]
            return "\n".join([_joined(" ", _named(say, kind), *lines[:1]), *lines[1:]])[:_LONGEST]
    return ""


def unknown_words(say: Say) -> str:
    return _named(say, "unknown")


def doing_words(kind: str, detail: str, say: Say) -> str:
    return _joined(" ", _named(say, kind), detail[:200])


def _named(say: Say, kind: str) -> str:
    return f"[{say(f'content.{kind}')}]"


def _lines(kind: str, of: Any) -> Iterator[str]:
    match kind:
        case "poll":
            yield _text(of, "question")
            yield from (f"• {_text(option, 'text')}" for option in _list(of, "options"))
        case "invoice":
            yield _joined(" · ", _text(of, "title"), _money(of))
            yield _text(of, "description")
        case "successful_payment" | "refunded_payment":
            yield _money(of)
        case "web_app_data":
            yield _text(of, "button_text")
            yield _text(of, "data")
        case "users_shared":
            yield from (_person(one) for one in _list(of, "users"))
        case "chat_shared":
            yield _joined(" ", _text(of, "title"), _at(of))
        case "gift":
            yield _stars(_of(of, "gift"), "star_count")
            yield _text(of, "text")
        case "unique_gift":
            number = _number(_of(of, "gift"), "number")
            yield _joined(" #", _text(_of(of, "gift"), "base_name"), number)
            yield _text(of, "text")
        case "giveaway" | "giveaway_winners":
            yield _text(of, "prize_description") or _stars(of, "prize_star_count")
            yield from (_person(one) for one in _list(of, "winners"))
        case "checklist":
            yield _text(of, "title")
            for task in _list(of, "tasks"):
                yield f"{'☑' if _number(task, 'completion_date') else '☐'} {_text(task, 'text')}"
        case "story":
            yield _joined(" ", _text(_of(of, "chat"), "title"), _at(_of(of, "chat")))
        case "game":
            yield _text(of, "title")
            yield _text(of, "description")
        case "paid_media":
            yield _stars(of, "star_count")
        case "managed_bot_created":
            yield _person(_of(of, "bot_user"))


def _flat(node: Any, depth: int = 0) -> Iterator[str]:
    """The text of a rich message's blocks, a line each."""
    if depth > _DEPTH:
        return
    for block in node if isinstance(node, list) else ():
        line = _joined("", _text(block, "label"), " ") if _text(block, "label") else ""
        line += _inline(_of(block, "text")) or _inline(_of(block, "summary"))
        if line.strip():
            yield line.strip()
        yield from _flat(_of(block, "blocks"), depth + 1)
        yield from _flat(_of(block, "items"), depth + 1)
        for row in _list(block, "cells"):
            cells = row if isinstance(row, list) else ()
            yield " | ".join(_inline(_of(cell, "text")) for cell in cells)
        if caption := _inline(_of(_of(block, "caption"), "text")):
            yield caption


def _inline(node: Any, depth: int = 0) -> str:
    if isinstance(node, str):
        return node
    if depth > _DEPTH:
        return ""
    if isinstance(node, list):
        return "".join(_inline(one, depth + 1) for one in node)
    return _inline(_of(node, "text"), depth + 1)


def _money(of: Any) -> str:
    """Sums are told in the smallest units of their currency."""
    amount, currency = _of(of, "total_amount"), _text(of, "currency")
    if not isinstance(amount, int):
        return currency
    if currency == _STARS:
        return f"{amount} ⭐"
    digits = get_currency_precision(currency)
    return f"{amount / 10**digits:.{digits}f} {currency}"


def _stars(of: Any, name: str) -> str:
    count = _number(of, name)
    return f"{count} ⭐" if count else ""


def _person(of: Any) -> str:
    name = _joined(" ", _text(of, "first_name"), _text(of, "last_name"))
    return _joined(" ", name, _at(of))


def _at(of: Any) -> str:
    return f"@{name}" if (name := _text(of, "username")) else ""


def _of(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, Mapping) else None


def _text(of: Any, name: str) -> str:
    found = _of(of, name)
    return found if isinstance(found, str) else ""


def _number(of: Any, name: str) -> str:
    found = _of(of, name)
    return str(found) if isinstance(found, int) else ""


def _list(of: Any, name: str) -> list[Any]:
    found = _of(of, name)
    return found[:_LINES] if isinstance(found, list) else []


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)
