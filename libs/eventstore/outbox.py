"""Append, project, publish, mark: so that a stream's messages appear in order and none is lost.

What is promised: every public message of an appended commit is published at least once, and the
*first appearances* of a stream's messages are in the order of its versions, whatever process dies
or stalls at whichever step. Repeats happen; consumers drop them by their sequence.

Why it holds. Call a commit *safe* when all its messages were acknowledged. The rule is: a commit
is published only when every commit before it in its stream is safe.

- A commit is marked after it is safe, so every unsafe commit carries `pending` and can be found.
- Who appended version n+1 decided on a load that held everything up to n (the version is the
  lock). Of those, the ones not pending at the load were safe; the pending ones are passed in
  `pending_before`, and are published again first, one after the other, by whoever comes next. It
  does not matter who appended them: a dead process, or a live one that is merely slower. When the
  slower one comes to publish its own, that is a repeat.
- Inside one process the pipelines of a stream wait for each other in its queue
  (`ordered_queues.py`). Each turn tells the next how far the stream is safe, so that what was
  published between its load and its turn is not published twice; and if the one before failed, that
  the store has to be asked.
- The sweeper takes pending commits that are old enough, leaves out the streams at work in this
  process, then asks *again* for all that is pending in the streams it found. A commit before one
  it saw was written before it, so this second answer holds it, even where a replica's clock is
  behind. It publishes nothing newer than what it saw first: whatever lies before that is in hand.
- If publishing fails, the commits stay pending, the caller gets the exception, and the stream's
  next commit begins with repeating them.

No stream holds up another. Where a failure may be a commit's own (`is_own`: it cannot be read, its
read model or the broker cannot take it), the streams at hand are bisected until what fails stands
alone, and that stream is *set aside*: its pending commits get a mark, by which the sweeper leaves
them out and whoever loads the stream decides nothing more on it. They stay pending, so the rule
above holds: nothing of the stream is published past them. Once somebody has taken the mark away
(`AsyncEventStore.take_back`), the sweeper takes them up like any other. Where an empty delivery
fails too, it is nobody's own, and comes through.
"""

import asyncio
import contextlib
import inspect
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from msgspec.structs import replace

from libs.eventstore.commits import Appended, Commit, PublicMessage
from libs.eventstore.decisions import Decision, Queued, as_stored, commit_of, newest_of, waves
from libs.eventstore.errors import CommitUnreadable, StopHere, StreamSetAside
from libs.eventstore.ordered_queues import OrderedQueues, Turn
from libs.eventstore.store import AppendOutcome, AsyncEventStore

# Updates the read models with decisions in order of their streams. Gets one again after a crash,
# and an older one after a newer one from a slow process: it skips by version.
type Projector = Callable[[Sequence[Decision[Any]]], Awaitable[None]]
# Opens what was loaded, in the same order; the state need not be known.
type Opener = Callable[[Sequence[Commit]], Awaitable[Sequence[Decision[Any]]]]
# Sends messages and returns when the broker has acknowledged all. Those of one key are sent in
# order, and after a failure none that came later with the same key may still go out.
type Publisher = Callable[[Sequence[PublicMessage]], Awaitable[object]]
# Whether a failure may be one commit's own, and not one of a server, a broker or the network.
type IsOwn = Callable[[Exception], bool]
type CommitOutcome = AppendOutcome | StreamSetAside

_log = logging.getLogger(__name__)
# A mark is a write like any other; ten a second are far fewer than the batches of a busy service,
# and far sooner than the sweeper looks.
_MARK_EVERY_S = 0.1
# How often it is looked for commits that no sweep finds, because they say of no time.
_TIMELESS_EVERY_S = 10.0
# How often what is set aside is tried again by itself: it may have been mended.
_AGAIN_EVERY_S = 600.0


def _never(_error: Exception) -> bool:
    return False


class Step(Enum):
    """What has just been done for the commits at hand; crash tests stop the process here."""

    APPENDED = "appended"
    PROJECTED = "projected"
    PUBLISHED = "published"
    MARKED = "marked"


type StepHook = Callable[[Step], Awaitable[None] | None]


class Outbox:
    """Takes commits through the four steps, and takes up those that were left on the way.

    `opens`: makes decisions of the commits that are loaded here, for projector and publisher.
    `settle`: how long a commit may be on its way before the sweeper takes it for abandoned.
    `sweep_limit`: how many commits it takes at once.
    `mark_later`: commits are marked beside the work, by `run_marker`, as many as have gathered in
    one write. Nobody waits for it; what a crash leaves unmarked is published once more.
    `commit_header`: the header in which each message says what it is a part of, its commit's
    `<stream>:<last>:<hash in hexadecimal>`; so the heads of streams are known outside the store.
    `is_own`: which failures may be one stream's own; without it, all come through.
    """

    def __init__(
        self,
        store: AsyncEventStore,
        project: Projector,
        publish: Publisher,
        *,
        opens: Opener = as_stored,
        on_step: StepHook | None = None,
        settle: timedelta = timedelta(seconds=5),
        sweep_limit: int = 500,
        mark_later: bool = False,
        commit_header: str | None = None,
        is_own: IsOwn = _never,
    ) -> None:
        self._store = store
        self._project = project
        self._publish = publish
        self._opens = opens
        self._on_step = on_step
        self._settle = settle
        self._sweep_limit = sweep_limit
        self._queues = OrderedQueues()
        self._mark_later = mark_later
        self._commit_header = commit_header
        self._is_own = is_own
        self._timeless_at = 0.0
        self._again_at = 0.0
        self._to_mark: list[Commit] = []
        self._published = asyncio.Event()

    async def commit(
        self,
        decided: Sequence[Queued],
        *,
        pending_before: Sequence[Commit] | None = None,
    ) -> list[CommitOutcome]:
        """Append commits of different streams and see those that were appended to the end.

        `decided`: with the decision projector and publisher need not open anything.
        `pending_before`: every commit of these streams that was still pending when the state
        decided on was loaded (`[c for c in loaded if c.pending]`); others may be among them. With
        None the store is asked, one more query. The outcomes are those of `append`, and
        StreamSetAside for what was appended and could then not be seen to the end. Any other
        exception of the projector or publisher comes through: the commits are then stored, and
        pending.
        """
        commits = [commit_of(one) for one in decided]
        outcomes: list[CommitOutcome] = [*await self._store.append(commits)]
        appended = [
            one
            for one, outcome in zip(decided, outcomes, strict=True)
            if isinstance(outcome, Appended)
        ]
        if appended:
            await self._reached(Step.APPENDED)
            async with self._queues.hold({one.stream for one in appended}) as turns:
                queue = await self._with_those_before(appended, pending_before, turns)
                failed = await self._deliver_each(queue, turns)
            for at, commit in enumerate(commits) if failed else ():
                if commit.stream in failed and isinstance(outcomes[at], Appended):
                    outcomes[at] = failed[commit.stream]
        return outcomes

    async def sweep(self) -> int:
        """Take up abandoned commits, the oldest first; returns how many were published.

        What cannot be seen to the end is set aside, with its stream; now and then, and first of
        all, what is set aside is tried again.
        """
        again = 0
        if (now := time.monotonic()) >= self._again_at:
            self._again_at = now + _AGAIN_EVERY_S
            again = await self._sweep_up(newest_of(await self._store.aside(self._sweep_limit)))
        unreadable: list[CommitUnreadable] = []
        older_than = datetime.now(UTC) - self._settle
        abandoned = await self._store.pending(self._sweep_limit, older_than, unreadable)
        if now >= self._timeless_at:
            unreadable += await self._store.timeless(self._sweep_limit)
            self._timeless_at = now + _TIMELESS_EVERY_S
        for one in unreadable:
            await self._set_aside(one.stream, one, one.document_id)
        bad = {one.stream for one in unreadable}
        newest = newest_of(
            c for c in abandoned if not self._queues.busy(c.stream) and c.stream not in bad
        )
        return again + await self._sweep_up(newest)

    async def _sweep_up(self, newest: dict[str, int]) -> int:
        while newest:
            try:
                published, _ = await self._take_up(newest)
            except CommitUnreadable as error:
                await self._set_aside(error.stream, error, error.document_id)
                if newest.pop(error.stream, None) is None:
                    raise
            else:
                return published
        return 0

    async def take_up(self, seen: Iterable[Commit]) -> int:
        """See to the end what was seen pending, and is still; how many commits were published.

        Nothing newer: whatever was pending before a commit that was seen, this finds; of what came
        after it, that cannot be said. Errors: StreamSetAside (the others are seen to the end).
        """
        newest = newest_of(seen)
        if not newest:
            return 0
        published, failed = await self._take_up(newest)
        for error in failed.values():
            raise error
        return published

    async def appended(self, stream: str, first: int) -> int:
        """See to the end the commit of the stream that begins at the version: somebody has just
        appended it through a recorder (`recorders.py`), which knows of no outbox.

        As `take_up`: how many commits were published, 0 where another was faster.
        """
        await self._reached(Step.APPENDED)
        published, failed = await self._take_up({stream: first})
        for error in failed.values():
            raise error
        return published

    async def _take_up(self, newest: dict[str, int]) -> tuple[int, dict[str, StreamSetAside]]:
        async with self._queues.hold(newest) as turns:
            pending = await self._store.load_pending(newest)
            queue: list[Queued] = [
                commit
                for stream, commits in pending.items()
                for commit in commits
                if turns[stream].acknowledged < commit.last and commit.first <= newest[stream]
            ]
            failed = await self._deliver_each(queue, turns)
        return sum(one.stream not in failed for one in queue), failed

    async def run_sweeper(
        self,
        interval_s: float,
        stop: asyncio.Event,
        *,
        retry_on: tuple[type[Exception], ...] = (),
    ) -> None:
        """Sweep every `interval_s` seconds, at once again after a full sweep, until `stop`.

        `retry_on`: the passing failures of the driver and the broker, tried again at the next
        interval. Any other ends the sweeper with that exception: a bug must be seen.
        """
        while not stop.is_set():
            swept = 0
            try:
                swept = await self.sweep()
            except retry_on as error:
                _log.warning("sweep failed, is tried again", extra={"error": type(error).__name__})
            if swept < self._sweep_limit:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), interval_s)

    async def run_marker(
        self, stop: asyncio.Event, *, retry_on: tuple[type[Exception], ...] = ()
    ) -> None:
        """Mark what was published until `stop`, with `mark_later`.

        `retry_on`: as in `run_sweeper`, which takes up what could not be marked.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            while self._to_mark or not stop.is_set():
                published = asyncio.create_task(self._published.wait())
                await asyncio.wait({published, stopping}, return_when=asyncio.FIRST_COMPLETED)
                published.cancel()
                self._published.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(stopping), _MARK_EVERY_S)
                commits, self._to_mark = self._to_mark, []
                try:
                    if commits:
                        await self._mark(commits)
                except retry_on as error:
                    _log.warning("not marked, left to the sweep", extra={"error": repr(error)})
        finally:
            stopping.cancel()

    async def _with_those_before(
        self,
        appended: Sequence[Queued],
        pending_before: Sequence[Commit] | None,
        turns: dict[str, Turn],
    ) -> list[Queued]:
        """What is to be delivered, and what has to come before it, in order."""
        doubtful: list[str] = []
        known: dict[str, list[Commit]] = defaultdict(list)
        for commit in pending_before or ():
            known[commit.stream].append(commit)
        for one in appended:
            turn, first = turns[one.stream], commit_of(one).first
            safe_before = first <= turn.acknowledged + 1 or first == 1
            if not safe_before and (turn.failed or pending_before is None):
                doubtful.append(one.stream)
        if doubtful:
            known |= await self._store.load_pending(doubtful)
        queue: list[Queued] = []
        for one in appended:
            before = [c for c in known[one.stream] if c.last < commit_of(one).first]
            before.sort(key=lambda c: c.first)
            acknowledged = turns[one.stream].acknowledged
            queue += [c for c in (*before, one) if commit_of(c).last > acknowledged]
        return queue

    async def _deliver_each(
        self, queue: Sequence[Queued], turns: dict[str, Turn]
    ) -> dict[str, StreamSetAside]:
        """Deliver all that can be; the streams that were set aside because theirs cannot."""
        try:
            await self._deliver(queue, turns)
        except StopHere:
            raise
        except Exception as error:
            if not self._is_own(error):
                raise
            streams = list(dict.fromkeys(one.stream for one in queue))
            if len(streams) == 1:
                await self._deliver_nothing()
                turns[streams[0]].failed = True
                return {streams[0]: await self._set_aside(streams[0], error)}
            first = set(streams[: len(streams) // 2])
            failed = await self._deliver_each([c for c in queue if c.stream in first], turns)
            return failed | await self._deliver_each(
                [c for c in queue if c.stream not in first], turns
            )
        return {}

    async def _deliver_nothing(self) -> None:
        """Fails where every delivery does."""
        await self._project([])
        await self._publish([])

    async def _set_aside(
        self, stream: str, error: Exception, document_id: object = None
    ) -> StreamSetAside:
        why = error.why if isinstance(error, CommitUnreadable) else type(error).__name__
        await self._store.set_aside(stream, why, document_id)
        _log.critical(
            "stream set aside: a commit of it cannot be read, projected or published",
            extra={"stream": stream, "why": why},
            exc_info=error,
        )
        return StreamSetAside(stream, why)

    async def _deliver(self, queue: Sequence[Queued], turns: dict[str, Turn]) -> None:
        if not queue:
            return
        decisions = await self._opened(queue)
        await self._project(decisions)
        await self._reached(Step.PROJECTED)
        for wave in waves(decisions):
            messages = [message for decision in wave for message in self._messages(decision)]
            if messages:
                await self._publish(messages)
            for decision in wave:
                turns[decision.stream].acknowledged = decision.commit.last
        for stream in {decision.stream for decision in decisions}:
            turns[stream].failed = False
        await self._reached(Step.PUBLISHED)
        commits = [decision.commit for decision in decisions]
        if self._mark_later:
            self._to_mark += commits
            self._published.set()
        else:
            await self._mark(commits)

    async def _opened(self, queue: Sequence[Queued]) -> list[Decision[Any]]:
        loaded = [one for one in queue if isinstance(one, Commit)]
        opened = iter(await self._opens(loaded) if loaded else ())
        return [next(opened) if isinstance(one, Commit) else one for one in queue]

    def _messages(self, decision: Decision[Any]) -> Sequence[PublicMessage]:
        if self._commit_header is None:
            return decision.messages
        commit = decision.commit
        of = {self._commit_header: f"{commit.stream}:{commit.last}:{commit.hash.hex()}"}
        return [replace(message, headers=message.headers | of) for message in decision.messages]

    async def _mark(self, commits: Sequence[Commit]) -> None:
        await self._store.mark_published(commits)
        await self._reached(Step.MARKED)

    async def _reached(self, step: Step) -> None:
        if self._on_step is not None:
            awaitable = self._on_step(step)
            if inspect.isawaitable(awaitable):
                await awaitable
