"""Every public event and command by its type name: how it is declared, encoded and decoded."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, dataclass_transform

import msgspec

from libs.events.blanks import blanks_of
from libs.events.enumerations import unknown_values
from libs.events.topics import Topic

# A time without its zone is not an instant: it is refused on reading, like any other wrong value.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _KeywordsOnly(msgspec.StructMeta):
    """Every body takes keywords only, so that an event can add fields to those of its base."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> "_KeywordsOnly":
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **options})


# The decorator tells type checkers what the metaclass and the options below do for subclasses.
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Body(msgspec.Struct, metaclass=_KeywordsOnly, frozen=True, omit_defaults=True, gc=False):
    """Base of every public event and command: an immutable JSON object.

    Unknown fields are ignored on reading, so that a producer may be newer than its consumer by
    an added field; a changed meaning is a new version with a type name of its own. Bodies hold no
    references to each other in a circle, so the garbage collector need not look at them (``gc``).
    """


class UnknownType(Exception):
    """The type is not one that this version of Parley knows."""


class NewerType(UnknownType):
    """A newer version wrote it: the type is not known and is named as Parley names its own, or an
    enumeration in it has a value that is not known."""


class InvalidBody(Exception):
    """The bytes are not a body of the type they claim to be."""


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """``name`` is the CloudEvents type, such as ``parley.case.taken.v1``. ``personal``: the paths
    of what a person said and who they are, each with what stands there once it was erased."""

    name: str
    topic: Topic
    body: type[Body]
    decoder: msgspec.json.Decoder[Any]
    personal: Mapping[str, Any]


_by_name: dict[str, TypeSpec] = {}
_by_body: dict[type[Body], TypeSpec] = {}
_encoder = msgspec.json.Encoder()
# What msgspec raises of bytes that are no JSON of a type: also where a name is not UTF-8, or where
# it is nested without end, on purpose.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OURS = re.compile(r"parley(\.[a-z][a-z0-9-]*)+\.v[1-9][0-9]*")


def public[T: type[Body]](
    name: str, topic: Topic, personal: tuple[str, ...] = ()
) -> Callable[[T], T]:
    """Declare a body as the public type ``name`` on ``topic``; ``personal`` are paths."""

    def declare(body: T) -> T:
        if name in _by_name:
            raise ValueError(f"two bodies are declared as {name}")
        spec = TypeSpec(name, topic, body, msgspec.json.Decoder(body), blanks_of(body, personal))
        _by_name[name] = spec
        _by_body[body] = spec
        return body

    return declare


def family_of(type_name: str) -> str:
    """The type without its version: ``parley.case.taken`` of ``parley.case.taken.v1``."""
    return type_name.rpartition(".v")[0]


def spec_of(body: Body | type[Body]) -> TypeSpec:
    return _by_body[body if isinstance(body, type) else type(body)]


def personal_of(type_name: str) -> Mapping[str, Any]:
    """The personal paths of a type; none of one that is not known."""
    spec = _by_name.get(type_name)
    return spec.personal if spec else {}


def all_types() -> list[TypeSpec]:
    """Every declared type, by name."""
    return [_by_name[name] for name in sorted(_by_name)]


def encode(body: Body) -> bytes:
    return _encoder.encode(body)


def decode(type_name: str, payload: bytes) -> Body:
    """Errors: NewerType, UnknownType, InvalidBody (its text names the field, never the value)."""
    spec = _by_name.get(type_name)
    if spec is None:
        kind = NewerType if _OURS.fullmatch(type_name) else UnknownType
        raise kind(f"the type {type_name[:200]!r} is not known to this version")
    try:
        decoded: Body = spec.decoder.decode(payload)
    except UNREADABLE as error:
        if unknown := _unknown_values(spec, payload):
            fields = ", ".join(unknown)
            raise NewerType(
                f"{type_name}: this version does not know what {fields} says"
            ) from error
        raise InvalidBody(f"not a {type_name}: {error}") from error
    return decoded


def _unknown_values(spec: TypeSpec, payload: bytes) -> tuple[str, ...]:
    try:
        value = msgspec.json.decode(payload)
    except UNREADABLE:
        return ()
    return unknown_values(value, spec.body, spec.decoder)
