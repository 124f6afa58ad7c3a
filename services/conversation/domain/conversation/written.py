"""What is told of a message that somebody wrote, and of where."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from libs.events.content import Channel, Content, Post, Sender, Visibility
from libs.events.instants import EARLIEST


class Place(msgspec.Struct, frozen=True):
    """What the directory says of the source that a message came by.

    ``routed``: the source has an autoforward rule, so a new case waits in routing.
    ``next_number`` gives a case that is opened its number in the workspace, another each time.
    """

    workspace_id: str
    source_id: str
    channel: Channel
    location_id: str
    routed: bool
    next_number: Callable[[], int]


class Written(msgspec.Struct, frozen=True):
    """A message as ingest tells of it. ``customer_id`` is whose ``thread`` (the platform's id of
    it) this is. ``blocked``: they are, for a thread that was not told of it. A comment is public,
    under ``post``. ``customer_name`` is told where another wrote; ``sent_at`` of an edit, which
    happened later."""

    message_id: str
    external_message_id: str
    customer_id: str
    sender: Sender
    content: Content
    occurred_at: datetime
    received_at: datetime
    thread: str
    reply_to: str | None = None
    blocked: bool = False
    visibility: Visibility = "private"
    post: Post | None = None
    permalink: str | None = None
    customer_name: str = ""
    sent_at: datetime | None = None

    @property
    def happened_at(self) -> datetime:
        """Never later than receipt, and no earlier than all stores can keep, whatever a platform
        says."""
        return max(EARLIEST, min(self.occurred_at, self.received_at))

    def forgotten(self) -> "Written":
        """Of a message that was erased: that it was edited, and nothing of what it says."""
        return replace(self, content=Content.blank(), sender=Sender.blank(), reply_to=None)

    def before_its_edit(self) -> "Written":
        """The message itself, of which nothing is known but this edit of it."""
        return replace(self, occurred_at=self.sent_at or self.occurred_at, sent_at=None)
