"""The state of a workspace's directory: all of its entries.

One stream holds the whole directory of a workspace. Its rules reach across entries (an e-mail
address is unique, the last owner stays, a group's members exist), so that they hold only where
those entries have one version to decide on; and a new workspace, its first location, its owner and
its roles are one commit: all of it or nothing. Each entry counts its own states besides
(``sequences``), because that is what its followers go by.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

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
from services.routing.domain.errors import NotThere


class Entry(msgspec.Struct, frozen=True):
    """One entry as an event leaves it: its key on the topic, its state, and whether it is gone."""

    key: str
    state: DirectoryState
    gone: bool = False


class Workspace(msgspec.Struct, frozen=True):
    """The directory as its events have made it. Immutable: each event makes the next one."""

    workspace_id: str = ""
    # None before the workspace is opened.
    workspace: WorkspaceState | None = None
    roles: dict[str, RoleState] = {}
    locations: dict[str, LocationState] = {}
    members: dict[str, MemberState] = {}
    groups: dict[str, GroupState] = {}
    sources: dict[str, SourceState] = {}
    autoforwards: dict[str, AutoforwardState] = {}
    labels: dict[str, LabelState] = {}
    fields: dict[str, FieldState] = {}
    crm_webhooks: dict[str, CrmWebhookState] = {}
    sequences: dict[str, int] = {}

    def with_entry(self, entry: Entry) -> "Workspace":
        """With the entry as it is now, or without the one that is gone; its sequence counts on."""
        sequences = self.sequences | {entry.key: self.sequences.get(entry.key, 0) + 1}
        state = entry.state
        if isinstance(state, WorkspaceState):
            opened = state.workspace_id
            return replace(self, workspace_id=opened, workspace=state, sequences=sequences)
        name = _ENTRIES[type(state)]
        key = state.role if isinstance(state, RoleState) else entry.key
        entries: dict[str, Any] = dict(getattr(self, name))
        if entry.gone:
            del entries[key]
        else:
            entries[key] = state
        return replace(self, sequences=sequences, **{name: entries})

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


# Where the entries of each kind are, by their keys; a role by its name.
_ENTRIES: Final[Mapping[type[DirectoryState], str]] = {
    RoleState: "roles",
    LocationState: "locations",
    MemberState: "members",
    GroupState: "groups",
    SourceState: "sources",
    AutoforwardState: "autoforwards",
    LabelState: "labels",
    FieldState: "fields",
    CrmWebhookState: "crm_webhooks",
}


def role_key(workspace_id: str, role: Role) -> str:
    """Roles have no ids of their own: each workspace has one of each name."""
    return f"{workspace_id}:role:{role}"


def crm_webhook_key(workspace_id: str) -> str:
    """A workspace has one at most."""
    return f"{workspace_id}:crm-webhook"


def _there[S: DirectoryState](entries: Mapping[str, S], key: str) -> S:
    if key not in entries:
        raise NotThere(key)
    return entries[key]
