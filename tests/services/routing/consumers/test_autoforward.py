"""A case that waits in routing is told its group."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.events.commands import RouteCase
from libs.events.content import Channel
from libs.events.conversation.case import CaseFacts, CaseOpened, CaseState
from libs.events.envelope import Envelope
from libs.runtime.broker import publishing
from libs.runtime.kafka import outgoing
from tests.support.kafka import envelope, read_events
from tests.support.routing.service import BOT_TOKEN, Client, Routing

pytestmark = pytest.mark.servers
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def _opened(
    workspace_id: str, number: int, source_id: str, state: CaseState = "routing"
) -> Envelope:
    case = CaseFacts(
        case_id=f"case_{number}",
        conversation_id=f"cnv_{number}",
        source_id=source_id,
        channel=Channel.TELEGRAM,
        location_id="loc_1",
        customer_id="cus_1",
        state=state,
        opened_at=NOW,
        opened_by="customer",
    )
    return envelope(CaseOpened(case=case, recorded_at=NOW), f"cnv_{number}", workspace_id, 1)


async def _source_with_rule(client: Client) -> tuple[str, str, Any]:
    opened = await client.open_workspace()
    source = await client.done(
        "POST",
        "/v1/sources",
        {
            "channel": "telegram",
            "name": "Bot",
            "location_id": opened["location"]["location_id"],
            "credentials": {"bot_token": BOT_TOKEN},
        },
    )
    group = await client.done("POST", "/v1/groups", {"name": "Sales"})
    rule = await client.done(
        "POST",
        "/v1/autoforwards",
        {"source_ids": [source["source_id"]], "group_id": group["group_id"]},
    )
    return source["source_id"], group["group_id"], rule["autoforward_id"]


async def test_a_case_goes_to_the_group_of_its_sources_rule(
    routing: Routing, client: Client
) -> None:
    source_id, group_id, _ = await _source_with_rule(client)
    async with publishing(routing.bootstrap, routing.namespace) as publisher:
        started = time.monotonic()
        await publisher.publish(
            [
                outgoing(_opened(client.workspace_id, 1, source_id)),
                outgoing(_opened(client.workspace_id, 2, "src_without_a_rule")),
                outgoing(_opened(client.workspace_id, 3, source_id, "new")),
            ]
        )

        commands = await read_events(routing.bootstrap, routing.namespace + "parley.commands", 2)

    assert time.monotonic() - started < 5
    by_case = {c.body.case_id: c for c in commands if isinstance(c.body, RouteCase)}
    assert set(by_case) == {"case_1", "case_2"}
    assert by_case["case_1"].body == RouteCase(
        cause="route-case_1", conversation_id="cnv_1", case_id="case_1", group_id=group_id
    )
    assert (by_case["case_1"].key, by_case["case_1"].id) == ("cnv_1", "route-case_1")
    assert by_case["case_1"].workspace_id == client.workspace_id
    no_group = by_case["case_2"].body
    assert isinstance(no_group, RouteCase)
    assert no_group.group_id is None


async def test_told_twice_it_says_the_same(routing: Routing, client: Client) -> None:
    source_id, _, rule_id = await _source_with_rule(client)
    await client.call("DELETE", f"/v1/autoforwards/{rule_id}")
    event = outgoing(_opened(client.workspace_id, 1, source_id))
    async with publishing(routing.bootstrap, routing.namespace) as publisher:
        await publisher.publish([event])
        await publisher.publish([event])

        commands = await read_events(routing.bootstrap, routing.namespace + "parley.commands", 2)

    assert {command.id for command in commands} == {"route-case_1"}
    assert len({command.body for command in commands}) == 1
