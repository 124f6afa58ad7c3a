"""Routing running on the real servers, and the gateway's way of asking it."""

from collections.abc import AsyncIterator

import pytest

from libs.runtime.topics import create_topics
from tests.support.routing.service import DEPLOYMENT_KEY, TOPICS, Client, Routing
from tests.support.trust import SERVICE_KEYS


@pytest.fixture
async def routing(
    kafka_bootstrap: str, kafka_namespace: str, mongodb_url: str, mongodb_name: str
) -> Routing:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=TOPICS)
    return Routing(
        kafka_bootstrap,
        kafka_namespace,
        {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
            "PARLEY_MONGODB_URL": mongodb_url,
            "PARLEY_MONGODB_DATABASE": mongodb_name,
            "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY.hex(),
            **SERVICE_KEYS,
            "PARLEY_ROUTING_SWEEP_SECONDS": "0.2",
        },
    )


@pytest.fixture
async def client(routing: Routing) -> AsyncIterator[Client]:
    async with routing.running() as client:
        yield client
