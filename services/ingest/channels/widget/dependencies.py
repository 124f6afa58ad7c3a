"""What the widget's routes are given, and the limits they keep."""

from dataclasses import dataclass, field
from typing import Final

from libs.events.ids import IdKey
from libs.runtime.directory import Directory
from libs.runtime.http import ServiceClient
from libs.runtime.limiter import Rate
from services.ingest.accept import Acceptor
from services.ingest.attachments.store import AttachmentStore
from services.ingest.channels.widget.files import FileHandles
from services.ingest.channels.widget.hub import QUEUE_SIZE, WidgetHub
from services.ingest.channels.widget.visitors import VisitorTokens
from services.ingest.sources import SourceBook

SESSION_RATE: Final = Rate(burst=30, per_second=0.5)
MESSAGE_RATE: Final = Rate(burst=30, per_second=1)
FILE_RATE: Final = Rate(burst=30, per_second=0.5)
# A household, an office, a school is one address.
MESSAGE_RATE_OF_AN_ADDRESS: Final = Rate(burst=60, per_second=3)
MESSAGE_RATE_OF_A_SOURCE: Final = Rate(burst=500, per_second=100)
RATE_OF_AN_ADDRESS: Final = Rate(burst=240, per_second=20)
RATE_OF_A_SOURCE: Final = Rate(burst=2_000, per_second=400)
SOCKETS_OF_A_CONVERSATION: Final = 10
SOCKETS_OF_AN_ADDRESS: Final = 300


@dataclass(frozen=True, slots=True)
class WidgetLimits:
    """``sessions`` are counted by address, ``messages`` and ``files`` by visitor, sockets by
    conversation; messages also by address and by source, and so is whatever is asked at all: who
    makes themselves many visitors is one address, and all of them together do not stop the other
    sources.

    ``waiting_events``: a socket that has more of them waiting has fallen behind.
    """

    sessions: Rate = SESSION_RATE
    messages: Rate = MESSAGE_RATE
    files: Rate = FILE_RATE
    messages_of_an_address: Rate = MESSAGE_RATE_OF_AN_ADDRESS
    messages_of_a_source: Rate = MESSAGE_RATE_OF_A_SOURCE
    of_an_address: Rate = RATE_OF_AN_ADDRESS
    of_a_source: Rate = RATE_OF_A_SOURCE
    sockets: int = SOCKETS_OF_A_CONVERSATION
    sockets_of_an_address: int = SOCKETS_OF_AN_ADDRESS
    waiting_events: int = QUEUE_SIZE


@dataclass(frozen=True, slots=True)
class WidgetDependencies:
    """What the routes need; all of it is made in the composition root.

    The wait for Kafka is the timeout of the ``acceptor``'s publisher.
    ``hub.run`` goes to the runtime's tasks, ``hub.check`` to its readiness.
    """

    directory: Directory
    sources: SourceBook
    acceptor: Acceptor
    id_key: IdKey
    tokens: VisitorTokens
    conversation: ServiceClient
    hub: WidgetHub
    files: FileHandles
    store: AttachmentStore
    limits: WidgetLimits = field(default_factory=WidgetLimits)
