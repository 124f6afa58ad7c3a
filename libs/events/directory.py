"""The directory's things, each as its full present state (the topic is compacted by thing).

A tombstone (no body) says that the thing is gone. Passwords, sessions and tokens never travel.
"""

from enum import StrEnum
from typing import Literal

from libs.events.content import Channel
from libs.events.marks import FieldKind, LabelKind
from libs.events.registry import Body, public
from libs.events.topics import Topic


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    MODERATOR = "moderator"
    ANALYST = "analyst"
    READ_ONLY = "read_only"


@public("parley.directory.workspace.v1", Topic.DIRECTORY)
class WorkspaceState(Body):
    """The tenant, and the language in which it is spoken to by default."""

    workspace_id: str
    name: str
    language: Literal["ru", "uk", "en"] = "en"


@public("parley.directory.location.v1", Topic.DIRECTORY)
class LocationState(Body):
    """``time_zone`` is a name of the IANA database."""

    location_id: str
    name: str
    time_zone: str = "UTC"


@public("parley.directory.member.v1", Topic.DIRECTORY)
class MemberState(Body):
    """``location_ids`` empty: all locations. ``language`` null: the workspace's."""

    member_id: str
    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...] = ()
    active: bool = True
    language: Literal["ru", "uk", "en"] | None = None


@public("parley.directory.role.v1", Topic.DIRECTORY)
class RoleState(Body):
    """What a role may do in its workspace: one row of the permission table."""

    role: Role
    actions: tuple[str, ...]


@public("parley.directory.group.v1", Topic.DIRECTORY)
class GroupState(Body):
    """``member_ids`` empty: everyone may see the group."""

    group_id: str
    name: str
    member_ids: tuple[str, ...] = ()


@public("parley.directory.source.v1", Topic.DIRECTORY)
class SourceState(Body):
    """A connected account. ``sealed_credentials`` only ingest can open.

    ``account`` is the platform's id of the account (the bot's id, the widget's own name);
    ``allowed_origins`` are the widget's.
    """

    source_id: str
    channel: Channel
    name: str
    location_id: str
    account: str
    connected: bool = True
    sealed_credentials: str | None = None
    allowed_origins: tuple[str, ...] = ()


@public("parley.directory.autoforward.v1", Topic.DIRECTORY)
class AutoforwardState(Body):
    """New cases of the sources go straight to the group."""

    autoforward_id: str
    source_ids: tuple[str, ...]
    group_id: str


@public("parley.directory.label.v1", Topic.DIRECTORY)
class LabelState(Body):
    """What cases can be marked with, of the workspace's own choice: one catalogue for all kinds.

    One that is not ``active`` is not given to cases any more; those that have it keep it.
    ``position`` orders the labels of a kind.
    """

    label_id: str
    kind: LabelKind
    name: str
    position: int = 0
    active: bool = True


class Choice(Body):
    choice_id: str
    name: str


@public("parley.directory.field.v1", Topic.DIRECTORY)
class FieldState(Body):
    """The definition of a custom field of cases or of customers.

    ``required``, of cases alone: one is not closed before it says something. ``minimum`` and
    ``maximum`` are a number's, ``max_characters`` a text's, ``choices`` those of a choice and of a
    multiple choice. One that is not ``active`` takes no new value.
    """

    field_id: str
    applies_to: Literal["case", "customer"]
    name: str
    kind: FieldKind
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    max_characters: int | None = None
    choices: tuple[Choice, ...] = ()
    position: int = 0
    active: bool = True


@public("parley.directory.crm-webhook.v1", Topic.DIRECTORY)
class CrmWebhookState(Body):
    """Where a workspace takes the cases that its members send to the CRM.

    ``sealed_secret`` is what deliveries are signed with; only notify can open it.
    """

    url: str
    sealed_secret: str


DirectoryState = (
    WorkspaceState
    | LocationState
    | MemberState
    | RoleState
    | GroupState
    | SourceState
    | AutoforwardState
    | LabelState
    | FieldState
    | CrmWebhookState
)
