"""Kafka's positions, and how a client holds them: sealed, so that they tell it nothing."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_PURPOSE: Final = b"seal live cursors"
# Of every offset alike, so that a cursor's length tells nothing either; 2 ** 48 is for ever.
_OFFSET_BYTES: Final = 6
_CHARACTERS_AT_MOST: Final = 8192

Vector = tuple[int, ...]


class Positions:
    """The next offset of every partition of some topics, in a fixed order.

    ``partitions`` are how many each topic has. A place is the index of a partition in the vector.
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        self._firsts = [sum(partitions[:topic]) for topic in range(len(partitions))]
        self._next = [0] * sum(partitions)
        self.shape = tuple(partitions)

    def place(self, topic: int, partition: int) -> int:
        return self._firsts[topic] + partition

    def move(self, place: int, next_offset: int) -> None:
        self._next[place] = next_offset

    @property
    def vector(self) -> Vector:
        return tuple(self._next)

    def reached(self, vector: Vector) -> bool:
        return all(ours >= theirs for ours, theirs in zip(self._next, vector, strict=True))


class Cursors:
    """Vectors as texts: what one replica has shown, any other can go on from.

    The offsets of all tenants are in a vector, and how they grow is what the others do. So it is
    encrypted (AES-SIV, RFC 5297: the same vector is the same text, and needs no nonce) with a key
    of the gateway's, for the workspace and the partitions it is of: nobody makes one up, takes
    one apart, or goes on from another workspace's.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(hmac.digest(key, _PURPOSE, "sha256"))

    def seal(self, workspace_id: str, shape: Sequence[int], vector: Vector) -> str:
        packed = b"".join(offset.to_bytes(_OFFSET_BYTES) for offset in vector)
        sealed = self._cipher.encrypt(packed, _bound_to(workspace_id, shape)) if packed else b""
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, workspace_id: str, shape: Sequence[int], cursor: str) -> Vector | None:
        """None where it is not one of ours, or of another workspace or other partitions."""
        if len(cursor) > _CHARACTERS_AT_MOST:
            return None
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            packed = self._cipher.decrypt(sealed, _bound_to(workspace_id, shape))
        except (binascii.Error, ValueError, InvalidTag):
            return None
        firsts = range(0, len(packed), _OFFSET_BYTES)
        return tuple(int.from_bytes(packed[first : first + _OFFSET_BYTES]) for first in firsts)


def _bound_to(workspace_id: str, shape: Sequence[int]) -> list[bytes]:
    return [workspace_id.encode(), ".".join(map(str, shape)).encode()]
