"""The shapes in which the services answer each other, and the gateway the world, over HTTP.

Those of conversations and their attachments can be imported from here; the others, whose names are
shorter, from the module that says what they are of: ``directory``, ``filters``, ``notifications``,
``figures``.
"""

from libs.events.api.attachments import DescribeAttachments, StoredAttachments
from libs.events.api.conversations import (
    AddNote,
    AllRead,
    Comment,
    CommentsPage,
    ConversationPage,
    ConversationView,
    CustomerMessage,
    CustomerRef,
    CustomerTimeline,
    Delivery,
    Draft,
    DraftView,
    EditMessage,
    FailedCorrection,
    LastMessage,
    ReadAll,
    SendingAttempt,
    SendMessage,
    Sent,
    TimelineItem,
    TimelinePage,
    WithheldEdit,
)

__all__ = [
    "AddNote",
    "AllRead",
    "Comment",
    "CommentsPage",
    "ConversationPage",
    "ConversationView",
    "CustomerMessage",
    "CustomerRef",
    "CustomerTimeline",
    "Delivery",
    "DescribeAttachments",
    "Draft",
    "DraftView",
    "EditMessage",
    "FailedCorrection",
    "LastMessage",
    "ReadAll",
    "SendMessage",
    "SendingAttempt",
    "Sent",
    "StoredAttachments",
    "TimelineItem",
    "TimelinePage",
    "WithheldEdit",
]
