"""What notify reads from Kafka and writes to it."""

from typing import Final

from libs.events.conversation.case import (
    CaseAssigned,
    CaseForwarded,
    CaseOpened,
    CaseReopened,
    CaseRouted,
    CaseSentToCrm,
    MemberGone,
    TransferOffered,
)
from libs.events.conversation.message import NoteAdded, SendingFailed
from libs.events.topics import Topic
from libs.runtime.streams import Publication, Streams, Subscription

TOLD: Final = Subscription(
    group="notify",
    topics=(Topic.CONVERSATION,),
    description="Members are told what concerns them, and the CRM of what was sent to it.",
    messages=(
        CaseOpened,
        CaseRouted,
        CaseForwarded,
        CaseAssigned,
        CaseReopened,
        TransferOffered,
        NoteAdded,
        SendingFailed,
        MemberGone,
        CaseSentToCrm,
    ),
    # Nobody waits for it: the console shows a new case by itself.
    patience_seconds=0.25,
    ordered=False,
)
NOTIFICATIONS: Final = Publication(
    topic=Topic.NOTIFICATION, description="A member is told something in the application."
)

STREAMS: Final = Streams(
    subscriptions=(TOLD,), publications=(NOTIFICATIONS,), follows=(Topic.DIRECTORY,)
)
