"""An idempotent producer that goes on whatever became of the brokers in the meantime.

aiokafka (0.14) gives each batch its sequence number when it takes it out of the queue. A batch that
is taken out and never written (it expired without a leader, or the broker refused it) leaves a gap,
and from then on the broker refuses all that follows on that partition (OutOfOrderSequenceNumber),
for as long as the producer lives. So, on top of it:

- No batch expires. What was sent waits for its leader, in order, for as long as the producer lives.
- After any failure of a batch, and where somebody has given up waiting for one and it is still not
  written after ``patience_seconds``, the producer is *made anew*, with an id and sequences of its
  own. Before the new one sends anything, the old one has ended: what was on its way is answered or
  timed out, and what waited is given up. So nothing that was given up overtakes what comes later.
- While it is made anew, sending waits. It needs a broker that answers, and is tried until then.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.partitioner import DefaultPartitioner, murmur2
from aiokafka.structs import RecordMetadata

from libs.runtime.metrics import PRODUCERS_MADE_ANEW

log = structlog.get_logger()

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_CHECK_SECONDS: Final = 2.0


# aiokafka hashes in Python, which takes 10 µs a key; a conversation's comes again and again.
@lru_cache(maxsize=16_384)
def _hash_of(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


class Partitioner(DefaultPartitioner):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's partitions, and Java's."""

    def __call__(
        self, key: bytes | None, all_partitions: Sequence[int], available: Sequence[int]
    ) -> int:
        if key is None:
            return int(super().__call__(key, all_partitions, available))
        return all_partitions[_hash_of(key) % len(all_partitions)]


class _Producer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka is untyped
    """Its batches wait for a leader however long that takes (``MessageBatch.expired``)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._message_accumulator._batch_ttl = math.inf

    @property
    def is_broken(self) -> bool:
        """Nothing is sent any more: the task that does it has failed."""
        return bool(self._sender.sender_task.done())

    async def abandon(self) -> None:
        """Give up what is not written; nothing of it can be when this returns."""
        await self._sender.close()
        queue = self._message_accumulator
        queue.fail_all(KafkaConnectionError("given up: no broker took it"))
        for batches in queue._batches.values():
            for batch in batches:
                batch._drain_waiter.exception()  # of interest to nobody any more
        await self.stop()


class LastingProducer:
    """``options`` are AIOKafkaProducer's."""

    def __init__(self, *, patience_seconds: float, **options: Any) -> None:
        self._options = options
        self._patience_seconds = patience_seconds
        self._producer: _Producer | None = None
        self._usable = asyncio.Event()
        self._making: asyncio.Task[None] | None = None
        self._not_there = "no broker of Kafka has answered yet"
        # What nobody waits for any more, the oldest first, and since when it was on its way.
        self._left: deque[tuple[float, asyncio.Future[RecordMetadata]]] = deque()

    def begin(self) -> None:
        """Make the first one beside what is done here, however long no broker answers."""
        if self._producer is None and self._making is None:
            self._making = asyncio.create_task(self._make_in_the_end(), name="producer")

    async def begin_at_once(self) -> None:
        """Errors: KafkaError where no broker answers."""
        await self._make()

    async def end(self) -> None:
        """Give up what is not written."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        if self._producer is not None:
            await self._producer.abandon()
        self._forget()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator["Sending"]:
        """For the messages of one publish. Whoever is cancelled meanwhile, or leaves early, has
        given up: the messages may be written all the same, before those of the same partition that
        are sent later."""
        while (producer := self._producer) is None:
            await self._usable.wait()
        began = time.monotonic()
        sending = Sending(producer, self._make_anew)
        try:
            yield sending
        finally:
            self._leave(began, sending.waiting)
            self._look(producer)

    def _leave(self, began: float, waiting: Sequence[asyncio.Future[RecordMetadata]]) -> None:
        for one in waiting:
            if not one.done():
                self._left.append((began, one))
            else:
                one.exception()  # told once is enough

    def _forget(self) -> None:
        """What was left, once its producer has ended."""
        while self._left:
            _, one = self._left.popleft()
            if one.done():  # it is not where the old producer did not end as it should
                one.exception()

    def _look(self, producer: _Producer) -> None:
        """Whether somebody gave up long ago what is still not written."""
        while self._left and self._left[0][1].done():
            self._left.popleft()[1].exception()
        if self._left and time.monotonic() - self._left[0][0] > self._patience_seconds:
            self._make_anew(producer, "nothing is acknowledged")

    async def check(self) -> None:
        """That what is sent would be acknowledged, as far as is known. Errors: KafkaError,
        TimeoutError."""
        if self._producer is not None:
            self._look(self._producer)
        if self._producer is None:
            raise KafkaConnectionError(self._not_there)
        async with asyncio.timeout(_CHECK_SECONDS):
            await self._producer.client.fetch_all_metadata()

    def _make_anew(self, old: _Producer, reason: str) -> None:
        if old is not self._producer:
            return  # it is being made already
        log.warning("the producer is made anew", reason=reason)
        PRODUCERS_MADE_ANEW.inc()
        self._usable.clear()
        self._producer = None
        self._not_there = f"the producer is being made anew: {reason}"
        self._making = asyncio.create_task(self._replace(old), name="producer")

    async def _replace(self, old: _Producer) -> None:
        ending = asyncio.ensure_future(old.abandon())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.gather(ending, return_exceptions=True)
            raise
        except Exception:  # nothing of it is used any more, and the next one must come all the same
            log.exception("the old producer did not end as it should")
        self._forget()
        await self._make_in_the_end()

    async def _make_in_the_end(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._make()
            except Exception as error:  # whatever the client trips over: another one is tried
                log.warning("Kafka does not answer, nothing is published yet", error=repr(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                return

    async def _make(self) -> None:
        producer = _Producer(**self._options)
        try:
            await producer.start()
        except BaseException:
            with contextlib.suppress(KafkaError, OSError):
                await producer.stop()
            raise
        self._producer = producer
        self._usable.set()


class Sending:
    """The messages of one publish: handed over in order, and waited for together."""

    def __init__(self, producer: _Producer, make_anew: Callable[[_Producer, str], None]) -> None:
        self._producer = producer
        self._make_anew = make_anew
        self.waiting: list[asyncio.Future[RecordMetadata]] = []

    async def hand_over(self, **message: Any) -> "asyncio.Future[RecordMetadata]":
        """``message``: AIOKafkaProducer.send's words. Errors: KafkaError."""
        try:
            future: asyncio.Future[RecordMetadata] = await self._producer.send(**message)
        except KafkaError as error:
            # Most are about this message alone, which has no number in any sequence yet.
            if self._producer.is_broken:
                self._make_anew(self._producer, repr(error))
            raise
        self.waiting.append(future)
        return future

    async def written(self) -> list[RecordMetadata]:
        """All that was handed over is acknowledged. Errors: KafkaError."""
        waiting = self.waiting
        try:
            # Neither cancels what waits: it has to be known whether that was written in the end.
            # One alone, as a webhook has it, is not worth a gathering.
            if len(waiting) == 1:
                return [await asyncio.shield(waiting[0])]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
            for one in waiting:
                if one.done():
                    one.result()
            return [one.result() for one in waiting]
        except KafkaError as error:
            self._make_anew(self._producer, repr(error))
            raise
