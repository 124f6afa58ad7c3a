"""How far a member's rights go: what they may do, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.events.directory import MemberState, Role


@dataclass(frozen=True, slots=True)
class Reach:
    """``locations`` None: everywhere."""

    actions: frozenset[str]
    locations: frozenset[str] | None

    def covers(self, other: "Reach") -> bool:
        """Whether who has this gives, changes and takes away nothing that they do not have."""
        if not other.actions <= self.actions:
            return False
        if self.locations is None:
            return True
        return other.locations is not None and other.locations <= self.locations


def reach_of(member: MemberState, actions: Iterable[str]) -> Reach:
    """``actions``: those of the member's role. No location binds an owner: one who restricted
    themselves could not undo it."""
    everywhere = member.role is Role.OWNER or not member.location_ids
    return Reach(frozenset(actions), None if everywhere else frozenset(member.location_ids))
