"""What is wrong is refused with a clear answer, and nothing that was accepted is lost."""

import io
import uuid
from typing import Any

import pytest

from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.kafka import Outgoing
from libs.runtime.settings import Settings, load
from parley.client import RequestRefused, eventually
from parley.dead_letters import DeadLetter, dead_letters
from parley.doubles.bot import Bot
from parley.doubles.bot_api import SECRET_HEADER
from parley.suite import Suite
from tests.support.e2e.command import parley
from tests.support.e2e.team import Company, Json, person

pytestmark = pytest.mark.servers


async def post_hook(
    company: Company, bot: Bot, body: bytes, headers: dict[str, str], source_id: str = ""
) -> tuple[int, Json]:
    """Status and answer of a webhook call; to another source's address where one is given."""
    url: str = bot.webhook["url"]
    if source_id:
        url = url.rpartition("/")[0] + "/" + source_id
    async with company.owner.session.post(url, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status, await answer.json() if answer.content_length else {}


def secret_of(bot: Bot) -> dict[str, str]:
    return {SECRET_HEADER: bot.webhook["secret_token"]}


async def test_a_forged_webhook_is_refused_and_writes_nothing(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    body = b'{"update_id": 1}'

    unsigned, _ = await post_hook(company, bot, body, {})
    forged, problem = await post_hook(company, bot, body, {SECRET_HEADER: "guess"})

    assert unsigned in (401, 403)
    assert forged in (401, 403)
    assert problem["status"] == forged
    assert (await company.owner.get("/v1/conversations", tab="all"))["items"] == []


async def test_an_unknown_source_and_a_body_too_large_are_refused(company: Company) -> None:
    bot, _source = await company.connect_telegram()

    unknown, _ = await post_hook(company, bot, b"{}", secret_of(bot), "src_" + "a" * 30)
    large, _ = await post_hook(company, bot, b"x" * 5_000_000, secret_of(bot))

    assert unknown == 404
    assert large == 413


async def test_malformed_json_of_a_verified_platform_is_kept_as_a_dead_letter(
    company: Company,
) -> None:
    bot, _source = await company.connect_telegram()
    body = b'{"update_id": 1, "broken ' + uuid.uuid4().bytes

    status, _ = await post_hook(company, bot, body, secret_of(bot))

    # A platform that is refused tries again for ever
    assert status == 200
    letter = await _letter(company.suite, Topic.INBOUND, body)
    assert letter.reason
    place = (str(letter.partition), str(letter.offset))
    code, listed, _error = await parley(company.suite, "dlq", "list", "inbound")
    assert (code, f"inbound {' '.join(place)}" in listed.decode()) == (0, True)
    code, shown, _error = await parley(company.suite, "dlq", "show", "inbound", *place)
    assert (code, shown) == (0, body)
    code, _out, said = await parley(company.suite, "dlq", "replay", "inbound", *place)
    assert code == 1
    assert "the body of a webhook" in said


async def test_a_poison_message_becomes_a_dead_letter_and_its_partition_goes_on(
    company: Company,
) -> None:
    bot, _source = await company.connect_telegram()
    olena = person()
    await company.writes(bot, olena, "before")
    row = await company.case_of("Olena")
    settings = load(Settings, company.suite.settings)
    poison = b"not an event " + uuid.uuid4().bytes
    key = row["conversation_id"].encode()

    async with publishing(settings.kafka_bootstrap_servers, settings.kafka_namespace) as publisher:
        await publisher.publish([Outgoing(Topic.INBOUND.value, key, poison, [("x", b"y")])])
    await company.writes(bot, olena, "after")

    async def both() -> bool:
        return await company.texts(row["conversation_id"]) == ["before", "after"]

    await eventually("what came after the poison", both)
    letter = await _letter(company.suite, Topic.INBOUND, poison)
    assert (letter.key, letter.headers) == (key, (("x", b"y"),))

    # And it can be sent round again, to the same end
    place = (str(letter.partition), str(letter.offset))
    code, _out, error = await parley(company.suite, "dlq", "replay", "inbound", *place)
    assert code == 0, error


async def test_another_workspaces_conversation_is_not_there(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    await company.writes(bot, person(), "Hello")
    row = await company.case_of("Olena")
    stranger = await company.another_company()

    for words in ("", "/timeline"):
        with pytest.raises(RequestRefused) as hidden:
            await stranger.get(f"/v1/conversations/{row['conversation_id']}{words}")
        assert hidden.value.status == 404
    with pytest.raises(RequestRefused) as refused:
        await stranger.post(f"/v1/conversations/{row['conversation_id']}/take")
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PARLEY_DEPLOYMENT_KEY", "", "PARLEY_DEPLOYMENT_KEY is missing"),
        ("PARLEY_INGEST_SIGNING_KEY", "abc", "PARLEY_INGEST_SIGNING_KEY is wrong"),
        ("PARLEY_INGEST_TELEGRAM_AIP_URL", "http://x", "PARLEY_INGEST_TELEGRAM_AIP_URL is not"),
    ],
)
async def test_a_service_with_a_wrong_setting_does_not_start_and_names_it(
    suite: Suite, setting: str, value: str, said: str
) -> None:
    code, _out, error = await parley(suite, "serve", "ingest", **{setting: value})

    assert code == 1
    assert said in error
    assert "Traceback" not in error


async def _letter(suite: Suite, topic: Topic, value: bytes) -> DeadLetter:
    async def find() -> Any:
        async for letter in dead_letters(load(Settings, suite.settings), topic):
            if letter.value == value:
                return letter
        return None

    letter: DeadLetter = await eventually("the dead letter", find)
    return letter
