"""Stored events: how each is declared, written down, read back, and brought up to date.

A stored event's name (`conversation.case-taken.v1`) is for ever. Where its shape changes, the new
shape is a new name, and an upcaster turns the old payload into the new one on reading.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec

type Payload = dict[str, Any]
type Upcaster = Callable[[Payload], Payload]

_NO_BLANKS: Final[Mapping[str, Any]] = MappingProxyType({})
_encoder: Final = msgspec.json.Encoder()


class UnknownEvent(Exception):
    """A stored event that this version does not know: a newer one wrote it. Never skip it."""


class UnreadableEvent(Exception):
    """What is stored under an event's name is not one: it was damaged."""


class Event[S](msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact of one stream; `S` is the stream's state, None before the first event."""

    def apply(self, state: S | None) -> S:
        """The state after the fact. It checks nothing: the fact has happened."""
        raise NotImplementedError


class EventTypes[B: Event[Any]]:
    """The events of one service, by the names that they are stored under; `B` is their base."""

    def __init__(self) -> None:
        self._names: dict[type[B], str] = {}
        self._events: dict[str, type[B]] = {}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._upcasters: dict[str, tuple[str, Upcaster]] = {}
        self._blanks: dict[str, Mapping[str, Any]] = {}

    def stored[E: Event[Any]](
        self, name: str, blanks: Mapping[str, Any] = _NO_BLANKS
    ) -> Callable[[type[E]], type[E]]:
        """Declare an event under its stable name.

        `blanks`: what stands in those fields of an event brought up to date that the older payload
        is without, because they were erased. Errors: ValueError (a name declared twice).
        """

        def declare(event: type[E]) -> type[E]:
            if name in self._events:
                raise ValueError(f"two events are stored as {name}")
            declared = cast(type[B], event)
            self._names[declared] = name
            self._events[name] = declared
            self._decoders[name] = msgspec.json.Decoder(event)
            self._blanks[name] = blanks
            return event

        return declare

    def upcast(self, old: str, new: str, upcaster: Upcaster) -> None:
        """Payloads stored as `old` are turned by `upcaster` into those of `new`.

        Of an event that was erased, the fields with blanks are missing in what the upcaster gets.
        """
        self._upcasters[old] = (new, upcaster)

    def names(self) -> list[str]:
        """Every name that is written today."""
        return sorted(self._events)

    def declared(self) -> dict[str, type[B]]:
        """Every event that is written today, by its name, in the order of the names."""
        return dict(sorted(self._events.items()))

    def is_read(self, name: str) -> bool:
        """Whether what was stored under the name can be read, as it is or brought up to date."""
        return name in self._decoders or name in self._upcasters

    def name_of(self, event: B | type[B]) -> str:
        """The name that the event is stored under. Errors: KeyError (it was not declared)."""
        return self._names[event if isinstance(event, type) else type(event)]

    def encode(self, event: B) -> bytes:
        """The event's payload: a JSON object, without what has its default."""
        return _encoder.encode(event)

    def decode(self, name: str, payload: bytes) -> B:
        """The event of a stored name and payload. Errors: UnknownEvent, UnreadableEvent."""
        decoder = self._decoders.get(name)
        try:
            event: B = decoder.decode(payload) if decoder else self._old(name, payload)
        except (msgspec.DecodeError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise UnreadableEvent(f"what is stored as {name!r} is no such event") from error
        return event

    def _old(self, name: str, payload: bytes) -> B:
        if name not in self._upcasters:
            raise UnknownEvent(f"the stored event {name!r} is not known to this version")
        fields: Payload = msgspec.json.decode(payload)
        while name in self._upcasters:
            name, upcaster = self._upcasters[name]
            fields = upcaster(fields)
        blanks = msgspec.to_builtins(self._blanks[name])
        event: B = msgspec.convert(blanks | fields, self._events[name])
        return event
