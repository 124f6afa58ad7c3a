"""A case that a member sends to the CRM arrives there, or people are told."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from libs.events.conversation.case import Audience, CaseSentToCrm
from libs.events.directory import CrmWebhookState, MemberState
from libs.events.envelope import Envelope
from libs.events.ids import random_id
from libs.runtime.sealing import Sealer
from services.notify.crm import worker
from services.notify.crm.message import signature
from services.notify.crm.worker import SEAL_PURPOSE
from tests.support.eventually import eventually
from tests.support.notify.crm_server import SECRET, CrmServer, crm_server
from tests.support.notify.events import ANNA, BORIS, OLGA, OPENED, case_event, case_facts
from tests.support.notify.service import Notify

pytestmark = pytest.mark.servers

ALLOWED = {"PARLEY_WEBHOOKS_ALLOW_PRIVATE": "true"}
GOLDEN = Path(__file__).parents[1] / "golden" / "parley.crm.case-sent.v1.json"


@pytest.fixture
async def crm() -> AsyncIterator[CrmServer]:
    async with crm_server() as server:
        yield server


def sent_to_crm(by: MemberState = ANNA, number: int = 1) -> Envelope:
    event = CaseSentToCrm(
        case=case_facts(number, "grp_sales", short_number=40 + number),
        recorded_at=OPENED,
        audience_after=Audience(location_id="loc_a", group_id="grp_sales"),
        member_id=by.member_id,
    )
    return case_event(number, 5, event)


async def webhook(notify: Notify, url: str) -> None:
    sealer = Sealer(bytes(range(32)), SEAL_PURPOSE)
    sealed = sealer.seal(SECRET.encode(), notify.workspace_id)
    key = f"{notify.workspace_id}:crm-webhook"
    await notify.states({key: CrmWebhookState(url=url, sealed_secret=sealed)})


async def crm_deliveries(notify: Notify) -> list[dict[str, Any]]:
    own = {"workspace": notify.workspace_id}
    return await notify.database["notify_crm_deliveries"].find(own).to_list()


async def states(notify: Notify) -> list[str]:
    return [one["state"] for one in await crm_deliveries(notify)]


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's own libraries."""
    signed = signature(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "abc", "whsec_%%%"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        signature("msg_1", "1", b"{}", secret)


async def test_a_case_arrives_signed_and_once(notify: Notify, crm: CrmServer) -> None:
    await webhook(notify, crm.url)

    async with notify.running(**ALLOWED) as client:
        again = await notify.tell(sent_to_crm(), sent_to_crm())
        await notify.consumed(again)
        await eventually(lambda: states(notify), lambda found: found == ["delivered"])
        assert await client.notifications(OLGA) == []

    (posted,) = crm.posted
    assert posted.is_signed_with(SECRET)
    assert posted.headers["webhook-id"] == posted.event["id"] == "cnv_1:5"
    sent = datetime.fromtimestamp(int(posted.headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - sent) < timedelta(minutes=1)
    assert posted.headers["content-type"].startswith("application/cloudevents+json")
    golden = json.loads(GOLDEN.read_text())
    assert posted.event == golden | {"workspace": notify.workspace_id}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "text": "x" * 5_000_000},
        {"status": 404},
        {"status": 302, "headers": {"location": "/elsewhere"}},
        {"status": 503, "headers": {"retry-after": "0"}},
        {"status": 429, "headers": {"retry-after": "soon"}},
    ],
    ids=lambda answer: str(answer["status"]),
)
async def test_a_crm_that_does_not_take_it_is_asked_again(
    notify: Notify, crm: CrmServer, answer: dict[str, Any]
) -> None:
    crm.answers = [web.Response(**answer)]
    await webhook(notify, crm.url)

    async with notify.running(**ALLOWED):
        await notify.tell(sent_to_crm())
        await eventually(lambda: states(notify), lambda found: found == ["delivered"])

    first, second = crm.posted
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.is_signed_with(SECRET)
    (delivery,) = await crm_deliveries(notify)
    assert delivery["attempt"] == 2


async def test_a_crm_that_asks_for_time_gets_it(notify: Notify, crm: CrmServer) -> None:
    crm.answers = [web.Response(status=429, headers={"retry-after": "600"})]
    await webhook(notify, crm.url)

    async with notify.running(**ALLOWED):
        await notify.tell(sent_to_crm())
        (delivery,) = await eventually(
            lambda: crm_deliveries(notify), lambda found: any("reason" in one for one in found)
        )

    assert delivery["state"] == "queued"
    left = delivery["due_at"] - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


async def test_what_a_dead_replica_left_is_posted_again(notify: Notify, crm: CrmServer) -> None:
    async with notify.running(**ALLOWED):
        pass
    await notify.database["notify_crm_deliveries"].insert_one(
        {
            "_id": "cnv_9:5",
            "workspace": notify.workspace_id,
            "conversation": "cnv_9",
            "case": "cas_9",
            "number": 9,
            "customer": "cus_9",
            "member": BORIS.member_id,
            "channel": "telegram",
            "source": "src_a",
            "location": "loc_a",
            "group": None,
            "members": [],
            "sent_at": OPENED,
            "created_at": datetime.now(UTC),
            "attempt": 1,
            "state": "sending",
            "due_at": datetime.now(UTC),
        }
    )
    await webhook(notify, crm.url)

    async with notify.running(**ALLOWED):
        await eventually(lambda: states(notify), lambda found: found == ["delivered"])

    assert [one.event["id"] for one in crm.posted] == ["cnv_9:5"]


@pytest.mark.parametrize("why", ["for a day", "no more is wanted"])
async def test_what_is_given_up_is_told_to_those_who_can_mend_it_and_to_who_sent_it(
    notify: Notify, crm: CrmServer, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "for a day":
        monkeypatch.setattr(worker, "GIVE_UP_AFTER", timedelta(0))
        crm.answers = [web.Response(status=500)]
    else:
        crm.answers = [web.Response(status=410)]
    await webhook(notify, crm.url)

    async with notify.running(**ALLOWED) as client:
        await notify.tell(sent_to_crm(ANNA))
        await eventually(lambda: states(notify), lambda found: found == ["failed"])
        for member in (OLGA, ANNA):
            (told,) = await client.notifications(member)
            assert (told["kind"], told["conversation_id"]) == ("crm-not-reached", "cnv_1")
        assert await client.notifications(BORIS) == []
        raised = await notify.raised(2)

    assert len(raised) == 2
    assert len(crm.posted) == 1


async def test_without_a_webhook_people_are_told(notify: Notify) -> None:
    async with notify.running(**ALLOWED) as client:
        await notify.tell(sent_to_crm(OLGA))
        await eventually(lambda: states(notify), lambda found: found == ["failed"])
        assert len(await client.notifications(OLGA)) == 1

    (delivery,) = await crm_deliveries(notify)
    assert delivery["reason"] == "no webhook is set"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_is_posted_into_a_private_network(
    notify: Notify, crm: CrmServer, host: str
) -> None:
    """A name that led outside when it was saved may lead here now."""
    await webhook(notify, crm.url.replace("http:", "https:").replace("127.0.0.1", host))

    async with notify.running():
        await notify.tell(sent_to_crm())
        (delivery,) = await eventually(
            lambda: crm_deliveries(notify), lambda found: any("reason" in one for one in found)
        )

    assert delivery["reason"] == "a private address"
    assert crm.posted == []


async def test_a_crm_that_hangs_holds_up_no_other_workspace(
    notify: Notify, crm: CrmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "AT_ONCE", 3)
    await webhook(notify, crm.slow_url)
    other = random_id("wsp")
    sealed = Sealer(bytes(range(32)), SEAL_PURPOSE).seal(SECRET.encode(), other)
    state = CrmWebhookState(url=crm.url, sealed_secret=sealed)
    await notify.states_of(other, {f"{other}:crm-webhook": state})

    async with notify.running(**ALLOWED):
        await notify.tell(*(sent_to_crm(number=number) for number in range(1, 6)))

        async def hang() -> bool:
            return crm.slow_calls == worker.AT_ONCE_OF_A_WORKSPACE

        await eventually(hang)
        await notify.tell_as(other, sent_to_crm(number=8))

        async def arrived() -> list[str]:
            return [one.event["workspace"] for one in crm.posted]

        await eventually(arrived, lambda found: found == [other], within_seconds=5)
        assert crm.slow_calls == worker.AT_ONCE_OF_A_WORKSPACE
