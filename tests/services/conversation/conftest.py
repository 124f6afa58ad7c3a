"""A world for each test, with a service running in it."""

from collections.abc import AsyncIterator

import pytest

from services.conversation.settings import ConversationSettings
from tests.services.conversation.world import World, serving, settings_of, world_of


@pytest.fixture
def settings(
    kafka_bootstrap: str, kafka_namespace: str, mongodb_url: str, mongodb_name: str
) -> ConversationSettings:
    return settings_of(kafka_bootstrap, kafka_namespace, mongodb_url, mongodb_name)


@pytest.fixture
async def world(settings: ConversationSettings) -> AsyncIterator[World]:
    """The surroundings, for tests that start and stop the service themselves."""
    async with world_of(settings) as world:
        yield world


@pytest.fixture
async def served(world: World) -> AsyncIterator[World]:
    async with serving(world):
        yield world
