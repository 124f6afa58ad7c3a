"""A new case in a group tells its members, in the application and by e-mail."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from libs.events.api.directory import Language
from libs.events.conversation.case import CaseReopened, TransferOffered
from libs.events.directory import WorkspaceState
from libs.events.notification import NotificationRaised
from tests.support.eventually import eventually
from tests.support.notify.events import (
    ANNA,
    BORIS,
    ELSEWHERE,
    EVERYONE,
    GONE,
    OLGA,
    forwarded,
    given_to,
    noted,
    routed,
)
from tests.support.notify.happenings import gone, undelivered
from tests.support.notify.service import Notify
from tests.support.notify.smtp_server import SmtpServer

pytestmark = pytest.mark.servers

RULE = "/v1/notification-rules/case-in-group"


async def test_the_groups_active_members_who_may_see_the_case_are_told(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running() as client:
        await notify.tell(routed())

        (told,) = await eventually(client.notifications)
        await eventually(notify.delivery_states, lambda states: states == ["sent"])
        for nobody in (OLGA, BORIS, ELSEWHERE, GONE):
            assert await client.notifications(nobody) == []

    assert told["conversation_id"] == "cnv_1"
    assert told["group_id"] == "grp_sales"
    assert told["read_at"] is None
    assert smtp.recipients == ["anna@team.example"]


async def test_a_group_to_which_a_case_is_forwarded_is_told_but_not_who_forwarded_it(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running() as client:
        await notify.tell(forwarded(BORIS.member_id, group_id=EVERYONE.group_id))

        await eventually(notify.delivery_states, lambda states: states == ["sent"] * 2)
        for member in (OLGA, ANNA):
            assert len(await client.notifications(member)) == 1
        assert await client.notifications(BORIS) == []


async def test_who_is_given_a_case_is_told_until_when_and_not_by_themselves(
    notify: Notify, smtp: SmtpServer
) -> None:
    due_at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    async with notify.running() as client:
        await notify.tell(given_to(BORIS, OLGA, due_at=due_at), given_to(ANNA, ANNA))

        (told,) = await eventually(lambda: client.notifications(BORIS))
        await eventually(notify.delivery_states, lambda states: states == ["sent"])
        assert await client.notifications(ANNA) == []

    assert (told["kind"], told["conversation_id"], told["group_id"]) == ("assigned", "cnv_1", None)
    (message,) = smtp.accepted
    assert message["Subject"] == "A case was assigned to you"
    assert message["To"] == "boris@team.example"
    assert "It is due by 09:30 on 2 Mar 2026." in message.get_content()


async def test_who_is_offered_a_case_is_told(notify: Notify, smtp: SmtpServer) -> None:
    async with notify.running() as client:
        await notify.tell(given_to(BORIS, OLGA, TransferOffered))

        (told,) = await eventually(lambda: client.notifications(BORIS))
        await eventually(notify.delivery_states, lambda states: states == ["sent"])

    assert told["kind"] == "transfer-offered"
    (message,) = smtp.accepted
    assert message["Subject"] == "A case is offered to you"
    assert "due" not in message.get_content()


async def test_for_whom_another_reopens_a_case_is_told(notify: Notify, smtp: SmtpServer) -> None:
    async with notify.running() as client:
        await notify.tell(given_to(BORIS, OLGA, CaseReopened), given_to(ANNA, ANNA, CaseReopened))

        (told,) = await eventually(lambda: client.notifications(BORIS))
        await eventually(notify.delivery_states, lambda states: states == ["sent"])
        assert await client.notifications(ANNA) == []

    assert told["kind"] == "assigned"
    (message,) = smtp.accepted
    assert message["Subject"] == "A case was assigned to you"


async def test_a_group_open_to_everyone_tells_all_who_may_see_the_case(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running() as client:
        await notify.tell(routed(group_id=EVERYONE.group_id))

        await eventually(notify.delivery_states, lambda states: states == ["sent"] * 3)
        for member in (OLGA, ANNA, BORIS):
            assert len(await client.notifications(member)) == 1
        assert await client.notifications(ELSEWHERE) == []
    assert sorted(smtp.recipients) == [
        "anna@team.example",
        "boris@team.example",
        "olga@team.example",
    ]


async def test_the_email_names_the_group_and_the_source_and_links_to_the_case(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running():
        await notify.tell(routed())
        await eventually(notify.delivery_states, lambda states: states == ["sent"])

    (message,) = smtp.accepted
    assert message["Subject"] == "New case in Sales"
    assert message["From"] == "parley@inbox.example"
    (delivery,) = await notify.deliveries()
    assert message["Message-ID"] == f"<{delivery['_id']}@inbox.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_content()
    assert "Hello Anna," in body
    assert "Shop bot (Telegram)" in body
    assert "https://inbox.example/conversations/cnv_1" in body


@pytest.mark.parametrize(
    ("language", "subject"),
    [("ru", "Новое обращение в группе Sales"), ("uk", "Нове звернення в групі Sales")],
)
async def test_the_email_is_in_the_workspaces_language(
    notify: Notify, smtp: SmtpServer, language: Language, subject: str
) -> None:
    state = WorkspaceState(workspace_id=notify.workspace_id, name="Shop", language=language)
    await notify.states({notify.workspace_id: state})

    async with notify.running():
        await notify.tell(routed())
        await eventually(notify.delivery_states, lambda states: states == ["sent"])

    assert smtp.subjects == [subject]


async def test_the_email_is_in_the_members_own_language_first(
    notify: Notify, smtp: SmtpServer
) -> None:
    state = WorkspaceState(workspace_id=notify.workspace_id, name="Shop", language="ru")
    anna = replace(ANNA, language="uk")
    await notify.states({notify.workspace_id: state, ANNA.member_id: anna})

    async with notify.running():
        await notify.tell(routed())
        await eventually(notify.delivery_states, lambda states: states == ["sent"])

    assert smtp.subjects == ["Нове звернення в групі Sales"]


async def test_the_same_event_again_changes_nothing(notify: Notify, smtp: SmtpServer) -> None:
    async with notify.running() as client:
        await notify.tell(routed(1), routed(1))
        await notify.tell(routed(1))
        await notify.tell(routed(2))
        await eventually(client.notifications, lambda items: len(items) == 2)
        await eventually(notify.delivery_states, lambda states: states == ["sent"] * 2)

    async with notify.running() as client:
        await notify.tell(routed(1), routed(3))
        items = await eventually(client.notifications, lambda items: len(items) == 3)
        await eventually(notify.delivery_states, lambda states: states == ["sent"] * 3)

    assert [one["case_id"] for one in items] == ["cas_3", "cas_2", "cas_1"]
    assert len(smtp.accepted) == 3
    raised = await notify.raised(3)
    assert len(raised) == 3
    assert {one.key for one in raised} == {ANNA.member_id}
    assert {one.id for one in raised} == {one["notification_id"] for one in items}
    bodies = [one.body for one in raised if isinstance(one.body, NotificationRaised)]
    assert {body.conversation_id for body in bodies} == {"cnv_1", "cnv_2", "cnv_3"}


async def test_a_case_without_a_group_or_still_in_routing_tells_nobody(notify: Notify) -> None:
    async with notify.running() as client:
        await notify.tell(routed(1, group_id=None), routed(2, state="routing"))
        await notify.tell(routed(3, group_id="grp_unknown"), routed(4))

        await eventually(notify.deliveries)
        items = await eventually(client.notifications)

    assert [one["case_id"] for one in items] == ["cas_4"]


@pytest.mark.parametrize(
    ("enabled", "in_app", "email"), [(False, True, True), (True, True, False), (True, False, True)]
)
async def test_a_rule_can_be_off_and_so_can_each_channel(
    notify: Notify, enabled: bool, in_app: bool, email: bool
) -> None:
    rule = {"enabled": enabled, "in_app": in_app, "email": email}
    everything_on = {"enabled": True, "in_app": True, "email": True}
    manage = ("manage_directory",)

    async with notify.running() as client:
        answer = await client.ask("PUT", RULE, actions=manage, body=rule)
        assert answer == (200, {"rule": "case-in-group", **rule})
        await notify.consumed(await notify.tell(routed(1)))
        await client.ask("PUT", RULE, actions=manage, body=everything_on)
        await notify.tell(routed(2))
        items = await eventually(client.notifications, _has_case_2)
        deliveries = await eventually(notify.deliveries, _is_about_conversation_2)

    assert (len(items) == 2) is (enabled and in_app)
    assert (len(deliveries) == 2) is (enabled and email)


def _has_case_2(items: list[dict[str, Any]]) -> bool:
    return any(one["case_id"] == "cas_2" for one in items)


def _is_about_conversation_2(deliveries: list[dict[str, Any]]) -> bool:
    return any(one["conversation"] == "cnv_2" for one in deliveries)


async def test_without_smtp_members_are_still_told_in_the_application(notify: Notify) -> None:
    async with notify.running(PARLEY_NOTIFY_SMTP_URL="", PARLEY_NOTIFY_EMAIL_FROM="") as client:
        await notify.tell(routed())

        await eventually(client.notifications)

    assert await notify.deliveries() == []


async def test_who_is_mentioned_in_a_note_and_may_see_the_case_is_told(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running() as client:
        await notify.tell(noted(OLGA, ANNA, OLGA, BORIS, ELSEWHERE, GONE))

        (told,) = await eventually(client.notifications)
        for nobody in (OLGA, BORIS, ELSEWHERE, GONE):
            assert await client.notifications(nobody) == []

    assert (told["kind"], told["conversation_id"]) == ("mention", "cnv_1")
    assert smtp.recipients == []


async def test_whose_message_did_not_arrive_is_told_or_who_has_the_case(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running() as client:
        # Told twice, as after a crash; and one whose sender is gone.
        await notify.tell(undelivered(OLGA), undelivered(OLGA), undelivered(GONE, ANNA, 2))

        (told,) = await eventually(client.notifications)
        (own,) = await client.notifications(OLGA)
        assert await client.notifications(GONE) == []

    assert (told["kind"], own["kind"]) == ("not-delivered", "not-delivered")
    assert own["conversation_id"] == "cnv_1"
    assert smtp.recipients == []


async def test_owners_are_told_once_that_cases_of_who_went_are_new_again(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running() as client:
        await notify.tell(gone(GONE, 1), gone(GONE, 2), gone(GONE, 1), gone(GONE, 3, 9))

        (again, first) = await eventually(
            lambda: client.notifications(OLGA), lambda told: len(told) == 2
        )
        assert await client.notifications(ANNA) == []

    assert (first["kind"], again["kind"]) == ("member-gone", "member-gone")
    assert smtp.recipients == []
