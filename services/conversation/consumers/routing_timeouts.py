"""What is done now and then: cases that routing forgot, and the gauge of what is unpublished."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pymongo import ASCENDING

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.left_out import left_out
from libs.runtime.rows import Rows
from libs.runtime.stopping import stopped_within
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.metrics import ROUTING_TIMEOUTS, UNPUBLISHED
from services.conversation.read_models.inbox.rows import snapshot_of

log = structlog.get_logger()

_GAUGE_SECONDS: Final = 5.0
_AT_ONCE: Final = 200


class RoutingTimeouts:
    """Puts a case into New when routing has not decided on it within ``timeout``.

    Every replica may run it: whoever comes second finds the case routed.
    """

    def __init__(
        self,
        handler: CommandHandler[ConversationState, Conversation],
        inbox: Rows,
        timeout: timedelta,
    ) -> None:
        self._handler = handler
        self._inbox = inbox
        self._timeout = timeout
        # Those that could not be decided on, until this process ends.
        self._bad: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        pause = min(1.0, self._timeout.total_seconds() / 5)
        while not stop.is_set():
            try:
                await self.sweep()
            except SERVER_AWAY as error:
                log.warning("routing sweep failed, is tried again", error=repr(error))
            await stopped_within(stop, pause)

    async def sweep(self) -> int:
        """How many cases were put into New."""
        late = {"$lt": datetime.now(UTC) - self._timeout}
        rows = await self._inbox.find(
            {"case_state": "routing", "routing_since": late, "_id": {"$nin": [*self._bad]}},
            sort=[("routing_since", ASCENDING)],
            limit=_AT_ONCE,
        ).to_list()
        # They are late already, and would fill each sweep.
        self._bad.update(row["_id"] for row in rows)
        commands = []
        for row in rows:
            with left_out("routing timeout", row["_id"]):
                commands.append(self._command(snapshot_of(row).state))
        moved = await self._together(commands) if commands else 0
        ROUTING_TIMEOUTS.inc(moved)
        return moved

    async def _together(self, commands: Sequence[Command[Conversation]]) -> int:
        try:
            outcomes = await self._handler.handle(commands)
        except SERVER_AWAY:
            self._bad.difference_update(command.stream for command in commands)
            raise
        except Exception:
            if len(commands) == 1:
                raise
            # One of them is the trouble, and it alone is left.
            moved = 0
            for command in commands:
                with left_out("routing timeout", command.stream, SERVER_AWAY):
                    moved += await self._together([command])
            return moved
        self._bad.difference_update(command.stream for command in commands)
        return sum(isinstance(outcome, Done) and bool(outcome.changes) for outcome in outcomes)

    def _command(self, state: ConversationState) -> Command[Conversation]:
        case_id = state.case.case_id
        return Command(
            state.thread.workspace_id,
            state.thread.conversation_id,
            f"routing-timeout/{case_id}",
            lambda conversation: conversation.route(case_id, None, timed_out=True),
        )


async def watch_unpublished(store: AsyncEventStore, stop: asyncio.Event) -> None:
    """Keep the gauge of unpublished commits."""
    while not stop.is_set():
        with contextlib.suppress(*SERVER_AWAY):
            UNPUBLISHED.set(await store.count_pending())
        await stopped_within(stop, _GAUGE_SECONDS)
