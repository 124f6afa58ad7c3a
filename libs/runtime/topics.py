"""Making the topics, as ``parley migrate`` does."""

import asyncio
from collections.abc import Collection
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from libs.events.topics import Topic, TopicSpec, topic_specs
from libs.runtime.kafka_access import Kafka, client_options

_LEADERS_TIMEOUT_SECONDS: Final = 60.0
_LEADERS_PAUSE_SECONDS: Final = 0.05


async def create_topics(
    bootstrap_servers: Kafka,
    namespace: str = "",
    replication_factor: int = 1,
    *,
    topics: Collection[Topic] = tuple(Topic),
) -> list[str]:
    """Make those that are missing, with their dead-letter twins; the names of the ones made.

    Returns when each of their partitions has a leader, so that it can be used at once.
    Errors: KafkaError, TimeoutError.
    """
    admin = AIOKafkaAdminClient(**client_options(bootstrap_servers))
    try:
        await admin.start()
        there = set(await admin.list_topics())
        wanted = [
            NewTopic(
                name=namespace + spec.name,
                num_partitions=spec.partitions,
                replication_factor=replication_factor,
                topic_configs=_configs(spec),
            )
            for spec in topic_specs(topics)
            if namespace + spec.name not in there
        ]
        if wanted:
            answer = await admin.create_topics(wanted)
            for _name, code, *message in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)(*message)
            await _until_led(admin, [topic.name for topic in wanted])
        return [topic.name for topic in wanted]
    finally:
        await admin.close()


async def _until_led(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    async with asyncio.timeout(_LEADERS_TIMEOUT_SECONDS):
        while True:
            described = await admin.describe_topics(names)
            if all(
                topic["error_code"] == 0
                and all(partition["leader"] >= 0 for partition in topic["partitions"])
                for topic in described
            ):
                return
            await asyncio.sleep(_LEADERS_PAUSE_SECONDS)


def _configs(spec: TopicSpec) -> dict[str, str]:
    configs = (
        {"cleanup.policy": "compact"}
        if spec.retention_ms is None
        else {"retention.ms": str(spec.retention_ms)}
    )
    if spec.message_max_bytes is not None:
        configs["max.message.bytes"] = str(spec.message_max_bytes)
    return configs
