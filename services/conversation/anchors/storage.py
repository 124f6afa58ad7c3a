"""Where anchors are kept: ``<workspace>/<number, ten digits>.json`` in object storage.

What is there is never written over: of two who write the same number one is told that it is taken.
"""

import hashlib
import re
from typing import Final

import msgspec
from obstore.store import ObjectStore

from libs.runtime.storage import asked, content_of, created, open_storage
from services.conversation.anchors.anchor import Anchor, Before
from services.conversation.settings import ConversationSettings

_NAME: Final = re.compile(r"(\d{10})\.json")
_decoder: Final = msgspec.json.Decoder(Anchor)


class AnchorStorage:
    """All errors are StorageAway."""

    def __init__(self, storage: ObjectStore) -> None:
        self._storage = storage

    async def add(self, anchor: Anchor) -> bool:
        """Whether it is there now: False where its number is taken."""
        path = _path(anchor.workspace, anchor.number)
        return await created(self._storage, path, msgspec.json.encode(anchor))

    async def last(self, workspace: str) -> Before:
        """On what the workspace's next anchor follows."""
        numbers = await self.numbers(workspace)
        if not numbers:
            return Before()
        content = await self._content(workspace, numbers[-1])
        anchor = _read(content)
        if anchor is not None and anchor.number == numbers[-1]:
            return anchor.before_next()
        # Somebody spoilt it. Anchoring goes on behind it; verification will tell of it.
        return Before(numbers[-1], hashlib.sha256(content).digest())

    async def read(self, workspace: str, number: int) -> Anchor | None:
        """None where it is not there, or is no anchor."""
        return _read(await self._content(workspace, number))

    async def workspaces(self) -> list[str]:
        """Those that have anchors."""
        found = await asked(self._storage.list_with_delimiter)
        return sorted(found["common_prefixes"])

    async def numbers(self, workspace: str) -> list[int]:
        """The numbers of the workspace's anchors, in order."""

        def listed() -> list[int]:
            paths = [one["path"] for page in self._storage.list(workspace) for one in page]
            names = [_NAME.fullmatch(path.rpartition("/")[2]) for path in paths]
            return sorted(int(name[1]) for name in names if name)

        return await asked(listed)

    async def _content(self, workspace: str, number: int) -> bytes:
        return await content_of(self._storage, _path(workspace, number)) or b""


def open_anchors(settings: ConversationSettings) -> AnchorStorage:
    """Where the settings say."""
    options = settings.conversation_anchor_options
    given = {name: value.get_secret_value() for name, value in options.items()}
    return AnchorStorage(open_storage(settings.conversation_anchor_url, given))


def _read(content: bytes) -> Anchor | None:
    try:
        return _decoder.decode(content)
    except msgspec.DecodeError:
        return None


def _path(workspace: str, number: int) -> str:
    return f"{workspace}/{number:010d}.json"
