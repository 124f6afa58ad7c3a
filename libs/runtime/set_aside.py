"""Messages that a group set aside, kept in their topic's dead-letter twin until they are applied.

The twin is the one durable place that every service has. A message that is set aside is a letter
there like any other dead letter, with its own key, bytes and headers; what becomes of it is told by
messages without a value, behind it in the same twin:

    parley_dead_set_aside: unexpected    a letter that its group's handler failed on; ``held`` where
                                         that should have passed, and did for all but this stream;
                                         ``waits`` for one that only came behind such a one
    parley_dead_released: <origin>       the group has applied, or refused, the letter from there
    parley_dead_retry: 1                 a person asks the group to try again: the stream of the
                                         key, or everything where there is no key

A twin has one partition, so all of it is in one order. What a group has set aside is what is left
when its releases are taken from its letters; nobody else writes either, because only one member of
a group has a partition. Erasing a person takes their letters out with all others of theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from libs.events.topics import Topic
from libs.runtime.dead_letters import Letter, each_letter
from libs.runtime.kafka import Outgoing
from libs.runtime.kafka_access import Kafka
from libs.runtime.streams import Record

type Why = Literal["unexpected", "held", "waits"]

OURS: Final = "parley_dead_"
REASON: Final = OURS + "reason"
GROUP: Final = OURS + "group"
ORIGIN: Final = OURS + "origin"
SET_ASIDE: Final = OURS + "set_aside"
RELEASED: Final = OURS + "released"
RETRY: Final = OURS + "retry"


@dataclass(frozen=True, slots=True)
class Kept:
    """One message that ``group`` (with its namespace) has set aside. ``record`` is the original, as
    it stood on its topic; ``reason`` tells the kind of failure, and nothing personal. ``is_held``:
    the failure was one that should have passed."""

    topic: Topic
    group: str
    origin: str
    reason: str
    is_held: bool
    since: datetime
    record: Record

    @property
    def key(self) -> bytes:
        return self.record.key or b""


def dead_letter(topic: Topic, record: Record, reason: str, group: str) -> Outgoing:
    """The dead letter of a record: its own key, bytes and headers, and where it came from."""
    headers = [
        *record.headers,
        (REASON, reason.encode()),
        (GROUP, group.encode()),
        (ORIGIN, origin_of(topic, record).encode()),
    ]
    return Outgoing(topic.dead_letter, record.key, record.value, headers)


def set_aside(topic: Topic, record: Record, reason: str, group: str, why: Why) -> Outgoing:
    """As ``dead_letter``, of what is to be tried again."""
    letter = dead_letter(topic, record, reason, group)
    headers = [*letter.headers, (SET_ASIDE, why.encode())]
    return Outgoing(letter.topic, letter.key, letter.value, headers)


def released(kept: Kept) -> Outgoing:
    """It is set aside no longer."""
    headers = [(GROUP, kept.group.encode()), (RELEASED, kept.origin.encode())]
    return Outgoing(kept.topic.dead_letter, kept.record.key, None, headers)


def retry_of(topic: Topic, group: str, key: bytes | None) -> Outgoing:
    """Ask ``group`` (with its namespace) to try again what it has set aside of the stream ``key``;
    None: all that it has set aside of the topic."""
    headers = [(GROUP, group.encode()), (RETRY, b"1")]
    return Outgoing(topic.dead_letter, key, None, headers)


def origin_of(topic: Topic, record: Record) -> str:
    return f"{topic.value}:{record.partition}:{record.offset}"


def of_ours(letter: Letter) -> dict[str, str]:
    """What was put beside the original's headers."""
    return {
        name: (value or b"").decode("utf-8", "replace")
        for name, value in letter.headers
        if name.startswith(OURS)
    }


def is_marker(ours: Mapping[str, str]) -> bool:
    """Whether it only tells of letters, and is none."""
    return RELEASED in ours or RETRY in ours


async def kept_in_twin(
    bootstrap_servers: Kafka, namespace: str, topic: Topic, group: str | None = None
) -> tuple[list[Kept], int]:
    """What is set aside of the topic, in order within a stream, by one group or by all of them;
    and the offset up to which its twin was read. Errors: KafkaError."""
    kept: dict[tuple[str, str], Kept] = {}
    read_to = 0
    async for letter in each_letter(bootstrap_servers, namespace + topic.dead_letter):
        read_to = letter.offset + 1
        ours = of_ours(letter)
        by = ours.get(GROUP, "")
        if group is not None and by != group:
            continue
        if RELEASED in ours:
            kept.pop((by, ours[RELEASED]), None)
        elif SET_ASIDE in ours:
            # After a crash between this letter and the offset the same message comes once more.
            kept.setdefault((by, ours[ORIGIN]), _kept(namespace, topic, letter, ours))
    return list(kept.values()), read_to


def _kept(namespace: str, topic: Topic, letter: Letter, ours: Mapping[str, str]) -> Kept:
    _, partition, offset = ours[ORIGIN].rsplit(":", 2)
    record = replace(
        letter,
        topic=namespace + topic.value,
        partition=int(partition),
        offset=int(offset),
        headers=tuple(one for one in letter.headers if not one[0].startswith(OURS)),
    )
    since = datetime.fromtimestamp(letter.timestamp / 1000, UTC)
    is_held = ours[SET_ASIDE] == "held"
    return Kept(topic, ours[GROUP], ours[ORIGIN], ours.get(REASON, ""), is_held, since, record)
