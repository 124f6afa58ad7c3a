"""``parley demo``: one customer's story over Telegram, against a double of its Bot API.

Everything else is real: the servers, the six services, the public API. It runs on a stack of its
own with an empty folder, beside whatever else runs, and leaves nothing behind.
"""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from libs.devstack.stack import Devstack
from libs.runtime.settings import load
from parley.bootstrap import BootstrapSettings, bootstrap_workspace
from parley.client import ApiClient, eventually
from parley.doubles.bot_api import BotApiDouble
from parley.migrate import migrate_all
from parley.suite import Suite

BOT_TOKEN: Final = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"  # noqa: S105  # the double's own
CUSTOMER: Final = {
    "id": 1111111,
    "first_name": "Olena",
    "last_name": "Kovalenko",
    "username": "olena_k",
    "language_code": "uk",
}
WORKSPACE: Final = {
    "name": "Demo company",
    "owner_name": "Dima",
    "owner_email": "dima@example.com",
    "language": "en",
    "time_zone": "UTC",
}


def tell() -> None:
    """Play the story and print it. Errors: those of starting, and whatever goes wrong in it."""
    with tempfile.TemporaryDirectory(prefix="parley-demo-") as folder:
        asyncio.run(_tell(Path(folder)))


async def _tell(folder: Path) -> None:
    async with BotApiDouble() as telegram:
        bot = telegram.add_bot(BOT_TOKEN)
        # The servers are started by blocking calls: not on the loop that the double answers on.
        stack = Devstack(folder, say=_progress)
        servers = await asyncio.to_thread(stack.start)
        try:
            suite = Suite(
                servers,
                folder,
                settings={"PARLEY_INGEST_TELEGRAM_API_URL": telegram.url},
                say=_progress,
            )
            await migrate_all(suite.settings)
            await asyncio.to_thread(suite.start)
            try:
                owner = await bootstrap_workspace(
                    load(BootstrapSettings, suite.settings), suite.url("gateway"), WORKSPACE
                )
                async with ApiClient(suite.url("gateway")) as api:
                    await api.sign_in(owner.email, owner.password or "")
                    await story(api, telegram, bot)
            finally:
                await asyncio.to_thread(suite.stop)
        finally:
            await asyncio.to_thread(stack.stop)


async def story(api: ApiClient, telegram: BotApiDouble, bot: Any) -> None:
    """From the source's connection to the figures, through public interfaces only."""
    location = (await api.get("/v1/locations"))["items"][0]
    source = await api.post(
        "/v1/sources",
        channel="telegram",
        name="Our bot",
        location_id=location["location_id"],
        credentials={"bot_token": BOT_TOKEN},
    )
    registered = source["webhook"]["registered"]
    _say("Dima", f"connects the bot; Telegram has the webhook: {_yes(registered)}")

    question = bot.message_from(CUSTOMER, text="Добрий день! Чи є у вас доставка?")
    update = bot.next_update("message", question)
    _say("Olena", f"writes: {question['text']}")
    statuses = await telegram.deliver(bot, update)
    again = await telegram.deliver(bot, update)
    _say("Telegram", f"delivers it, answered {statuses[0]}; and once more, answered {again[0]}")

    case = await eventually("the case", lambda: _first(api, "new"))
    path = f"/v1/conversations/{case['conversation_id']}"
    _say("inbox", f"New: {case['customer']['name']}: {case['last_message']['preview']}")

    await api.post(f"{path}/take")
    _say("Dima", "takes the case")
    await api.post(f"{path}/notes", text="Asked before, free of charge for her")
    _say("Dima", "writes a note, which only the team sees")
    await api.post(f"{path}/messages", text="Добрий день! Так, безкоштовна.")
    sent = await eventually("the answer at Telegram", lambda: _sent(bot))
    _say("Telegram", f"shows Olena: {sent.text}")

    async def delivered() -> Any:
        items = (await api.get(f"{path}/timeline"))["items"]
        return [item for item in items if (item.get("delivery") or {}).get("state") == "sent"]

    await eventually("the delivery state", delivered)
    await api.post(f"{path}/close")
    _say("Dima", "closes the case")
    for item in reversed((await api.get(f"{path}/timeline"))["items"]):
        _say("timeline", _told(item))

    async def counted() -> Any:
        now = datetime.now(UTC)
        summary = await api.get(
            "/v1/metrics/summary",
            **{
                "from": (now - timedelta(days=1)).isoformat(),
                "to": (now + timedelta(days=1)).isoformat(),
            },
        )
        return summary if summary["closed"]["value"] == 1 else None

    summary = await eventually("the figures", counted)
    _say(
        "figures",
        f"cases {summary['all']['value']}, responded {summary['responded']['value']}, "
        f"closed {summary['closed']['value']}, "
        f"time to respond {summary['time_to_respond']['average']['text']}, "
        f"time to close {summary['time_to_close']['average']['text']}",
    )

    thanks = bot.message_from(CUSTOMER, text="Дякую! А самовивіз?")
    _say("Olena", f"writes again: {thanks['text']}")
    await telegram.deliver(bot, bot.next_update("message", thanks))
    following = await eventually("the next case", lambda: _first(api, "new"))
    _say("inbox", f"New, a repeat case: {_yes(following['case']['repeat'])}")


async def _first(api: ApiClient, tab: str) -> Any:
    items = (await api.get("/v1/conversations", tab=tab))["items"]
    return items[0] if items else None


async def _sent(bot: Any) -> Any:
    return bot.sent[-1] if bot.sent else None


def _told(item: dict[str, Any]) -> str:
    match item["kind"]:
        case "message":
            state = (item.get("delivery") or {}).get("state")
            text = item["content"].get("text", "")
            return f"{item['direction']}: {text}" + (f" ({state})" if state else "")
        case "note":
            return f"note: {item['text']}"
    return f"· {item['key']}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _say(who: str, what: str) -> None:
    click.echo(f"{who:>9}  {what}")


def _progress(what: str) -> None:
    click.echo(click.style(f"           {what}", dim=True))
