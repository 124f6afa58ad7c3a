"""Cursors of keyset pages: a place in an order, as a text that a client gives back as it got it.

A cursor is bound to the list that it is of, and to what the list was asked for: another list's, or
one of other filters, is refused, for its place would mean nothing there.
"""

import base64
import binascii
import hashlib
from functools import cache
from typing import Final

import msgspec

from libs.events.registry import UNREADABLE, Instant
from libs.events.words import NotValid
from libs.runtime.bodies import invalid_field
from libs.runtime.problems import Invalid
from libs.runtime.texts import COMMON
from libs.runtime.values import check_of

_BOUND_BYTES: Final = 6
_check_of: Final = cache(check_of)


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Base of the places: its fields are written in order, without their names."""


class Instants(Place, frozen=True):
    """After which of the things that are ordered by an instant, and then by id."""

    at: Instant
    id: str


class Ids(Place, frozen=True):
    """After which of the things that are ordered by id."""

    id: str


def cursor_of(place: Place, *of: object) -> str:
    """``of``: the list, and what it was asked for; anything that can be written as JSON."""
    bound = _bound(of) + msgspec.json.encode(place)
    return base64.urlsafe_b64encode(bound).decode().rstrip("=")


def place_of[P: Place](cursor: str, kind: type[P], *of: object) -> P:
    """Errors: Invalid, naming the field ``cursor``."""
    try:
        bound = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        if bound[:_BOUND_BYTES] != _bound(of):
            raise _invalid()
        place = msgspec.json.decode(bound[_BOUND_BYTES:], type=kind)
        if (check := _check_of(kind)) is not None:
            check(place)
    except (binascii.Error, ValueError, *UNREADABLE, NotValid) as error:
        raise _invalid() from error
    return place


def _bound(of: tuple[object, ...]) -> bytes:
    return hashlib.blake2s(msgspec.json.encode(of), digest_size=_BOUND_BYTES).digest()


def _invalid() -> Invalid:
    return invalid_field("cursor", COMMON.say("invalid.cursor"))
