"""Stored events: how each is declared, written down, read back, and brought up to date.

A stored event's name (``conversation.case-taken.v1``) is for ever. Where its shape changes, the new
shape is a new name, and an upcaster turns the old payload into the new one on reading. What a
person wrote uses the contract's value types (``libs.events.content``), which only ever grow.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]


class UnknownEvent(Exception):
    """A stored event that this version does not know: a newer one wrote it. Never skip it."""


class Event[S](msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact of one stream; ``S`` is the stream's state, None before the first event.

    ``at`` is the fact's time: the platform's for what came from there, else when it was done.
    """

    at: datetime

    def apply(self, state: S | None) -> S:
        """The state after the fact. It checks nothing: the fact has happened."""
        raise NotImplementedError


_encoder: Final = msgspec.json.Encoder()
_names: Final[dict[type[Event[Any]], str]] = {}
_decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {}
_upcasters: Final[dict[str, tuple[str, Upcaster]]] = {}


def stored[E: type[Event[Any]]](name: str) -> Callable[[E], E]:
    """Declare an event under its stable name."""

    def declare(event: E) -> E:
        if name in _decoders:
            raise ValueError(f"two events are stored as {name}")
        _names[event] = name
        _decoders[name] = msgspec.json.Decoder(event)
        return event

    return declare


def upcast(old: str, new: str, upcaster: Upcaster) -> None:
    """Payloads stored as ``old`` are turned by ``upcaster`` into those of ``new``."""
    _upcasters[old] = (new, upcaster)


def names() -> list[str]:
    """Every name that is written today."""
    return sorted(_decoders)


def name_of(event: Event[Any] | type[Event[Any]]) -> str:
    return _names[event if isinstance(event, type) else type(event)]


def encode(event: Event[Any]) -> bytes:
    return _encoder.encode(event)


def decode(name: str, payload: bytes) -> Event[Any]:
    """Errors: UnknownEvent."""
    decoder = _decoders.get(name)
    if decoder is None:
        return _old(name, payload)
    event: Event[Any] = decoder.decode(payload)
    return event


def _old(name: str, payload: bytes) -> Event[Any]:
    if name not in _upcasters:
        raise UnknownEvent(f"the stored event {name!r} is not known to this version")
    fields: Payload = msgspec.json.decode(payload)
    while name in _upcasters:
        name, upcaster = _upcasters[name]
        fields = upcaster(fields)
    event: Event[Any] = msgspec.convert(fields, _event_of(name))
    return event


def _event_of(name: str) -> type[Event[Any]]:
    return next(event for event, stored_as in _names.items() if stored_as == name)
