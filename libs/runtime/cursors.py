"""Cursors of keyset pages: a place in an order, as a text that a client gives back as it got it."""

import base64
import binascii
from datetime import datetime

import msgspec

from libs.runtime.bodies import invalid_field
from libs.runtime.texts import COMMON


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Base of the places: its fields are written in order, without their names."""


class Instants(Place, frozen=True):
    """After which of the things that are ordered by an instant, and then by id."""

    at: datetime
    id: str


def cursor_of(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of[P: Place](cursor: str, kind: type[P]) -> P:
    """Errors: Invalid, naming the field ``cursor``."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        place = msgspec.json.decode(text, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise invalid_field("cursor", COMMON.say("invalid.cursor")) from error
    if any(
        isinstance(one, datetime) and one.tzinfo is None for one in msgspec.structs.astuple(place)
    ):
        raise invalid_field("cursor", COMMON.say("invalid.cursor"))
    return place
