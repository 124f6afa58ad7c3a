"""E-mails against a server that refuses, is away, or hangs up."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.eventually import eventually
from tests.support.notify.events import routed
from tests.support.notify.service import Notify
from tests.support.notify.smtp_server import SmtpServer, smtp_server

pytestmark = pytest.mark.servers


async def test_a_server_that_cannot_now_is_asked_again(notify: Notify, smtp: SmtpServer) -> None:
    smtp.rcpt_answers = ["451 try again later"]
    smtp.data_answers = ["452 no room just now"]

    async with notify.running():
        await notify.tell(routed())
        await eventually(notify.delivery_states, lambda states: states == ["sent"])

    (delivery,) = await notify.deliveries()
    assert delivery["attempt"] == 3
    assert len(smtp.accepted) == 1


@pytest.mark.parametrize("stage", ["rcpt", "data"])
async def test_a_server_that_refuses_is_not_asked_again(
    notify: Notify, smtp: SmtpServer, stage: str
) -> None:
    if stage == "rcpt":
        smtp.rcpt_answers = ["550 no such user anna@team.example"]
    else:
        smtp.data_answers = ["554 not wanted"]

    async with notify.running():
        await notify.tell(routed())
        await eventually(notify.delivery_states, lambda states: states == ["failed"])

    (delivery,) = await notify.deliveries()
    assert delivery["attempt"] == smtp.tries == 1
    assert "55" in delivery["reason"]
    assert "anna" not in delivery["reason"]
    assert smtp.accepted == []


async def test_a_server_that_is_away_is_waited_for(notify: Notify) -> None:
    async with smtp_server() as away:
        url = away.url

    async with notify.running(PARLEY_NOTIFY_SMTP_URL=url):
        await notify.tell(routed())
        await eventually(notify.deliveries, lambda found: any(one["attempt"] > 1 for one in found))

    (delivery,) = await notify.deliveries()
    assert delivery["reason"].startswith("no session")
    async with smtp_server() as back, notify.running(PARLEY_NOTIFY_SMTP_URL=back.url):
        await eventually(notify.delivery_states, lambda states: states == ["sent"])
        assert len(back.accepted) == 1


async def test_a_refused_password_loses_no_email(notify: Notify) -> None:
    async with smtp_server("parley", "p@ss/1") as server:
        wrong = server.url.replace("smtp://", "smtp://parley:wrong@")
        right = server.url.replace("smtp://", "smtp://parley:p%40ss%2F1@")

        async with notify.running(PARLEY_NOTIFY_SMTP_URL=wrong):
            await notify.tell(routed())
            await eventually(notify.deliveries, lambda found: any("reason" in one for one in found))
        async with notify.running(PARLEY_NOTIFY_SMTP_URL=right):
            await eventually(notify.delivery_states, lambda states: states == ["sent"])

        assert server.recipients == ["anna@team.example"]


async def test_an_email_whose_end_is_not_known_is_uncertain_and_not_sent_again(
    notify: Notify, smtp: SmtpServer
) -> None:
    smtp.data_answers = [None]

    async with notify.running():
        await notify.tell(routed(1))
        await eventually(notify.delivery_states, lambda states: states == ["uncertain"])
        await notify.tell(routed(1), routed(2))
        await eventually(notify.delivery_states, lambda states: states == ["sent", "uncertain"])

    assert smtp.tries == 2


async def test_what_a_dead_replica_left_is_tried_again_or_uncertain(
    notify: Notify, smtp: SmtpServer
) -> None:
    async with notify.running(PARLEY_NOTIFY_SMTP_URL="", PARLEY_NOTIFY_EMAIL_FROM=""):
        pass  # makes the indexes
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    left = {
        "workspace": notify.workspace_id,
        "member": "mem_anna",
        "conversation": "cnv_1",
        "group": "grp_sales",
        "source": "src_a",
        "channel": "telegram",
        "created_at": datetime.now(UTC),
        "attempt": 1,
        "due_at": long_ago,
    }
    await notify.database["notify_deliveries"].insert_many(
        [
            {**left, "_id": "eml_before", "state": "sending"},
            {**left, "_id": "eml_during", "state": "handing_over"},
        ]
    )

    async with notify.running():
        await eventually(notify.delivery_states, lambda states: states == ["sent", "uncertain"])

    assert [message["Message-ID"] for message in smtp.accepted] == ["<eml_before@inbox.example>"]


async def test_two_replicas_send_each_email_once(notify: Notify, smtp: SmtpServer) -> None:
    events = [routed(number) for number in range(1, 21)]

    async with notify.running(), notify.running():
        await notify.tell(*events)
        await eventually(notify.delivery_states, lambda states: states == ["sent"] * 20)

    ids = [message["Message-ID"] for message in smtp.accepted]
    assert len(ids) == len(set(ids)) == 20
