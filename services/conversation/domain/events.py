"""The stored events of this service: their base, and what of each is personal.

What a person wrote uses the contract's value types (``libs.events.content``), which only ever grow.

What a person said and who they are is declared as *personal* with the event. Those fields are what
is sealed at rest, and what an erased event is without: each then has its type's blank.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from libs.aggregates import events
from libs.events.blanks import blanks_of

_personal: Final[dict[str, dict[str, Any]]] = {}


class Event[S](events.Event[S], frozen=True, kw_only=True):
    """A fact of one stream. ``at`` is its time: the platform's for what came from there, else when
    it was done."""

    at: datetime

    @property
    def about(self) -> str | None:
        """The customer whose the personal fields are; None: the one whose stream it is."""
        return None


EVENTS: Final = events.EventTypes[Event[Any]]()

upcast = EVENTS.upcast
names = EVENTS.names
declared = EVENTS.declared
is_read = EVENTS.is_read
name_of = EVENTS.name_of
encode = EVENTS.encode
decode = EVENTS.decode


def stored[E: Event[Any]](
    name: str, personal: tuple[str, ...] = ()
) -> Callable[[type[E]], type[E]]:
    """Declare an event under its stable name, and which of its fields are ``personal``.

    Errors: ValueError (a name declared twice, a field that is not there or has no blank).
    """

    def declare(event: type[E]) -> type[E]:
        _personal[name] = blanks_of(event, personal)
        return EVENTS.stored(name, _personal[name])(event)

    return declare


def personal(name: str) -> dict[str, Any]:
    """The personal fields of the event stored as ``name``, each with its blank; none where this
    version does not write it any longer."""
    return _personal.get(name, {})


def erased[E: Event[Any]](event: E) -> E:
    """The event without what was personal in it."""
    return replace(event, **_personal[name_of(event)])
