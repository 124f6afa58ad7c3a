"""The widget in a real page of another origin, in a real browser."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.browser import needs_chromium
from tests.support.ingest.widget.shop import PLAIN_HOST, Shop, opened
from tests.support.ingest.widget.stack import Stack

pytestmark = [pytest.mark.servers, pytest.mark.browser, needs_chromium()]


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with opened(stack) as shop:
        yield shop


async def test_a_visitor_writes_and_sees_the_answer_also_after_a_reload(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(widget.go, f"{shop.address}/en")
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.picture, "empty")
    await asyncio.to_thread(widget.write, "Hello, is it in stock?")

    [hello] = await shop.accepted(1)
    assert hello.content.text == "Hello, is it in stock?"
    assert hello.sender.language == "en"
    own = ("mine", "Hello, is it in stock?", "sent")
    await asyncio.to_thread(widget.shows, own)

    await shop.take_in(hello)
    markup = '<img src=x onerror="document.title=1"> See https://shop.example/a?b=1&c=2.'
    await shop.answer(hello.thread, markup)
    answer = ("theirs", markup, "sent")
    await asyncio.to_thread(widget.shows, own, answer)
    links = widget.run("return [...root.querySelectorAll('.bubble a')].map((a) => a.href)")
    assert links == ["https://shop.example/a?b=1&c=2"]
    assert widget.run("return root.querySelectorAll('.bubble img').length") == 0
    assert widget.driver.title == "Shop"
    await asyncio.to_thread(widget.picture, "answered")

    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(widget.shows, own, answer)
    assert widget.run("return localStorage.length") >= 2
    logged = await asyncio.to_thread(widget.driver.get_log, "browser")
    assert [line for line in logged if "favicon" not in line["message"]] == []


async def test_a_page_without_https_is_served_all_the_same(shop: Shop) -> None:
    widget = shop.widget
    address = shop.address.replace("127.0.0.1", PLAIN_HOST)
    await asyncio.to_thread(widget.go, f"{address}/en")
    assert widget.run("return [isSecureContext, 'locks' in navigator]") == [False, False]
    await asyncio.to_thread(widget.open)
    for text in ("one", "two"):
        await asyncio.to_thread(widget.write, text)
    first, second = await shop.accepted(2)
    assert first.thread == second.thread
    for inbound in (first, second):
        await shop.take_in(inbound)
    await shop.answer(first.thread, "three")
    await asyncio.to_thread(
        widget.shows, ("mine", "one", "sent"), ("mine", "two", "sent"), ("theirs", "three", "sent")
    )


async def test_a_token_that_holds_no_more_is_replaced(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(widget.go, f"{shop.address}/en")
    forged = {"token": "forged", "visitor_id": "vis_x", "expires_at": "2999-01-01T00:00:00Z"}
    widget.driver.execute_script(
        """const said = JSON.stringify({language: "en"});
        localStorage.setItem(arguments[0], JSON.stringify({...arguments[1], said}))""",
        f"parley:{shop.site.source_id}::session",
        forged,
    )
    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Hello")
    [hello] = await shop.accepted(1)
    await shop.take_in(hello)
    await shop.answer(hello.thread, "Hi")
    await asyncio.to_thread(widget.shows, ("mine", "Hello", "sent"), ("theirs", "Hi", "sent"))


async def test_what_is_written_offline_is_sent_in_order_once_it_can_be(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(widget.go, f"{shop.address}/uk")
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "один")
    await asyncio.to_thread(widget.shows, ("mine", "один", "sent"))

    await asyncio.to_thread(widget.network, offline=True)
    for text in ("два", "три"):
        await asyncio.to_thread(widget.write, text)
    waiting = [("mine", "два", "sending"), ("mine", "три", "sending")]
    await asyncio.to_thread(widget.shows, ("mine", "один", "sent"), *waiting)
    assert "offline" in (widget.find(".panel").get_attribute("class") or "")
    await asyncio.to_thread(widget.picture, "offline")

    [first] = await shop.accepted(1)
    await shop.take_in(first)
    await shop.answer(first.thread, "Відповідь, поки не було зв’язку")
    await asyncio.to_thread(widget.network, offline=False)

    accepted = await shop.accepted(3)
    assert [one.content.text for one in accepted] == ["один", "два", "три"]
    missed = ("theirs", "Відповідь, поки не було зв’язку", "sent")
    sent = [("mine", "два", "sent"), ("mine", "три", "sent")]
    await asyncio.to_thread(widget.shows, ("mine", "один", "sent"), missed, *sent)
    for one in accepted[1:]:
        await shop.take_in(one)
    await asyncio.to_thread(widget.shows, ("mine", "один", "sent"), missed, *sent)


async def test_what_waits_to_be_sent_survives_a_reload(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(widget.go, f"{shop.address}/ru")
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.block, "*/hooks/widget/*")
    await asyncio.to_thread(widget.write, "Здравствуйте")
    await asyncio.to_thread(widget.shows, ("mine", "Здравствуйте", "sending"))

    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(widget.shows, ("mine", "Здравствуйте", "sending"))
    await asyncio.to_thread(widget.block)

    await asyncio.to_thread(widget.shows, ("mine", "Здравствуйте", "sent"))
    assert len(await shop.accepted(1)) == 1


async def test_a_refused_message_is_marked_and_does_not_hold_up_the_next(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(widget.go, f"{shop.address}/en")
    item = {"id": "no uuid", "text": "Refused", "at": "2026-01-02T10:00:00Z", "after": 0}
    queue = json.dumps([{**item, "state": "sending"}])
    widget.driver.execute_script(
        "localStorage.setItem(arguments[0], arguments[1])",
        f"parley:{shop.site.source_id}::queue",
        queue,
    )
    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Accepted")
    # What could not be sent stands last, once the history has what could.
    await asyncio.to_thread(
        widget.shows, ("mine", "Accepted", "sent"), ("mine", "Refused", "failed")
    )
    assert widget.find(".failed button").text == "Try again"
    await asyncio.to_thread(widget.picture, "failed")


async def test_an_answer_to_a_closed_panel_shows_on_the_button(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(widget.go, f"{shop.address}/en")
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Hello")
    [hello] = await shop.accepted(1)
    await shop.take_in(hello)
    await asyncio.to_thread(widget.find("textarea").send_keys, Keys.ESCAPE)
    assert not widget.find(".panel").is_displayed()
    assert widget.run("return root.activeElement.className") == "launcher"

    await shop.answer(hello.thread, "Good morning")
    await asyncio.to_thread(widget.until, lambda: widget.find(".badge").text == "1")
    assert widget.find(".launcher").get_attribute("aria-label") == "Open the chat (1)"

    await asyncio.to_thread(widget.find(".launcher").send_keys, Keys.ENTER)
    # Fading in, it is not displayed at first.
    await asyncio.to_thread(widget.until, widget.find(".panel").is_displayed)
    assert not widget.find(".badge").is_displayed()
    assert widget.run("return root.activeElement.tagName") == "TEXTAREA"
    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(
        widget.shows, ("mine", "Hello", "sent"), ("theirs", "Good morning", "sent")
    )
    assert not widget.find(".badge").is_displayed()


async def test_it_fills_a_phones_screen_and_follows_the_dark_scheme(shop: Shop) -> None:
    widget = shop.widget
    await asyncio.to_thread(
        widget.driver.execute_cdp_cmd,
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 780, "deviceScaleFactor": 2, "mobile": True},
    )
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    await asyncio.to_thread(
        widget.driver.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"features": dark}
    )
    await asyncio.to_thread(widget.go, f"{shop.address}/ru")
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Добрый день! Когда будет доставка?")
    [hello] = await shop.accepted(1)
    await shop.take_in(hello)
    await shop.answer(
        hello.thread, "Здравствуйте! Завтра с 10 до 14. Подробнее: https://shop.example"
    )
    await asyncio.to_thread(widget.until, lambda: len(widget.shown()) == 2)
    await asyncio.to_thread(widget.picture, "phone-dark")
    assert widget.find(".panel").rect["width"] == 390
    background = widget.find(".panel").value_of_css_property("background-color")
    assert background.startswith("rgba(23, 25, 31")
