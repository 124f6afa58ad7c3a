"""Reading what Telegram sends: strictly where it is as documented, leniently where it is not.

A message must not be lost for a part of it that nobody needs. What is not as it should be (null, of
another type, bytes that are no UTF-8) is then as if it were not there; only what an object cannot
be without is insisted on.
"""

import json
import math
import types
from typing import Any, Final, get_args, get_origin

import msgspec

from libs.events.registry import UNREADABLE
from services.ingest.channels.telegram.shapes import Update

_update: Final = msgspec.json.Decoder(Update)


class Unreadable(Exception):
    """Not an update of the Bot API. Its text names the field, never the value."""


def read_update(raw: bytes) -> Update:
    """Errors: Unreadable."""
    try:
        return _update.decode(raw)
    except UNREADABLE:
        return _read_leniently(raw)


def plain(raw: bytes) -> dict[str, Any]:
    """The body as it is, with all that nobody knows. Errors: Unreadable."""
    try:
        # Surrogates without their other half are JSON for some, and text for nobody.
        text = raw.decode(errors="replace")
        found = json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
        clean = json.dumps(found, ensure_ascii=False).encode(errors="replace")
        found = msgspec.json.decode(clean)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("not a JSON object")
    return found


def _read_leniently(raw: bytes) -> Update:
    body = plain(raw)
    try:
        update: Update = lenient(body, Update)
        # What an update is about is not dropped in silence.
        for name in Update.__struct_fields__:
            if body.get(name) is not None and getattr(update, name) is None:
                field = next(f for f in msgspec.structs.fields(Update) if f.name == name)
                lenient(body[name], _without_none(field.type))
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)) from error
    return update


def lenient(value: Any, wanted: Any) -> Any:
    """``value`` as ``wanted``, less what cannot be of its type.

    Errors: msgspec.ValidationError.
    """
    try:
        return msgspec.convert(value, wanted, strict=False)
    except msgspec.ValidationError:
        wanted = _without_none(wanted)
        if (
            isinstance(value, dict)
            and isinstance(wanted, type)
            and issubclass(wanted, msgspec.Struct)
        ):
            return _struct(value, wanted)
        if isinstance(value, list) and get_origin(wanted) is list:
            kept = (_or_none(one, get_args(wanted)[0]) for one in value)
            return [one for one in kept if one is not None]
        raise


def _struct(value: dict[str, Any], wanted: type[msgspec.Struct]) -> Any:
    read = {}
    for field in msgspec.structs.fields(wanted):
        if field.encode_name not in value:
            continue
        try:
            read[field.name] = lenient(value[field.encode_name], field.type)
        except msgspec.ValidationError:
            if field.required:
                raise
    try:
        return wanted(**read)
    except TypeError as error:
        raise msgspec.ValidationError(f"{wanted.__name__}: {error}") from error


def _finite(number: str) -> float | None:
    return found if math.isfinite(found := float(number)) else None


def _or_none(value: Any, wanted: Any) -> Any:
    try:
        return lenient(value, wanted)
    except msgspec.ValidationError:
        return None


def _without_none(wanted: Any) -> Any:
    if isinstance(wanted, types.UnionType):
        return next(one for one in get_args(wanted) if one is not type(None))
    return wanted
