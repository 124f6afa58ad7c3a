"""A small aggregate, to try the kit on: a lamp in a workspace."""

import msgspec

from libs.aggregates.aggregate import Aggregate
from libs.aggregates.events import Event, EventTypes


class LampState(msgspec.Struct, frozen=True):
    workspace_id: str
    percent: int = 0
    dimmed_times: int = 0


class LampEvent(Event[LampState], frozen=True, kw_only=True):
    """Base of all."""


LAMPS = EventTypes[LampEvent]()


@LAMPS.stored("lamp.hung.v1")
class Hung(LampEvent, frozen=True, kw_only=True):
    workspace_id: str

    def apply(self, state: LampState | None) -> LampState:
        return LampState(self.workspace_id)


@LAMPS.stored("lamp.dimmed.v1")
class Dimmed(LampEvent, frozen=True, kw_only=True):
    percent: int

    def apply(self, state: LampState | None) -> LampState:
        assert state is not None
        return LampState(state.workspace_id, self.percent, state.dimmed_times + 1)


class TooBright(Exception):
    """The lamp would burn out."""


class Lamp(Aggregate[LampState, LampEvent]):
    def hang(self, workspace_id: str) -> None:
        if self.state is None:
            self._trigger(Hung(workspace_id=workspace_id))

    def dim(self, percent: int) -> None:
        """Errors: TooBright."""
        self._trigger(Dimmed(percent=percent))
        if percent > 100:
            raise TooBright
