"""What the public API takes and answers by itself, beside what it passes on."""

from datetime import datetime

from libs.events.actions import Action, Scope
from libs.events.api.conversations import GivenButtons
from libs.events.api.requests import RequestBody
from libs.events.api.values import Line, Name, Text
from libs.events.channels import Capabilities
from libs.events.content import Channel, Visibility
from libs.events.directory import (
    AutoforwardState,
    FieldState,
    GroupState,
    LabelState,
    LocationState,
    MemberState,
    Role,
    WorkspaceState,
)
from libs.events.registry import Body, Instant


class ProblemDetails(Body):
    """RFC 9457. Further members say more, such as who holds the case."""

    type: str
    title: str
    status: int
    detail: str | None = None


# Accounts


class SignIn(RequestBody):
    """``workspace_id`` is needed only where the password opens several workspaces."""

    email: Line
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


class Permission(Body):
    """An action, and where I may do it. ``location_ids`` null: in all locations. ``group_ids``
    null: whatever the group; else to what is in one of these groups, or in none."""

    action: Action
    location_ids: tuple[str, ...] | None
    group_ids: tuple[str, ...] | None


class Me(Body):
    """``actions`` are what I may do at all, ``permissions`` each of them with where.

    Of a case in which I take part I may do them too, wherever it is.
    """

    workspace: WorkspaceState
    member: MemberState
    actions: tuple[str, ...]
    permissions: tuple[Permission, ...]
    password_is_temporary: bool


class RoleView(Body):
    """``name``: in the language of the answer. ``actions``: what the role may do."""

    role: Role
    name: str
    actions: tuple[Action, ...]


class ScopedAction(Body):
    """``scope``: what the right to the action can be limited to: nothing smaller than the
    workspace, locations, or locations and the groups there."""

    action: Action
    scope: Scope


class Roles(Body):
    """``items``: each role; ``actions``: everything that one of them may do."""

    items: tuple[RoleView, ...]
    actions: tuple[ScopedAction, ...]


class ChangePassword(RequestBody):
    """My other sessions end; my API tokens too with ``end_api_tokens``."""

    current_password: str
    new_password: str
    end_api_tokens: bool = False


class ResetPassword(RequestBody):
    """The member's sessions end; their API tokens too with ``end_api_tokens``."""

    end_api_tokens: bool = False


class TemporaryPassword(Body):
    """``password`` is shown this once, and has to be changed at the first sign-in."""

    member_id: str
    password: str


class NameApiToken(RequestBody):
    """``actions``: what it may be used for, of what I may do (`actions` of `GET /v1/me`); all that
    I may now where it is left out. ``expires_at``: a year from now at the latest, which it is
    where it is left out."""

    name: Name
    actions: tuple[Action, ...] | None = None
    expires_at: Instant | None = None


class ApiTokenView(Body):
    """``actions`` null: of an older version, all that its member may do."""

    token_id: str
    name: str
    created_at: datetime
    expires_at: datetime
    actions: tuple[str, ...] | None


class NewApiToken(ApiTokenView):
    """``token`` is shown this once."""

    token: str


class ApiTokens(Body):
    items: tuple[ApiTokenView, ...]


class OpenedWorkspace(Body):
    """``password`` is shown once, when the account is made."""

    workspace_id: str
    location_id: str | None
    member_id: str
    email: str
    created: bool
    password: str | None = None


# The directory


class CreatedMember(MemberState):
    """``password`` is shown this once; None where the member's account was there already."""

    password: str | None = None


class SourceView(Body):
    """A source without its credentials. The platform sends its updates to ``webhook_url``.

    ``capabilities`` are its channel's: what the team can do in its conversations, and what a
    message may be.
    """

    source_id: str
    channel: Channel
    name: str
    location_id: str
    account: str
    connected: bool
    allowed_origins: tuple[str, ...]
    webhook_url: str
    capabilities: Capabilities


class Webhook(Body):
    """``registered``: the platform said that it will send to ``url``; ``error`` says why not. Of a
    source that was disconnected: that it may send there still, and why."""

    registered: bool
    url: str
    error: str | None = None


class ConnectedSource(SourceView):
    webhook: Webhook


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


class LabelPage(Body):
    items: tuple[LabelState, ...]
    next: str | None = None


class FieldPage(Body):
    items: tuple[FieldState, ...]
    next: str | None = None


# Conversations


class PostMessage(RequestBody):
    """``attachments`` are ids that ``POST /v1/attachments`` gave. ``close``: and close the case.

    ``visibility``: a comment for all to read, or a direct message; null: as the last message was.
    ``buttons``: rows of buttons under the message, where the channel has them.
    """

    text: Text = ""
    attachments: tuple[str, ...] = ()
    buttons: GivenButtons = ()
    reply_to: str | None = None
    close: bool = False
    visibility: Visibility | None = None
