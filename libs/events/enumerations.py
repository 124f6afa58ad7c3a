"""Values of enumerations that this version does not know.

An enumeration grows: the channel that a later version connects, the role that it knows. An event
with such a value is as sound as one of a type that is not known yet, and waits like that one for a
process that understands it.
"""

import re
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

# As Parley writes the values of its enumerations; anything else was written by a bug.
_VALUE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def unknown_values(
    value: Any, body: type[msgspec.Struct], decoder: msgspec.json.Decoder[Any]
) -> tuple[str, ...]:
    """The paths of enumerations' values that are not known, where nothing else is wrong with
    ``value``: the JSON of a ``body`` in plain objects, which ``decoder`` reads. Else none."""
    reader = _Reader()
    known = reader.read(value, _type_of(body), "")
    if not reader.unknown:
        return ()
    try:
        decoder.decode(msgspec.json.encode(known))
    except msgspec.ValidationError:
        return ()
    return tuple(reader.unknown)


@cache
def _type_of(body: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(body)


class _Reader:
    """Puts a known value in the place of each that is not, and remembers where those stood."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def read(self, value: Any, wanted: inspect.Type, path: str) -> Any:
        match wanted:
            case inspect.UnionType(types=types):
                return self._read_first(value, types, path)
            case inspect.StructType(fields=fields) if isinstance(value, dict):
                read = {
                    field.encode_name: self.read(
                        value[field.encode_name],
                        field.type,
                        f"{path}.{field.encode_name}".lstrip("."),
                    )
                    for field in fields
                    if field.encode_name in value
                }
                return value | read
            case inspect.DictType(key_type=key, value_type=item) if isinstance(value, dict):
                return {
                    self.read(name, key, f"{path}{{}}"): self.read(one, item, f"{path}{{}}")
                    for name, one in value.items()
                }
            case inspect.CollectionType(item_type=item) if isinstance(value, list):
                return [self.read(one, item, f"{path}[]") for one in value]
            case inspect.Metadata(type=inner):
                return self.read(value, inner, path)
        known = _values_of(wanted)
        if known and value not in known and _is_value(value):
            self.unknown.append(path)
            return known[0]
        return value

    def _read_first(self, value: Any, types: tuple[inspect.Type, ...], path: str) -> Any:
        """As the alternative that can be meant; JSON tells them apart by their kind."""
        if isinstance(value, str) and any(isinstance(one, inspect.StrType) for one in types):
            return value
        for one in types:
            before = len(self.unknown)
            read = self.read(value, one, path)
            if len(self.unknown) > before:
                return read
        return value


def _values_of(wanted: inspect.Type) -> tuple[str, ...]:
    """Of an enumeration of texts; none of what is another type."""
    match wanted:
        case inspect.EnumType(cls=enumeration):
            values = [member.value for member in enumeration]
        case inspect.LiteralType(values=literal):
            values = list(literal)
        case _:
            return ()
    return tuple(value for value in values if isinstance(value, str))


def _is_value(value: Any) -> bool:
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None
