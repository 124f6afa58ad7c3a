"""What conversation asks for, as attempts are made of it: to send, or to correct what was sent."""

from typing import Literal

from libs.events.outbound import OutboundDeleteRequested, OutboundEditRequested, OutboundRequested
from services.ingest.ports.sending import Request


def id_of(request: Request) -> str:
    """The name of the attempt. Those of one message to send begin with the message's id."""
    if not isinstance(request, OutboundRequested):
        return request.request_id
    if request.attempt == 1:
        return request.message_id
    return f"{request.message_id}.attempt.{request.attempt}"


def number_of(request: Request) -> int:
    """Which sending of its message it is; a correction is of none."""
    return request.attempt if isinstance(request, OutboundRequested) else 1


def correction_of(request: Request) -> Literal["edit", "delete"] | None:
    """None: it is a message to send."""
    match request:
        case OutboundEditRequested():
            return "edit"
        case OutboundDeleteRequested():
            return "delete"
    return None
