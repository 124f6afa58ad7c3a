"""Attachments: which of those that were stored are meant, and what they are."""

from libs.events.api.requests import RequestBody
from libs.events.content import Attachment
from libs.events.registry import Body


class DescribeAttachments(RequestBody):
    """``own``: those of them that are meant only if who asks gave them."""

    ids: tuple[str, ...]
    own: tuple[str, ...] = ()


class StoredAttachments(Body):
    """Those that are there, of the ones asked for."""

    items: tuple[Attachment, ...]


class FindAttachments(RequestBody):
    ids: tuple[str, ...]


class AttachmentsInSight(Body):
    """Of the ones asked for, those in a conversation that a member sees, and those in others
    alone. Of the rest there is no message yet."""

    visible: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
