"""Telegram, by its Bot API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.channels.protocol import ChannelAdapter, ChannelContext
from services.ingest.channels.telegram.api import BotApi
from services.ingest.channels.telegram.fetch import TelegramFiles
from services.ingest.channels.telegram.hook import TelegramWebhook
from services.ingest.channels.telegram.moves import Moves
from services.ingest.channels.telegram.photo import TelegramPhotos
from services.ingest.channels.telegram.registration import TelegramRegistration
from services.ingest.channels.telegram.sender import TelegramSender


@asynccontextmanager
async def telegram(context: ChannelContext) -> AsyncIterator[ChannelAdapter]:
    moves = Moves(context.database["ingest_moves"])
    async with BotApi(context.settings.ingest_telegram_api_url) as api:
        yield ChannelAdapter(
            sender=TelegramSender(api, context.store.read, moves),
            webhook=TelegramWebhook(context.directory, moves, context.ids),
            registration=TelegramRegistration(api),
            files=TelegramFiles(api),
            photos=TelegramPhotos(api),
        )
