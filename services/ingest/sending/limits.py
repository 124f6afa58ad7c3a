"""What a channel would refuse anyway, said before anything of it has left."""

from libs.events.channels import capabilities_of, channel_name
from libs.events.outbound import OutboundRequested
from services.ingest.ports.sending import Failed


def refusal_of(request: OutboundRequested) -> Failed | None:
    content, can = request.content, capabilities_of(request.channel)
    name = channel_name(request.channel, "en")
    if content.is_empty:
        return Failed("empty", "There is nothing to send")
    if can.text.size_of(content.text) > can.text.text:
        return Failed("too-long", f"{name} takes at most {can.text.text} {can.text.unit} of text")
    for attachment in content.attachments:
        allowed = can.max_bytes(attachment.kind)
        if (attachment.size_bytes or 0) > allowed:
            return Failed("too-large", f"{name} takes at most {allowed} bytes of such a file")
    return None
