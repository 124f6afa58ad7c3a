"""Sealing the personal fields of one payload, a stored event's or a public message's.

The fields leave the JSON object and come back as one sealed box beside the others:

    {"at": …, "case": 2, "sealed": {"of": identity, "generation": 1, "box": "<base64>"}}

The box is a nonce and AES-256-GCM over the JSON object of the fields by their paths. It opens only
in its place: stream, version and name are the associated data, so a box that is moved to another
event, by whoever may write to the database, does not open.

The values are moved as the bytes they are: nothing is decoded that only has to be carried.
"""

import base64
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

type Cipher = AESGCM

NONCE_BYTES: Final = 12


class Owner(NamedTuple):
    """Whose personal data it is: an identity, and the least generation of its keys."""

    identity: str
    generation: int


class Broken(Exception):
    """A box that its own key does not open: it was altered, or moved here from elsewhere."""


class _Box(msgspec.Struct, frozen=True, gc=False):
    of: str
    generation: int
    box: str


class _Sealed(msgspec.Struct, frozen=True, gc=False):
    sealed: _Box | None = None


_encode: Final = msgspec.json.Encoder().encode
_raw_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_sealed: Final = msgspec.json.Decoder(_Sealed).decode
# In a JSON text these bytes are a field's name: within a value its quotes would be escaped.
_MARK: Final = b'"sealed":{"of":'


def seal(
    payload: bytes,
    paths: Mapping[str, Any],
    owner: Owner,
    cipher: Cipher,
    place: bytes,
    nonce: bytes | None = None,
) -> bytes:
    """The payload with what it holds at ``paths`` in a box; as it was, where it holds nothing.

    ``nonce`` is random if not given.
    """
    fields: dict[str, Any] = dict(_raw_fields(payload))
    taken: dict[str, msgspec.Raw] = {}
    for parent, names in _by_parent(tuple(paths)):
        if parent and parent not in fields:
            continue
        inside = _raw_fields(fields[parent]) if parent else fields
        for name in names:
            if name in inside:
                taken[f"{parent}.{name}" if parent else name] = inside.pop(name)
        if parent:
            fields[parent] = inside
    if not taken:
        return payload
    nonce = nonce or os.urandom(NONCE_BYTES)
    box = base64.b64encode(nonce + cipher.encrypt(nonce, _encode(taken), place)).decode()
    fields["sealed"] = _Box(owner.identity, owner.generation, box)
    return _encode(fields)


def owner_of(payload: bytes) -> Owner | None:
    """Whose key, of which generation, opens the payload; None where nothing of it is sealed."""
    if _MARK not in payload:
        return None
    box = _sealed(payload).sealed
    return Owner(box.of, box.generation) if box else None


def opened(payload: bytes, paths: Mapping[str, Any], cipher: Cipher | None, place: bytes) -> bytes:
    """The payload whole; without the key with the blanks of ``paths``. Errors: Broken."""
    fields: dict[str, Any] = dict(_raw_fields(payload))
    box = msgspec.json.decode(fields.pop("sealed"), type=_Box)
    values: Mapping[str, Any]
    values = paths if cipher is None else _raw_fields(_decrypted(box, cipher, place))
    for path, value in values.items():
        parent, _, name = path.rpartition(".")
        if not parent:
            fields[name] = value
            continue
        if parent not in fields:
            continue
        if not isinstance(fields[parent], dict):
            fields[parent] = _raw_fields(fields[parent])
        fields[parent][name] = value
    return _encode(fields)


def _decrypted(box: _Box, cipher: Cipher, place: bytes) -> bytes:
    try:
        sealed = base64.b64decode(box.box, validate=True)
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as error:
        raise Broken(f"what is sealed for {box.of} at {place.decode()} does not open") from error


@cache
def _by_parent(paths: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of the fields within each parent; the object itself is the parent ``""``."""
    parents: dict[str, list[str]] = {}
    for path in paths:
        parent, _, name = path.rpartition(".")
        parents.setdefault(parent, []).append(name)
    return tuple((parent, tuple(names)) for parent, names in parents.items())
