"""Ids that are derived from what they name, with the deployment's key in the hash.

The same webhook gives the same ids on every replica and after every crash, without a look-up; and
because the hash is keyed, a phone number cannot be guessed back from the id made of it.
"""

import hashlib
import hmac
import secrets
from typing import Final

_DIGEST_BYTES: Final = 15  # 120 bits, 30 hexadecimal digits
KEY_MIN_BYTES: Final = 32


class IdKey:
    """The deployment's key for ids. ``key`` is at least 32 bytes, else ValueError."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_MIN_BYTES:
            raise ValueError(f"the key for ids has {len(key)} bytes, at least 32 are needed")
        # A key of its own, so that ids tell nothing about other uses of the deployment's key.
        self._key = hmac.digest(key, b"parley ids", "sha256")

    def derive(self, kind: str, *parts: str) -> str:
        """``kind`` and an underscore before 30 hexadecimal digits of the parts' keyed hash."""
        hashed = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES, person=kind.encode())
        for part in parts:
            encoded = part.encode()
            hashed.update(len(encoded).to_bytes(4, "big"))
            hashed.update(encoded)
        return f"{kind}_{hashed.hexdigest()}"

    def source(self, workspace_id: str, channel: str, account: str) -> str:
        return self.derive("src", workspace_id, channel, account)

    def conversation(self, source_id: str, thread: str) -> str:
        return self.derive("cnv", source_id, thread)

    def customer(self, source_id: str, sender: str) -> str:
        return self.derive("cus", source_id, sender)

    def message(self, source_id: str, thread: str, external_message_id: str) -> str:
        return self.derive("msg", source_id, thread, external_message_id)

    def message_cause(self, source_id: str, thread: str, external_message_id: str) -> str:
        """The cause with which a message of a platform comes in, known before it came."""
        return self.derive("cau", source_id, "message", thread, external_message_id, "")

    def attachment(self, source_id: str, reference: str) -> str:
        return self.derive("att", source_id, reference)


def random_id(kind: str) -> str:
    """An id for what nothing outside names: a member, a group, a note, a case opened by hand."""
    return f"{kind}_{secrets.token_hex(_DIGEST_BYTES)}"
