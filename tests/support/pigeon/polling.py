"""Letters that wait in a loft until somebody asks: ``GET /lofts/<loft>/waiting?after=``."""

from datetime import datetime, timedelta
from typing import ClassVar

import aiohttp
import msgspec

from libs.events.ids import IdKey
from services.ingest.ports.platform import NoAnswer, NotReached, PlatformRefused
from services.ingest.ports.polling import Polled
from services.ingest.sources import OpenSource
from tests.support.pigeon.channel import PigeonCredentials
from tests.support.pigeon.hook import read_letters


class _Waiting(msgspec.Struct, frozen=True):
    letters: list[msgspec.Raw]
    position: str


class PigeonPoll:
    """A ``Poll``."""

    pause: ClassVar[timedelta] = timedelta(seconds=1)

    def __init__(self, session: aiohttp.ClientSession, url: str, ids: IdKey) -> None:
        self._session = session
        self._url = url
        self._ids = ids

    async def look(
        self, source: OpenSource[PigeonCredentials], position: str | None, received_at: datetime
    ) -> Polled:
        url = f"{self._url}/lofts/{source.credentials.loft}/waiting"
        try:
            async with self._session.get(url, params={"after": position or "0"}) as answer:
                if not answer.ok:
                    raise PlatformRefused(answer.status, await answer.text())
                waiting = msgspec.json.decode(await answer.read(), type=_Waiting)
        except aiohttp.ClientConnectorError:
            raise NotReached from None
        except (aiohttp.ClientError, msgspec.DecodeError) as error:
            raise NoAnswer from error
        events, unreadable = read_letters(self._ids, source.id, waiting.letters, received_at)
        return Polled(waiting.position, events, unreadable)
