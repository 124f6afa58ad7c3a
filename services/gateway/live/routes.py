"""What happens, as it happens, over plain HTTP."""

from enum import StrEnum
from typing import Final

from libs.events.conversation.case import ConversationEvent
from libs.events.conversation.message import MessageDeliveryChanged
from libs.events.registry import all_types
from libs.runtime.problems import Unavailable
from services.gateway.access import Access
from services.gateway.api.routes import Routes
from services.gateway.live.event_stream import LiveEvents
from services.gateway.live.room import Room

_CURSOR: Final = {
    "name": "cursor",
    "in": "query",
    "description": "Where to go on: the id of the last event. `Last-Event-ID` says it too.",
    "schema": {"type": "string"},
}
_ABOUT: Final = """\
Server-sent events, for clients that cannot have the WebSocket of the same address: the same frames,
each with its `type` as the event's name and its `cursor` as the event's id; `event` in a frame is a
`LiveEventName`. It begins with `ready`; `reload` says to ask for the present. Every 20 seconds of
silence a comment comes. Where it ends, it is opened again with `Last-Event-ID`; 401 says that the
session is over.
"""


# What `event` says in a frame; told in OpenAPI, as the schema of that name.
LiveEventName = StrEnum(  # type: ignore[misc]  # its members are what is declared
    "LiveEventName",
    [
        (spec.name, spec.name)
        for spec in all_types()
        if issubclass(spec.body, ConversationEvent | MessageDeliveryChanged)
    ],
)


def add_live_route(routes: Routes, access: Access, room: Room) -> None:
    routes.tell(LiveEventName)
    routes.add(
        "GET", "/v1/live", LiveEvents(access, room).open,
        name="followLive", summary="What happens, as it happens", description=_ABOUT,
        answer={"text/event-stream": {"schema": {"type": "string"}}}, query=(_CURSOR,),
        problems=(Unavailable,),
    )  # fmt: skip
