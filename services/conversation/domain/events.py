"""Stored events: how each is declared, written down, read back, and brought up to date.

A stored event's name (``conversation.case-taken.v1``) is for ever. Where its shape changes, the new
shape is a new name, and an upcaster turns the old payload into the new one on reading. What a
person wrote uses the contract's value types (``libs.events.content``), which only ever grow.

What a person said and who they are is declared as *personal* with the event. Those fields are what
is sealed at rest, and what an erased event is without: each then has its type's blank.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from libs.events.blanks import blanks_of

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]


class UnknownEvent(Exception):
    """A stored event that this version does not know: a newer one wrote it. Never skip it."""


class UnreadableEvent(Exception):
    """What is stored under an event's name is not one: it was damaged."""


class Event[S](msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact of one stream; ``S`` is the stream's state, None before the first event.

    ``at`` is the fact's time: the platform's for what came from there, else when it was done.
    """

    at: datetime

    @property
    def about(self) -> str | None:
        """The customer whose the personal fields are; None: the one whose stream it is."""
        return None

    def apply(self, state: S | None) -> S:
        """The state after the fact. It checks nothing: the fact has happened."""
        raise NotImplementedError


_encoder: Final = msgspec.json.Encoder()
_names: Final[dict[type[Event[Any]], str]] = {}
_decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {}
_upcasters: Final[dict[str, tuple[str, Upcaster]]] = {}
_personal: Final[dict[str, dict[str, Any]]] = {}


def stored[E: type[Event[Any]]](name: str, personal: tuple[str, ...] = ()) -> Callable[[E], E]:
    """Declare an event under its stable name, and which of its fields are ``personal``.

    Errors: ValueError (a name declared twice, a field that is not there or has no blank).
    """

    def declare(event: E) -> E:
        if name in _decoders:
            raise ValueError(f"two events are stored as {name}")
        _personal[name] = blanks_of(event, personal)
        _names[event] = name
        _decoders[name] = msgspec.json.Decoder(event)
        return event

    return declare


def personal(name: str) -> dict[str, Any]:
    """The personal fields of the event stored as ``name``, each with its blank; none where this
    version does not write it any longer."""
    return _personal.get(name, {})


def erased[E: Event[Any]](event: E) -> E:
    """The event without what was personal in it."""
    return replace(event, **_personal[name_of(event)])


def upcast(old: str, new: str, upcaster: Upcaster) -> None:
    """Payloads stored as ``old`` are turned by ``upcaster`` into those of ``new``.

    Of an event that was erased, the personal fields are missing in what the upcaster is given.
    """
    _upcasters[old] = (new, upcaster)


def names() -> list[str]:
    """Every name that is written today."""
    return sorted(_decoders)


def declared() -> dict[str, type[Event[Any]]]:
    """Every event that is written today, by its name."""
    return {name: event for event, name in sorted(_names.items(), key=lambda one: one[1])}


def is_read(name: str) -> bool:
    """Whether what was stored under the name can be read, as it is or brought up to date."""
    return name in _decoders or name in _upcasters


def name_of(event: Event[Any] | type[Event[Any]]) -> str:
    return _names[event if isinstance(event, type) else type(event)]


def encode(event: Event[Any]) -> bytes:
    return _encoder.encode(event)


def decode(name: str, payload: bytes) -> Event[Any]:
    """Errors: UnknownEvent, UnreadableEvent."""
    decoder = _decoders.get(name)
    try:
        event: Event[Any] = decoder.decode(payload) if decoder else _old(name, payload)
    except (msgspec.DecodeError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise UnreadableEvent(f"what is stored as {name!r} is no such event") from error
    return event


def _old(name: str, payload: bytes) -> Event[Any]:
    if name not in _upcasters:
        raise UnknownEvent(f"the stored event {name!r} is not known to this version")
    fields: Payload = msgspec.json.decode(payload)
    while name in _upcasters:
        name, upcaster = _upcasters[name]
        fields = upcaster(fields)
    # Of one that was erased, what is personal is not there any longer.
    blanks = msgspec.to_builtins(_personal[name])
    event: Event[Any] = msgspec.convert(blanks | fields, _event_of(name))
    return event


def _event_of(name: str) -> type[Event[Any]]:
    return next(event for event, stored_as in _names.items() if stored_as == name)
