"""Who a visitor is: signed tokens of their own, and the site's word for those it knows."""

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Final

import jwt

ALGORITHM: Final = "HS256"
LIFETIME_SECONDS: Final = 30 * 24 * 60 * 60
LEEWAY_SECONDS: Final = 5
_AUDIENCE: Final = "parley-widget"
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class InvalidVisitorToken(Exception):
    """Not signed by this deployment, too old, or another source's."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """``visitor_id`` is the thread of their one conversation with the source.

    ``name``, ``email`` and ``language`` are what the page said; empty where it said nothing.
    """

    source_id: str
    visitor_id: str
    name: str = ""
    email: str = ""
    language: str = ""


class VisitorTokens:
    """Issues and verifies. The key is derived from the deployment's, for this use alone."""

    def __init__(self, deployment_key: bytes) -> None:
        self._key = hmac.digest(deployment_key, b"parley widget visitors", "sha256")

    def issue(self, visitor: Visitor) -> tuple[str, int]:
        """The token and when it expires (seconds since 1970)."""
        expires_at = int(time.time()) + LIFETIME_SECONDS
        claims = {
            "aud": _AUDIENCE,
            "exp": expires_at,
            "source": visitor.source_id,
            "visitor": visitor.visitor_id,
            "name": visitor.name,
            "email": visitor.email,
            "language": visitor.language,
        }
        return jwt.encode(claims, self._key, ALGORITHM), expires_at

    def verify(self, token: str, source_id: str) -> Visitor:
        """Errors: InvalidVisitorToken."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                [ALGORITHM],
                audience=_AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "aud", "source", "visitor"]},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidVisitorToken(str(error)) from error
        if claims["source"] != source_id:
            raise InvalidVisitorToken("the token is of another source")
        return Visitor(
            source_id=source_id,
            visitor_id=claims["visitor"],
            name=claims["name"],
            email=claims["email"],
            language=claims["language"],
        )


def is_vouched_for(identity_secret: str, user_id: str, digest: str) -> bool:
    """Whether ``digest`` is the site's hexadecimal HMAC-SHA256 of the user's id."""
    expected = hmac.new(identity_secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()
    return bool(_HEX_DIGEST.fullmatch(digest)) and hmac.compare_digest(expected, digest)
