"""Requests' bodies and queries: read within a limit and strictly, refused by naming the field."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from fastapi import Request

from libs.events.api.values import VALUES_AT_MOST, AnyOf
from libs.events.registry import UNREADABLE, Instant
from libs.events.words import NotValid
from libs.runtime.http import read_limited
from libs.runtime.problems import BadRequest, Invalid, TooLarge
from libs.runtime.texts import COMMON
from libs.runtime.values import check_of, known_values

BODY_LIMIT_BYTES: Final = 256 * 1024
_NAME_SHOWN_CHARACTERS: Final = 80

_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<field>[^`]*)`")
_MISSING_FIELD = re.compile(r"missing required field `(?P<field>[^`]*)`")
_AT = re.compile(r" - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`$")
# What msgspec says of a value, and the text that says it to people, with the same variables.
_COMPLAINTS: Final = tuple(
    (re.compile(pattern, re.DOTALL), f"invalid.{key}")
    for pattern, key in (
        (r"Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`", "type"),
        (r"Expected `str` of length >= 1", "empty"),
        (r"Expected `str` of length >= (?P<count>\d+)", "too-short"),
        (r"Expected `str` of length <= (?P<count>\d+)", "too-long"),
        (r"Expected `(?:array|object)` of length >= (?P<count>\d+)", "too-few"),
        (r"Expected `(?:array|object)` of length <= (?P<count>\d+)", "too-many"),
        (r"Expected `(?:int|float)` >= (?P<least>\S+)", "at-least"),
        (r"Expected `(?:int|float)` <= (?P<most>\S+)", "at-most"),
        (r"Invalid enum value .*", "not-a-value"),
        (r"Invalid RFC3339 encoded datetime|Expected `datetime` with .*", "not-an-instant"),
    )
)


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """All structs that a type is made of. None of them contains itself."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for one in msgspec.structs.fields(kind):
            yield from _structs_in(one.type)
    for part in get_args(kind):
        yield from _structs_in(part)


class BodyReader[T]:
    """Reads bodies of one type. Make it once, beside the routes.

    Nothing unknown is taken, at whatever depth: a type that would ignore it is a TypeError, unless
    the client ``may_be_newer``, as a script is that a page keeps.
    """

    def __init__(
        self, body: type[T], limit_bytes: int = BODY_LIMIT_BYTES, *, may_be_newer: bool = False
    ) -> None:
        for struct in _structs_in(body):
            if not (may_be_newer or struct.__struct_config__.forbid_unknown_fields):
                raise TypeError(f"{struct.__name__} would ignore unknown fields of a request")
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)
        self._body = body
        self._check = check_of(body)
        self._limit = limit_bytes

    async def read(self, request: Request) -> tuple[T, bytes]:
        """The body, and its bytes. Errors: TooLarge, BadRequest, Invalid."""
        raw = await _limited(request, self._limit)
        return self.decode(raw), raw

    def decode(self, raw: bytes) -> T:
        try:
            decoded: T = self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            field, message = _named(str(error), self._body)
            raise invalid_field(field, message) from error
        except UNREADABLE as error:
            raise BadRequest(COMMON.say("bad-request.not-json")) from error
        if self._check is not None:
            with _refusals():
                self._check(decoded)
        return decoded


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """What a command takes that takes no body."""


_NOTHING: Final = BodyReader(_Nothing)


async def read_nothing(request: Request) -> bytes:
    """The body of a command that takes none, for its idempotency: always empty.

    There may be nothing, or ``{}``: anything else is refused, not ignored. Errors: TooLarge,
    BadRequest, Invalid.
    """
    if raw := await _limited(request, BODY_LIMIT_BYTES):
        _NOTHING.decode(raw)
    return b""


def read_query[T: msgspec.Struct](request: Request, query: type[T]) -> T:
    """The query's parameters as a struct, numbers out of their texts. Errors: Invalid.

    What may be left out is left out: `null` is no value of a parameter, but a text as any other.
    """
    kinds = _kinds_of(query)
    check_query(request, kinds, {name for name, one in kinds.items() if one.values_at_most})
    given: dict[str, Any] = {}
    for name in dict.fromkeys(request.query_params.keys()):
        one = kinds[name]
        texts = request.query_params.getlist(name)
        if len(texts) > 1 and len(texts) > one.values_at_most:
            raise invalid_field(name, COMMON.say("invalid.too-many", {"count": one.values_at_most}))
        try:
            # A number is no instant, though msgspec would take one for seconds.
            values = [msgspec.convert(text, one.kind, strict=one.kind == Instant) for text in texts]
        except msgspec.ValidationError as error:
            _, message = _named(str(error), one.kind)
            raise invalid_field(name, message) from error
        given[one.field] = values[0] if len(values) == 1 else tuple(values)
    try:
        asked = query(**given)
    except TypeError as error:
        missing = next(name for name, one in kinds.items() if f"'{one.field}'" in str(error))
        raise invalid_field(missing, COMMON.say("invalid.missing-field")) from error
    if (check := _check_of_query(query)) is not None:
        with _refusals():
            check(asked)
    return asked


@dataclass(frozen=True, slots=True)
class _Parameter:
    """Its field, and the type of a value of it. ``values_at_most``: 0 where it is given once."""

    field: str
    kind: Any
    values_at_most: int = 0


@cache
def _kinds_of(query: type[msgspec.Struct]) -> dict[str, _Parameter]:
    """Of each parameter what is given."""
    kinds = {}
    for one in msgspec.structs.fields(query):
        given = [kind for kind in get_args(one.type) if kind is not NoneType]
        optional = get_origin(one.type) in (Union, UnionType) and NoneType in get_args(one.type)
        kind = Union[*given] if optional else one.type
        if get_origin(kind) is AnyOf:
            [value] = get_args(kind)
            kinds[one.encode_name] = _Parameter(one.name, value, VALUES_AT_MOST)
        else:
            kinds[one.encode_name] = _Parameter(one.name, kind)
    return kinds


_check_of_query: Final = cache(check_of)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NotValid as error:
        field = ".".join(error.path).replace(".[", "[")[:_NAME_SHOWN_CHARACTERS]
        raise invalid_field(field, COMMON.say(f"invalid.{error.key}", error.variables)) from error


def check_query(request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> None:
    """That there is no other parameter, and each once but for the repeatable: what is misspelt, or
    said again, would be answered as if it were not asked for. Errors: Invalid, naming it."""
    met: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            raise invalid_field(name[:_NAME_SHOWN_CHARACTERS], COMMON.say("invalid.unknown-field"))
        if name in met and name not in repeatable:
            raise invalid_field(name, COMMON.say("invalid.repeated"))
        met.add(name)


def invalid_field(field: str, message: str) -> Invalid:
    """The 422 for one field, in the shape that FastAPI's own validation has here too."""
    return Invalid(
        f"{field}: {message}" if field else message, errors=[{"field": field, "message": message}]
    )


async def _limited(request: Request, limit_bytes: int) -> bytes:
    raw = await read_limited(request, limit_bytes)
    if raw is None:
        raise TooLarge(COMMON.say("too-large.bytes", {"limit": limit_bytes}))
    return raw


def _named(text: str, kind: Any) -> tuple[str, str]:
    """The field's path and the complaint, out of msgspec's sentence (it never shows a value)."""
    at = _AT.search(text)
    path = at["path"] if at else ""
    message = text[: at.start()] if at else text
    for pattern, key in ((_UNKNOWN_FIELD, "unknown-field"), (_MISSING_FIELD, "missing-field")):
        if (match := pattern.search(message)) is not None:
            return ".".join(filter(None, (path, match["field"]))), COMMON.say(f"invalid.{key}")
    if message.startswith("Invalid enum value") and (known := known_values(kind, path)):
        return path, COMMON.say("invalid.one-of", {"known": ", ".join(known)})
    for pattern, key in _COMPLAINTS:
        if (match := pattern.fullmatch(message)) is not None:
            return path, COMMON.say(key, _variables(match))
    return path, COMMON.say("invalid.other")


def _variables(match: re.Match[str]) -> dict[str, str | int]:
    return {
        name: int(value) if name == "count" else value.removesuffix(".0")
        for name, value in match.groupdict().items()
    }
