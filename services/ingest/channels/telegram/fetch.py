"""Files that people sent to a bot.

Source: https://core.telegram.org/bots/api#getfile
"""

from libs.events.content import Attachment
from libs.events.credentials import TelegramCredentials
from services.ingest.channels.telegram.api import BotApi


class TelegramFiles:
    """A ``FileSource``."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def fetch(
        self, credentials: TelegramCredentials, attachment: Attachment, limit_bytes: int
    ) -> bytes:
        return await self._api.fetch(credentials.bot_token, attachment.reference, limit_bytes)
