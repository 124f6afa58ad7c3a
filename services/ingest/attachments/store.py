"""Attachments in object storage: the bytes, and beside them a note that says what they are.

``<workspace>/<attachment id>`` holds the bytes and ``<workspace>/<attachment id>.json`` the note.
The note is written last: what has one is whole.
"""

import re
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from libs.events.content import Attachment
from libs.runtime.storage import StorageAway

_ID: Final = re.compile(r"att_[0-9a-f]{30}")
ERASED: Final = "erased"
_UNKNOWN_TYPE: Final = "application/octet-stream"


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """``missing``: why the bytes are not here. ``source_id``: where they could be fetched."""

    attachment: Attachment
    missing: str | None = None
    source_id: str | None = None


_note = msgspec.json.Decoder(Note)


class AttachmentStore:
    """All errors are StorageAway."""

    def __init__(self, storage: ObjectStore) -> None:
        self._storage = storage

    async def put(
        self, workspace_id: str, attachment_id: str, content: bytes | AsyncIterator[bytes]
    ) -> None:
        """The bytes alone. What ``content`` raises while it is read passes through."""
        try:
            await self._storage.put_async(f"{workspace_id}/{attachment_id}", content)
        except (BaseError, OSError) as error:
            raise StorageAway(type(error).__name__) from error

    async def note(self, workspace_id: str, note: Note) -> None:
        """The bytes are whole (or will not come)."""
        path = f"{workspace_id}/{note.attachment.attachment_id}.json"
        try:
            await self._storage.put_async(path, msgspec.json.encode(note))
        except (BaseError, OSError) as error:
            raise StorageAway(type(error).__name__) from error

    async def note_first(self, workspace_id: str, note: Note) -> Note:
        """The bytes are whole (or will not come), unless it was said of them before what they are:
        what the note says now. Of what was erased in the meantime, the bytes are deleted again."""
        attachment_id = note.attachment.attachment_id
        path = f"{workspace_id}/{attachment_id}.json"
        try:
            await self._storage.put_async(path, msgspec.json.encode(note), mode="create")
        except AlreadyExistsError:
            note = await self.describe(workspace_id, attachment_id) or note
            if note.missing == ERASED:
                await self.delete(workspace_id, attachment_id)
        except (BaseError, OSError) as error:
            raise StorageAway(type(error).__name__) from error
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
        try:
            await self._storage.delete_async(f"{workspace_id}/{attachment_id}")
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StorageAway(type(error).__name__) from error

    async def describe(self, workspace_id: str, attachment_id: str) -> Note | None:
        """None where there is no such attachment in the workspace."""
        content = await self._get(workspace_id, attachment_id, ".json")
        return None if content is None else _note.decode(content)

    async def read(self, workspace_id: str, attachment_id: str) -> bytes | None:
        """All its bytes; None where they are not there."""
        return await self._get(workspace_id, attachment_id)

    async def stream(self, workspace_id: str, attachment_id: str) -> AsyncIterator[bytes] | None:
        """Its bytes, piece by piece; None where they are not there."""
        try:
            found = await self._storage.get_async(f"{workspace_id}/{attachment_id}")
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StorageAway(type(error).__name__) from error
        return (bytes(piece) async for piece in found.stream(min_chunk_size=256 * 1024))

    async def _get(self, workspace_id: str, attachment_id: str, ending: str = "") -> bytes | None:
        # Ids come from outside: nothing but an id of ours may become part of a path.
        if _ID.fullmatch(attachment_id) is None:
            return None
        try:
            found = await self._storage.get_async(f"{workspace_id}/{attachment_id}{ending}")
            return (await found.bytes_async()).to_bytes()
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StorageAway(type(error).__name__) from error
