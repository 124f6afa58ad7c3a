"""A workspace's directory: the aggregate that all of its things belong to.

One stream holds the whole directory of a workspace. Its rules reach across things (an e-mail
address is unique, the last owner stays, a group's members exist), so that they hold only where
those things have one version to decide on; and a new workspace, its first location, its owner and
its roles are one commit: all of it or nothing. Each thing counts its own states besides
(``sequences``), because that is what its followers go by.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from libs.events.directory import (
    AutoforwardState,
    CrmWebhookState,
    DirectoryState,
    FieldState,
    GroupState,
    LabelState,
    LocationState,
    MemberState,
    Role,
    RoleState,
    SourceState,
    WorkspaceState,
)
from services.routing.domain import facts
from services.routing.domain.errors import NotThere
from services.routing.domain.facts import Fact


@dataclass(frozen=True, slots=True)
class Change:
    """One thing after one fact: its key on the topic, its state, and whether it is gone."""

    key: str
    state: DirectoryState
    sequence: int
    gone: bool = False


@dataclass(slots=True)
class Workspace:
    """The directory as its facts have made it."""

    workspace_id: str
    workspace: WorkspaceState | None = None
    roles: dict[Role, RoleState] = field(default_factory=dict)
    locations: dict[str, LocationState] = field(default_factory=dict)
    members: dict[str, MemberState] = field(default_factory=dict)
    groups: dict[str, GroupState] = field(default_factory=dict)
    sources: dict[str, SourceState] = field(default_factory=dict)
    autoforwards: dict[str, AutoforwardState] = field(default_factory=dict)
    labels: dict[str, LabelState] = field(default_factory=dict)
    fields: dict[str, FieldState] = field(default_factory=dict)
    crm_webhooks: dict[str, CrmWebhookState] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    def evolve(self, fact: Fact) -> Change:
        """Apply what has happened. It only mutates: the rules were asked before."""
        key, state, gone = self._apply(fact)
        self.sequences[key] = self.sequences.get(key, 0) + 1
        return Change(key, state, self.sequences[key], gone)

    def evolve_all(self, happened: Iterable[Fact]) -> list[Change]:
        return [self.evolve(fact) for fact in happened]

    def location(self, location_id: str) -> LocationState:
        """Errors: NotThere, as with the others below."""
        return _there(self.locations, location_id)

    def member(self, member_id: str) -> MemberState:
        return _there(self.members, member_id)

    def group(self, group_id: str) -> GroupState:
        return _there(self.groups, group_id)

    def source(self, source_id: str) -> SourceState:
        return _there(self.sources, source_id)

    def autoforward(self, autoforward_id: str) -> AutoforwardState:
        return _there(self.autoforwards, autoforward_id)

    def label(self, label_id: str) -> LabelState:
        return _there(self.labels, label_id)

    def field(self, field_id: str) -> FieldState:
        return _there(self.fields, field_id)

    @property
    def crm_webhook(self) -> CrmWebhookState | None:
        return self.crm_webhooks.get(crm_webhook_key(self.workspace_id))

    def autoforward_of(self, source_id: str) -> AutoforwardState | None:
        """The rule for new cases of the source; the first by id where several name it."""
        rules = [rule for rule in self.autoforwards.values() if source_id in rule.source_ids]
        return min(rules, key=lambda rule: rule.autoforward_id, default=None)

    def _apply(self, fact: Fact) -> tuple[str, DirectoryState, bool]:
        match fact:
            case facts.WorkspaceOpened():
                self.workspace = _like(WorkspaceState, fact)
                return fact.workspace_id, self.workspace, False
            case facts.RoleDefined():
                self.roles[fact.role] = role = _like(RoleState, fact)
                return role_key(self.workspace_id, fact.role), role, False
            case facts.LocationSet():
                return _put(self.locations, fact.location_id, _like(LocationState, fact))
            case facts.LocationRemoved():
                return _pop(self.locations, fact.location_id)
            case facts.MemberJoined():
                return _put(self.members, fact.member_id, _like(MemberState, fact))
            case facts.MemberChanged():
                active = self.members[fact.member_id].active
                return _put(self.members, fact.member_id, _like(MemberState, fact, active=active))
            case facts.MemberDeactivated():
                return _change(self.members, fact.member_id, active=False)
            case facts.MemberReactivated():
                return _change(self.members, fact.member_id, active=True)
            case facts.GroupSet():
                return _put(self.groups, fact.group_id, _like(GroupState, fact))
            case facts.GroupRemoved():
                return _pop(self.groups, fact.group_id)
            case facts.AutoforwardSet():
                return _put(self.autoforwards, fact.autoforward_id, _like(AutoforwardState, fact))
            case facts.AutoforwardRemoved():
                return _pop(self.autoforwards, fact.autoforward_id)
            case facts.SourceConnected():
                return _put(self.sources, fact.source_id, _like(SourceState, fact))
            case facts.SourceChanged():
                changed = msgspec.structs.asdict(fact)
                return _change(self.sources, changed.pop("source_id"), **changed)
            case facts.SourceDisconnected():
                return _change(
                    self.sources, fact.source_id, connected=False, sealed_credentials=None
                )
            case facts.LabelSet():
                return _put(self.labels, fact.label_id, _like(LabelState, fact))
            case facts.FieldSet():
                return _put(self.fields, fact.field_id, _like(FieldState, fact))
            case facts.CrmWebhookSet():
                key = crm_webhook_key(self.workspace_id)
                return _put(self.crm_webhooks, key, _like(CrmWebhookState, fact))
            case facts.CrmWebhookRemoved():
                return _pop(self.crm_webhooks, crm_webhook_key(self.workspace_id))
        raise TypeError(f"{type(fact).__name__} is not a fact of the directory")


def role_key(workspace_id: str, role: Role) -> str:
    """Roles have no ids of their own: each workspace has one of each name."""
    return f"{workspace_id}:role:{role}"


def crm_webhook_key(workspace_id: str) -> str:
    """A workspace has one at most."""
    return f"{workspace_id}:crm-webhook"


def _like[S: DirectoryState](state: type[S], fact: Fact, **more: object) -> S:
    return state(**msgspec.structs.asdict(fact), **more)  # type: ignore[arg-type]  # same fields


def _put[S: DirectoryState](
    things: dict[str, S], key: str, state: S
) -> tuple[str, DirectoryState, bool]:
    things[key] = state
    return key, state, False


def _change[S: DirectoryState](
    things: dict[str, S], key: str, **changes: object
) -> tuple[str, DirectoryState, bool]:
    return _put(things, key, msgspec.structs.replace(things[key], **changes))


def _pop[S: DirectoryState](things: dict[str, S], key: str) -> tuple[str, DirectoryState, bool]:
    return key, things.pop(key), True


def _there[S: DirectoryState](things: dict[str, S], key: str) -> S:
    if key not in things:
        raise NotThere(key)
    return things[key]
