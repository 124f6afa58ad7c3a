"""Taking letters out of the dead-letter topics, for good.

Kafka deletes only from a topic's beginning. So the letters that stay are written again at its end,
with their own times, and everything before is deleted. What is between the two is there twice for a
moment; a process that stops in between leaves it so, and the next one repeats the whole.

Two of these at once would bring back what the other took out: one that was stopped (by the machine,
say) with the letters already read, and goes on later. The producer is therefore one with a
transactional id, of which Kafka lets only the youngest write: the older one is refused. What a
transaction that was left open had written is not deleted by it but by the next.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from libs.events.topics import DEAD_LETTER_MAX_BYTES, Topic
from libs.runtime.kafka_access import Kafka, client_options

log = structlog.get_logger()

type Letter = ConsumerRecord[bytes, bytes]

_POLL_MS: Final = 2000
ONE_WRITER: Final = "parley-dead-letters"


async def take_out(
    bootstrap_servers: Kafka, namespace: str, unwanted: Callable[[Letter], bool]
) -> int:
    """Delete the letters that are ``unwanted`` from all dead-letter topics; how many they were.

    A topic without any is left as it is, and so is one that does not take back what stays.
    Errors: KafkaError (also where another is at it).
    """
    taken = 0
    for topic in Topic:
        taken += await _take_out_of(
            bootstrap_servers, namespace + topic.dead_letter, namespace + ONE_WRITER, unwanted
        )
    return taken


async def _take_out_of(
    bootstrap_servers: Kafka, topic: str, writer: str, unwanted: Callable[[Letter], bool]
) -> int:
    letters, _ = await _read(bootstrap_servers, topic, "read_uncommitted")
    if not any(unwanted(letter) for letter in letters):
        return 0
    # Whoever came before is refused from here on; what they wrote is read now.
    producer = AIOKafkaProducer(
        **client_options(bootstrap_servers),
        acks="all",
        max_request_size=DEAD_LETTER_MAX_BYTES,
        transactional_id=f"{writer}-{topic}",
    )
    await producer.start()
    try:
        # What a writer that was refused had written belongs to nobody.
        letters, ends = await _read(bootstrap_servers, topic, "read_committed")
        gone = [letter for letter in letters if unwanted(letter)]
        async with producer.transaction():
            written = [
                await producer.send(
                    topic,
                    letter.value,
                    letter.key,
                    partition=letter.partition,
                    timestamp_ms=letter.timestamp,
                    headers=list(letter.headers),
                )
                for letter in letters
                if not unwanted(letter)
            ]
            # The client commits a transaction also where the broker refused what was sent in it.
            await asyncio.gather(*written)
    finally:
        await producer.stop()
    await _delete(bootstrap_servers, ends)
    log.info("dead letters taken out", topic=topic, taken=len(gone), kept=len(letters) - len(gone))
    return len(gone)


async def each_letter(
    bootstrap_servers: Kafka, topic: str, *, after: int = 0
) -> AsyncIterator[Letter]:
    """What a dead-letter topic (with its namespace) keeps at this moment, the oldest first, from
    the offset ``after`` on. Errors: KafkaError."""
    async with _reading(bootstrap_servers, topic, "read_uncommitted") as (consumer, ends):
        if after:
            for partition in ends:
                consumer.seek(partition, after)
        async for letter in _until(consumer, ends):
            yield letter


async def _read(
    bootstrap_servers: Kafka, topic: str, isolation_level: str
) -> tuple[Sequence[Letter], dict[TopicPartition, int]]:
    """All letters, and where each partition ended then."""
    async with _reading(bootstrap_servers, topic, isolation_level) as (consumer, ends):
        return [letter async for letter in _until(consumer, ends)], ends


@asynccontextmanager
async def _reading(
    bootstrap_servers: Kafka, topic: str, isolation_level: str
) -> AsyncIterator[tuple["AIOKafkaConsumer[bytes, bytes]", dict[TopicPartition, int]]]:
    """At the topic's beginning, and where each partition ends now."""
    # Without a group, the client takes all of the topic's partitions.
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        topic,
        **client_options(bootstrap_servers),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation_level,
    )
    try:
        await consumer.start()
        yield consumer, await consumer.end_offsets(sorted(consumer.assignment()))
    finally:
        await consumer.stop()


async def _until(
    consumer: "AIOKafkaConsumer[bytes, bytes]", ends: Mapping[TopicPartition, int]
) -> AsyncIterator[Letter]:
    for partition, end in ends.items():
        # The position, not the last offset: what a transaction leaves at the end is no letter.
        while await consumer.position(partition) < end:
            fetched = await consumer.getmany(partition, timeout_ms=_POLL_MS)
            for letter in fetched.get(partition, []):
                if letter.offset < end:
                    yield letter


async def _delete(bootstrap_servers: Kafka, ends: dict[TopicPartition, int]) -> None:
    admin = AIOKafkaAdminClient(**client_options(bootstrap_servers))
    await admin.start()
    try:
        await admin.delete_records(
            {partition: RecordsToDelete(before_offset=end) for partition, end in ends.items()}
        )
    finally:
        await admin.close()
