"""Object storage: a folder on one machine, S3 or its like on many.

It is asked in threads, because obstore's own asynchronous calls now and then abort an interpreter
that ends right after them (exit code 134, measured with 0.12.1).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, from_url

from libs.runtime.away import ServerAway

# Somebody who sends a file and falls silent holds a thread so long.
SILENCE_SECONDS: Final = 60.0


class StorageAway(ServerAway):
    """The object storage did not do what it was asked."""


def open_storage(url: str, options: Mapping[str, str]) -> ObjectStore:
    """``options`` as obstore names them for the store (``region``, ``endpoint``…)."""
    if url.startswith("file://"):
        folder: ObjectStore = from_url(url, mkdir=True)
        return folder
    given: Any = dict(options)
    remote: ObjectStore = from_url(url, config=given)
    return remote


async def asked[T](ask: Callable[[], T], threads: Executor | None = None) -> T:
    """What ``ask`` answers, called in a thread: of ``threads``, or of the loop's own.

    Errors: StorageAway; what else ``ask`` raises passes through.
    """
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, ask)
    except (BaseError, OSError) as error:
        raise StorageAway(type(error).__name__) from error


async def created(storage: ObjectStore, path: str, content: bytes) -> bool:
    """Whether it is there now: False where something was there before, and stays.

    Errors: StorageAway.
    """

    def put() -> bool:
        try:
            storage.put(path, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    return await asked(put)


async def content_of(storage: ObjectStore, path: str) -> bytes | None:
    """None where nothing is there. Errors: StorageAway."""

    def get() -> bytes | None:
        try:
            return storage.get(path).bytes().to_bytes()
        except FileNotFoundError:
            return None

    return await asked(get)


def taken_from(content: AsyncIterator[bytes]) -> Iterator[bytes]:
    """The pieces of ``content``, for a thread that takes them one by one out of this loop.

    To be called in the loop. What ``content`` raises is raised in the thread.
    """
    loop = asyncio.get_running_loop()

    async def following() -> bytes | None:
        return await anext(content, None)

    def pieces() -> Iterator[bytes]:
        while (piece := waited_for(following())) is not None:
            yield piece

    def waited_for(piece: Coroutine[Any, Any, bytes | None]) -> bytes | None:
        waiting = asyncio.run_coroutine_threadsafe(piece, loop)
        try:
            return waiting.result(SILENCE_SECONDS)
        finally:
            waiting.cancel()

    return pieces()
