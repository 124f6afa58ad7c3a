"""Making the topics, as ``parley migrate`` does."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from libs.events.topics import TopicSpec, topic_specs


async def create_topics(
    bootstrap_servers: str, namespace: str = "", replication_factor: int = 1
) -> list[str]:
    """Make those that are missing; the names of the ones made. Errors: KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        wanted = [
            NewTopic(
                name=namespace + spec.name,
                num_partitions=spec.partitions,
                replication_factor=replication_factor,
                topic_configs=_configs(spec),
            )
            for spec in topic_specs()
            if namespace + spec.name not in there
        ]
        if wanted:
            answer = await admin.create_topics(wanted)
            for _name, code, *message in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)(*message)
        return [topic.name for topic in wanted]
    finally:
        await admin.close()


def _configs(spec: TopicSpec) -> dict[str, str]:
    configs = (
        {"cleanup.policy": "compact"}
        if spec.retention_ms is None
        else {"retention.ms": str(spec.retention_ms)}
    )
    if spec.message_max_bytes is not None:
        configs["max.message.bytes"] = str(spec.message_max_bytes)
    return configs
