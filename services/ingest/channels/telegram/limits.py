"""Telegram's rates, and what its webhook takes; what a message may be stands in
``libs.events.channels``.

Sources: https://core.telegram.org/bots/api and https://core.telegram.org/bots/faq
("My bot is hitting limits", "How do I upload a large file?"), read in November 2026.
"""

from typing import Final

# The longest updates list what was deleted, 60,000 numbers and more; Kafka takes 1 MB a message,
# should nobody be able to read it.
WEBHOOK_MAX_BYTES: Final = 900_000

# "Avoid sending more than one message per second" to a chat; "short bursts that go over this limit"
# are allowed, without a number: the burst is our guess, and a 429 is obeyed when it is wrong.
CHAT_PER_SECOND: Final = 1.0
CHAT_BURST: Final = 5
GROUP_PER_SECOND: Final = 20 / 60
BOT_PER_SECOND: Final = 30.0
BOT_BURST: Final = 30

ALLOWED_UPDATES: Final = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "callback_query",
    "purchased_paid_media",
    "managed_bot",
    "subscription",
)
SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"  # noqa: S105  # a header's name
