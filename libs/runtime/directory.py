"""The directory as every service sees it: read from its topic into memory, by workspace."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.events.actions import Action
from libs.events.api.directory import Language
from libs.events.conversation.case import Audience
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
from libs.events.envelope import Envelope
from libs.events.topics import Topic
from libs.events.visibility import may_see
from libs.runtime.settings import Settings
from libs.runtime.table import CompactedTable


@dataclass(slots=True)
class WorkspaceDirectory:
    """One workspace's things by id."""

    workspace: WorkspaceState | None = None
    locations: dict[str, LocationState] = field(default_factory=dict)
    members: dict[str, MemberState] = field(default_factory=dict)
    roles: dict[Role, RoleState] = field(default_factory=dict)
    groups: dict[str, GroupState] = field(default_factory=dict)
    sources: dict[str, SourceState] = field(default_factory=dict)
    autoforwards: dict[str, AutoforwardState] = field(default_factory=dict)
    labels: dict[str, LabelState] = field(default_factory=dict)
    fields: dict[str, FieldState] = field(default_factory=dict)
    crm_webhook: CrmWebhookState | None = None

    def may_see(self, member: MemberState, audience: Audience | None) -> bool:
        group = self.groups.get(audience.group_id or "") if audience else None
        return may_see(member, audience, group)

    def actions_of(self, member: MemberState) -> frozenset[str]:
        """What the member's role may do; nothing for one who is not active."""
        role = self.roles.get(member.role)
        return frozenset(role.actions) if role and member.active else frozenset[str]()

    def may(self, member: MemberState, action: Action) -> bool:
        return action in self.actions_of(member)

    def language_of(self, member: MemberState) -> Language | None:
        """Theirs, else the workspace's; None where the workspace is not known yet."""
        return member.language or (self.workspace.language if self.workspace else None)

    def autoforward_of(self, source_id: str) -> AutoforwardState | None:
        """The rule for new cases of the source; the first by id where several name it."""
        rules = [r for r in self.autoforwards.values() if source_id in r.source_ids]
        return min(rules, key=lambda rule: rule.autoforward_id, default=None)


class Directory:
    """Follows ``parley.directory``. Its ``run`` goes to the runtime's tasks."""

    def __init__(self, settings: Settings) -> None:
        self._workspaces: dict[str, WorkspaceDirectory] = {}
        self._owners: dict[str, tuple[str, DirectoryState]] = {}
        self.table = CompactedTable(
            Topic.DIRECTORY,
            self._apply,
            bootstrap_servers=settings.kafka,
            namespace=settings.kafka_namespace,
        )

    def of(self, workspace_id: str) -> WorkspaceDirectory:
        """An empty one where the workspace is not known."""
        return self._workspaces.get(workspace_id) or WorkspaceDirectory()

    @property
    def workspaces(self) -> Mapping[str, WorkspaceDirectory]:
        """All of them by id, for what is asked before a workspace is known."""
        return self._workspaces

    def source(self, source_id: str) -> tuple[str, SourceState] | None:
        """The workspace and the state of a source; None where it is not known."""
        match self._owners.get(source_id):
            case (workspace_id, SourceState() as source):
                return workspace_id, source
        return None

    def _apply(self, key: str, envelope: Envelope | None) -> None:
        before = self._owners.pop(key, None)
        if before is not None:
            _put(self._workspaces[before[0]], before[1], present=False)
        if envelope is not None and isinstance(envelope.body, DirectoryState):
            workspace = self._workspaces.setdefault(envelope.workspace_id, WorkspaceDirectory())
            _put(workspace, envelope.body, present=True)
            self._owners[key] = (envelope.workspace_id, envelope.body)


def _put(directory: WorkspaceDirectory, state: DirectoryState, *, present: bool) -> None:
    match state:
        case WorkspaceState():
            directory.workspace = state if present else None
        case LocationState(location_id=thing_id):
            _set(directory.locations, thing_id, state, present)
        case MemberState(member_id=thing_id):
            _set(directory.members, thing_id, state, present)
        case RoleState(role=role):
            _set(directory.roles, role, state, present)
        case GroupState(group_id=thing_id):
            _set(directory.groups, thing_id, state, present)
        case SourceState(source_id=thing_id):
            _set(directory.sources, thing_id, state, present)
        case AutoforwardState(autoforward_id=thing_id):
            _set(directory.autoforwards, thing_id, state, present)
        case LabelState(label_id=thing_id):
            _set(directory.labels, thing_id, state, present)
        case FieldState(field_id=thing_id):
            _set(directory.fields, thing_id, state, present)
        case CrmWebhookState():
            directory.crm_webhook = state if present else None


def _set[K, V](things: dict[K, V], key: K, state: V, present: bool) -> None:
    if present:
        things[key] = state
    else:
        things.pop(key, None)
