"""Every channel's factory: one line a channel.

An installed package adds its own by an entry point of the group ``parley.ingest.channels``, named
as the channel; what it loads is a ``ChannelFactory``.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

from libs.events.content import Channel
from services.ingest.channels.protocol import ChannelFactory
from services.ingest.channels.telegram.adapter import telegram
from services.ingest.channels.widget.adapter import widget

GROUP: Final = "parley.ingest.channels"
_OWN: Final[Mapping[Channel, ChannelFactory]] = {
    Channel.TELEGRAM: telegram,
    Channel.WIDGET: widget,
}


def factory_of(channel: Channel) -> ChannelFactory:
    """Errors: ValueError, where the package that brings the channel brings no adapter."""
    if (own := _OWN.get(channel)) is not None:
        return own
    [point] = entry_points(group=GROUP, name=channel.value)
    factory: ChannelFactory = point.load()
    return factory
