"""The console: a team's day in a real browser, over the real suite."""

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from parley.console import workshop
from parley.node import node
from tests.support.browser import chromium, needs_chromium
from tests.support.console.page import Console
from tests.support.e2e.team import Company, person
from tests.support.node import with_the_shapes_of_the_api

# Of what the first page needs, compressed.
SCRIPT_BYTES = 180_000


@pytest.fixture
def browsers(company: Company) -> Iterator["Browsers"]:
    with ExitStack() as stack:
        yield Browsers(company.suite.url("gateway"), stack)


class Browsers:
    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack

    async def another(self, language: str = "en", width: int = 1200) -> Console:
        """A browser of its own, in which nobody is signed in yet."""
        preferences = {"intl.accept_languages": language}
        opened = chromium(f"--lang={language}", width=width, preferences=preferences)
        driver = await asyncio.to_thread(self._stack.enter_context, opened)
        return Console(driver, self._url)


def test_its_sources_fit_the_api_s_shapes() -> None:
    place = workshop()
    client = place.parent / "clients" / "typescript" / "src"
    with_the_shapes_of_the_api(place, client)

    checked = node(place, "node_modules/typescript/bin/tsc", "--noEmit")

    assert (checked.stdout, checked.returncode) == ("", 0)


def test_its_script_is_small(console: Path) -> None:
    [script] = (console / "assets").glob("index-*.js")

    assert len(gzip.compress(script.read_bytes())) <= SCRIPT_BYTES


@pytest.mark.servers
@pytest.mark.browser
@needs_chromium()
async def test_a_case_from_its_message_to_a_colleagues_good_bye(
    company: Company, browsers: Browsers
) -> None:
    bot, _ = await company.connect_telegram()
    _, _, dima = await company.hired("Dima")
    _, _, ira = await company.hired("Ira")
    his, hers = await browsers.another(), await browsers.another()
    await asyncio.to_thread(his.sign_in, dima)
    await asyncio.to_thread(hers.sign_in, ira)

    # When a customer writes, the open lists show it by themselves
    olena = person()
    await company.writes(bot, olena, "Do you deliver?")
    await asyncio.to_thread(his.sees, ".row .name", "Olena")
    await asyncio.to_thread(hers.sees, ".row .name", "Olena")

    # When one takes and answers it, the customer has the answer once, and the other's list is empty
    def answer() -> None:
        his.open("Olena")
        his.press("Take")
        his.write("We do, every day")
        his.write(Keys.ENTER)
        his.until(lambda: "sent" in "".join(his.texts(".delivery")))

    await asyncio.to_thread(answer)
    assert [sent.text for sent in bot.sent] == ["We do, every day"]
    await asyncio.to_thread(hers.sees, ".row .name")

    # When it is offered to her, she accepts, and sees what was said
    def hand_over() -> None:
        his.choose("Transfer to…", "Ira")
        hers.tab(1)
        hers.open("Olena")
        hers.press("Accept")
        hers.until(lambda: hers.said() == ["Do you deliver?", "We do, every day"])

    await asyncio.to_thread(hand_over)

    # When the customer writes again it stands in the open conversation; she answers and closes
    await company.writes(bot, olena, "Thank you!")

    def good_bye() -> None:
        hers.until(lambda: hers.said()[-1:] == ["Thank you!"])
        hers.write("Good-bye!")
        hers.press("Send and close")
        hers.until(lambda: "Done" in "".join(hers.texts(".conversation header p")))

    await asyncio.to_thread(good_bye)
    assert [sent.text for sent in bot.sent] == ["We do, every day", "Good-bye!"]
    for page in (his, hers):
        assert await asyncio.to_thread(page.faults) == []


@pytest.mark.servers
@pytest.mark.browser
@needs_chromium()
async def test_nothing_that_somebody_sends_runs_or_is_lost(
    company: Company, browsers: Browsers
) -> None:
    bot, _ = await company.connect_telegram()
    _, _, dima = await company.hired("Dima")
    evil = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    await company.writes(bot, person(evil), evil)
    page = await browsers.another()

    def look() -> None:
        page.sign_in(dima)
        page.open(evil)
        assert page.said() == [evil]
        page.press("Take")
        # What is typed is there after the page was loaded again, and is sent as it was
        page.write("Not sent yet")
        page.driver.refresh()
        page.until(lambda: page.found("textarea").get_attribute("value") == "Not sent yet")
        page.press("Send")
        page.until(lambda: page.said() == [evil, "Not sent yet"])
        assert page.driver.title == "Parley"

    await asyncio.to_thread(look)
    assert [sent.text for sent in bot.sent] == ["Not sent yet"]


@pytest.mark.servers
@pytest.mark.browser
@needs_chromium()
@pytest.mark.parametrize(
    ("language", "take", "tab"), [("uk", "Взяти", "Нові"), ("ru", "Взять", "Новые")]
)
async def test_it_speaks_the_members_language_on_a_phone_too(
    company: Company, browsers: Browsers, language: str, take: str, tab: str
) -> None:
    bot, _ = await company.connect_telegram()
    client, _, dima = await company.hired("Dima")
    await client.call("PATCH", "/v1/me", body={"language": language})
    await company.writes(bot, person(), "Добрий день")
    page = await browsers.another(width=500)

    def look() -> None:
        page.sign_in(dima)
        page.until(lambda: page.texts("[role=tab]")[0].startswith(tab))
        page.open("Olena")
        page.press(take)
        page.until(lambda: page.found(".composer.in-answer"))

    await asyncio.to_thread(look)


@pytest.mark.servers
@pytest.mark.browser
@needs_chromium()
async def test_a_session_that_ends_elsewhere_ends_here_and_leaves_what_was_typed(
    company: Company, browsers: Browsers
) -> None:
    bot, _ = await company.connect_telegram()
    _, member_id, dima = await company.hired("Dima")
    await company.writes(bot, person(), "Do you deliver?")
    page = await browsers.another()

    def write() -> None:
        page.sign_in(dima)
        page.open("Olena")
        page.press("Take")
        page.write("We do")

    await asyncio.to_thread(write)
    made = await company.owner.post(f"/v1/members/{member_id}/password")

    def sign_in_again() -> None:
        page.found("[name=email]").send_keys(dima.email)
        page.found("[name=password]").send_keys(made["password"], Keys.ENTER)
        page.found("[name=current]").send_keys(made["password"])
        page.found("[name=new]").send_keys("another of my own 17", Keys.ENTER)
        page.until(lambda: page.found(".composer textarea").get_attribute("value") == "We do")

    await asyncio.to_thread(sign_in_again)
