"""Passwords: argon2id in threads, a few at a time, and the same work for an unknown account."""

import asyncio
import base64
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from libs.runtime.bodies import invalid_field
from libs.runtime.problems import TooMany
from services.gateway.accounts.guessable import is_guessable
from services.gateway.localization import TEXTS
from services.gateway.metrics import PASSWORD_SECONDS

# Each takes 64 MiB and a core for some tens of milliseconds: more at once would only let those who
# guess passwords slow down everybody else.
AT_ONCE: Final = 2
WAITING_AT_MOST: Final = 32
MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 256
_RANDOM_BYTES: Final = 15


class Passwords:
    """``hasher`` is the RFC 9106 low-memory profile unless given."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Errors: TooMany."""
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password. ``hashed`` None: False, after the same work.

        Errors: TooMany.
        """
        if self._nobodys is None:
            self._nobodys = await self.hash(secrets.token_urlsafe())
        against = hashed or self._nobodys
        right = await self._in_thread(lambda: self._verify(password, against))
        return right and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(hashed)

    def _verify(self, password: str, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    async def _in_thread[T](self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_AT_MOST:
            raise TooMany(TEXTS.say("too-many.passwords"))
        self._waiting += 1
        try:
            with PASSWORD_SECONDS.time():
                async with self._turns:
                    return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def random_password() -> str:
    """120 bits, easy to copy."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def derived_password(key: bytes, *parts: str) -> str:
    """Like a random one, but the same again for the same parts: kept nowhere, and yet not lost
    with the answer that showed it."""
    digest = hmac.digest(key, b"first password\0" + "\0".join(parts).encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:_RANDOM_BYTES]).decode()


def check_new_password(password: str, context: Iterable[str]) -> None:
    """``context``: words of the person and the workspace. Errors: Invalid, naming
    ``new_password``."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        told = TEXTS.say("invalid.password", {"least": MIN_LENGTH, "most": MAX_LENGTH})
        raise invalid_field("new_password", told)
    if is_guessable(password, context):
        raise invalid_field("new_password", TEXTS.say("invalid.password-guessable"))
