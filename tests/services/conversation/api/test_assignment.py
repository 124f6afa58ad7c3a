"""Cases that change hands, through the service: who may have them, who is told, what is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from libs.events.conversation.case import (
    CaseAssigned,
    CaseClosed,
    CaseDueChanged,
    CaseForwarded,
    CaseSentToCrm,
    CaseTaken,
    CaseUnassigned,
)
from libs.events.directory import GroupState, MemberState, Role
from libs.events.ids import random_id
from tests.support.conversation.steps import a_new_case
from tests.support.conversation.world import MANAGER, MODERATOR, Answer, World

pytestmark = pytest.mark.servers


class Team:
    """Members of one world, and one case on which they act."""

    def __init__(self, world: World, case: str, **members: str) -> None:
        self.world = world
        self.case = case
        self.members = members
        self.conversation_id = case.rpartition("/")[2]

    def __getattr__(self, name: str) -> str:
        return self.members[name]

    async def ask(
        self, who: str, action: str, body: object | None = None, *, method: str = "POST"
    ) -> Answer:
        actions = MANAGER if who == "boss" else MODERATOR if who == "mod" else None
        path = f"{self.case}/{action}"
        if actions is None:
            return await self.world.call(self.members[who], method, path, body)
        return await self.world.call(self.members[who], method, path, body, actions=actions)

    async def done(self, who: str, action: str, body: object | None = None, **how: str) -> Any:
        answer = await self.ask(who, action, body, **how)
        assert answer.status == 200, answer
        return answer.body["case"]

    async def refused(self, who: str, action: str, body: object | None = None, **how: str) -> Any:
        answer = await self.ask(who, action, body, **how)
        assert answer.status == 409, answer
        assert answer.body["type"].startswith("urn:parley:problem:")
        return answer.body["type"].removeprefix("urn:parley:problem:"), answer.body.get("detail")

    async def tab(self, who: str, tab: str) -> list[str]:
        page = await self.world.call(
            self.members[who], "GET", "/v1/conversations", query={"tab": tab}
        )
        return [item["conversation_id"] for item in page.body["items"]]

    async def keys(self, who: str) -> list[tuple[str, str | None, str | None]]:
        """The system messages since the case was opened, oldest first."""
        names = {member_id: name for name, member_id in self.members.items()}
        timeline = await self.world.timeline(self.members[who], self.conversation_id)
        return [
            (i["key"], names.get(i.get("member_id")), names.get(i.get("other_member_id")))
            for i in reversed(timeline["items"])
            if i["kind"] == "system" and i["key"] != "case-opened"
        ]


@pytest.fixture
async def team(served: World) -> Team:
    members = {
        "dima": await served.member("Dima"),
        "olena": await served.member("Olena"),
        "ivan": await served.member("Ivan"),
        "boss": await served.member("Boss", Role.ADMIN),
        "mod": await served.member("Mod", Role.MODERATOR),
    }
    return Team(served, await a_new_case(served, members["boss"]), **members)


async def test_a_case_is_assigned_until_a_time_and_comes_back(team: Team) -> None:
    due = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    given = await team.done("olena", "assign", {"member_id": team.dima, "due_at": due.isoformat()})
    assert given["responsible"] == team.dima
    assert datetime.fromisoformat(given["due_at"]) == due

    assert await team.refused("dima", "assign", {"member_id": team.olena}) == (
        "transfer-needed",
        "Transfer the case: it is theirs once they accept",
    )
    assert (await team.refused("olena", "unassign"))[0] == "case-taken"
    assert (await team.refused("olena", "due", {"due_at": None}))[0] == "case-taken"
    assert "due_at" not in await team.done("dima", "due", {"due_at": None})

    again = await team.done("dima", "unassign")
    assert (again["state"], again["responsible_before"]) == ("new", team.dima)
    assert team.conversation_id in await team.tab("ivan", "new")
    taken = await team.done("ivan", "take")
    assert taken["participants"] == [team.dima]
    assert await team.keys("ivan") == [
        ("case-assigned", "olena", "dima"),
        ("case-due-changed", "dima", None),
        ("case-unassigned", "dima", None),
        ("case-taken", "ivan", None),
    ]
    kinds = [type(one.body) for one in await team.world.events(6)]
    assert kinds[2:] == [
        CaseAssigned,
        CaseDueChanged,
        CaseUnassigned,
        CaseTaken,
    ]


async def test_a_case_is_given_only_to_who_answers_and_may_see_it(team: Team) -> None:
    world = team.world
    stranger = await world.member("Stranger", location_ids=(random_id("loc"),))
    gone = random_id("mem")
    await world.directory(
        MemberState(member_id=gone, name="G", email="g@x.example", role=Role.OPERATOR, active=False)
    )
    await world.settled()
    for member_id in (gone, team.mod, "mem_nobody"):
        answer = await team.ask("olena", "assign", {"member_id": member_id})
        assert answer.status == 422, answer
        assert answer.body["errors"][0]["field"] == "member_id"
    late = datetime.now(UTC) - timedelta(minutes=1)
    for action, body in (
        ("assign", {"member_id": team.dima, "due_at": late.isoformat()}),
        ("assign", {"member_id": team.dima, "due_at": "2030-01-01T00:00:00"}),
        ("assign", {"member_id": team.dima, "due": None}),
        ("due", {}),
        ("forward", {"group_id": "grp_nowhere"}),
        ("send-to-crm", {"close": "yes"}),
    ):
        assert (await team.ask("olena", action, body)).status == 422, (action, body)

    # who cannot see the case cannot have it, and may help with it all the same
    refused = await team.refused("olena", "assign", {"member_id": stranger})
    assert refused == (
        "not-for-this-member",
        "Stranger does not see cases of this group and location",
    )
    await team.done("dima", "take")
    assert (await team.refused("dima", "transfer", {"member_id": stranger}))[0] == refused[0]
    added = await team.done("dima", "participants", {"member_id": stranger})
    assert added["participants"] == [stranger]
    assert (await world.view(stranger, team.conversation_id)).status == 200
    left = await world.call(stranger, "POST", f"{team.case}/leave")
    assert (left.status, left.body["case"].get("participants", [])) == (200, [])
    assert (await world.view(stranger, team.conversation_id)).status == 404


async def test_an_offer_is_shown_and_answered(team: Team) -> None:
    await team.done("dima", "take")
    offered = await team.done("dima", "transfer", {"member_id": team.olena})
    assert offered["responsible"] == team.dima
    assert offered["offer"]["member_id"] == team.olena
    assert offered["offer"]["offered_by"] == team.dima
    assert await team.tab("olena", "mine") == [team.conversation_id]

    kind, detail = await team.refused("dima", "transfer", {"member_id": team.ivan})
    assert kind == "already-offered"
    assert detail.startswith("The case was offered to Olena at ")
    assert await team.refused("ivan", "accept") == (
        "offered-to-another",
        "The case is offered to Olena",
    )
    assert (await team.refused("olena", "transfer", {"member_id": team.ivan}))[0] == "case-taken"
    declined = await team.done("olena", "decline")
    assert (declined["responsible"], "offer" in declined) == (team.dima, False)
    assert await team.tab("olena", "mine") == []
    assert (await team.refused("olena", "accept"))[0] == "nothing-offered"

    await team.done("dima", "transfer", {"member_id": team.ivan})
    await team.done("dima", "withdraw")
    await team.done("dima", "transfer", {"member_id": team.olena})
    accepted = await team.done("olena", "accept")
    assert (accepted["responsible"], accepted["participants"]) == (team.olena, [team.dima])
    assert await team.keys("olena") == [
        ("case-taken", "dima", None),
        ("transfer-offered", "dima", "olena"),
        ("transfer-declined", "olena", None),
        ("transfer-offered", "dima", "ivan"),
        ("transfer-withdrawn", "dima", "ivan"),
        ("transfer-offered", "dima", "olena"),
        ("transfer-accepted", "olena", None),
    ]


async def test_a_forwarded_case_is_new_in_its_group_and_gone_for_others(team: Team) -> None:
    sales = random_id("grp")
    await team.world.directory(
        GroupState(group_id=sales, name="Sales", member_ids=(team.members["ivan"],))
    )
    await team.world.settled()
    await team.done("dima", "take")
    forwarded = await team.done("dima", "forward", {"group_id": sales})
    assert (forwarded["state"], forwarded["group_id"]) == ("new", sales)
    assert (await team.world.view(team.dima, team.conversation_id)).status == 404
    assert await team.tab("ivan", "new") == [team.conversation_id]
    event = (await team.world.events(4))[-1].body
    assert isinstance(event, CaseForwarded)
    assert event.audience_before is not None
    assert event.audience_after is not None
    assert event.audience_before.member_ids == (team.dima,)
    assert (event.audience_after.group_id, event.audience_after.member_ids) == (sales, ())
    taken = await team.done("ivan", "take")
    assert taken["participants"] == [team.dima]
    assert (await team.world.view(team.dima, team.conversation_id)).status == 200


async def test_participants_write_and_do_not_close(team: Team) -> None:
    await team.done("dima", "take")
    assert (await team.refused("olena", "participants", {"member_id": team.ivan}))[0] == (
        "case-taken"
    )
    await team.done("dima", "participants", {"member_id": team.olena})
    assert await team.tab("olena", "mine") == [team.conversation_id]
    sent = await team.ask("olena", "messages", {"content": {"text": "hello"}})
    assert sent.status == 201
    assert (await team.refused("olena", "close"))[0] == "case-taken"
    assert await team.refused("dima", "participants", {"member_id": team.dima}) != ()
    removed = await team.done("dima", f"participants/{team.olena}", method="DELETE")
    assert "participants" not in removed
    assert await team.refused("dima", f"participants/{team.olena}", method="DELETE") == (
        "not-a-participant",
        "Olena is no participant of this case",
    )
    assert (await team.refused("dima", "leave"))[0] == "responsible-stays"


async def test_only_who_manages_cases_takes_over(team: Team) -> None:
    assert (await team.refused("boss", "take-over"))[0] == "case-not-taken"
    await team.done("dima", "take")
    assert (await team.ask("ivan", "take-over")).status == 403
    taken = await team.done("boss", "take-over")
    assert (taken["responsible"], taken["participants"]) == (team.boss, [team.dima])


async def test_a_reopened_case_goes_back_only_to_who_still_works_there(team: Team) -> None:
    world = team.world
    await team.done("dima", "take")
    await team.done("dima", "close")
    assert (await team.done("boss", "reopen"))["responsible"] == team.dima
    await team.done("dima", "close")

    dima = MemberState(
        member_id=team.dima, name="Dima", email="dima@coffee.example", role=Role.OPERATOR
    )
    await world.directory(replace(dima, location_ids=(random_id("loc"),)))
    await world.settled()
    elsewhere = await team.done("boss", "reopen")
    assert (elsewhere["responsible"], elsewhere["participants"]) == (team.boss, [team.dima])

    await world.directory(dima)
    await world.settled()
    assert (await team.done("boss", "assign", {"member_id": team.dima}))["responsible"] == team.dima
    await team.done("dima", "close")
    for gone in (replace(dima, active=False), replace(dima, role=Role.ANALYST)):
        await world.directory(gone)
        await world.settled()
        reopened = await team.done("boss", "reopen")
        assert (reopened["responsible"], reopened.get("participants", [])) == (team.boss, [])
        await team.done("boss", "close")


async def test_a_moderator_closes_what_nobody_took(team: Team) -> None:
    assert (await team.refused("dima", "close"))[0] == "case-not-taken"
    closed = await team.done("mod", "close")
    assert (closed["state"], closed["closed_by"]) == ("done", team.mod)
    opened = await team.done("dima", "open")
    assert (opened["state"], opened["responsible"]) == ("active", team.dima)
    assert opened["opened_by"] == "team"
    assert (await team.refused("mod", "close"))[0] == "case-taken"
    assert await team.refused("olena", "open") == (
        "has-open-case",
        "Dima has this conversation's open case",
    )


async def test_sent_to_the_crm_and_done_in_one_step(team: Team) -> None:
    await team.done("dima", "take")
    assert (await team.refused("olena", "send-to-crm", {}))[0] == "case-taken"
    await team.done("dima", "send-to-crm", {})
    closed = await team.done("dima", "send-to-crm", {"close": True})
    assert closed["state"] == "done"
    kinds = [type(one.body) for one in await team.world.events(6)]
    assert kinds[3:] == [
        CaseSentToCrm,
        CaseSentToCrm,
        CaseClosed,
    ]
