"""Poison planted by hand in the running suite: it is told of, all others go on, it comes back."""

import aiohttp
import pytest
from pymongo import MongoClient

from tests.support.e2e.command import parley
from tests.support.e2e.team import Company, person
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def metrics(company: Company, service: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{company.suite.url(service)}/metrics") as answer,
    ):
        return await answer.text()


async def says(company: Company, conversation_id: str, *texts: str) -> None:
    async def all_of_it() -> bool:
        return await company.texts(conversation_id) == list(texts)

    await eventually(all_of_it)


async def test_a_poisonous_commit_tells_of_itself_and_comes_back_when_it_is_mended(
    company: Company,
) -> None:
    bot, _source = await company.connect_telegram()
    olena, petro = person(), person("Petro")
    await company.writes(bot, olena, "Hello")
    await company.writes(bot, petro, "Hello")
    bad = (await company.case_of("Olena"))["conversation_id"]
    good = (await company.case_of("Petro"))["conversation_id"]
    # given a commit whose event nobody can read, left on its way
    url, name = (company.suite.settings[f"PARLEY_MONGODB_{one}"] for one in ("URL", "DATABASE"))
    with MongoClient[dict[str, object]](url) as client:
        commits = client[name]["conversation_commits"]
        last = commits.find_one({"stream": bad}, sort=[("_id", -1)])
        assert last is not None
        first = int(str(last["last"])) + 1
        planted = last | {
            "_id": f"{bad}:{first:010d}",
            "first": first,
            "last": first,
            "causes": ["planted"],
            "events": [{"type": "conversation.flagged.v1", "data": b"\xff\xfe"}],
            "public": [],
            "pending": True,
        }
        commits.insert_one(planted)

        async def listed() -> str:
            code, out, error = await parley(company.suite, "set-aside", "list")
            assert code == 0, error
            return out.decode()

        async def lists_the_stream() -> bool:
            return f"conversation_commits\t{bad}\t1\tUnreadableEvent" in await listed()

        await eventually(lists_the_stream)

        # then what comes for it waits, and what comes for others is there at once
        await company.writes(bot, olena, "Are you there?")
        await company.writes(bot, petro, "Are you there?")
        await says(company, good, "Hello", "Are you there?")

        async def lists_the_message() -> bool:
            return f"conversation-inbound\t{bad}\t1\tunexpected" in await listed()

        await eventually(lists_the_message)
        code, out, _error = await parley(company.suite, "doctor")
        assert code == 1
        assert bad in out.decode()
        assert 'parley_set_aside_streams{collection="conversation_commits"} 1.0' in await metrics(
            company, "conversation"
        )
        # and it stays so while nothing is mended
        code, out, _error = await parley(company.suite, "set-aside", "retry", bad)
        assert code == 1
        assert bad in out.decode()
        await company.writes(bot, petro, "Hm")
        await says(company, good, "Hello", "Are you there?", "Hm")

        # when it is mended
        commits.delete_one({"_id": planted["_id"]})

    code, out, error = await parley(company.suite, "set-aside", "retry")

    # then all is there, in order, and the processes have been up all the while
    assert (code, out.decode().strip()) == (0, "nothing is set aside any more"), error
    await says(company, bad, "Hello", "Are you there?")
    code, out, error = await parley(company.suite, "doctor")
    assert (code, out.decode().strip()) == (0, "everything is in order"), error
