"""The stored events of a workspace's directory. Immutable; a changed meaning is a new version."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from libs.events.content import Channel
from libs.events.directory import Choice, Role
from libs.events.marks import FieldKind, LabelKind
from libs.events.registry import Body
from libs.eventstore.commits import StoredEvent


class Fact(Body):
    """Base of all: one thing of the directory came, changed, or went."""


_types: dict[type[Fact], str] = {}
_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def stored[T: type[Fact]](name: str) -> Callable[[T], T]:
    """Declare a fact under its stable type name."""

    def declare(fact: T) -> T:
        _types[fact] = name
        _decoders[name] = msgspec.json.Decoder(fact)
        return fact

    return declare


def to_stored(fact: Fact) -> StoredEvent:
    return StoredEvent(_types[type(fact)], msgspec.json.encode(fact))


def from_stored(event: StoredEvent) -> Fact:
    fact: Fact = _decoders[event.type].decode(event.data)
    return fact


def all_facts() -> dict[str, type[Fact]]:
    """Every type of fact by its name."""
    return {name: fact for fact, name in _types.items()}


@stored("routing.workspace-opened.v1")
class WorkspaceOpened(Fact):
    """The tenant is there, with the language in which it is spoken to."""

    workspace_id: str
    name: str
    language: Literal["ru", "uk", "en"]


@stored("routing.role-defined.v1")
class RoleDefined(Fact):
    """What a role may do from now on."""

    role: Role
    actions: tuple[str, ...]


@stored("routing.location-set.v1")
class LocationSet(Fact):
    """A location came, or is now like this."""

    location_id: str
    name: str
    time_zone: str


@stored("routing.location-removed.v1")
class LocationRemoved(Fact):
    """The branch is no more; nothing may still belong to it."""

    location_id: str


@stored("routing.member-joined.v1")
class MemberJoined(Fact):
    """A person of the team, with the role that says what they may do."""

    member_id: str
    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...]
    language: Literal["ru", "uk", "en"] | None = None


@stored("routing.member-changed.v1")
class MemberChanged(Fact):
    """What the member is called, may do and may see, whole, as it is now."""

    member_id: str
    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...]
    language: Literal["ru", "uk", "en"] | None = None


@stored("routing.member-deactivated.v1")
class MemberDeactivated(Fact):
    """The member may not sign in any more; what they did keeps their name."""

    member_id: str


@stored("routing.member-reactivated.v1")
class MemberReactivated(Fact):
    """The member may sign in again."""

    member_id: str


@stored("routing.group-set.v1")
class GroupSet(Fact):
    """A group came, or is now like this."""

    group_id: str
    name: str
    member_ids: tuple[str, ...]


@stored("routing.group-removed.v1")
class GroupRemoved(Fact):
    """The department is no more; its cases are everybody's of their location."""

    group_id: str


@stored("routing.source-connected.v1")
class SourceConnected(Fact):
    """For the first time, or again: then everything else about the source is as given here."""

    source_id: str
    channel: Channel
    account: str
    name: str
    location_id: str
    sealed_credentials: str
    allowed_origins: tuple[str, ...]


@stored("routing.source-changed.v1")
class SourceChanged(Fact):
    """The connected account's name, place and credentials, whole, as they are now."""

    source_id: str
    name: str
    location_id: str
    sealed_credentials: str
    allowed_origins: tuple[str, ...]


@stored("routing.source-disconnected.v1")
class SourceDisconnected(Fact):
    """Its credentials are forgotten with it."""

    source_id: str


@stored("routing.autoforward-set.v1")
class AutoforwardSet(Fact):
    """A rule came, or is now like this."""

    autoforward_id: str
    source_ids: tuple[str, ...]
    group_id: str


@stored("routing.autoforward-removed.v1")
class AutoforwardRemoved(Fact):
    """The rule sends no new cases to its group any more."""

    autoforward_id: str


@stored("routing.crm-webhook-set.v1")
class CrmWebhookSet(Fact):
    """Cases sent to the CRM go here from now on, signed with this secret."""

    url: str
    sealed_secret: str


@stored("routing.crm-webhook-removed.v1")
class CrmWebhookRemoved(Fact):
    """Cases sent to the CRM go nowhere any more; the secret is forgotten with the address."""

    url: str


@stored("routing.label-set.v1")
class LabelSet(Fact):
    """A label came, or is now like this."""

    label_id: str
    kind: LabelKind
    name: str
    position: int
    active: bool


@stored("routing.field-set.v1")
class FieldSet(Fact):
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
