"""Sending: one queue a conversation, in order; the queues side by side.

A request from Kafka is made durable as an attempt, and then counts as consumed: a chat or a bot
that has to wait keeps nobody else waiting. See ``attempts`` for what a crash leaves behind.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from msgspec.structs import replace

from libs.events.content import Channel
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.inbound import CorrectionFailed, DeliveryChanged
from libs.events.outbound import OutboundDeleteRequested, OutboundRequested
from libs.events.registry import Body
from libs.runtime.away import SERVER_AWAY
from libs.runtime.combine import Combiner
from libs.runtime.consumer import Received, Refused, Transient
from libs.runtime.kafka import Publisher, outgoing
from libs.runtime.left_out import left_out
from libs.runtime.problems import NotFound, Unavailable
from services.ingest.metrics import POSTPONED, SEND_SECONDS, SEND_WAITING, SENT
from services.ingest.ports.events import EVENT_SOURCE
from services.ingest.ports.sending import (
    ChannelSender,
    Ending,
    Failed,
    Later,
    Request,
    SendOutcome,
    Uncertain,
)
from services.ingest.sending.attempts import (
    ERASED_REASON,
    Attempt,
    AttemptResult,
    Attempts,
    attempt_of,
    ended_result,
    result_of,
)
from services.ingest.sending.limits import refusal_of
from services.ingest.sending.requests import id_of
from services.ingest.sources import OpenSource, SourceBook

log = structlog.get_logger()

# Above this many attempts in memory no more are taken from Kafka.
HELD_MAX: Final = 5_000
GIVE_UP_AFTER: Final = timedelta(hours=1)
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
# For calls that are under way when the process is told to stop.
GRACE_SECONDS: Final = 5.0


class OrderedQueues:
    """``handle`` is the consumer's handler; the lease sweeper watches over what is held."""

    def __init__(
        self,
        attempts: Attempts,
        publisher: Publisher,
        sources: SourceBook,
        senders: Mapping[Channel, ChannelSender[Any]],
        ids: IdKey,
    ) -> None:
        self._attempts = attempts
        self._publisher = publisher
        self._sources = sources
        self._senders = senders
        self._ids = ids
        self._begin = Combiner[str, bool](attempts.begin)
        self._postpone = Combiner[Attempt, None](self._postpone_all)
        self._finish = Combiner[AttemptResult, None](self.finish)
        self._queues: dict[str, deque[Attempt]] = {}
        self._held: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calling: set[asyncio.Task[None]] = set()
        self._room = asyncio.Condition()
        self._stopping = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handle(self, batch: Sequence[Received]) -> Sequence[Refused]:
        """Errors: pymongo's, PublishFailed, Transient; the batch is then tried again."""
        async with self._room:
            await self._room.wait_for(lambda: len(self._held) < HELD_MAX or self._stopping)
        if self._stopping:
            raise Transient("the sender stops")
        if not self.may_send:
            raise Transient("the directory is not read to its end yet")
        now = datetime.now(UTC)
        asked: dict[str, Attempt] = {}
        refused = []
        for one in batch:
            body = one.envelope.body
            if isinstance(body, Request):
                workspace_id, order = one.envelope.workspace_id, one.record.offset
                # Sent again, the message goes on behind the parts that the platform has taken.
                done = body.taken if isinstance(body, OutboundRequested) else ()
                asked.setdefault(id_of(body), Attempt(workspace_id, order, body, now, done))
            else:
                refused.append(Refused(one, "not a request to send"))
        if asked:
            await self._take(asked)
        return refused

    async def _take(self, asked: dict[str, Attempt]) -> None:
        attempts = self._attempts
        known, open_attempts = await asyncio.gather(
            attempts.find(list(asked)),
            attempts.unsettled({one.conversation_id for one in asked.values()}),
        )
        # What another replica still holds of a conversation goes first: behind it the new ones
        # wait until nobody else holds any.
        # That may be one of this very batch, which a replica took and did not live to commit.
        elsewhere = {one["lane"] for one in open_attempts if one["owner"] != attempts.owner}
        new = [one for one in asked.values() if one.id not in known]
        mine = [one for one in new if one.conversation_id not in elsewhere]
        inserted = await attempts.insert(
            mine, [one for one in new if one.conversation_id in elsewhere]
        )
        for one in mine:
            if one.id in inserted:
                self.enqueue(one)
        # Made durable by a try that did not hear of its success.
        for document in known.values():
            if document.get("owner") == attempts.owner and document["state"] == "waiting":
                self.enqueue(attempt_of(document))
        if ended := [ended_result(one) for one in known.values() if one["state"] == "ended"]:
            await self.tell(ended)

    @property
    def may_send(self) -> bool:
        """Not before every source is known: an unknown one would be a refusal."""
        return self._sources.is_complete

    @property
    def held(self) -> frozenset[str]:
        """The ids of what this replica is at work on."""
        return frozenset(self._held)

    def holds(self, message_id: str) -> bool:
        """Whether this replica is at work on it."""
        return message_id in self._held

    def enqueue(self, attempt: Attempt) -> None:
        """Send it after what its conversation already has here. It must be durable, and ours."""
        if attempt.id in self._held or self._stopping:
            return
        self._held.add(attempt.id)
        SEND_WAITING.set(len(self._held))
        queue = self._queues.get(attempt.conversation_id)
        if queue is not None:
            queue.append(attempt)
            return
        self._queues[attempt.conversation_id] = deque([attempt])
        task = asyncio.create_task(self._drain(attempt.conversation_id))
        self._tasks.add(task)
        task.add_done_callback(self._drained)

    def _drained(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self.failure.done():
            self.failure.set_exception(error)

    async def _drain(self, conversation_id: str) -> None:
        queue = self._queues[conversation_id]
        while queue and not self._stopping:
            await self._apart(queue[0])
            self._held.discard(queue.popleft().id)
            SEND_WAITING.set(len(self._held))
            async with self._room:
                self._room.notify_all()
        del self._queues[conversation_id]

    async def _apart(self, attempt: Attempt) -> None:
        """One that fails on what it holds keeps nobody else from being sent."""
        with left_out("sending", attempt.id, SERVER_AWAY):
            await self._work_off(attempt)
            return
        # Whether the platform took it is not known, and it is not to be tried for ever.
        sent = isinstance(attempt.request, OutboundRequested)
        reason = "It was being sent when the sending failed"
        ending = (Uncertain if sent else Failed)("no-end", reason, attempt.done)
        with left_out("sending", attempt.id, SERVER_AWAY):
            await self._end(attempt, ending)

    async def _work_off(self, attempt: Attempt) -> None:
        """Until it has ended, or is no longer ours."""
        attempt.request = request = await self._quoting(attempt.request)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine always runs in one
        pause = FIRST_PAUSE_SECONDS
        while True:
            target = self._target(request)
            if not isinstance(target, Failed):
                await target[1].ready(target[0], request)
            self._calling.add(task)
            try:
                if not await self._persist(lambda: self._begin(attempt.id)):
                    log.warning("another replica has this attempt", message=attempt.id)
                    return
                outcome = target if isinstance(target, Failed) else await _call(*target, attempt)
                if not isinstance(outcome, Later):
                    await self._end(attempt, outcome)
                    return
                attempt.done = outcome.external_ids
                if datetime.now(UTC) - attempt.taken_at > GIVE_UP_AFTER:
                    reason = "The platform could not be reached, or had no room, for too long"
                    await self._end(attempt, Failed("gave-up", reason, attempt.done))
                    return
                await self._persist(lambda: self._postpone(attempt))
            finally:
                self._calling.discard(task)
            POSTPONED.labels(request.channel.value, outcome.why).inc()
            if self._stopping:
                return
            if outcome.why == "network":
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _quoting(self, request: Request) -> Request:
        """With the platform's id of what it quotes: what was asked for before in its conversation
        has been sent before it."""
        if not isinstance(request, OutboundRequested) or request.reply_to is None:
            return request
        quoted, conversation_id = request.reply_to, request.conversation_id
        external = await self._persist(lambda: self._attempts.external_id(quoted, conversation_id))
        return replace(request, reply_to_external=external)

    def _target(self, request: Request) -> tuple[OpenSource[Any], ChannelSender[Any]] | Failed:
        if not isinstance(request, OutboundDeleteRequested) and request.content.erased:
            return Failed("erased", ERASED_REASON)
        if isinstance(request, OutboundRequested) and (refusal := refusal_of(request)) is not None:
            return refusal
        try:
            source = self._sources.get(request.source_id, request.channel)
        except NotFound:
            return Failed("source-not-connected", "The source is not connected")
        except Unavailable:
            return Failed("credentials-unreadable", "The source's credentials cannot be opened")
        return source, self._senders[request.channel]

    async def _end(self, attempt: Attempt, ending: Ending) -> None:
        result = result_of(attempt, ending, datetime.now(UTC))
        await self._persist(lambda: self._finish(result))
        if result.correction is not None:
            return
        SENT.labels(attempt.request.channel.value, result.state).inc()
        waited = (result.at - attempt.request.requested_at).total_seconds()
        SEND_SECONDS.labels(attempt.request.channel.value).observe(max(0.0, waited))

    async def finish(self, results: Sequence[AttemptResult]) -> list[None]:
        """Durable, then published, then settled: a crash in between publishes it again."""
        await self._attempts.end(results)
        await self.tell(results)
        return [None] * len(results)

    async def tell(self, results: Sequence[AttemptResult]) -> None:
        """Publish the results of ended attempts, and settle these. Errors: PublishFailed,
        pymongo's.
        """
        told = [self._envelope(result) for result in results if _is_told(result)]
        await self._publisher.publish([outgoing(envelope) for envelope in told])
        await self._attempts.settle([result.attempt_id for result in results])

    async def _postpone_all(self, attempts: Sequence[Attempt]) -> list[None]:
        await self._attempts.postpone(attempts)
        return [None] * len(attempts)

    async def _persist[T](self, write: Callable[[], Awaitable[T]]) -> T:
        """Again and again while a server is away: what is known now must not become uncertain."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await write()
            except SERVER_AWAY as error:
                log.warning("attempts are not written yet", error=repr(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _envelope(self, result: AttemptResult) -> Envelope:
        return Envelope(
            id=self._ids.derive("dlv", result.attempt_id, result.state),
            source=EVENT_SOURCE,
            subject=result.message_id,
            key=result.conversation_id,
            workspace_id=result.workspace_id,
            sequence=0,
            time=result.at,
            body=_body_of(result),
        )

    async def stop(self) -> None:
        """Let calls under way end, drop what waits (it is durable)."""
        self._stopping = True
        async with self._room:
            self._room.notify_all()
        for task in self._tasks - self._calling:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _call(
    source: OpenSource[Any], sender: ChannelSender[Any], attempt: Attempt
) -> SendOutcome:
    if isinstance(attempt.request, OutboundRequested):
        return await sender.send(source, attempt.request, attempt.done)
    return await sender.correct(source, attempt.request)


def _is_told(result: AttemptResult) -> bool:
    """Of a correction, conversation has said already that it is done."""
    return result.correction is None or result.state == "failed"


def _body_of(result: AttemptResult) -> Body:
    if result.correction is not None:
        return CorrectionFailed(
            request_id=result.attempt_id,
            message_id=result.message_id,
            conversation_id=result.conversation_id,
            source_id=result.source_id,
            correction=result.correction,
            occurred_at=result.at,
            reason=result.reason or "",
            reason_code=result.reason_code or "",
        )
    return DeliveryChanged(
        message_id=result.message_id,
        conversation_id=result.conversation_id,
        source_id=result.source_id,
        state=result.state,
        occurred_at=result.at,
        external_message_ids=result.external_ids,
        reason=result.reason,
        reason_code=result.reason_code,
        attempt=result.number,
    )
