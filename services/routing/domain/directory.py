"""The aggregate: a workspace's directory, on which one rule after the other is decided."""

from collections.abc import Callable, Sequence

from libs.aggregates.aggregate import Aggregate
from services.routing.domain.events import DirectoryEvent
from services.routing.domain.workspace import Workspace

# What a rule makes of the present directory: the events that are to happen, none where nothing is.
type Rule = Callable[[Workspace], Sequence[DirectoryEvent]]


class DirectoryAggregate(Aggregate[Workspace, DirectoryEvent]):
    """One a workspace; its stream is the workspace's id."""

    @property
    def entries(self) -> Workspace:
        """The directory as it is now, an empty one before the workspace is opened."""
        return self.state or Workspace(self.stream)

    def decide(self, rule: Rule) -> None:
        """Let happen what the rule asks for. Errors: the rule's."""
        for event in rule(self.entries):
            self._trigger(event)
