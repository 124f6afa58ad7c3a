"""A client of the Bot API; its errors are those of ``ports.platform``.

Source: https://core.telegram.org/bots/api#making-requests, #responseparameters
"""

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp
import msgspec

from libs.events.registry import UNREADABLE
from libs.runtime.headers import media_type_of
from services.ingest.channels.telegram.limits import ALLOWED_UPDATES
from services.ingest.ports.platform import (
    FileTooLarge,
    NoAnswer,
    NotReached,
    PlatformRefused,
    RateLimited,
)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
# Shorter than Telegram keeps an idle connection: a request on one that was just closed at the
# other end would leave us not knowing whether it arrived.
_KEEP_ALIVE_SECONDS: Final = 15
_TOO_MANY: Final = 429
_TOO_LARGE: Final = 413
_SERVER_ERROR: Final = 500
# What getFile says of a file over 20 MB.
_TOO_BIG: Final = "too big"
_DEFAULT_RETRY_SECONDS: Final = 1


class BotApiRefused(PlatformRefused):
    """``migrated_to``: the group has become this supergroup."""

    def __init__(self, code: int, description: str, migrated_to: int | None = None) -> None:
        super().__init__(code, description)
        self.migrated_to = migrated_to


class WebhookInfo(msgspec.Struct, frozen=True):
    """``url`` is empty where no webhook is set."""

    url: str = ""
    pending_update_count: int = 0
    last_error_date: int | None = None
    last_error_message: str = ""


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: int = _DEFAULT_RETRY_SECONDS
    migrate_to_chat_id: int | None = None


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    result: Any = None
    description: str = ""
    parameters: _Parameters = _Parameters()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes with a call, in the form field ``field``."""

    field: str
    file_name: str
    media_type: str
    content: bytes


_answer = msgspec.json.Decoder(_Answer)


class BotApi:
    """``base_url`` is the deployment's, never a source's. Use as an async context manager.

    No exception of it carries a URL: those hold the bot's token.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self, token: str, method: str, fields: Mapping[str, Any], uploads: Sequence[Upload] = ()
    ) -> Any:
        """The ``result``. Errors: PlatformRefused, RateLimited, NotReached, NoAnswer."""
        data: bytes | aiohttp.FormData
        if not uploads:
            data, headers = msgspec.json.encode(fields), {"content-type": "application/json"}
        else:
            data, headers = _form(fields, uploads), {}
        url = f"{self._base_url}/bot{token}/{method}"
        async with self._request("POST", url, data=data, headers=headers) as answer:
            return _result(answer.status, await answer.read())

    async def set_webhook(self, token: str, url: str, secret_token: str) -> None:
        """Errors: as of ``call``."""
        fields = {"url": url, "secret_token": secret_token, "allowed_updates": ALLOWED_UPDATES}
        await self.call(token, "setWebhook", fields)

    async def delete_webhook(self, token: str) -> None:
        """What was not delivered yet stays with Telegram for a day. Errors: as of ``call``."""
        await self.call(token, "deleteWebhook", {})

    async def webhook_info(self, token: str) -> "WebhookInfo":
        """Where the bot's updates go, and how that goes. Errors: as of ``call``."""
        found = await self.call(token, "getWebhookInfo", {})
        try:
            return msgspec.convert(found, WebhookInfo)
        except msgspec.ValidationError as error:
            raise NoAnswer("not a webhook's state") from error

    async def fetch(self, token: str, file_id: str, limit_bytes: int) -> bytes:
        """A file's bytes. Errors: as of ``call``, FileTooLarge."""
        try:
            found = await self.call(token, "getFile", {"file_id": file_id})
        except PlatformRefused as error:
            if _TOO_BIG in error.description:
                raise FileTooLarge from error
            raise
        path = found.get("file_path") if isinstance(found, dict) else None
        if not path:
            raise PlatformRefused(404, "the file has no path")
        url = f"{self._base_url}/file/bot{token}/{path}"
        async with self._request("GET", url) as answer:
            if answer.status >= _SERVER_ERROR:
                raise NoAnswer(f"status {answer.status}")
            if answer.status == _TOO_LARGE:
                raise FileTooLarge
            if not answer.ok:
                raise PlatformRefused(answer.status, "the file cannot be fetched")
            content = await answer.content.read(limit_bytes + 1)
            while len(content) <= limit_bytes and not answer.content.at_eof():
                content += await answer.content.read(limit_bytes + 1 - len(content))
        if len(content) > limit_bytes:
            raise FileTooLarge
        return content

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("the client is not open")
        try:
            async with self._session.request(method, url, **options) as answer:
                yield answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(type(error).__name__) from None


def _form(fields: Mapping[str, Any], uploads: Sequence[Upload]) -> aiohttp.FormData:
    # Names go as they are, in UTF-8: Telegram shows a percent-encoded one as it came.
    form = aiohttp.FormData(quote_fields=False)
    for name, value in fields.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        form.add_field(name, text)
    for upload in uploads:
        # Unquoted, a line break in a name would be a header of the sender's choice.
        name = "".join(character for character in upload.file_name if character.isprintable())
        # As a file object it is sent in pieces, and the loop is not held by a large one.
        form.add_field(
            upload.field,
            io.BytesIO(upload.content),
            filename=name or "file",
            content_type=media_type_of(upload.media_type),
        )
    return form


def _result(status: int, body: bytes) -> Any:
    try:
        answer = _answer.decode(body)
    except UNREADABLE:
        answer = None
    if status == _TOO_MANY:
        raise RateLimited(answer.parameters.retry_after if answer else _DEFAULT_RETRY_SECONDS)
    # The Bot API answers 5xx from in front of what does the work: it may have been carried out.
    if status >= _SERVER_ERROR or answer is None:
        raise NoAnswer(f"status {status}")
    if not answer.ok:
        raise BotApiRefused(status, answer.description, answer.parameters.migrate_to_chat_id)
    return answer.result
