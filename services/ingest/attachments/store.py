"""Attachments in object storage: the bytes, and beside them a note that says what they are.

``<workspace>/<attachment id>`` holds the bytes and ``<workspace>/<attachment id>.json`` the note.
The note is written last: what has one is whole.
"""

import re
from collections.abc import AsyncIterator, Buffer, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import msgspec
from obstore.store import ObjectStore

from libs.events.content import Attachment
from libs.runtime.storage import asked, content_of, created, taken_from

_ID: Final = re.compile(r"att_[0-9a-f]{30}")
ERASED: Final = "erased"
_UNKNOWN_TYPE: Final = "application/octet-stream"
# A file that somebody sends holds a thread until it is whole: not one of those that read.
_UPLOADS_AT_ONCE: Final = 32
_PIECE_BYTES: Final = 256 * 1024


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """``missing``: why the bytes are not here. ``source_id``: where they could be fetched.
    ``member_id``: who gave it."""

    attachment: Attachment
    missing: str | None = None
    source_id: str | None = None
    member_id: str | None = None


_note = msgspec.json.Decoder(Note)


class AttachmentStore:
    """All errors are StorageAway."""

    def __init__(self, storage: ObjectStore) -> None:
        self._storage = storage
        self._uploads = ThreadPoolExecutor(_UPLOADS_AT_ONCE, "upload")

    async def put(
        self, workspace_id: str, attachment_id: str, content: bytes | AsyncIterator[bytes]
    ) -> None:
        """The bytes alone. What ``content`` raises while it is read passes through."""
        path = f"{workspace_id}/{attachment_id}"
        if isinstance(content, bytes):
            await asked(lambda: self._storage.put(path, content))
        else:
            pieces = taken_from(content)
            await asked(lambda: self._storage.put(path, pieces), self._uploads)

    async def note(self, workspace_id: str, note: Note) -> None:
        """The bytes are whole (or will not come)."""
        path = f"{workspace_id}/{note.attachment.attachment_id}.json"
        await asked(lambda: self._storage.put(path, msgspec.json.encode(note)))

    async def note_first(self, workspace_id: str, note: Note) -> Note:
        """The bytes are whole (or will not come), unless it was said of them before what they are:
        what the note says now. Of what was erased in the meantime, the bytes are deleted again."""
        attachment_id = note.attachment.attachment_id
        path = f"{workspace_id}/{attachment_id}.json"
        if not await created(self._storage, path, msgspec.json.encode(note)):
            note = await self.describe(workspace_id, attachment_id) or note
            if note.missing == ERASED:
                await self.delete(workspace_id, attachment_id)
        return note

    async def erase(self, workspace_id: str, attachment_id: str) -> None:
        """The bytes are gone, and do not come again: the note stays and says so."""
        if _ID.fullmatch(attachment_id) is None:
            return
        nothing = Attachment(
            attachment_id=attachment_id, kind="file", media_type=_UNKNOWN_TYPE, reference=""
        )
        await self.note(workspace_id, Note(nothing, ERASED))
        await self.delete(workspace_id, attachment_id)

    async def delete(self, workspace_id: str, attachment_id: str) -> None:
        """The bytes alone; it is fine if there are none."""

        def delete() -> None:
            with suppress(FileNotFoundError):
                self._storage.delete(f"{workspace_id}/{attachment_id}")

        await asked(delete)

    async def describe(self, workspace_id: str, attachment_id: str) -> Note | None:
        """None where there is no such attachment in the workspace."""
        content = await self._get(workspace_id, attachment_id, ".json")
        return None if content is None else _note.decode(content)

    async def read(self, workspace_id: str, attachment_id: str) -> bytes | None:
        """All its bytes; None where they are not there."""
        return await self._get(workspace_id, attachment_id)

    async def stream(self, workspace_id: str, attachment_id: str) -> AsyncIterator[bytes] | None:
        """Its bytes, piece by piece; None where they are not there."""

        def opened() -> Iterator[Buffer] | None:
            try:
                found = self._storage.get(f"{workspace_id}/{attachment_id}")
            except FileNotFoundError:
                return None
            return iter(found.stream(min_chunk_size=_PIECE_BYTES))

        pieces = await asked(opened)
        return None if pieces is None else _given(pieces)

    async def _get(self, workspace_id: str, attachment_id: str, ending: str = "") -> bytes | None:
        # Ids come from outside: nothing but an id of ours may become part of a path.
        if _ID.fullmatch(attachment_id) is None:
            return None
        return await content_of(self._storage, f"{workspace_id}/{attachment_id}{ending}")


async def _given(pieces: Iterator[Buffer]) -> AsyncIterator[bytes]:
    while (piece := await asked(lambda: next(pieces, None))) is not None:
        yield bytes(piece)
