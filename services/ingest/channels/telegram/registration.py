"""The webhook of a bot.

Source: https://core.telegram.org/bots/api#setwebhook and #webhookinfo
"""

from datetime import UTC, datetime

from libs.events.credentials import TelegramCredentials
from services.ingest.channels.telegram.api import BotApi
from services.ingest.channels.telegram.limits import ALLOWED_UPDATES
from services.ingest.ports.registration import Registered


class TelegramRegistration:
    """A ``Registration``."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    def told(self, credentials: TelegramCredentials, url: str) -> tuple[str, ...]:
        return credentials.bot_token, credentials.secret_token, url, *ALLOWED_UPDATES

    async def registered(self, credentials: TelegramCredentials) -> Registered:
        found = await self._api.webhook_info(credentials.bot_token)
        failed = found.last_error_date
        return Registered(
            url=found.url,
            waiting_updates=found.pending_update_count,
            last_error=found.last_error_message or None,
            last_error_at=datetime.fromtimestamp(failed, UTC) if failed else None,
        )

    async def register(self, credentials: TelegramCredentials, url: str) -> None:
        await self._api.set_webhook(credentials.bot_token, url, credentials.secret_token)

    async def unregister(self, credentials: TelegramCredentials) -> None:
        await self._api.delete_webhook(credentials.bot_token)
