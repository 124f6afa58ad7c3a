"""What is sent to a visitor is read by the visitor's page itself."""

from libs.events.credentials import WidgetCredentials
from libs.events.outbound import OutboundRequested
from services.ingest.ports.sending import Correction, Failed, Later, Request, SendOutcome, Sent
from services.ingest.sources import OpenSource


class KeptSender:
    """A ``ChannelSender`` without a platform: what is asked for is in the conversation already."""

    async def ready(self, source: OpenSource[WidgetCredentials], request: Request) -> None:
        return

    async def send(
        self,
        source: OpenSource[WidgetCredentials],
        request: OutboundRequested,
        done: tuple[str, ...],
    ) -> SendOutcome:
        return Sent()

    async def correct(
        self, source: OpenSource[WidgetCredentials], request: Correction
    ) -> Sent | Failed | Later:
        return Sent()
