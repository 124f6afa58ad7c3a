"""Members' commands, waiting to be decided together."""

import asyncio
from collections.abc import Sequence
from typing import Final

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Outcome
from libs.runtime.away import SERVER_AWAY
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState

type ConversationCommand = Command[Conversation]
type ConversationOutcome = Outcome[ConversationState]
type _Waiting = tuple[ConversationCommand, asyncio.Future[ConversationOutcome]]


_COMPANY_SECONDS: Final = 0.008


class CommandQueue:
    """Members' commands, taken together: whatever waits is decided and committed as one batch.

    So sixteen agents cost hardly more round trips than one. Whoever is alone does not wait; where
    several came at once, others are about to, and a short wait for them saves round trips, Kafka's
    above all: 16 % of the CPU of all processes at 16 connections.
    """

    def __init__(self, handler: CommandHandler[ConversationState, Conversation]) -> None:
        self._handler = handler
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._several = False

    async def decide(self, command: ConversationCommand) -> ConversationOutcome:
        """Errors: the driver's and the broker's."""
        future: asyncio.Future[ConversationOutcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        self._arrived.set()
        return await future

    async def run(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        try:
            while self._waiting or not stop.is_set():
                arriving = asyncio.create_task(self._arrived.wait())
                await asyncio.wait({arriving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                arriving.cancel()
                if self._several:
                    await asyncio.sleep(_COMPANY_SECONDS)
                self._arrived.clear()
                batch, self._waiting = self._waiting, []
                self._several = len(batch) > 1
                if batch:
                    await self._together(batch)
        finally:
            stopping.cancel()

    async def _together(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._handler.handle([command for command, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, SERVER_AWAY):
                # One of them met a bug: it alone is to fail, and each finds out which it was.
                for one in batch:
                    await self._together([one])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
