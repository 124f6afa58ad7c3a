"""What an operator does with the command line, on a running suite."""

import pytest

from tests.e2e.command import parley
from tests.e2e.team import Company, person

pytestmark = pytest.mark.servers


async def test_the_inbox_is_rebuilt_while_it_is_served(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    await company.writes(bot, person(), "Hello")
    before = await company.case_of("Olena")

    code, out, error = await parley(company.suite, "rebuild", "inbox")

    assert code == 0, error
    assert "0 rows differed" in out.decode()
    assert await company.case_of("Olena") == before


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
