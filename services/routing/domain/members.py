"""The rules for members: who they are, and what they may do."""

from msgspec import UNSET, UnsetType

from libs.events.api.directory import Language
from libs.events.directory import Role
from services.routing.domain.errors import InvalidValue
from services.routing.domain.events import (
    DirectoryEvent,
    MemberChanged,
    MemberDeactivated,
    MemberJoined,
    MemberReactivated,
)
from services.routing.domain.values import email_of, known, name_of
from services.routing.domain.workspace import Workspace


def add_member(
    there: Workspace,
    member_id: str,
    *,
    name: str,
    email: str,
    role: Role,
    location_ids: tuple[str, ...],
    language: Language | None = None,
) -> list[DirectoryEvent]:
    return [
        MemberJoined(
            member_id=member_id,
            name=name_of("name", name),
            email=_free_email(there, member_id, email),
            role=role,
            location_ids=known("location_ids", location_ids, there.locations),
            language=language,
        )
    ]


def change_member(
    there: Workspace,
    member_id: str,
    *,
    name: str | None = None,
    email: str | None = None,
    role: Role | None = None,
    location_ids: tuple[str, ...] | None = None,
    active: bool | None = None,
    language: Language | UnsetType | None = UNSET,
) -> list[DirectoryEvent]:
    """``language`` None: the workspace's. Errors: NotThere, InvalidValue."""
    now = there.member(member_id)
    wanted_role = now.role if role is None else role
    wanted_active = now.active if active is None else active
    happened: list[DirectoryEvent] = []
    changed = MemberChanged(
        member_id=member_id,
        name=now.name if name is None else name_of("name", name),
        email=now.email if email is None else _free_email(there, member_id, email),
        role=wanted_role,
        location_ids=(
            now.location_ids
            if location_ids is None
            else known("location_ids", location_ids, there.locations)
        ),
        language=now.language if language is UNSET else language,
    )
    if any(getattr(changed, name) != getattr(now, name) for name in changed.__struct_fields__):
        happened.append(changed)
    if wanted_active and not now.active:
        happened.append(MemberReactivated(member_id=member_id))
    elif now.active and not wanted_active:
        happened.append(MemberDeactivated(member_id=member_id))
    return happened


def deactivate_member(there: Workspace, member_id: str) -> list[DirectoryEvent]:
    """A member is never deleted: what they wrote stays theirs."""
    return change_member(there, member_id, active=False)


def _free_email(there: Workspace, member_id: str, text: str) -> str:
    email = email_of("email", text)
    folded = email.casefold()
    for member in there.members.values():
        if member.member_id != member_id and member.email.casefold() == folded:
            raise InvalidValue("email", "email-taken")
    return email
