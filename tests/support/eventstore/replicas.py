"""A service in a few lines: loads, decides, commits through its outbox, and can be stopped."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from libs.eventstore.commits import PublicMessage
from libs.eventstore.decisions import Decision
from libs.eventstore.outbox import CommitOutcome, Outbox, Step
from libs.eventstore.store import AsyncEventStore
from tests.support.eventstore.builders import commit_of


class ProcessStopped(Exception):
    """Stands for the process's end at a step: nothing after it is done."""


class BrokerRefused(Exception):
    """The broker did not acknowledge."""


class Topic:
    """What consumers see: each acknowledged message, in the order of arrival."""

    def __init__(self) -> None:
        self.arrived: list[PublicMessage] = []
        self.refuse = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, messages: Sequence[PublicMessage]) -> None:
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.refuse:
            self.refuse -= 1
            self.arrived += messages[: len(messages) // 2]  # some of it may have got through
            raise BrokerRefused
        self.arrived += messages

    def first_appearances(self) -> dict[str, list[int]]:
        """The sequences of each subject, each where it arrived first."""
        seen: dict[str, list[int]] = defaultdict(list)
        for message in self.arrived:
            if message.sequence not in seen[message.subject]:
                seen[message.subject].append(message.sequence)
        return dict(seen)


class Replica:
    """One process of a service. `stop_at`: ends at the first time this step is reached."""

    def __init__(
        self,
        store: AsyncEventStore,
        topic: Topic,
        *,
        stop_at: Step | None = None,
        settle: timedelta = timedelta(0),
        sweep_limit: int = 500,
        mark_later: bool = False,
    ) -> None:
        self.steps: list[Step] = []
        self.projected: list[tuple[str, int]] = []
        self.stop_at = stop_at
        self._store = store
        self.outbox = Outbox(
            store,
            self._project,
            topic.publish,
            on_step=self._on_step,
            settle=settle,
            sweep_limit=sweep_limit,
            mark_later=mark_later,
        )

    async def note(self, stream: str, *, cause: str = "", events: int = 1) -> CommitOutcome:
        """Load the stream, decide on its version, commit."""
        loaded = (await self._store.load({stream: 0}))[stream]
        first = loaded[-1].last + 1 if loaded else 1
        commit = commit_of(stream, first, events=events, causes=(cause,) if cause else ())
        before = [c for c in loaded if c.pending]
        [outcome] = await self.outbox.commit([commit], pending_before=before)
        return outcome

    async def _project(self, decisions: Sequence[Decision[Any]]) -> None:
        self.projected += [(one.stream, one.commit.last) for one in decisions]

    async def _on_step(self, step: Step) -> None:
        self.steps.append(step)
        if step is self.stop_at:
            raise ProcessStopped
