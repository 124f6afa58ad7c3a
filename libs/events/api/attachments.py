"""Attachments: which of those that were stored are meant, and what they are."""

from libs.events.api.requests import RequestBody
from libs.events.content import Attachment
from libs.events.registry import Body


class DescribeAttachments(RequestBody):
    ids: tuple[str, ...]


class StoredAttachments(Body):
    """Those that are there, of the ones asked for."""

    items: tuple[Attachment, ...]
