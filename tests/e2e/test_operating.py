"""What an operator does with the command line, on a running suite."""

import re
from typing import Any

import pytest
from pymongo import MongoClient

from tests.support.e2e.command import parley
from tests.support.e2e.team import Company, person

pytestmark = pytest.mark.servers


async def test_the_inbox_is_rebuilt_while_it_is_served(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    await company.writes(bot, person(), "Hello")
    before = await company.case_of("Olena")

    code, out, error = await parley(company.suite, "rebuild", "inbox")

    assert code == 0, error
    assert "0 rows differed" in out.decode()
    assert await company.case_of("Olena") == before


async def test_keys_are_rotated_while_what_they_seal_is_shown(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    await company.writes(bot, person(), "Hello")
    row = await company.case_of("Olena")

    for _ in range(2):
        code, out, error = await parley(company.suite, "rotate-keys")
        assert code == 0, error
        assert "wrapped by new keys" in out.decode()

    await company.writes(bot, person("Petro"), "Hello again")
    await company.case_of("Petro")
    assert await company.texts(row["conversation_id"]) == ["Hello"]


async def test_migrating_again_changes_nothing(company: Company) -> None:
    code, out, error = await parley(company.suite, "migrate")

    assert code == 0, error
    assert "every topic is there" in out.decode()


async def test_the_doctor_finds_nothing_wrong_and_says_so(company: Company) -> None:
    code, out, error = await parley(company.suite, "doctor")

    assert (code, out.decode().strip()) == (0, "everything is in order"), error


async def test_the_doctor_says_which_server_does_not_answer(company: Company) -> None:
    code, out, _error = await parley(
        company.suite, "doctor", PARLEY_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"
    )

    assert code == 1
    assert "Kafka does not answer at 127.0.0.1:1" in out.decode()


async def test_verifying_tells_what_was_changed_behind_the_services_backs(
    company: Company,
) -> None:
    bot, _source = await company.connect_telegram()
    await company.writes(bot, person(), "Is it true?")
    conversation_id = (await company.case_of("Olena"))["conversation_id"]
    code, out, error = await parley(company.suite, "verify")
    assert code == 0, error
    assert "conversations: as they were written" in out.decode()
    assert "directory: as they were written" in out.decode()
    assert re.search(r"signed with the key [0-9a-f]{64}", out.decode())

    one = {"stream": conversation_id, "first": 1}
    settings = company.suite.settings
    with MongoClient[dict[str, Any]](settings["PARLEY_MONGODB_URL"]) as client:
        commits = client[settings["PARLEY_MONGODB_DATABASE"]]["conversation_commits"]
        before = commits.find_one(one)
        commits.update_one(one, {"$set": {"causes": ["another"]}})
        code, out, _error = await parley(company.suite, "verify", conversation_id)
        commits.replace_one(one, before or {})

    assert code == 1
    assert f"{conversation_id} 1 to 2 was altered" in out.decode()
    code, out, error = await parley(company.suite, "verify", conversation_id)
    assert (code, "as they were written" in out.decode()) == (0, True), error


async def test_verifying_what_was_never_there(company: Company) -> None:
    code, _out, error = await parley(company.suite, "verify", "cnv_nowhere")

    assert code == 1
    assert "there is no conversation cnv_nowhere" in error
