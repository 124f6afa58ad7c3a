"""What the public API takes and answers by itself, beside what it passes on."""

from datetime import datetime
from typing import Literal

import msgspec

from libs.events.content import Channel
from libs.events.directory import (
    AutoforwardState,
    GroupState,
    LocationState,
    MemberState,
    Role,
    WorkspaceState,
)
from libs.events.registry import Body
from libs.runtime.bodies import RequestBody

Language = Literal["ru", "uk", "en"]


class ProblemDetails(Body):
    """RFC 9457. Further members say more, such as who holds the case."""

    type: str
    title: str
    status: int
    detail: str | None = None


# Accounts


class SignIn(RequestBody):
    """``workspace_id`` is needed only where the password opens several workspaces."""

    email: str
    password: str
    workspace_id: str | None = None


class SignedIn(Body):
    """``token`` goes into ``Authorization: Bearer`` of every other request."""

    token: str
    expires_at: datetime
    workspace: WorkspaceState
    member: MemberState
    actions: tuple[str, ...]
    password_is_temporary: bool


class Me(Body):
    """``actions`` are what the member's role may do."""

    workspace: WorkspaceState
    member: MemberState
    actions: tuple[str, ...]
    password_is_temporary: bool


class ChangePassword(RequestBody):
    current_password: str
    new_password: str


class NameApiToken(RequestBody):
    name: str


class ApiTokenView(Body):
    token_id: str
    name: str
    created_at: datetime


class NewApiToken(ApiTokenView):
    """``token`` is shown this once."""

    token: str


class ApiTokens(Body):
    items: tuple[ApiTokenView, ...]


class OpenWorkspace(RequestBody):
    """What ``parley bootstrap`` asks for."""

    name: str
    language: Language
    location_name: str
    time_zone: str
    owner_name: str
    owner_email: str


class OpenedWorkspace(Body):
    """``password`` is shown once, when the account is made."""

    workspace_id: str
    location_id: str | None
    member_id: str
    email: str
    created: bool
    password: str | None = None


# The directory. In a PATCH, what is absent stays as it is.


class NewLocation(RequestBody):
    """``time_zone`` is a name of the IANA database."""

    name: str
    time_zone: str = "UTC"


class ChangeLocation(RequestBody):
    name: str | None = None
    time_zone: str | None = None


class NewMember(RequestBody):
    """``location_ids`` empty: all locations."""

    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...] = ()


class ChangeMember(RequestBody):
    name: str | None = None
    email: str | None = None
    role: Role | None = None
    location_ids: tuple[str, ...] | None = None
    active: bool | None = None


class CreatedMember(Body):
    """``password`` is shown this once; None where the member's account was there already."""

    member_id: str
    name: str
    email: str
    role: Role
    location_ids: tuple[str, ...] = ()
    active: bool = True
    password: str | None = None


class NewGroup(RequestBody):
    """``member_ids`` empty: everyone may see the group."""

    name: str
    member_ids: tuple[str, ...] = ()


class ChangeGroup(RequestBody):
    name: str | None = None
    member_ids: tuple[str, ...] | None = None


class NewSource(RequestBody):
    """``credentials`` of telegram: ``bot_token``; of widget: ``identity_secret``, if wanted."""

    channel: Channel
    name: str
    location_id: str
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    allowed_origins: tuple[str, ...] = ()


class ChangeSource(RequestBody):
    """``connected`` true connects a source again that was disconnected with DELETE."""

    name: str | None = None
    location_id: str | None = None
    credentials: dict[str, str] | None = None
    allowed_origins: tuple[str, ...] | None = None
    connected: Literal[True] | None = None


class SourceView(Body):
    """A source without its credentials. The platform sends its updates to ``webhook_url``."""

    source_id: str
    channel: Channel
    name: str
    location_id: str
    account: str
    connected: bool
    allowed_origins: tuple[str, ...]
    webhook_url: str


class Webhook(Body):
    """``registered``: the platform said that it will send to ``url``; ``error`` says why not."""

    registered: bool
    url: str
    error: str | None = None


class ConnectedSource(SourceView):
    webhook: Webhook


class NewAutoforward(RequestBody):
    source_ids: tuple[str, ...]
    group_id: str


class ChangeAutoforward(RequestBody):
    source_ids: tuple[str, ...] | None = None
    group_id: str | None = None


class LocationPage(Body):
    items: tuple[LocationState, ...]
    next: str | None = None


class MemberPage(Body):
    items: tuple[MemberState, ...]
    next: str | None = None


class GroupPage(Body):
    items: tuple[GroupState, ...]
    next: str | None = None


class SourcePage(Body):
    items: tuple[SourceView, ...]
    next: str | None = None


class AutoforwardPage(Body):
    items: tuple[AutoforwardState, ...]
    next: str | None = None


# Conversations


class PostMessage(RequestBody):
    """``attachments`` are ids that ``POST /v1/attachments`` gave. ``close``: and close the case."""

    text: str = ""
    attachments: tuple[str, ...] = ()
    reply_to: str | None = None
    close: bool = False
