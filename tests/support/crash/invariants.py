"""What must hold when all is quiet again, each breach told with what it is about."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from libs.events.topics import Topic
from parley.client import RequestRefused
from services.notify.notifications.rules import CASE_IN_GROUP
from services.notify.notifications.undelivered import NOT_DELIVERED
from tests.support.crash import recount
from tests.support.crash.load import Team
from tests.support.crash.pages import all_pages
from tests.support.crash.screen import Screen
from tests.support.e2e.team import Json, period

# A lease of ten seconds has to lapse before what a killed sender had begun is uncertain, and a
# transaction that a killed process left open is held by MongoDB for up to a minute.
QUIET_WITHIN_S = 90.0
SETTLED_S = 2.0
_ENDINGS = ("sent", "delivered", "read", "uncertain")


class Breaches(AssertionError):
    """At least one invariant does not hold."""

    def __init__(self, breaches: Sequence[str]) -> None:
        super().__init__(f"{len(breaches)} breaches:\n" + "\n".join(breaches[:60]))


async def assert_whole(team: Team, screen: Screen) -> None:
    """Return when everything holds, and goes on to hold. Errors: Breaches."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    breaches = await _breaches(team, screen)
    while breaches and time.monotonic() < deadline:
        await asyncio.sleep(1)
        breaches = await _breaches(team, screen)
    if not breaches:
        # What is late must not bring anything a second time.
        await asyncio.sleep(SETTLED_S)
        breaches = await _breaches(team, screen)
    if breaches:
        raise Breaches(breaches)


async def _breaches(team: Team, screen: Screen) -> list[str]:
    try:
        timelines = await _timelines(team)
    except RequestRefused as refusal:
        # Not quiet yet: a case that waits in routing hides its conversation.
        return [f"a timeline was refused: {refusal}"]
    cases = [case for timeline in timelines.values() for case in recount.cases_of(timeline)]
    return [
        *team.unexpected,
        *_incoming(team, timelines),
        *_outgoing(team, timelines),
        *_cases(team, timelines),
        *screen.missing(timelines),
        *await _figures(team, cases),
        *await _notifications(team, timelines),
        *await _groups(team),
        *await _kafka(team),
    ]


async def _timelines(team: Team) -> dict[str, list[Json]]:
    """Each conversation's items, oldest first, by the customer's name."""
    owner = team.company.owner
    rows = await all_pages(owner, "/v1/conversations", tab="all")
    names = Counter(row["customer"]["name"] for row in rows)
    assert not (twice := [name for name, n in names.items() if n > 1]), f"two threads: {twice}"
    timelines = {}
    for row in rows:
        path = f"/v1/conversations/{row['conversation_id']}/timeline"
        timelines[row["customer"]["name"]] = (await all_pages(owner, path))[::-1]
    return timelines


def _incoming(team: Team, timelines: dict[str, list[Json]]) -> list[str]:
    """Every acknowledged message exactly once, in the order in which it was sent."""
    breaches = []
    for customer in team.customers:
        shown = [
            item["content"]["text"]
            for item in timelines.get(customer.name, [])
            if item.get("direction") == "incoming"
        ]
        breaches += _compared(f"{customer.name}'s messages", customer.acknowledged, shown)
    return breaches


def _compared(what: str, wanted: Sequence[str], found: Sequence[str]) -> list[str]:
    breaches = [
        f"{what}: {kind} {sorted(texts)}"
        for kind, texts in (
            ("lost", Counter(wanted) - Counter(found)),
            ("doubled or never asked for", Counter(found) - Counter(wanted)),
        )
        if texts
    ]
    if not breaches and list(wanted) != list(found):
        at = next(i for i, pair in enumerate(zip(wanted, found, strict=True)) if pair[0] != pair[1])
        breaches.append(f"{what}: out of order, {found[at]!r} stands where {wanted[at]!r} was")
    return breaches


def _outgoing(team: Team, timelines: dict[str, list[Json]]) -> list[str]:
    """Every accepted reply has an end, and left at most once, in order; nothing else left."""
    breaches = []
    accepted = {reply.message_id: reply for agent in team.agents for reply in agent.replies}
    shown = [item for items in timelines.values() for item in items if _is_outgoing(item)]
    breaches += _compared("replies", sorted(accepted), sorted(item["id"] for item in shown))
    left: dict[int, list[str]] = defaultdict(list)
    for message in team.bot.sent:
        left[message.chat_id].append(message.text)
    for customer in team.customers:
        replies = [item for item in timelines.get(customer.name, []) if _is_outgoing(item)]
        chat = left.pop(customer.person["id"], [])
        times = Counter(chat)
        for item in replies:
            state, text = item["delivery"]["state"], item["content"]["text"]
            told = f"reply {item['id']} ({text!r} to {customer.name})"
            if state not in _ENDINGS:
                breaches.append(f"{told} is {state}: {item['delivery']}")
            elif times[text] != 1 and not (state == "uncertain" and times[text] == 0):
                breaches.append(f"{told} is {state} and left {times[text]} times")
        order = [item["content"]["text"] for item in replies if times[item["content"]["text"]]]
        breaches += _compared(f"what left to {customer.name}", order, chat)
    if left:
        breaches.append(f"something left to nobody's chat: {dict(left)}")
    return breaches


def _is_outgoing(item: Json) -> bool:
    return bool(item["kind"] == "message" and item["direction"] == "outgoing")


def _cases(team: Team, timelines: dict[str, list[Json]]) -> list[str]:
    """One responsible a case, who was told so; each command that was accepted had one effect."""
    breaches = []
    taken = {agent.member_id: agent.taken for agent in team.agents}
    closed = Counter(place for agent in team.agents for place in agent.closed)
    for name, timeline in timelines.items():
        for case in recount.cases_of(timeline):
            if len(case.responsibles) > 1:
                breaches.append(f"{case.case_id} of {name} was taken by {case.responsibles}")
        place = timeline[0]["case_id"].rpartition(".")[0]
        takers = {item["member_id"] for item in timeline if item.get("key") == "case-taken"}
        told = {member_id for member_id, places in taken.items() if place in places}
        if takers != told:
            breaches.append(f"{place} of {name}: taken by {takers}, told so were {told}")
        closings = sum(item.get("key") == "case-closed" for item in timeline)
        if closings != closed[place]:
            breaches.append(f"{place} of {name}: closed {closings} times, asked {closed[place]}")
    return breaches


async def _figures(team: Team, cases: Sequence[recount.Case]) -> list[str]:
    owner, within = team.company.owner, period(datetime.now(UTC))
    summary = await owner.get("/v1/metrics/summary", **within)
    members = await owner.get("/v1/metrics/performance", by="member", **within)
    return [
        *recount.differences("summary", recount.told_summary(summary), recount.summary_of(cases)),
        *recount.differences(
            "by member", recount.told_by_member(members), recount.by_member(cases)
        ),
    ]


async def _notifications(team: Team, timelines: dict[str, list[Json]]) -> list[str]:
    """Each case that came into the group was told to each of its members once, and no message that
    may not have reached its customer was told of twice."""
    items = [item for timeline in timelines.values() for item in timeline]
    routed = [
        item["case_id"]
        for item in items
        if item.get("key") == "case-routed" and item.get("group_id") == team.group_id
    ]
    uncertain = [
        item["case_id"]
        for item in items
        if _is_outgoing(item) and item["delivery"]["state"] == "uncertain"
    ]
    breaches: list[str] = []
    undelivered: list[str] = []
    for agent in team.agents:
        told = await all_pages(agent.client, "/v1/notifications")
        cases = sorted(one["case_id"] for one in told if one["kind"] == CASE_IN_GROUP)
        breaches += _compared(f"notifications of {agent.name}", sorted(routed), cases)
        undelivered += [one["case_id"] for one in told if one["kind"] == NOT_DELIVERED]
    if more := Counter(undelivered) - Counter(uncertain):
        breaches.append(f"told undelivered without reason or twice: {sorted(more)}")
    return breaches


async def _groups(team: Team) -> list[str]:
    groups = await all_pages(team.company.owner, "/v1/groups")
    shown = {g["group_id"]: g["name"] for g in groups if g["group_id"] != team.group_id}
    return recount.differences("groups", shown, team.groups)


async def _kafka(team: Team) -> list[str]:
    """No dead letter, and no group that has not read everything."""
    settings = team.company.suite.settings
    servers = settings["PARLEY_KAFKA_BOOTSTRAP_SERVERS"]
    topics = [topic.value for topic in Topic]
    dead = [topic.dead_letter for topic in Topic]
    breaches = []
    consumer = AIOKafkaConsumer(*topics, *dead, bootstrap_servers=servers)
    await consumer.start()
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
        for partition, end in ends.items():
            if partition.topic in dead and end:
                breaches.append(f"{end} dead letters on {partition.topic}")
        for group, _protocol in await admin.list_consumer_groups():
            offsets = await admin.list_consumer_group_offsets(group)
            for partition, committed in offsets.items():
                if 0 <= committed.offset < ends.get(partition, 0):
                    behind = ends[partition] - committed.offset
                    breaches.append(f"{group} is {behind} behind on {partition}")
    finally:
        await admin.close()
        await consumer.stop()
    return breaches
