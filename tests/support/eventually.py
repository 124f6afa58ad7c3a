"""The one way in which tests wait for what happens elsewhere: they look again until it is so."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, overload

PATIENCE_SECONDS: Final = 30.0
# Looking costs the other side a request at most; what is asked of a server is asked this often.
PAUSE_SECONDS: Final = 0.02


@overload
async def eventually[T](
    look: Callable[[], Awaitable[T | None]], *, within_seconds: float = ...
) -> T: ...


@overload
async def eventually[T](look: Callable[[], T | None], *, within_seconds: float = ...) -> T: ...


@overload
async def eventually[T](
    look: Callable[[], Awaitable[T]], until: Callable[[T], object], *, within_seconds: float = ...
) -> T: ...


@overload
async def eventually[T](
    look: Callable[[], T], until: Callable[[T], object], *, within_seconds: float = ...
) -> T: ...


async def eventually(
    look: Callable[[], Any],
    until: Callable[[Any], object] = bool,
    *,
    within_seconds: float = PATIENCE_SECONDS,
) -> Any:
    """The first answer of ``look`` that is true, or that is right to ``until``.

    ``look`` is a function or a coroutine function; what it raises ends the waiting.
    Errors: TimeoutError, which names the last answer.
    """
    answer: Any = None
    try:
        async with asyncio.timeout(within_seconds):
            while True:
                answer = look()
                if inspect.isawaitable(answer):
                    answer = await answer
                if until(answer):
                    return answer
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"not within {within_seconds} s; last seen: {answer!r}") from None
