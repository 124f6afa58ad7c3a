"""What is set aside, listed and tried again: streams in the event stores, messages on Kafka."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from libs.events.topics import Topic
from libs.eventstore.store import AsyncEventStore
from libs.runtime.broker import publishing
from libs.runtime.mongo import mongo_client
from libs.runtime.set_aside import Kept, kept_in_twin, retry_of
from libs.runtime.settings import MongoSettings, Settings

# The collections of commits that outboxes sweep.
STORES: Final = ("conversation_commits", "routing_commits")
_SWEPT_SECONDS: Final = 10.0
_APPLIED_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.5
# Streams that the doctor names of each kind.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Aside:
    """One stream. ``where``: its store's collection, or ``<topic> <group>`` of messages that wait;
    ``number`` of them; ``why``: the kind of failure."""

    where: str
    stream: str
    why: str
    number: int = 1

    def told(self) -> str:
        return f"{self.where}\t{self.stream}\t{self.number}\t{self.why}"


async def streams_aside(settings: MongoSettings) -> list[Aside]:
    """Errors: the driver's."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-set-aside")
    async with client:
        database = client[settings.mongodb_database]
        return [
            Aside(name, stream, why)
            for name in STORES
            for stream, why in (await AsyncEventStore(database[name]).streams_set_aside()).items()
        ]


async def messages_aside(settings: Settings) -> list[Aside]:
    """Errors: KafkaError."""
    found: list[Aside] = []
    for topic in Topic:
        by_stream: dict[tuple[str, bytes], list[Kept]] = {}
        for one in await _kept(settings, topic):
            by_stream.setdefault((one.group, one.key), []).append(one)
        found += [
            Aside(
                f"{topic.value} {group.removeprefix(settings.kafka_namespace)}",
                key.decode("utf-8", "replace"),
                own[0].reason,
                len(own),
            )
            for (group, key), own in by_stream.items()
        ]
    return found


async def retry(settings: MongoSettings, streams: Collection[str]) -> list[Aside]:
    """Try again what is set aside of the streams, of all where none is named; what is so still.

    First the stores' streams, by the services' sweepers; then the messages, by their groups, for
    they may wait for the former. Errors: the driver's, KafkaError, PublishFailed.
    """
    named = set(streams) or None
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-set-aside")
    async with client:
        database = client[settings.mongodb_database]
        stores = [AsyncEventStore(database[name]) for name in STORES]
        taken = sum([await store.take_back(named) for store in stores])
        deadline = asyncio.get_running_loop().time() + _SWEPT_SECONDS
        while taken and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            if not any([await store.count_pending() for store in stores]):
                break
    asked = [one for topic in Topic for one in await _kept(settings, topic)]
    asked = [one for one in asked if named is None or one.key.decode(errors="replace") in named]
    requests = {(one.topic, one.group, one.key) for one in asked}
    if requests:
        servers, namespace = settings.kafka, settings.kafka_namespace
        async with publishing(servers, namespace) as publisher:
            await publisher.publish([retry_of(*one) for one in sorted(requests)])
        await _until_tried(settings, {one.topic for one in asked}, named)
    left = [*await streams_aside(settings), *await messages_aside(settings)]
    return [one for one in left if named is None or one.stream in named]


async def _until_tried(
    settings: Settings, topics: Collection[Topic], named: Collection[str] | None
) -> None:
    """Until nothing of it waits any more, or long enough."""
    deadline = asyncio.get_running_loop().time() + _APPLIED_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        left = [one for topic in topics for one in await _kept(settings, topic)]
        if not any(named is None or one.key.decode(errors="replace") in named for one in left):
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _kept(settings: Settings, topic: Topic) -> list[Kept]:
    kept, _ = await kept_in_twin(settings.kafka, settings.kafka_namespace, topic)
    return kept


async def told_of_set_aside(settings: MongoSettings) -> list[str]:
    """For ``parley doctor``: one sentence for each place where something is set aside."""
    aside = [*await streams_aside(settings), *await messages_aside(settings)]
    told: list[str] = []
    for where in dict.fromkeys(one.where for one in aside):
        names = [f"{one.stream} ({one.why})" for one in aside if one.where == where]
        shown = ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
        told.append(
            f"{len(names)} set aside in {where}: {shown}; `parley set-aside list` has all,"
            " `parley set-aside retry` tries them again"
        )
    return told
