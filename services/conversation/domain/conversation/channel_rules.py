"""What each channel lets the team do to a message that was sent: data, with its sources."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from libs.events.content import Channel


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """Within which time after its sending a message may be edited, and deleted.

    None: at any time. Zero: never. ``by_external_id``: the platform has to be told which of its
    messages is meant, so nothing can be changed before it has said so.
    """

    edit_within: timedelta | None
    delete_within: timedelta | None
    by_external_id: bool


# Telegram: https://core.telegram.org/bots/api#updating-messages sets a bot's own messages no term,
# #deletemessage "A message can only be deleted if it was sent less than 48 hours ago".
# The widget is Parley's own.
CHANGE_RULES: Final = {
    Channel.TELEGRAM: ChangeRules(
        edit_within=None, delete_within=timedelta(hours=48), by_external_id=True
    ),
    Channel.WIDGET: ChangeRules(edit_within=None, delete_within=None, by_external_id=False),
}
