"""Object storage is asked in threads; what is sent in pieces is taken out of the loop by one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import ObjectStore

from libs.runtime import storage
from libs.runtime.storage import StorageAway, asked, open_storage, taken_from


class GoneAway(Exception):
    """Who sends the file hung up."""


@pytest.fixture
def folder(tmp_path: Path) -> ObjectStore:
    return open_storage(tmp_path.as_uri(), {})


async def kept(folder: ObjectStore) -> list[str]:
    return await asked(lambda: [one["path"] for page in folder.list() for one in page])


async def pieces(count: int, failure: Exception | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        await asyncio.sleep(0)
        yield bytes([number]) * 3_000_000
    if failure is not None:
        raise failure


async def test_pieces_become_one_object(folder: ObjectStore) -> None:
    taken = taken_from(pieces(4))

    await asked(lambda: folder.put("file", taken))

    content = await asked(lambda: folder.get("file").bytes().to_bytes())
    assert [content[at] for at in range(0, len(content), 3_000_000)] == [0, 1, 2, 3]


async def test_a_file_that_breaks_off_is_not_there(folder: ObjectStore) -> None:
    taken = taken_from(pieces(3, GoneAway()))

    with pytest.raises(GoneAway):
        await asked(lambda: folder.put("file", taken))

    assert await kept(folder) == []


async def test_who_falls_silent_holds_no_thread(
    folder: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SILENCE_SECONDS", 0.05)
    ended = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield b"begun"
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    taken = taken_from(silent())
    with pytest.raises(StorageAway):
        await asked(lambda: folder.put("file", taken))

    await asyncio.wait_for(ended.wait(), 5)
    assert await kept(folder) == []


async def test_a_storage_that_cannot_is_away(folder: ObjectStore) -> None:
    with pytest.raises(StorageAway):
        await asked(lambda: folder.get("nothing"))
