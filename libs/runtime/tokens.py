"""Short-lived signed tokens with which services call each other, and what they carry.

Each service signs with a key of its own (Ed25519) and knows only the public keys of the others: who
takes a service's key speaks as that service, and only to whom the table in ``trust`` lets it.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM: Final = "EdDSA"
KEY_BYTES: Final = 32
LIFETIME_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 5
_REMEMBERED: Final = 10_000

# Public keys by the service that signs with their private one; more than one while it is changed.
VerifyingKeys = Mapping[str, tuple[bytes, ...]]


class InvalidToken(Exception):
    """Not signed by the service that it names, too old, or not for this service."""


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
    """Issues and verifies. ``signing_key`` is this service's own, 32 bytes.

    What was verified is remembered until it expires, for a caller may use one token for many
    calls: to verify it anew took a tenth of the work of a command in the service called.
    """

    def __init__(
        self, service: str, signing_key: bytes, verifying_keys: VerifyingKeys | None = None
    ) -> None:
        """``verifying_keys`` None: of a caller that nobody calls."""
        self.service = service
        self._key = Ed25519PrivateKey.from_private_bytes(signing_key)
        self._others = {
            name: [Ed25519PublicKey.from_public_bytes(key) for key in keys]
            for name, keys in (verifying_keys or {}).items()
        }
        self._verified: LRUCache[str, tuple[int, Caller]] = LRUCache(_REMEMBERED)

    def issue(
        self, audience: str, workspace_id: str, member_id: str = "", actions: Iterable[str] = ()
    ) -> str:
        claims = {
            "iss": self.service,
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
        return caller

    def _read(self, token: str) -> tuple[Caller, int]:
        """The caller, and when the token expires. Errors: InvalidToken."""
        refusal: Exception = InvalidToken("it names no service that is known here")
        for key in self._keys_of(_issuer(token)):
            try:
                claims = jwt.decode(
                    token,
                    key,
                    [ALGORITHM],
                    audience=self.service,
                    leeway=LEEWAY_SECONDS,
                    options={"require": ["exp", "iss", "aud", "workspace", "member", "actions"]},
                )
            except jwt.InvalidTokenError as error:
                refusal = error
                continue
            caller = Caller(
                service=claims["iss"],
                workspace_id=claims["workspace"],
                member_id=claims["member"],
                actions=frozenset(claims["actions"]),
            )
            return caller, int(claims["exp"])
        raise InvalidToken(str(refusal)) from refusal

    def _keys_of(self, service: object) -> list[Ed25519PublicKey]:
        return self._others.get(service, []) if isinstance(service, str) else []


def _issuer(token: str) -> object:
    """Who the token says it is from: which keys to try, and nothing more. Errors: InvalidToken."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError as error:
        raise InvalidToken(str(error)) from error


def public_key_of(signing_key: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(signing_key).public_key().public_bytes_raw()
