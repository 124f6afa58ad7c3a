"""What a customer looks like, as the channel shows them to whoever may write to them.

Nothing of it is kept here: a photo is changed on the platform at any time, and of a person who is
forgotten there is then none to delete.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from libs.events.api.customers import PhotoPlace, PhotoPlaces
from libs.events.content import Channel
from libs.runtime.bodies import BodyReader
from libs.runtime.problems import NotFound, Unavailable
from libs.runtime.trust import caller_of
from services.ingest.attachments.rules import HEAD_BYTES, image_type
from services.ingest.localization import TEXTS
from services.ingest.ports.files import PhotoSource
from services.ingest.ports.platform import PASSING
from services.ingest.sources import OpenSource, SourceBook

SIDE_BY_SIDE: Final = 8
# Somebody looks at a list meanwhile; the turn of a request is waited for within it.
_SECONDS: Final = 10.0
# In the browser of who may see the customer, and no longer than one would like an old face.
_CACHED: Final = "private, max-age=3600"


@dataclass(frozen=True, slots=True)
class Photo:
    """``content`` and its ``media_type`` are empty where the one who asks has it already."""

    etag: str
    media_type: str = ""
    content: bytes = b""


class Photos:
    def __init__(self, sources: SourceBook, platforms: Mapping[Channel, PhotoSource[Any]]) -> None:
        self._sources = sources
        self._platforms = platforms
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def first(
        self, workspace_id: str, places: Sequence[PhotoPlace], known: str | None
    ) -> Photo:
        """Of the first place that has one; ``known``: the ETag of what the asker has.

        Errors: NotFound, Unavailable (a platform that does not answer, or has had enough).
        """
        try:
            async with asyncio.timeout(_SECONDS), self._turns:
                for place in places:
                    if (photo := await self._at(workspace_id, place, known)) is not None:
                        return photo
        except (*PASSING, TimeoutError) as error:
            raise Unavailable(TEXTS.say("unavailable.platform")) from error
        raise NotFound(TEXTS.say("not-found.photo"))

    async def _at(self, workspace_id: str, place: PhotoPlace, known: str | None) -> Photo | None:
        source = self._source(workspace_id, place)
        if source is None or (platform := self._platforms.get(place.channel)) is None:
            return None
        if (found := await platform.find(source.credentials, place.thread)) is None:
            return None
        etag = f'"{found.version}"'
        if etag == known:
            return Photo(etag)
        content = await platform.fetch(source.credentials, found)
        if content is None or (media_type := image_type(content[:HEAD_BYTES])) is None:
            return None
        return Photo(etag, media_type, content)

    def _source(self, workspace_id: str, place: PhotoPlace) -> OpenSource[Any] | None:
        try:
            source = self._sources.get(place.source_id, place.channel)
        except NotFound:
            return None
        return source if source.workspace_id == workspace_id else None


def photo_routes(photos: Photos) -> list[BaseRoute]:
    """Within the workspace of the caller's token. Errors: 401, 404, 422, 503."""
    reader = BodyReader(PhotoPlaces)

    async def photo(request: Request) -> Response:
        caller = caller_of(request)
        asked, _ = await reader.read(request)
        known = request.headers.get("if-none-match")
        found = await photos.first(caller.workspace_id, asked.places, known)
        headers = {"etag": found.etag, "cache-control": _CACHED}
        if not found.content:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.media_type)

    # Where the photo is says who the customer is there: in the body, out of the logs.
    return [Route("/v1/photos", photo, methods=["POST"])]
