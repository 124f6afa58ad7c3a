"""Letters out: ``POST /lofts/<loft>/letters {"to", "text"}``."""

import aiohttp

from libs.events.outbound import OutboundRequested
from services.ingest.ports.sending import (
    Correction,
    Failed,
    Later,
    Request,
    SendOutcome,
    Sent,
    Uncertain,
)
from services.ingest.sources import OpenSource
from tests.support.pigeon.channel import PigeonCredentials


class PigeonSender:
    """A ``ChannelSender``."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def ready(self, source: OpenSource[PigeonCredentials], request: Request) -> None:
        return

    async def send(
        self,
        source: OpenSource[PigeonCredentials],
        request: OutboundRequested,
        done: tuple[str, ...],
    ) -> SendOutcome:
        letter = {"to": request.thread, "text": request.content.text}
        url = f"{self._url}/lofts/{source.credentials.loft}/letters"
        try:
            async with self._session.post(url, json=letter) as answer:
                if not answer.ok:
                    return Failed(f"pigeon-{answer.status}", await answer.text())
                return Sent(((await answer.json())["id"],))
        except aiohttp.ClientConnectorError:
            return Later("network")
        except aiohttp.ClientError:
            return Uncertain("no-answer", "The pigeon did not come back")

    async def correct(
        self, source: OpenSource[PigeonCredentials], request: Correction
    ) -> Sent | Failed | Later:
        return Failed("pigeon-away", "A pigeon cannot be called back")
