"""The directory's rules: given what happened, when this is asked for, then that happens."""

from collections.abc import Callable, Sequence

import pytest

from libs.events.content import Channel
from libs.events.directory import MemberState, Role
from services.routing.domain import members, rules, values
from services.routing.domain.authority import within
from services.routing.domain.errors import Clash, InvalidValue, NotThere
from services.routing.domain.events import (
    AutoforwardSet,
    DirectoryEvent,
    GroupSet,
    LocationSet,
    MemberChanged,
    MemberDeactivated,
    MemberJoined,
    MemberReactivated,
    RoleDefined,
    SourceChanged,
    SourceConnected,
    SourceDisconnected,
)
from services.routing.domain.permissions import actions_of
from services.routing.domain.workspace import Workspace
from tests.support.routing.directory import SOURCES, after, given

OWNER = MemberJoined(
    member_id="mbr_1", name="Olena", email="olena@a.example", role=Role.OWNER, location_ids=()
)
OPERATOR = MemberJoined(
    member_id="mbr_2",
    name="Petro",
    email="Petro@a.example",
    role=Role.OPERATOR,
    location_ids=("loc_1",),
)
KYIV = LocationSet(location_id="loc_1", name="Kyiv", time_zone="Europe/Kyiv")
LVIV = LocationSet(location_id="loc_2", name="Lviv", time_zone="Europe/Kyiv")
SALES = GroupSet(group_id="grp_1", name="Sales", member_ids=())
BOT = SourceConnected(
    source_id="src_1",
    channel=Channel.TELEGRAM,
    account="42",
    name="Bot",
    location_id="loc_1",
    sealed_credentials="sealed",
    allowed_origins=(),
)
RULE = AutoforwardSet(autoforward_id="afw_1", source_ids=("src_1",), group_id="grp_1")


def test_a_member_who_returns_has_what_was_changed_meanwhile() -> None:
    there = given(OWNER, OPERATOR, MemberDeactivated(member_id="mbr_2"))

    then = members.change_member(there, "mbr_2", name="Petro P.", active=True)

    assert then == [
        MemberChanged(
            member_id="mbr_2",
            name="Petro P.",
            email="Petro@a.example",
            role=Role.OPERATOR,
            location_ids=("loc_1",),
        ),
        MemberReactivated(member_id="mbr_2"),
    ]
    there = after(there, then)
    state = there.member("mbr_2")
    assert (state.name, state.active) == ("Petro P.", True)
    assert there.sequences["mbr_2"] == 4


def test_an_inactive_member_stays_inactive_when_changed() -> None:
    there = given(OWNER, OPERATOR, MemberDeactivated(member_id="mbr_2"))

    there = after(there, members.change_member(there, "mbr_2", name="P"))

    assert there.member("mbr_2") == MemberState(
        member_id="mbr_2",
        name="P",
        email="Petro@a.example",
        role=Role.OPERATOR,
        location_ids=("loc_1",),
        active=False,
    )


def test_a_members_language_stays_until_it_is_changed_or_taken_away() -> None:
    there = given(OWNER)

    there = after(there, members.change_member(there, "mbr_1", language="uk"))
    there = after(there, members.change_member(there, "mbr_1", name="O"))
    assert there.member("mbr_1").language == "uk"
    assert members.change_member(there, "mbr_1", language="uk") == []

    there = after(there, members.change_member(there, "mbr_1", language=None))
    assert there.member("mbr_1").language is None


@pytest.mark.parametrize("change", [{"active": False}, {"role": Role.ADMIN}])
def test_the_last_active_owner_stays(change: dict[str, bool | Role]) -> None:
    second = MemberJoined(
        member_id="mbr_3", name="I", email="i@a.example", role=Role.OWNER, location_ids=()
    )
    there = given(OWNER, second, MemberDeactivated(member_id="mbr_3"))

    with pytest.raises(Clash):
        within(there, "mbr_1", members.change_member(there, "mbr_1", **change))  # type: ignore[arg-type]


def test_an_owner_who_is_not_the_last_may_go() -> None:
    second = MemberJoined(
        member_id="mbr_3", name="I", email="i@a.example", role=Role.OWNER, location_ids=()
    )

    then = members.change_member(given(OWNER, second), "mbr_1", role=Role.ADMIN)

    assert [type(fact) for fact in then] == [MemberChanged]


def test_an_address_is_unique_whatever_its_case() -> None:
    with pytest.raises(InvalidValue) as refused:
        members.change_member(given(OWNER, OPERATOR), "mbr_1", email="PETRO@A.example")

    assert refused.value.field == "email"
    assert members.change_member(given(OWNER, OPERATOR), "mbr_2", email="petro@a.example")


@pytest.mark.parametrize(
    ("there", "remove"),
    [
        (given(KYIV, LVIV, OPERATOR), lambda w: rules.remove_location(w, "loc_1")),
        (given(KYIV, LVIV, BOT), lambda w: rules.remove_location(w, "loc_1")),
        (given(KYIV), lambda w: rules.remove_location(w, "loc_1")),
        (given(KYIV, SALES, BOT, RULE), lambda w: rules.remove_group(w, "grp_1")),
    ],
)
def test_what_others_rest_on_stays(
    there: Workspace, remove: Callable[[Workspace], Sequence[DirectoryEvent]]
) -> None:
    with pytest.raises(Clash):
        remove(there)


def test_what_is_removed_is_not_there() -> None:
    there = given(KYIV, LVIV)

    there = after(there, rules.remove_location(there, "loc_2"))

    with pytest.raises(NotThere):
        rules.change_location(there, "loc_2", name="x", time_zone=None)


def test_a_disconnected_source_forgets_its_credentials_and_comes_back() -> None:
    there = given(KYIV, BOT)
    there = after(there, SOURCES.disconnect(there, "src_1"))
    assert there.source("src_1").sealed_credentials is None
    assert SOURCES.disconnect(there, "src_1") == []

    there = after(there, SOURCES.change(there, "src_1", connected=True, name="Bot 2"))

    source = there.source("src_1")
    assert (source.connected, source.name, source.account) == (True, "Bot 2", "42")


def test_new_credentials_of_a_connected_source() -> None:
    then = SOURCES.change(given(KYIV, BOT), "src_1", credentials={"bot_token": "x"})

    assert then == [
        SourceChanged(
            source_id="src_1",
            name="Bot",
            location_id="loc_1",
            sealed_credentials="sealed ['bot_token']",
            allowed_origins=(),
        )
    ]


def test_a_disconnected_source_is_not_changed() -> None:
    there = given(KYIV, BOT, SourceDisconnected(source_id="src_1"))

    with pytest.raises(Clash):
        SOURCES.change(there, "src_1", name="x")


def test_only_a_widget_has_origins() -> None:
    with pytest.raises(InvalidValue) as refused:
        SOURCES.change(given(KYIV, BOT), "src_1", allowed_origins=("https://a.example",))

    assert refused.value.field == "allowed_origins"


def test_a_rule_needs_sources_and_a_group() -> None:
    there = given(KYIV, BOT, SALES)

    for fields in (
        {"source_ids": (), "group_id": "grp_1"},
        {"source_ids": ("src_2",), "group_id": "grp_1"},
        {"source_ids": ("src_1",), "group_id": "grp_2"},
    ):
        with pytest.raises(InvalidValue):
            rules.set_autoforward(there, "afw_1", **fields)  # type: ignore[arg-type]


def test_roles_are_defined_again_where_the_table_says_otherwise() -> None:
    as_now = [RoleDefined(role=role, actions=actions_of(role)) for role in Role]
    there = given(*as_now[1:], RoleDefined(role=Role.ANALYST, actions=("read",)))

    then = rules.define_roles(there)

    assert {fact.role for fact in then if isinstance(fact, RoleDefined)} == {
        as_now[0].role,
        Role.ANALYST,
    }
    there = after(there, then)
    assert rules.define_roles(there) == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?x",
        "https://user@shop.example",
        "http://shop.example",
        "ftp://shop.example",
        "shop.example",
        "https://",
        "https://shop.example:0",
        "https://shop.example:70000",
        "https://*.shop.example",
        "",
        "null",
    ],
)
def test_not_an_origin(origin: str) -> None:
    with pytest.raises(InvalidValue):
        values.origins_of("allowed_origins", [origin])


def test_origins_are_kept_as_browsers_send_them() -> None:
    given_origins = ["HTTPS://Shop.Example:443", "https://shop.example", "http://[::1]:8080"]

    assert values.origins_of("allowed_origins", given_origins) == (
        "https://shop.example",
        "http://[::1]:8080",
    )


@pytest.mark.parametrize(
    "email", ["", "a", "@b.c", "a@b", "a b@c.d", "a@b..c", "a@-b.c", "a@b.c\n.d"]
)
def test_not_an_address(email: str) -> None:
    with pytest.raises(InvalidValue):
        values.email_of("email", email)


@pytest.mark.parametrize("email", ["a@b.co", "o'neil+x@mail.example.com", "почта@пример.рф"])
def test_an_address(email: str) -> None:
    assert values.email_of("email", f" {email} ") == email
