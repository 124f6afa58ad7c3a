"""Pigeon post, as ingest opens it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from services.ingest.channels.protocol import ChannelAdapter, ChannelContext
from tests.support.pigeon import API_URL
from tests.support.pigeon.hook import PigeonHandshake, PigeonWebhook
from tests.support.pigeon.polling import PigeonPoll
from tests.support.pigeon.sender import PigeonSender


@asynccontextmanager
async def pigeon(context: ChannelContext) -> AsyncIterator[ChannelAdapter]:
    async with aiohttp.ClientSession() as session:
        yield ChannelAdapter(
            sender=PigeonSender(session, os.environ[API_URL]),
            webhook=PigeonWebhook(context.ids),
            handshake=PigeonHandshake(),
            poll=PigeonPoll(session, os.environ[API_URL], context.ids),
        )
