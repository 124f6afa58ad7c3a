"""The widget where a page or a browser gives it less, or takes away what it had."""

import asyncio
from collections.abc import AsyncIterator
from html import escape

import pytest

from tests.support.browser import needs_chromium
from tests.support.ingest.widget.shop import Shop, opened
from tests.support.ingest.widget.stack import Stack

pytestmark = [pytest.mark.servers, pytest.mark.browser, needs_chromium()]

HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>'
# As much as the site may keep, taken by the page itself, to the last character.
FILL = """for (let size = 1 << 22; size >= 1; size >>= 1) {
  try { for (;;) localStorage.setItem('page' + Math.random(), 'x'.repeat(size)); } catch {} }"""
COUNT_SOCKETS = """<script>window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); window.sockets.push(this); } };</script>"""
LOAD_AGAIN = """const again = document.createElement('script');
again.src = arguments[0] + '/widget.js'; again.dataset.source = arguments[1];
document.body.append(again)"""
HOSTS = "return document.querySelectorAll('[id^=parley-widget]').length"
OPEN_SOCKETS = "return sockets.filter((one) => one.readyState < 2).length"


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with opened(stack) as shop:
        yield shop


async def test_a_browser_that_keeps_nothing_has_one_customer_a_page(stack: Stack) -> None:
    blocked = {"profile.default_content_setting_values.cookies": 2}
    async with opened(stack, preferences=blocked) as shop:
        widget = shop.widget
        await shop.goes_to("/", HEAD + shop.script())
        refused = "try { localStorage; return '' } catch (error) { return error.name }"
        assert widget.run(refused) == "SecurityError"
        locks = "return navigator.locks.request('any', () => '').catch((error) => error.name)"
        assert widget.run(locks) == "SecurityError"

        first = await shop.hears("Hello")
        await shop.answer(first.thread, "Hi")
        await asyncio.to_thread(widget.shows, ("mine", "Hello", "sent"), ("theirs", "Hi", "sent"))
        await asyncio.to_thread(widget.write, "Again")
        _, second = await shop.accepted(2)

        assert second.thread == first.thread
        assert await shop.complaints() == []


@pytest.mark.parametrize(
    ("sandbox", "status", "meta"),
    [
        ("allow-scripts", "The chat does not work on this page", "Not sent."),
        ("allow-scripts allow-same-origin", "We answer right here", "Sent"),
    ],
)
async def test_a_sandboxed_frame_is_served_or_told_the_truth(
    shop: Shop, sandbox: str, status: str, meta: str
) -> None:
    """Without ``allow-same-origin`` the frame's origin is nobody's, which no source allows."""
    framed = escape(HEAD + shop.script())
    widget, driver = shop.widget, shop.widget.driver
    shop.pages["/"] = f'{HEAD}<iframe sandbox="{sandbox}" height="700" srcdoc="{framed}"></iframe>'
    await asyncio.to_thread(driver.get, shop.address)
    await asyncio.to_thread(driver.switch_to.frame, 0)
    await asyncio.to_thread(widget.until, lambda: driver.find_elements("id", "parley-widget"))
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Hello")

    await asyncio.to_thread(widget.says, ".mine .meta", meta)
    await asyncio.to_thread(widget.says, ".status", status)


async def test_where_nothing_is_answered_it_says_that_it_keeps_trying(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", HEAD + shop.script())
    await asyncio.to_thread(widget.block, f"{shop.site.url}/widget/*", f"{shop.site.url}/hooks/*")
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Hello?")

    words = "No answer from the chat just now, we keep trying"
    await asyncio.to_thread(widget.says, ".status", words)
    waits = "Not sent yet, we keep trying"
    await asyncio.to_thread(widget.says, ".sending .meta", waits)
    await asyncio.to_thread(widget.block)

    await asyncio.to_thread(widget.shows, ("mine", "Hello?", "sent"))
    await asyncio.to_thread(widget.says, ".status", "We answer right here")


@pytest.mark.parametrize("full", ["before", "meanwhile"])
async def test_a_full_store_changes_nothing_for_the_visitor(shop: Shop, full: str) -> None:
    widget = shop.widget
    filled = f"<script>{FILL}</script>" if full == "before" else ""
    await shop.goes_to("/", HEAD + filled + shop.script())
    first = await shop.hears("one")
    if full == "meanwhile":
        widget.driver.execute_script(FILL)
    await asyncio.to_thread(widget.write, "two")
    await shop.accepted(2)
    await shop.answer(first.thread, "three")
    story = [("mine", "one", "sent"), ("mine", "two", "sent"), ("theirs", "three", "sent")]
    await asyncio.to_thread(widget.shows, *story)

    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(widget.write, "four")

    assert {one.thread for one in await shop.accepted(3)} == {first.thread}
    await asyncio.to_thread(widget.shows, *story, ("mine", "four", "sent"))
    assert await shop.complaints() == []


async def test_a_store_that_is_cleared_makes_no_new_customer_of_the_page(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", HEAD + shop.script())
    first = await shop.hears("one")
    await asyncio.to_thread(widget.shows, ("mine", "one", "sent"))
    widget.run("localStorage.clear(); sessionStorage.clear()")
    # Another tab finds nothing, and begins anew; this one stays who it was.
    others = {"token": "another", "visitor_id": "vis_other", "expires_at": "2999-01-01T00:00:00Z"}
    widget.driver.execute_script(
        """const said = JSON.stringify({language: "en"});
        localStorage.setItem(arguments[0], JSON.stringify({...arguments[1], said}))""",
        f"parley:{shop.site.source_id}::session",
        others,
    )

    await asyncio.to_thread(widget.write, "two")
    await shop.answer(first.thread, "three")

    assert {one.thread for one in await shop.accepted(2)} == {first.thread}
    await asyncio.to_thread(widget.until, lambda: len(widget.shown()) == 3)
    assert sorted(text for _, text, _ in widget.shown()) == ["one", "three", "two"]


def policy(shop: Shop, connect: str) -> str:
    """A strict one: scripts of the widget's server, and nothing inline."""
    allowed = f"default-src 'none'; script-src {shop.site.url}; connect-src {connect}"
    rules = f"{allowed}; require-trusted-types-for 'script'; base-uri 'none'"
    return f'{HEAD}<meta http-equiv="content-security-policy" content="{rules}">{shop.script()}'


async def test_answers_come_by_asking_where_a_policy_lets_no_socket_through(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", policy(shop, shop.site.url))
    first = await shop.hears("Hello")
    await shop.answer(first.thread, "Hi")
    hello, hi = ("mine", "Hello", "sent"), ("theirs", "Hi", "sent")
    await asyncio.to_thread(widget.shows, hello, hi)
    assert widget.find(".status").text == "We answer right here"

    await shop.answer(first.thread, "Still there?")
    await asyncio.to_thread(widget.shows, hello, hi, ("theirs", "Still there?", "sent"))
    complaints = [one for one in await shop.complaints() if "ws://" in one]
    assert len(complaints) == 1, "the socket that is forbidden is not asked for again"


async def test_a_policy_that_lets_nothing_through_is_told_in_words(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", policy(shop, "'none'"))
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Hello?")
    words = "The chat does not work on this page"
    await asyncio.to_thread(widget.says, ".status", words)
    await asyncio.to_thread(widget.says, ".sending .meta", "Not sent.")
    assert await shop.complaints() != []
    await asyncio.to_thread(widget.write, "Anybody?")
    await asyncio.to_thread(widget.until, lambda: len(widget.shown()) == 2)
    assert await shop.complaints() == [], "what is forbidden is not asked for again"


async def test_the_loader_may_run_twice(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", HEAD + COUNT_SOCKETS + shop.script() + shop.script())
    await shop.hears("Hello")
    await asyncio.to_thread(widget.shows, ("mine", "Hello", "sent"))

    assert widget.run(HOSTS) == 1
    assert widget.run(OPEN_SOCKETS) == 1
    assert await shop.complaints() == []


async def test_a_page_that_replaces_its_body_keeps_the_widget(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", HEAD + COUNT_SOCKETS + shop.script())
    first = await shop.hears("one")
    await asyncio.to_thread(widget.shows, ("mine", "one", "sent"))
    replacing = {
        "its content": "document.body.innerHTML = '<h1>Next</h1>'",
        "its body": "document.documentElement.replaceChild(document.createElement('body'), "
        "document.body)",
        "the whole": "document.replaceChild(document.createElement('html'), "
        "document.documentElement); document.documentElement.append("
        "document.createElement('body'))",
    }
    story = [("mine", "one", "sent")]
    for what, how in replacing.items():
        widget.driver.execute_script(f"{how}; {LOAD_AGAIN}", shop.site.url, shop.site.source_id)
        await asyncio.to_thread(widget.until, lambda: widget.driver.execute_script(HOSTS) == 1)
        await shop.answer(first.thread, what)
        story.append(("theirs", what, "sent"))
        await asyncio.to_thread(widget.shows, *story)
    assert widget.run(OPEN_SOCKETS) == 1
    assert await shop.complaints() == []


async def test_a_page_that_keeps_removing_the_widget_is_not_held_up(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", HEAD + shop.script())
    widget.driver.execute_script(
        """window.removed = 0;
        const remove = () => { const host = document.getElementById('parley-widget');
          if (host) { window.removed += 1; host.remove(); } };
        new MutationObserver(remove).observe(document.body, {childList: true}); remove();"""
    )
    await asyncio.sleep(1)  # what would go on for ever is counted for a while
    assert 1 <= widget.driver.execute_script("return removed") < 20


async def test_two_sources_on_a_page_stand_beside_each_other(shop: Shop) -> None:
    widget = shop.widget
    other = await shop.stack.site(origins=(shop.address,))
    second = shop.script().replace(shop.site.source_id, other.source_id)
    await shop.goes_to("/", HEAD + shop.script() + second)
    await asyncio.to_thread(
        widget.until,
        lambda: widget.run(HOSTS) == 2,
    )
    left = """return [...document.querySelectorAll('[id^=parley-widget]')].map((host) =>
        host.shadowRoot.querySelector('.launcher').getBoundingClientRect().left)"""
    first_left, second_left = widget.run(left)
    assert first_left - second_left >= 60
    await shop.hears("Hello")
    assert await shop.complaints() == []


async def test_who_signs_in_later_gets_a_history_of_their_own(shop: Shop) -> None:
    widget = shop.widget
    await shop.goes_to("/", HEAD + COUNT_SOCKETS + shop.script())
    await shop.hears("Before")
    await asyncio.to_thread(widget.shows, ("mine", "Before", "sent"))
    signed_in = "again.dataset.userId = 'u1'; again.dataset.userHash = 'not vouched for'"
    widget.driver.execute_script(f"{LOAD_AGAIN}; {signed_in}", shop.site.url, shop.site.source_id)
    await asyncio.to_thread(
        widget.until, lambda: widget.run("return root.querySelectorAll('.row').length") == 0
    )
    assert widget.run(HOSTS) == 1
    await asyncio.to_thread(widget.until, lambda: widget.driver.execute_script(OPEN_SOCKETS) == 0)


@pytest.mark.parametrize("attributes", ["", "data-source=''"])
async def test_a_loader_without_a_source_warns_and_throws_nothing(
    shop: Shop, attributes: str
) -> None:
    shop.pages["/"] = f'{HEAD}<script src="{shop.site.url}/widget.js" {attributes}></script>'
    driver = shop.widget.driver
    await asyncio.to_thread(driver.get, shop.address)
    entries = await asyncio.to_thread(driver.get_log, "browser")
    logged = [one for one in entries if "favicon" not in one["message"]]
    assert [one["level"] for one in logged] == ["WARNING"]
    assert "data-source" in logged[0]["message"]
