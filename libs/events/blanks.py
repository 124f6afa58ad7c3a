"""What stands in a personal field once it was erased, and the fields' paths in a payload."""

from collections.abc import Iterable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec


def blanks_of(struct: type[msgspec.Struct], paths: Iterable[str]) -> dict[str, Any]:
    """The blank of each path: a field (``content``), or a field's own (``message.content``).

    Errors: ValueError (no such field, or one of a type that has no blank).
    """
    return {path: _blank(_type_at(struct, path), path) for path in paths}


def _type_at(struct: Any, path: str) -> Any:
    head, _, rest = path.partition(".")
    types = {field.name: field.type for field in msgspec.structs.fields(struct)}
    if head not in types:
        raise ValueError(f"{struct.__name__} has no field {head}")
    return _type_at(types[head], rest) if rest else types[head]


def _blank(kind: Any, path: str) -> Any:
    """Nothing where nothing may stand; a text's is empty; a struct's is its own ``blank()``."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if type(None) in kinds:
        return None
    plain = get_origin(kinds[0]) or kinds[0]
    if plain in (str, tuple, dict):
        return plain()
    if (blank := getattr(plain, "blank", None)) is not None:
        return blank()
    raise ValueError(f"{path} is {kind!r}, which has no blank: it cannot be personal")
