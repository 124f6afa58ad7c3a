"""Sealing small secrets (a source's credentials) so that they may travel and rest."""

import base64
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class CannotOpen(Exception):
    """Sealed with another key, for another purpose, or altered."""


class Sealer:
    """AES-256-GCM under a key derived from the deployment's for one ``purpose``."""

    def __init__(self, deployment_key: bytes, purpose: str) -> None:
        self._cipher = AESGCM(hmac.digest(deployment_key, f"seal {purpose}".encode(), "sha256"))

    def seal(self, secret: bytes, owner: str) -> str:
        """Base64 text; it opens only for the same ``owner`` (a source's id, say)."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret, owner.encode())
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str, owner: str) -> bytes:
        """Errors: CannotOpen."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen(f"what is sealed for {owner} does not open") from error
