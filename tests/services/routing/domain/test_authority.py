"""Nobody gives, changes or takes away more than they have, whatever they ask for."""

from collections.abc import Callable, Sequence

import pytest

from libs.events.content import Channel
from libs.events.directory import Role
from services.routing.domain import members, rules
from services.routing.domain.authority import within
from services.routing.domain.crm_webhook import change_crm_webhook
from services.routing.domain.errors import Beyond
from services.routing.domain.events import (
    DirectoryEvent,
    GroupSet,
    LocationSet,
    MemberDeactivated,
    MemberJoined,
    RoleDefined,
    SourceConnected,
)
from services.routing.domain.workspace import Workspace
from tests.support.routing.directory import SOURCES, given
from tests.support.routing.service import Client

type Asking = Callable[[Workspace], Sequence[DirectoryEvent]]


def _member(member_id: str, role: Role, *location_ids: str) -> MemberJoined:
    return MemberJoined(
        member_id=member_id,
        name=member_id,
        email=f"{member_id}@a.example",
        role=role,
        location_ids=location_ids,
    )


def _source(source_id: str, location_id: str) -> SourceConnected:
    return SourceConnected(
        source_id=source_id,
        channel=Channel.TELEGRAM,
        account=source_id,
        name="Bot",
        location_id=location_id,
        sealed_credentials="sealed",
        allowed_origins=(),
    )


HAPPENED = (
    LocationSet(location_id="loc_1", name="Kyiv", time_zone="Europe/Kyiv"),
    LocationSet(location_id="loc_2", name="Lviv", time_zone="Europe/Kyiv"),
    _member("owner", Role.OWNER),
    _member("other-owner", Role.OWNER),
    _member("admin", Role.ADMIN),
    _member("other-admin", Role.ADMIN),
    _member("kyiv-admin", Role.ADMIN, "loc_1"),
    _member("kyiv-operator", Role.OPERATOR, "loc_1"),
    _member("lviv-operator", Role.OPERATOR, "loc_2"),
    _member("operator", Role.OPERATOR),
    _member("gone-owner", Role.OWNER),
    MemberDeactivated(member_id="gone-owner"),
    _source("src_1", "loc_1"),
    _source("src_2", "loc_2"),
    GroupSet(group_id="grp_1", name="Sales", member_ids=()),
)


def _joins(role: Role, *location_ids: str) -> Asking:
    return lambda there: members.add_member(
        there, "new", name="N", email="n@a.example", role=role, location_ids=location_ids
    )


def _changes(member_id: str, **fields: object) -> Asking:
    return lambda there: members.change_member(there, member_id, **fields)  # type: ignore[arg-type]


def _leaves(member_id: str) -> Asking:
    return lambda there: members.deactivate_member(there, member_id)


def _forwards(*source_ids: str) -> Asking:
    return lambda there: rules.set_autoforward(
        there, "afw", source_ids=source_ids, group_id="grp_1"
    )


def _crm(there: Workspace) -> Sequence[DirectoryEvent]:
    return change_crm_webhook(
        there, url="https://crm.example", sealed_secret="sealed", renew_secret=False
    )


BEYOND: dict[str, tuple[str, Asking]] = {
    "an admin makes an owner": ("admin", _joins(Role.OWNER)),
    "an admin becomes an owner": ("admin", _changes("admin", role=Role.OWNER)),
    "an admin makes another admin an owner": ("admin", _changes("other-admin", role=Role.OWNER)),
    "an admin demotes an owner": ("admin", _changes("owner", role=Role.OPERATOR)),
    "an admin deactivates an owner": ("admin", _leaves("owner")),
    "an admin takes an owner's address": ("admin", _changes("owner", email="x@a.example")),
    "an admin renames an owner": ("admin", _changes("owner", name="Nobody")),
    "an admin restricts an owner": ("admin", _changes("owner", location_ids=("loc_1",))),
    "an admin brings an owner back": ("admin", _changes("gone-owner", active=True)),
    "an admin brings an owner back lowered": (
        "admin",
        _changes("gone-owner", active=True, role=Role.ADMIN),
    ),
    "an operator raises themselves": ("operator", _changes("operator", role=Role.ADMIN)),
    "Kyiv's admin makes an admin of all": ("kyiv-admin", _joins(Role.ADMIN)),
    "Kyiv's admin makes an operator of all": ("kyiv-admin", _joins(Role.OPERATOR)),
    "Kyiv's admin makes one of Lviv": ("kyiv-admin", _joins(Role.OPERATOR, "loc_1", "loc_2")),
    "Kyiv's admin frees themselves": ("kyiv-admin", _changes("kyiv-admin", location_ids=())),
    "Kyiv's admin frees an operator": ("kyiv-admin", _changes("kyiv-operator", location_ids=())),
    "Kyiv's admin takes one from Lviv": (
        "kyiv-admin",
        _changes("lviv-operator", location_ids=("loc_1",)),
    ),
    "Kyiv's admin deactivates one of Lviv": ("kyiv-admin", _leaves("lviv-operator")),
    "Kyiv's admin deactivates one of all": ("kyiv-admin", _leaves("operator")),
    "Kyiv's admin deactivates an admin of all": ("kyiv-admin", _leaves("admin")),
    "Kyiv's admin makes a location": (
        "kyiv-admin",
        lambda there: rules.add_location(there, "loc_3", name="Odesa", time_zone="UTC"),
    ),
    "Kyiv's admin renames Lviv": (
        "kyiv-admin",
        lambda there: rules.change_location(there, "loc_2", name="L", time_zone=None),
    ),
    "Kyiv's admin takes a source from Lviv": (
        "kyiv-admin",
        lambda there: SOURCES.change(there, "src_2", location_id="loc_1"),
    ),
    "Kyiv's admin gives a source to Lviv": (
        "kyiv-admin",
        lambda there: SOURCES.change(there, "src_1", location_id="loc_2"),
    ),
    "Kyiv's admin disconnects Lviv's source": (
        "kyiv-admin",
        lambda there: SOURCES.disconnect(there, "src_2"),
    ),
    "Kyiv's admin forwards Lviv's cases": ("kyiv-admin", _forwards("src_1", "src_2")),
    "Kyiv's admin takes all cases to a CRM": ("kyiv-admin", _crm),
    "somebody who left": ("gone-owner", _changes("operator", name="Petro")),
    "somebody unknown": ("nobody", _changes("operator", name="Petro")),
}

OWN: dict[str, tuple[str, Asking]] = {
    "an owner makes an owner": ("owner", _joins(Role.OWNER)),
    "an owner demotes an owner": ("owner", _changes("other-owner", role=Role.ADMIN)),
    "an admin makes an admin": ("admin", _joins(Role.ADMIN)),
    "an admin deactivates an admin": ("admin", _leaves("other-admin")),
    "an admin lowers themselves": ("admin", _changes("admin", role=Role.OPERATOR)),
    "an admin restricts themselves": ("admin", _changes("admin", location_ids=("loc_1",))),
    "an admin takes cases to a CRM": ("admin", _crm),
    "Kyiv's admin makes one of Kyiv": ("kyiv-admin", _joins(Role.ADMIN, "loc_1")),
    "Kyiv's admin deactivates one of Kyiv": ("kyiv-admin", _leaves("kyiv-operator")),
    "Kyiv's admin renames themselves": ("kyiv-admin", _changes("kyiv-admin", name="Ira")),
    "Kyiv's admin disconnects Kyiv's source": (
        "kyiv-admin",
        lambda there: SOURCES.disconnect(there, "src_1"),
    ),
    "Kyiv's admin forwards Kyiv's cases": ("kyiv-admin", _forwards("src_1")),
    "an operator chooses a language": ("operator", _changes("operator", language="ru")),
}


@pytest.mark.parametrize(("who", "asked"), BEYOND.values(), ids=BEYOND)
def test_beyond(who: str, asked: Asking) -> None:
    there = given(*HAPPENED)

    with pytest.raises(Beyond):
        within(there, who, asked(there))


@pytest.mark.parametrize(("who", "asked"), OWN.values(), ids=OWN)
def test_own(who: str, asked: Asking) -> None:
    there = given(*HAPPENED)

    happened = within(there, who, asked(there))

    assert happened


def test_an_owner_who_restricted_themselves_undoes_it() -> None:
    there = given(
        *HAPPENED, *members.change_member(given(*HAPPENED), "owner", location_ids=("loc_1",))
    )

    assert within(there, "owner", members.change_member(there, "owner", location_ids=()))


def test_a_kind_of_fact_that_nobody_has_thought_of_is_not_let_through() -> None:
    there = given(*HAPPENED)
    nobodys = RoleDefined(role=Role.OPERATOR, actions=("manage_owners",))

    with pytest.raises(TypeError, match="RoleDefined"):
        within(there, "owner", [nobodys])


async def test_an_admin_has_no_way_above_themselves(client: Client) -> None:
    opened = await client.open_workspace()
    owner_id = opened["owner"]["member_id"]
    body = {"name": "A", "email": "a@a.example", "role": "admin"}
    admin = (await client.done("POST", "/v1/members", body))["member_id"]

    answers = [
        await client.call(
            "POST",
            "/v1/members",
            {"name": "B", "email": "b@a.example", "role": "owner"},
            member_id=admin,
        ),
        await client.call("PATCH", f"/v1/members/{admin}", {"role": "owner"}, member_id=admin),
        await client.call("PATCH", f"/v1/members/{owner_id}", {"name": "X"}, member_id=admin),
        await client.call("DELETE", f"/v1/members/{owner_id}", member_id=admin),
    ]

    assert [answer.status for answer in answers] == [403] * 4  # also of the last owner
    assert all(answer.body["detail"] for answer in answers)
