"""The stored events of a workspace's directory. Immutable; a changed meaning is a new version.

Each says which entry it leaves, and so what the directory is after it (`DirectoryEvent.apply`).
"""

from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from libs.aggregates.events import Event, EventTypes
from libs.events.content import Channel
from libs.events.directory import (
    AutoforwardState,
    Choice,
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
from libs.events.marks import FieldKind, LabelKind
from services.routing.domain.workspace import Entry, Workspace, crm_webhook_key, role_key


class DirectoryEvent(Event[Workspace], frozen=True, kw_only=True):
    """One entry of the directory came, changed, or went."""

    def entry(self, before: Workspace) -> Entry:
        """The entry as the event leaves it. Errors: KeyError (the stream is damaged: what the
        event changes is not there)."""
        raise NotImplementedError

    def apply(self, state: Workspace | None) -> Workspace:
        """The directory with the entry as the event leaves it."""
        before = state or Workspace()
        return before.with_entry(self.entry(before))


EVENTS: Final = EventTypes[DirectoryEvent]()


@EVENTS.stored("routing.workspace-opened.v1")
class WorkspaceOpened(DirectoryEvent, frozen=True, kw_only=True):
    """The tenant is there, with the language in which it is spoken to."""

    workspace_id: str
    name: str
    language: Literal["ru", "uk", "en"]

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.workspace_id, _like(WorkspaceState, self))


@EVENTS.stored("routing.role-defined.v1")
class RoleDefined(DirectoryEvent, frozen=True, kw_only=True):
    """What a role may do from now on."""

    role: Role
    actions: tuple[str, ...]

    def entry(self, before: Workspace) -> Entry:
        return Entry(role_key(before.workspace_id, self.role), _like(RoleState, self))


@EVENTS.stored("routing.location-set.v1")
class LocationSet(DirectoryEvent, frozen=True, kw_only=True):
    """A location came, or is now like this."""

    location_id: str
    name: str
    time_zone: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.location_id, _like(LocationState, self))


@EVENTS.stored("routing.location-removed.v1")
class LocationRemoved(DirectoryEvent, frozen=True, kw_only=True):
    """The branch is no more; nothing may still belong to it."""

    location_id: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.location_id, before.locations[self.location_id], gone=True)


@EVENTS.stored("routing.member-joined.v1")
class MemberJoined(DirectoryEvent, frozen=True, kw_only=True):
    """A person of the team, with the role that says what they may do."""

    member_id: str
    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...]
    language: Literal["ru", "uk", "en"] | None = None

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.member_id, _like(MemberState, self))


@EVENTS.stored("routing.member-changed.v1")
class MemberChanged(DirectoryEvent, frozen=True, kw_only=True):
    """What the member is called, may do and may see, whole, as it is now."""

    member_id: str
    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...]
    language: Literal["ru", "uk", "en"] | None = None

    def entry(self, before: Workspace) -> Entry:
        return _changed(self.member_id, before.members[self.member_id], self)


@EVENTS.stored("routing.member-deactivated.v1")
class MemberDeactivated(DirectoryEvent, frozen=True, kw_only=True):
    """The member may not sign in any more; what they did keeps their name."""

    member_id: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.member_id, replace(before.members[self.member_id], active=False))


@EVENTS.stored("routing.member-reactivated.v1")
class MemberReactivated(DirectoryEvent, frozen=True, kw_only=True):
    """The member may sign in again."""

    member_id: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.member_id, replace(before.members[self.member_id], active=True))


@EVENTS.stored("routing.group-set.v1")
class GroupSet(DirectoryEvent, frozen=True, kw_only=True):
    """A group came, or is now like this."""

    group_id: str
    name: str
    member_ids: tuple[str, ...]

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.group_id, _like(GroupState, self))


@EVENTS.stored("routing.group-removed.v1")
class GroupRemoved(DirectoryEvent, frozen=True, kw_only=True):
    """The department is no more; its cases are everybody's of their location."""

    group_id: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.group_id, before.groups[self.group_id], gone=True)


@EVENTS.stored("routing.source-connected.v1")
class SourceConnected(DirectoryEvent, frozen=True, kw_only=True):
    """For the first time, or again: then everything else about the source is as given here."""

    source_id: str
    channel: Channel
    account: str
    name: str
    location_id: str
    sealed_credentials: str
    allowed_origins: tuple[str, ...]

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.source_id, _like(SourceState, self))


@EVENTS.stored("routing.source-changed.v1")
class SourceChanged(DirectoryEvent, frozen=True, kw_only=True):
    """The connected account's name, place and credentials, whole, as they are now."""

    source_id: str
    name: str
    location_id: str
    sealed_credentials: str
    allowed_origins: tuple[str, ...]

    def entry(self, before: Workspace) -> Entry:
        return _changed(self.source_id, before.sources[self.source_id], self)


@EVENTS.stored("routing.source-disconnected.v1")
class SourceDisconnected(DirectoryEvent, frozen=True, kw_only=True):
    """Its credentials are forgotten with it."""

    source_id: str

    def entry(self, before: Workspace) -> Entry:
        source = before.sources[self.source_id]
        return Entry(self.source_id, replace(source, connected=False, sealed_credentials=None))


@EVENTS.stored("routing.autoforward-set.v1")
class AutoforwardSet(DirectoryEvent, frozen=True, kw_only=True):
    """A rule came, or is now like this."""

    autoforward_id: str
    source_ids: tuple[str, ...]
    group_id: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.autoforward_id, _like(AutoforwardState, self))


@EVENTS.stored("routing.autoforward-removed.v1")
class AutoforwardRemoved(DirectoryEvent, frozen=True, kw_only=True):
    """The rule sends no new cases to its group any more."""

    autoforward_id: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.autoforward_id, before.autoforwards[self.autoforward_id], gone=True)


@EVENTS.stored("routing.crm-webhook-set.v1")
class CrmWebhookSet(DirectoryEvent, frozen=True, kw_only=True):
    """Cases sent to the CRM go here from now on, signed with this secret."""

    url: str
    sealed_secret: str

    def entry(self, before: Workspace) -> Entry:
        return Entry(crm_webhook_key(before.workspace_id), _like(CrmWebhookState, self))


@EVENTS.stored("routing.crm-webhook-removed.v1")
class CrmWebhookRemoved(DirectoryEvent, frozen=True, kw_only=True):
    """Cases sent to the CRM go nowhere any more; the secret is forgotten with the address."""

    url: str

    def entry(self, before: Workspace) -> Entry:
        key = crm_webhook_key(before.workspace_id)
        return Entry(key, before.crm_webhooks[key], gone=True)


@EVENTS.stored("routing.label-set.v1")
class LabelSet(DirectoryEvent, frozen=True, kw_only=True):
    """A label came, or is now like this."""

    label_id: str
    kind: LabelKind
    name: str
    position: int
    active: bool

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.label_id, _like(LabelState, self))


@EVENTS.stored("routing.field-set.v1")
class FieldSet(DirectoryEvent, frozen=True, kw_only=True):
    """The definition of a custom field came, or is now like this."""

    field_id: str
    applies_to: Literal["case", "customer"]
    name: str
    kind: FieldKind
    required: bool
    minimum: float | None
    maximum: float | None
    max_characters: int | None
    choices: tuple[Choice, ...]
    position: int
    active: bool

    def entry(self, before: Workspace) -> Entry:
        return Entry(self.field_id, _like(FieldState, self))


def _like[S: DirectoryState](state: type[S], event: DirectoryEvent) -> S:
    """The state of the event's fields, which are the same."""
    return state(**msgspec.structs.asdict(event))


def _changed(key: str, before: DirectoryState, event: DirectoryEvent) -> Entry:
    """The state before, with the event's fields; the others stay."""
    return Entry(key, replace(before, **msgspec.structs.asdict(event)))
