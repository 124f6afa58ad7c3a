"""Finding what fails alone: a batch is bisected by stream until each failure stands by itself.

Handlers may be given anything again, so what is found costs repetition and nothing else.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from libs.events.envelope import Envelope
from libs.eventstore.errors import StopHere
from libs.runtime.away import SERVER_AWAY, Transient
from libs.runtime.mongo import refused_whoever_asks
from libs.runtime.set_aside import Why
from libs.runtime.streams import Record

log = structlog.get_logger()

_COME_THROUGH: Final[tuple[type[Exception], ...]] = (StopHere, *SERVER_AWAY)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that could be read, with the record it came in."""

    envelope: Envelope
    record: Record


@dataclass(frozen=True, slots=True)
class Refused:
    """A handler's word that a message can never be applied, and why (no personal data)."""

    received: Received
    reason: str


Handler = Callable[[Sequence[Received]], Awaitable[Sequence[Refused]]]
# A stream of a topic: the topic with its namespace, and the messages' key.
type Stream = tuple[str, bytes]


def stream_of(record: Record) -> Stream:
    return record.topic, record.key or b""


@dataclass(frozen=True, slots=True)
class Failed:
    """What its handler fails on, alone."""

    received: Received
    reason: str
    why: Why


@dataclass(slots=True)
class Sorted:
    """``failed`` and ``waits`` are to be set aside, the latter only because of their stream."""

    refused: list[Refused] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    waits: list[Received] = field(default_factory=list)

    def __iadd__(self, other: "Sorted") -> "Sorted":
        self.refused += other.refused
        self.failed += other.failed
        self.waits += other.waits
        return self


@dataclass(frozen=True, slots=True)
class Isolation:
    """One group's. ``ordered``: what comes later of a stream than what failed waits behind it."""

    group: str
    ordered: bool

    async def apply(self, batch: Sequence[Received], handler: Handler) -> Sorted:
        """The batch is applied but for what fails alone. Errors: the transient ones, and those that
        every batch would meet."""
        try:
            return Sorted(refused=list(await handler(batch)))
        except _COME_THROUGH:
            raise
        except Exception as error:
            if refused_whoever_asks(error):
                raise
            streams = list(by_stream(batch))
            if len(streams) > 1:
                half = set(streams[: len(streams) // 2])
                done = await self.apply([o for o in batch if stream_of(o.record) in half], handler)
                done += await self.apply(
                    [o for o in batch if stream_of(o.record) not in half], handler
                )
                return done
            if len(batch) > 1:
                return await self._one_by_one(batch, handler)
            # A bug that every batch meets is nobody's own.
            await handler([])
            return self._failed(batch[0], "unexpected", error)

    async def apply_held(self, batch: Sequence[Received], handler: Handler) -> Sorted:
        """As ``apply``, of a batch that was held for long. Where the handler says "not yet"
        (Transient) of one stream while others pass beside it, that is the stream's own trouble. A
        server that is away is nobody's own: what passes then has only no need of it.

        Errors: as of ``apply``; Transient where all say so, or nothing is there to tell by."""
        done, passed, held = Sorted(), [], []
        for stream in by_stream(batch).values():
            outcome = await self._tried(stream, handler)
            if isinstance(outcome, Sorted):
                done += outcome
                passed.append(stream)
            else:
                held.append((stream, outcome))
        for stream, error in held:
            # Both once more, in turn: a server that went away in between is not the stream's.
            if not passed or not isinstance(await self._tried(passed[0], handler), Sorted):
                raise error
            done += await self._up_to_what_holds(stream, handler)
        return done

    async def _up_to_what_holds(self, stream: Sequence[Received], handler: Handler) -> Sorted:
        done = Sorted()
        for at, one in enumerate(stream):
            outcome = await self._tried([one], handler)
            if isinstance(outcome, Sorted):
                done += outcome
            else:
                done += self._failed(one, "held", outcome)
            if done.failed and self.ordered:
                done.waits += stream[at + 1 :]
                break
        return done

    async def _tried(self, batch: Sequence[Received], handler: Handler) -> Sorted | Transient:
        try:
            return await self.apply(batch, handler)
        except Transient as error:
            return error

    async def _one_by_one(self, stream: Sequence[Received], handler: Handler) -> Sorted:
        done = Sorted()
        for at, one in enumerate(stream):
            done += await self.apply([one], handler)
            if done.failed and self.ordered:
                done.waits += stream[at + 1 :]
                break
        return done

    def _failed(self, one: Received, why: Why, error: Exception) -> Sorted:
        log.critical(
            "message set aside: its handler failed on it alone",
            group=self.group,
            topic=one.record.topic,
            partition=one.record.partition,
            offset=one.record.offset,
            why=why,
            exc_info=error,
        )
        return Sorted(failed=[Failed(one, f"{why}: {type(error).__name__}", why)])


def by_stream(batch: Sequence[Received]) -> dict[Stream, list[Received]]:
    """The batch's streams by their first message, each in order."""
    streams: dict[Stream, list[Received]] = {}
    for one in batch:
        streams.setdefault(stream_of(one.record), []).append(one)
    return streams
