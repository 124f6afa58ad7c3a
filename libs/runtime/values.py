"""Values in requests: what is checked and made normal wherever one stands, by its type alone.

A body or a query is made of the types of ``libs.events``; what must hold for each value of a type
(an instant that every store can hold, a number that every client can) is decided here, once, and
not by whoever reads the request.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import inspect

from libs.events.api.values import MADE
from libs.events.instants import EARLIEST, LATEST, utc_of
from libs.events.words import NotValid, without_nul

# JSON's numbers are doubles in most clients: beyond it, a whole number comes back as another one.
NUMBER_MOST: Final = 2**53

Check = Callable[[Any], Any]


def check_of(kind: Any) -> Check | None:
    """What checks a value of the type, and gives back what is to be kept of it; None where any
    value will do. Its errors: NotValid. Errors: TypeError (a time without a zone is let in)."""
    return _check(inspect.type_info(kind))


def _check(info: inspect.Type) -> Check | None:
    match info:
        case inspect.Metadata(type=inner, extra=extra):
            made: Check | None = (extra or {}).get(MADE)
            return made or _check(inner)
        case inspect.StrType():
            return without_nul
        case inspect.DateTimeType(tz=zone):
            if zone is not True:
                raise TypeError("an instant in a request needs its zone: Instant")
            return _instant
        case inspect.IntType():
            return _number
        case inspect.StructType(cls=struct):
            return _of_struct(info, struct)
        case inspect.VarTupleType(item_type=item):
            return _of_items(_check(item))
        case inspect.DictType(key_type=key, value_type=value):
            return _of_entries(_check(key), _check(value))
        case inspect.UnionType(types=types):
            return _of_union(types)
    return None


def _instant(value: Any) -> Any:
    utc = utc_of(value)
    if utc is None:
        raise NotValid("out-of-time", first=EARLIEST.year, last=LATEST.year - 1)
    return utc


def _number(value: Any) -> Any:
    if abs(value) > NUMBER_MOST:
        raise NotValid("at-most" if value > 0 else "at-least", most=NUMBER_MOST, least=-NUMBER_MOST)
    return value


def _of_struct(info: inspect.StructType, struct: type) -> Check | None:
    checks = {one.name: (one.encode_name, _check(one.type)) for one in info.fields}
    kept = [(name, shown, check) for name, (shown, check) in checks.items() if check is not None]
    if not kept:
        return None

    def check_struct(value: Any) -> Any:
        for name, shown, check in kept:
            before = getattr(value, name)
            if before is msgspec.UNSET:
                continue
            after = _at(shown, check, before)
            if after is not before:
                # Just decoded, and nobody else's yet.
                msgspec.structs.force_setattr(value, name, after)
        return value

    return check_struct


def _of_items(check: Check | None) -> Check | None:
    if check is None:
        return None
    return lambda value: tuple(_at(f"[{n}]", check, one) for n, one in enumerate(value))


def _of_entries(of_key: Check | None, of_value: Check | None) -> Check | None:
    if of_key is None and of_value is None:
        return None

    def check_entries(value: Any) -> Any:
        checked = {}
        for name, one in value.items():
            key = _at(name, of_key, name) if of_key else name
            checked[key] = _at(name, of_value, one) if of_value else one
        return checked

    return check_entries


def _of_union(types: tuple[inspect.Type, ...]) -> Check | None:
    """By what the value is: of a union's types no two have values of one Python type."""
    checks = {
        python: check
        for one in _flat(types)
        if (python := _python_type(one)) is not None and (check := _check(one)) is not None
    }
    if not checks:
        return None

    def check_union(value: Any) -> Any:
        check = checks.get(type(value))
        return value if check is None else check(value)

    return check_union


def _flat(types: Sequence[inspect.Type]) -> Iterator[inspect.Type]:
    """Those of unions within the union too: a named type may be one."""
    for one in types:
        if isinstance(one, inspect.UnionType):
            yield from _flat(one.types)
        else:
            yield one


def _python_type(info: inspect.Type) -> type | None:
    match info:
        case inspect.Metadata(type=inner):
            return _python_type(inner)
        case inspect.StructType(cls=struct):
            return struct
        case inspect.DateTimeType():
            return datetime
        case inspect.IntType():
            return int
        case inspect.StrType():
            return str
        case inspect.VarTupleType():
            return tuple
        case inspect.DictType():
            return dict
    return None


def _at(name: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except NotValid as error:
        error.path = (name, *error.path)
        raise


def known_values(kind: Any, path: str) -> list[str]:
    """The values that are known at the path, as msgspec writes it (``cups[0].kind``); none where
    they are not told apart."""
    info = inspect.type_info(kind)
    for part in filter(None, re.split(r"[.\[]", path)):
        info = _inner(info, part.rstrip("]"))
    for kind in _kinds_in(info):
        match kind:
            case inspect.LiteralType(values=values):
                return [str(one) for one in values]
            case inspect.EnumType(cls=enum):
                return [str(one.value) for one in enum]
    return []


def _inner(info: inspect.Type, name: str) -> inspect.Type:
    for kind in _kinds_in(info):
        match kind:
            case inspect.StructType(fields=fields):
                return next((f.type for f in fields if f.encode_name == name), inspect.AnyType())
            case inspect.VarTupleType(item_type=item):
                return item
            case inspect.DictType(key_type=key, value_type=value):
                return value if _plain(key) == inspect.StrType() else key
    return inspect.AnyType()


def _plain(info: inspect.Type) -> inspect.Type:
    """Without what is said beside it, and without the null that may stand there too."""
    if isinstance(info, inspect.Metadata):
        return _plain(info.type)
    if isinstance(info, inspect.UnionType):
        kinds = [one for one in _flat(info.types) if not isinstance(one, inspect.NoneType)]
        return _plain(kinds[0]) if len(kinds) == 1 else info
    return info


def _kinds_in(info: inspect.Type) -> list[inspect.Type]:
    """What may stand there: the types of a union, each without what is said beside it."""
    plain = _plain(info)
    if not isinstance(plain, inspect.UnionType):
        return [plain]
    return [_plain(one) for one in _flat(plain.types)]
