"""Short-lived signed tokens with which services call each other, and what they carry."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import jwt

ALGORITHM: Final = "HS256"
LIFETIME_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 5
_REMEMBERED: Final = 10_000


class InvalidToken(Exception):
    """Not signed with the deployment's key, too old, or not for this service."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a call is made. ``member_id`` is empty where a service acts by itself."""

    service: str
    workspace_id: str
    member_id: str = ""
    actions: frozenset[str] = frozenset()

    def may(self, action: str) -> bool:
        return action in self.actions


class ServiceTokens:
    """Issues and verifies. ``key`` is the deployment's service key, at least 32 bytes.

    What was verified is remembered until it expires, for a caller may use one token for many
    calls: to verify it anew took a tenth of the work of a command in the service called.
    """

    def __init__(self, key: bytes, service: str) -> None:
        self._key = key
        self._service = service
        self._verified: OrderedDict[str, tuple[int, Caller]] = OrderedDict()

    def issue(
        self, audience: str, workspace_id: str, member_id: str = "", actions: Iterable[str] = ()
    ) -> str:
        claims = {
            "iss": self._service,
            "aud": audience,
            "exp": int(time.time()) + LIFETIME_SECONDS,
            "workspace": workspace_id,
            "member": member_id,
            "actions": sorted(actions),
        }
        return jwt.encode(claims, self._key, ALGORITHM)

    def verify(self, token: str) -> Caller:
        """Errors: InvalidToken."""
        known = self._verified.get(token)
        if known is not None and time.time() < known[0] + LEEWAY_SECONDS:
            return known[1]
        caller, expires_at = self._read(token)
        self._verified[token] = (expires_at, caller)
        self._verified.move_to_end(token)
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return caller

    def _read(self, token: str) -> tuple[Caller, int]:
        """The caller, and when the token expires. Errors: InvalidToken."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                [ALGORITHM],
                audience=self._service,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "workspace", "member", "actions"]},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken(str(error)) from error
        caller = Caller(
            service=claims["iss"],
            workspace_id=claims["workspace"],
            member_id=claims["member"],
            actions=frozenset(claims["actions"]),
        )
        return caller, int(claims["exp"])
