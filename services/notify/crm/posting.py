"""One try to post to a CRM, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Self

import aiohttp

from libs.runtime.outside import NotOutside, PrivateAddress, checked_url, connector

TRY_SECONDS: Final = 15.0  # under the lease
_TIMEOUT: Final = aiohttp.ClientTimeout(total=TRY_SECONDS, sock_connect=5)
_GONE: Final = 410
_MAX_WAIT_SECONDS: Final = 3600


class PostOutcome(StrEnum):
    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PostResult:
    """``reason`` has no words of the receiver's. ``wait``: it wants no other try before."""

    outcome: PostOutcome
    reason: str = ""
    wait: timedelta = timedelta()


class Poster:
    """Use as an async context manager. Follows no redirect, keeps no cookie, reads no answer's
    body: nobody learns through it what stands behind an address."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT,
            connector=connector(allow_private=self._allow_private),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": "Parley"},
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        if self._session is None:
            raise RuntimeError("the poster is not open")
        try:
            checked_url(url, allow_private=self._allow_private)
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                answer.close()
                return _answered(answer)
        except aiohttp.ClientConnectorError as error:
            private = isinstance(error.os_error, PrivateAddress)
            return PostResult(PostOutcome.RETRY, "a private address" if private else "not reached")
        except (aiohttp.ClientError, NotOutside, TimeoutError, ValueError) as error:
            return PostResult(PostOutcome.RETRY, f"no answer: {type(error).__name__}")


def _answered(answer: aiohttp.ClientResponse) -> PostResult:
    if 200 <= answer.status < 300:
        return PostResult(PostOutcome.DELIVERED)
    reason = f"status {answer.status}"
    if answer.status == _GONE:
        return PostResult(PostOutcome.FAILED, reason)
    wanted = answer.headers.get("retry-after", "")
    seconds = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 0
    return PostResult(PostOutcome.RETRY, reason, timedelta(seconds=min(seconds, _MAX_WAIT_SECONDS)))
