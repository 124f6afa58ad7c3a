"""A double of Telegram's Bot API, over HTTP, for the tests and the demo.

It refuses what Telegram refuses, with Telegram's words, keeps what was sent, serves files, and
delivers updates to the registered webhook as Telegram does: with the secret header, again on
anything but 2xx. Unlike Telegram it takes a webhook at ``http://`` on this machine.

Source: https://core.telegram.org/bots/api#making-requests, #setwebhook, #sendmessage, #getchat,
#getfile, #sendmediagroup, #editmessagetext, #deletemessages, #answercallbackquery,
#making-requests-when-getting-updates
"""

import asyncio
import json
import re
import time
from contextlib import suppress
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from parley.doubles.album import File, Files, album_of, file_of
from parley.doubles.bot import Bot, Fields, Refusal, SentMessage

TEXT_MAX_CHARACTERS: Final = 4096
CAPTION_MAX_CHARACTERS: Final = 1024
CALLBACK_DATA_MAX_BYTES: Final = 64
SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  # a header's name
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")
_UPLOAD_MAX_BYTES: Final = 51 * 1024 * 1024


class BotApiDouble:
    """The API on a port of this machine. Use as an async context manager; then ``url`` is set."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._port = port
        self._bots: dict[str, Bot] = {}
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    def add_bot(self, token: str, username: str = "parley_demo_bot") -> Bot:
        bot = Bot(token, username)
        self._bots[token] = bot
        return bot

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_UPLOAD_MAX_BYTES)
        app.router.add_route("*", "/bot{token}/{method}", self._method)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{self._host}:{port}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def deliver(self, bot: Bot, update: Fields, attempts: int = 5) -> list[int]:
        """Send an update to the webhook until it is answered 2xx; the statuses of the answers.

        Telegram waits longer and longer between attempts; here the pause stays short.
        """
        if self._session is None or not bot.webhook.get("url"):
            raise RuntimeError("no webhook is registered for this bot")
        headers = {"content-type": "application/json"}
        if secret := bot.webhook.get("secret_token"):
            headers[SECRET_HEADER] = secret
        statuses = []
        for _ in range(attempts):
            async with self._session.post(
                bot.webhook["url"], data=json.dumps(update), headers=headers
            ) as answer:
                said = await answer.read()
                statuses.append(answer.status)
            if statuses[-1] < 300:
                self._answered(bot, said)
                break
            await asyncio.sleep(0.2)
        return statuses

    def _answered(self, bot: Bot, said: bytes) -> None:
        """A webhook's answer may itself be a call, of which nobody hears the result."""
        try:
            fields = json.loads(said)
        except ValueError:
            return
        method = fields.pop("method", None) if isinstance(fields, dict) else None
        if method is not None:
            with suppress(Refusal):
                self._call(bot, str(method), fields, {})

    async def _method(self, request: web.Request) -> web.StreamResponse:
        try:
            bot = self._bot(request)
            fields, files = await _fields(request)
            result = self._call(bot, request.match_info["method"], fields, files)
        except Refusal as refusal:
            return _refused(refusal)
        if result is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.json_response({"ok": True, "result": result})

    def _bot(self, request: web.Request) -> Bot:
        token = request.match_info["token"]
        if ":" not in token:
            raise Refusal(404, "Not Found")
        if token not in self._bots:
            raise Refusal(401, "Unauthorized")
        return self._bots[token]

    def _call(self, bot: Bot, method: str, fields: Fields, files: Files) -> Any:
        match method.lower():
            case "getme":
                return _user(bot)
            case "setwebhook":
                return _set_webhook(bot, fields)
            case "deletewebhook":
                return _delete_webhook(bot, fields)
            case "getwebhookinfo":
                told = {k: v for k, v in bot.webhook.items() if k != "secret_token"}
                count = {"has_custom_certificate": False, "pending_update_count": 0}
                return {"url": "", **count, **told}
            case "answercallbackquery":
                query_id = fields.get("callback_query_id")
                if query_id not in bot.pressed:
                    raise Refusal(400, "Bad Request: query is too old or query ID is invalid")
                bot.pressed.remove(query_id)
                bot.answered.append(fields)
                return True
            case "getchat":
                return _chat(bot, fields)
            case "getfile":
                file_id = str(fields.get("file_id", ""))
                if file_id not in bot.files:
                    raise Refusal(400, "Bad Request: invalid file_id")
                return {
                    "file_id": file_id,
                    "file_unique_id": f"u-{file_id}",
                    "file_size": len(bot.files[file_id]),
                    "file_path": f"documents/{file_id}",
                }
            case "sendmessage" | "sendphoto" | "senddocument" | "sendlocation":
                return _send(bot, method, fields, next(iter(files.values()), None))
            case "sendmediagroup":
                return _send_album(bot, fields, files)
            case "editmessagetext" | "editmessagecaption":
                return _edit(bot, fields)
            case "deletemessages" | "deletebusinessmessages":
                return _delete(bot, fields)
        raise Refusal(404, "Not Found: method not found")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        try:
            bot = self._bot(request)
        except Refusal as refusal:
            return _refused(refusal)
        content = bot.files.get(request.match_info["path"].removeprefix("documents/"))
        if content is None:
            return _refused(Refusal(404, "Not Found"))
        return web.Response(body=content, content_type="application/octet-stream")


def _admitted(bot: Bot, fields: Fields) -> tuple[int, bool]:
    """The chat that may be written to now, and whether the answer comes back. Errors: Refusal."""
    fault = bot.fault()
    _check_rate(bot)
    chat_id = _chat_id(bot, fields)
    if chat_id in bot.migrated:
        raise Refusal(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            migrate_to_chat_id=bot.migrated[chat_id],
        )
    if chat_id in bot.blocked_by:
        raise Refusal(403, "Forbidden: bot was blocked by the user")
    _check_place(bot, chat_id, fields)
    return chat_id, fault is not None


def _send(bot: Bot, method: str, fields: Fields, file: File | None) -> Fields | None:
    chat_id, is_answered = _admitted(bot, fields)
    _check_content(method, fields, file)
    _check_keyboard(fields)
    sent = _kept(bot, method, chat_id, fields, file)
    return sent if is_answered else None


def _send_album(bot: Bot, fields: Fields, files: Files) -> list[Fields] | None:
    """All of it or nothing. Each file is kept as a message of its own, as it is one."""
    chat_id, is_answered = _admitted(bot, fields)
    items = album_of(fields)
    uploads = [file_of(item, files) for item in items]
    for item, file in zip(items, uploads, strict=True):
        _check_content(f"send{item['type']}", item, file)
    bot.last_album_id += 1
    album = {"media_group_id": str(bot.last_album_id)}
    shared = {name: value for name, value in fields.items() if name != "media"}
    sent = [
        {**_kept(bot, "sendMediaGroup", chat_id, shared | item | album, file), **album}
        for item, file in zip(items, uploads, strict=True)
    ]
    return sent if is_answered else None


def _kept(bot: Bot, method: str, chat_id: int, fields: Fields, file: File | None) -> Fields:
    """What it is told as."""
    bot.last_message_id += 1
    name, content = file or (None, None)
    sent = SentMessage(
        method, chat_id, bot.last_message_id, time.monotonic(), fields, name, content
    )
    bot.sent.append(sent)
    if "ephemeral_message_parameters" in fields:
        told = {"message_id": 0, "ephemeral_message_id": sent.message_id}
    else:
        told = {"message_id": sent.message_id}
    return {
        **told,
        "from": _user(bot),
        "chat": {"id": chat_id, "type": "private"},
        "date": int(time.time()),
        **({"text": fields["text"]} if "text" in fields else {}),
    }


def _user(bot: Bot) -> Fields:
    return {"id": bot.id, "is_bot": True, "first_name": "Bot", "username": bot.username}


def _chat(bot: Bot, fields: Fields) -> Fields | None:
    fault = bot.fault()
    chat_id = _chat_id(bot, fields)
    photo = bot.photos.get(chat_id)
    sizes = {
        f"{size}_file_{name}": f"{unique}{photo}"
        for size in ("small", "big")
        for name, unique in (("id", ""), ("unique_id", "u-"))
    }
    chat = {"id": chat_id, "type": "private", "accent_color_id": 0, "max_reaction_count": 11}
    return None if fault is None else {**chat, **({"photo": sizes} if photo else {})}


def _edit(bot: Bot, fields: Fields) -> Fields | None:
    fault = bot.fault()
    known = next((one for one in bot.sent if one.message_id == fields.get("message_id")), None)
    if known is None or known.message_id in bot.deleted:
        raise Refusal(400, "Bad Request: message to edit not found")
    said = [
        known.text,
        *(_said(one) for one in bot.edited if one["message_id"] == known.message_id),
    ]
    if said[-1] == _said(fields):
        raise Refusal(400, "Bad Request: message is not modified: specified new message content")
    bot.edited.append(fields)
    return None if fault is None else {"message_id": known.message_id}


def _said(fields: Fields) -> str:
    return str(fields.get("text", fields.get("caption", "")))


def _delete(bot: Bot, fields: Fields) -> bool | None:
    fault = bot.fault()
    known = {one.message_id for one in bot.sent}
    bot.deleted += [one for one in fields["message_ids"] if one in known]
    return None if fault is None else True


async def _fields(request: web.Request) -> tuple[Fields, Files]:
    """The parameters, by whichever of the documented ways they came, and the files by theirs."""
    fields: Fields = dict(request.query)
    if request.content_type == "application/json":
        try:
            fields |= await request.json()
        except ValueError as error:
            raise Refusal(400, "Bad Request: can't parse JSON object") from error
        return fields, {}
    files: Files = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = value.filename, value.file.read()
        else:
            fields[name] = value
    return fields, files


def _set_webhook(bot: Bot, fields: Fields) -> bool:
    url = urlsplit(str(fields.get("url", "")))
    if url.scheme != "https" and url.hostname not in _LOCAL:
        raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    secret = str(fields.get("secret_token", ""))
    if secret and not _SECRET.fullmatch(secret):
        raise Refusal(400, "Bad Request: secret token contains unallowed characters")
    allowed = fields.get("allowed_updates", [])
    if not isinstance(allowed, list):
        raise Refusal(400, "Bad Request: can't parse allowed updates JSON object")
    bot.webhook = {
        name: fields[name] for name in ("url", "secret_token", "allowed_updates") if name in fields
    }
    return True


def _delete_webhook(bot: Bot, fields: Fields) -> bool:
    """True also where there is none. What was not delivered waits, unless it is to be dropped."""
    if bot.webhook_faults:
        raise bot.webhook_faults.popleft()
    if fields.get("drop_pending_updates") not in (None, True, False, "true", "false"):
        raise Refusal(400, "Bad Request: drop_pending_updates must be a Boolean")
    bot.webhook = {}
    return True


def _check_rate(bot: Bot) -> None:
    if bot.sends_per_second is None:
        return
    since = time.monotonic() - 1
    if sum(one.at > since for one in bot.sent) >= bot.sends_per_second:
        raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)


def _chat_id(bot: Bot, fields: Fields) -> int:
    try:
        chat_id = int(fields["chat_id"])
    except (KeyError, ValueError) as error:
        raise Refusal(400, "Bad Request: chat_id is empty") from error
    if chat_id not in bot.chats:
        raise Refusal(400, "Bad Request: chat not found")
    return chat_id


def _check_place(bot: Bot, chat_id: int, fields: Fields) -> None:
    topic = fields.get("message_thread_id")
    if topic is not None and (chat_id, int(topic)) not in bot.topics:
        raise Refusal(400, "Bad Request: message thread not found")
    direct = fields.get("direct_messages_topic_id")
    if chat_id in bot.direct and (direct is None or int(direct) not in bot.direct[chat_id]):
        raise Refusal(400, "Bad Request: direct messages topic not found")
    connection = fields.get("business_connection_id")
    if bot.connections and connection is not None and connection not in bot.connections:
        raise Refusal(400, "Bad Request: business connection not found")


def _check_keyboard(fields: Fields) -> None:
    markup = fields.get("reply_markup") or {}
    markup = json.loads(markup) if isinstance(markup, str) else markup
    for button in (one for row in markup.get("inline_keyboard", ()) for one in row):
        if not button.get("text"):
            raise Refusal(400, "Bad Request: can't parse inline keyboard button: Text is empty")
        if ("url" in button) is ("callback_data" in button):
            raise Refusal(400, "Bad Request: Text buttons are unallowed in the inline keyboard")
        if not 1 <= len(button.get("callback_data", "x").encode()) <= CALLBACK_DATA_MAX_BYTES:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")


def _check_content(method: str, fields: Fields, file: File | None) -> None:
    if method.lower() == "sendmessage":
        text = str(fields.get("text", ""))
        if not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        if len(text) > TEXT_MAX_CHARACTERS:
            raise Refusal(400, "Bad Request: message is too long")
        return
    if file is None:
        raise Refusal(400, f"Bad Request: there is no {method[4:].lower()} in the request")
    if not file[1]:
        raise Refusal(400, "Bad Request: file must be non-empty")
    if len(str(fields.get("caption", ""))) > CAPTION_MAX_CHARACTERS:
        raise Refusal(400, "Bad Request: message caption is too long")


def _refused(refusal: Refusal) -> web.Response:
    body: Fields = {
        "ok": False,
        "error_code": refusal.status,
        "description": refusal.description,
    }
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return web.json_response(body, status=refusal.status)
