"""The directory: what may be asked of it, and what routing and ingest answer to that.

In a PATCH, what is absent stays as it is.
"""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from libs.events.api.requests import RequestBody
from libs.events.api.values import Line, Name, TimeZone
from libs.events.content import Channel
from libs.events.directory import LocationState, MemberState, Role, WorkspaceState
from libs.events.marks import FieldKind, LabelKind
from libs.events.registry import Body, Instant

Language = Literal["ru", "uk", "en"]

# The header of an answer to a change: where on ``parley.directory`` its last state stands.
OFFSET_HEADER: Final = "parley-directory-offset"


class OpenWorkspace(RequestBody):
    """What ``parley bootstrap`` asks for. ``time_zone`` is a name of the IANA database."""

    name: Name
    language: Language
    location_name: Name
    time_zone: TimeZone
    owner_name: Name
    owner_email: Line


class FirstStates(Body):
    """A workspace just opened, as routing answers it."""

    workspace: WorkspaceState
    location: LocationState
    owner: MemberState


class NewLocation(RequestBody):
    """``time_zone`` is a name of the IANA database."""

    name: Name
    time_zone: TimeZone = "UTC"


class ChangeLocation(RequestBody):
    name: Name | None = None
    time_zone: TimeZone | None = None


class NewMember(RequestBody):
    """``location_ids`` empty: all locations. ``language`` null: the workspace's."""

    name: Name
    email: Line
    role: Role
    location_ids: tuple[str, ...] = ()
    language: Language | None = None


class ChangeMember(RequestBody):
    """``language`` null: the workspace's."""

    name: Name | None = None
    email: Line | None = None
    role: Role | None = None
    location_ids: tuple[str, ...] | None = None
    active: bool | None = None
    language: Language | UnsetType | None = UNSET


class ChangeMe(RequestBody):
    """What members change of themselves. ``language`` null: the workspace's."""

    language: Language | UnsetType | None = UNSET


class NewGroup(RequestBody):
    """``member_ids`` empty: everyone may see the group."""

    name: Name
    member_ids: tuple[str, ...] = ()


class ChangeGroup(RequestBody):
    name: Name | None = None
    member_ids: tuple[str, ...] | None = None


class NewSource(RequestBody):
    """``credentials`` of telegram: ``bot_token``; of widget: ``identity_secret``, if wanted."""

    channel: Channel
    name: Name
    location_id: str
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    allowed_origins: tuple[str, ...] = ()


class ChangeSource(RequestBody):
    """``connected`` true connects a source again that was disconnected with DELETE."""

    name: Name | None = None
    location_id: str | None = None
    credentials: dict[str, str] | None = None
    allowed_origins: tuple[str, ...] | None = None
    connected: Literal[True] | None = None


class NewAutoforward(RequestBody):
    source_ids: tuple[str, ...]
    group_id: str


class ChangeAutoforward(RequestBody):
    source_ids: tuple[str, ...] | None = None
    group_id: str | None = None


class NewLabel(RequestBody):
    """``position`` orders the labels of a kind."""

    kind: LabelKind
    name: Name
    position: int = 0


class ChangeLabel(RequestBody):
    """``active`` true offers a label again that was taken away with DELETE."""

    name: Name | None = None
    position: int | None = None
    active: bool | None = None


class FieldChoice(RequestBody):
    """``choice_id`` is given where a choice stays that is there already; a new one gets its own."""

    name: Name
    choice_id: str | None = None


class NewField(RequestBody):
    """A custom field of cases or of customers.

    ``minimum`` and ``maximum`` are for numbers, ``max_characters`` for texts, ``choices`` for a
    choice and for choices. ``required``, for cases alone: one is not closed before it says
    something.
    """

    applies_to: Literal["case", "customer"]
    name: Name
    kind: FieldKind
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    max_characters: int | None = None
    choices: tuple[FieldChoice, ...] = ()
    position: int = 0


class ChangeField(RequestBody):
    """What a field applies to and its kind stay. ``choices`` are all that are to be there.

    ``active`` true offers a field again that was taken away with DELETE.
    """

    name: Name | None = None
    required: bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_characters: int | None = None
    choices: tuple[FieldChoice, ...] | None = None
    position: int | None = None
    active: bool | None = None


class ChangeCrmWebhook(RequestBody):
    """``url`` has to be given where none is set yet. ``renew_secret``: sign with another from now
    on; the first one is made with the first ``url``."""

    url: str | None = None
    renew_secret: bool = False


class CrmWebhook(Body):
    """Where cases that members send to the CRM are posted. ``secret`` is shown once, when it is
    made: as Standard Webhooks write it, ``whsec_`` and the key in base64."""

    url: str
    secret: str | None = None


class SourceHealth(Body):
    """Whether the platform sends to us: ``error`` says why not. ``waiting_updates`` are those that
    it has not delivered yet, ``last_error`` what it says of its last try that failed."""

    registered: bool
    webhook_url: str
    error: str | None = None
    last_update_at: Instant | None = None
    waiting_updates: int = 0
    last_error: str | None = None
    last_error_at: Instant | None = None


class WebhookRegistration(Body):
    """``error``: the platform's refusal in its words, or that it was not reached."""

    registered: bool
    error: str | None
    webhook_url: str
