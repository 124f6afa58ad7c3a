"""The kinds of entries of the directory as the public API shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from libs.events.actions import Action
from libs.events.api import directory as asked
from libs.events.directory import (
    AutoforwardState,
    FieldState,
    GroupState,
    LabelState,
    LocationState,
    MemberState,
    SourceState,
)
from libs.events.visibility import sees_group, sees_location
from libs.runtime.cursors import Ids, cursor_of, place_of
from libs.runtime.directory import WorkspaceDirectory
from services.gateway.access import Actor
from services.gateway.api import shapes
from services.gateway.api.shapes import SourceView


@dataclass(frozen=True, slots=True)
class EntryKind:
    """``one`` names an entry in summaries and ids of operations; ``visible`` decides for those who
    do not manage the directory."""

    one: str
    state: type
    page: type
    adding: type
    changing: type
    created: type
    all_of: Callable[[WorkspaceDirectory], Mapping[str, Any]]
    visible: Callable[[Actor, Any], bool]

    @property
    def path(self) -> str:
        return f"{self.one.lower()}s"

    @property
    def id_field(self) -> str:
        return f"{self.one.lower()}_id"

    def find(self, actor: Actor, thing_id: str) -> Any | None:
        """None where it is not there, or not for the actor to see."""
        thing = self.all_of(actor.directory).get(thing_id)
        return thing if thing is not None and self._may_see(actor, thing) else None

    def page_of(self, actor: Actor, cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
        """Entries by id, and the cursor of the next page. Errors: Invalid (the cursor)."""
        after = place_of(cursor, Ids, self.path).id if cursor else ""
        entries = self.all_of(actor.directory)
        ids = sorted(one for one in entries if one > after and self._may_see(actor, entries[one]))
        more = cursor_of(Ids(ids[limit - 1]), self.path) if len(ids) > limit else None
        return [entries[one] for one in ids[:limit]], more

    def _may_see(self, actor: Actor, thing: Any) -> bool:
        return Action.MANAGE_DIRECTORY in actor.actions or self.visible(actor, thing)


def _sees_location(actor: Actor, location: LocationState) -> bool:
    return sees_location(actor.member, location.location_id)


def _sees_group(actor: Actor, group: GroupState) -> bool:
    return sees_group(actor.member, group)


def _sees_source(actor: Actor, source: SourceState) -> bool:
    return sees_location(actor.member, source.location_id)


def _sees_autoforward(actor: Actor, rule: AutoforwardState) -> bool:
    return sees_group(actor.member, actor.directory.groups.get(rule.group_id))


LOCATIONS = EntryKind(
    one="Location",
    state=LocationState,
    page=shapes.LocationPage,
    adding=asked.NewLocation,
    changing=asked.ChangeLocation,
    created=LocationState,
    all_of=lambda directory: directory.locations,
    visible=_sees_location,
)
MEMBERS = EntryKind(
    one="Member",
    state=MemberState,
    page=shapes.MemberPage,
    adding=asked.NewMember,
    changing=asked.ChangeMember,
    created=shapes.CreatedMember,
    all_of=lambda directory: directory.members,
    # Everybody's name stands beside what they wrote.
    visible=lambda _actor, _member: True,
)
GROUPS = EntryKind(
    one="Group",
    state=GroupState,
    page=shapes.GroupPage,
    adding=asked.NewGroup,
    changing=asked.ChangeGroup,
    created=GroupState,
    all_of=lambda directory: directory.groups,
    visible=_sees_group,
)
SOURCES = EntryKind(
    one="Source",
    state=SourceView,
    page=shapes.SourcePage,
    adding=asked.NewSource,
    changing=asked.ChangeSource,
    created=shapes.ConnectedSource,
    all_of=lambda directory: directory.sources,
    visible=_sees_source,
)
AUTOFORWARDS = EntryKind(
    one="Autoforward",
    state=AutoforwardState,
    page=shapes.AutoforwardPage,
    adding=asked.NewAutoforward,
    changing=asked.ChangeAutoforward,
    created=AutoforwardState,
    all_of=lambda directory: directory.autoforwards,
    visible=_sees_autoforward,
)
# What cases are marked with is no secret among those who read them.
LABELS = EntryKind(
    one="Label",
    state=LabelState,
    page=shapes.LabelPage,
    adding=asked.NewLabel,
    changing=asked.ChangeLabel,
    created=LabelState,
    all_of=lambda directory: directory.labels,
    visible=lambda _actor, _label: True,
)
FIELDS = EntryKind(
    one="Field",
    state=FieldState,
    page=shapes.FieldPage,
    adding=asked.NewField,
    changing=asked.ChangeField,
    created=FieldState,
    all_of=lambda directory: directory.fields,
    visible=lambda _actor, _field: True,
)
KINDS = (LOCATIONS, MEMBERS, GROUPS, SOURCES, AUTOFORWARDS, LABELS, FIELDS)
