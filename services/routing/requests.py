"""What may be asked of the directory over HTTP. In a PATCH, what is absent stays as it is."""

from typing import Literal

import msgspec

from libs.events.content import Channel
from libs.events.directory import Role
from libs.runtime.bodies import RequestBody


class OpenWorkspace(RequestBody):
    name: str
    location_name: str
    owner_name: str
    owner_email: str
    language: Literal["ru", "uk", "en"] = "en"
    time_zone: str = "UTC"


class AddLocation(RequestBody):
    name: str
    time_zone: str = "UTC"


class ChangeLocation(RequestBody):
    name: str | None = None
    time_zone: str | None = None


class AddMember(RequestBody):
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


class AddGroup(RequestBody):
    name: str
    member_ids: tuple[str, ...] = ()


class ChangeGroup(RequestBody):
    name: str | None = None
    member_ids: tuple[str, ...] | None = None


class ConnectSource(RequestBody):
    channel: Channel
    name: str
    location_id: str
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    allowed_origins: tuple[str, ...] = ()


class ChangeSource(RequestBody):
    """``connected`` true connects a source again; it is disconnected with DELETE."""

    name: str | None = None
    location_id: str | None = None
    credentials: dict[str, str] | None = None
    allowed_origins: tuple[str, ...] | None = None
    connected: Literal[True] | None = None


class AddAutoforward(RequestBody):
    source_ids: tuple[str, ...]
    group_id: str


class ChangeAutoforward(RequestBody):
    source_ids: tuple[str, ...] | None = None
    group_id: str | None = None
