"""How a broken rule is told: by name, in the time zone of the case's location."""

from datetime import UTC, datetime

from libs.events.directory import LocationState, MemberState, Role
from libs.runtime.directory import WorkspaceDirectory
from services.conversation.domain.conversation.life import AlreadyDone, TakenBy
from services.conversation.localization.refusals import problem_of

DIRECTORY = WorkspaceDirectory(
    locations={
        "loc_1": LocationState(location_id="loc_1", name="Podil", time_zone="Europe/Kyiv"),
        "loc_2": LocationState(location_id="loc_2", name="Nowhere", time_zone="Nowhere/At_All"),
    },
    members={
        "dima": MemberState(member_id="dima", name="Dima", email="d@x.example", role=Role.OPERATOR)
    },
)
SINCE = datetime(2026, 11, 2, 8, 41, tzinfo=UTC)


def test_today_only_the_time_is_told() -> None:
    now = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
    problem = problem_of(TakenBy("dima", SINCE), DIRECTORY, "loc_1", now)
    assert (problem.status, problem.kind) == (409, "case-taken")
    assert problem.detail == "Dima took this case at 10:41"
    assert problem.extra == {"member_id": "dima", "at": SINCE}


def test_on_another_day_the_date_too_and_who_left_is_somebody() -> None:
    now = datetime(2026, 11, 3, 15, 0, tzinfo=UTC)
    problem = problem_of(AlreadyDone("gone", SINCE), DIRECTORY, "loc_1", now)
    assert problem.detail == "Somebody closed this case on 2 Nov 2026 at 10:41"


def test_an_unknown_time_zone_is_utc() -> None:
    problem = problem_of(TakenBy("dima", SINCE), DIRECTORY, "loc_2", SINCE)
    assert problem.detail == "Dima took this case at 08:41"
