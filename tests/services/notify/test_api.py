"""Notifications and rules over HTTP."""

import pytest

from tests.support.eventually import eventually
from tests.support.notify.events import BORIS, routed
from tests.support.notify.service import Notify

pytestmark = pytest.mark.servers

RULE = "/v1/notification-rules/case-in-group"
ALL_ON = {"enabled": True, "in_app": True, "email": True}


async def test_pages_are_newest_first_and_meet_without_gaps(notify: Notify) -> None:
    async with notify.running() as client:
        await notify.tell(*(routed(number) for number in range(1, 6)))
        await eventually(client.notifications, lambda items: len(items) == 5)

        seen: list[str] = []
        query: dict[str, str] = {"limit": "2"}
        while True:
            status, page = await client.ask("GET", "/v1/notifications", query=query)
            assert status == 200
            seen += [one["case_id"] for one in page["items"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]

    assert seen == ["cas_5", "cas_4", "cas_3", "cas_2", "cas_1"]


async def test_a_notification_is_read_once_and_only_by_its_member(notify: Notify) -> None:
    async with notify.running() as client:
        await notify.tell(routed())
        (told,) = await eventually(client.notifications)
        path = f"/v1/notifications/{told['notification_id']}/read"

        other, _problem = await client.ask("POST", path, BORIS)
        first, read = await client.ask("POST", path)
        second, again = await client.ask("POST", path)

        assert (other, first, second) == (404, 200, 200)
        assert read["read_at"] is not None
        assert again == read
        assert await client.notifications() == [read]


async def test_a_cursor_of_another_kind_is_refused(notify: Notify) -> None:
    async with notify.running() as client:
        for cursor in ("x", "Zm9v", "é"):
            status, problem = await client.ask("GET", "/v1/notifications", query={"cursor": cursor})

            assert (status, problem["type"]) == (422, "urn:parley:problem:invalid")


async def test_what_is_not_known_is_refused(notify: Notify) -> None:
    async with notify.running() as client:
        one = "/v1/notifications/ntf_1/read"
        page = await client.ask("GET", "/v1/notifications", query={"curso": "x"})
        read = await client.ask("POST", one, body={"read": False})

    for (status, problem), field in ((page, "curso"), (read, "read")):
        assert (status, problem["errors"][0]["field"]) == (422, field)


async def test_a_workspace_without_a_rule_has_the_default_one(notify: Notify) -> None:
    async with notify.running() as client:
        assert await client.ask("GET", "/v1/notification-rules") == (
            200,
            {"items": [{"rule": "case-in-group", **ALL_ON}]},
        )


async def test_a_rule_is_kept(notify: Notify) -> None:
    rule = {**ALL_ON, "email": False}

    async with notify.running() as client:
        await client.ask("PUT", RULE, actions=("manage_directory",), body=rule)
        _status, rules = await client.ask("GET", "/v1/notification-rules")

    assert rules == {"items": [{"rule": "case-in-group", **rule}]}


async def test_a_rule_that_is_not_whole_or_not_allowed_is_refused(notify: Notify) -> None:
    manage = ("manage_directory",)

    async with notify.running() as client:
        assert (await client.ask("PUT", RULE, body=ALL_ON))[0] == 403
        for body in ({"enabled": True}, {**ALL_ON, "sms": True}, {**ALL_ON, "email": "yes"}):
            answered, problem = await client.ask("PUT", RULE, actions=manage, body=body)

            assert (answered, problem["type"]) == (422, "urn:parley:problem:invalid")
