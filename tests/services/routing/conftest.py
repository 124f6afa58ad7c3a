"""Routing running on the real servers, and the gateway's way of asking it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.routing.service import Client, Routing, routing_on


@pytest.fixture
async def routing(
    kafka_bootstrap: str, kafka_namespace: str, mongodb_url: str, mongodb_name: str
) -> Routing:
    return await routing_on(kafka_bootstrap, kafka_namespace, mongodb_url, mongodb_name)


@pytest.fixture
async def client(routing: Routing) -> AsyncIterator[Client]:
    async with routing.running() as client:
        yield client
