"""What conversation asks for, as attempts are made of it: to send, or to correct what was sent."""

from typing import Literal

from libs.events.outbound import OutboundDeleteRequested, OutboundEditRequested, OutboundRequested

Correction = OutboundEditRequested | OutboundDeleteRequested
Request = OutboundRequested | Correction


def id_of(request: Request) -> str:
    """The name of the attempt."""
    return request.message_id if isinstance(request, OutboundRequested) else request.request_id


def correction_of(request: Request) -> Literal["edit", "delete"] | None:
    """None: it is a message to send."""
    match request:
        case OutboundEditRequested():
            return "edit"
        case OutboundDeleteRequested():
            return "delete"
    return None
