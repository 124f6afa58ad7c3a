"""Read all: what waits unread in a list is marked read, because somebody says so."""

import asyncio
from collections.abc import Sequence
from typing import Final

from libs.aggregates.commands import Command, Done, NotThere
from libs.events.api import AllRead, ReadAll
from libs.events.api.filters import ConversationFilter
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Unavailable
from libs.runtime.tracing import trace_headers
from services.conversation.commands.queue import CommandQueue
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.member import MemberContext

# In one request; whoever has more asks again. Between the batches other commands have their turn.
AT_MOST: Final = 2_000
_BATCH: Final = 200


class ReadingCommands:
    def __init__(self, visible: VisibleConversations, queue: CommandQueue) -> None:
        self._visible = visible
        self._queue = queue

    async def read_all(self, actor: MemberContext, cause: str, asked: ReadAll) -> AllRead:
        """What is unread in the tab now. Where the customer writes meanwhile, it stays unread."""
        rows = await self._visible.inbox(actor).versions(
            asked.tab, ConversationFilter(unread=True), AT_MOST + 1
        )
        read = 0
        for begin in range(0, min(len(rows), AT_MOST), _BATCH):
            read += await self._read(actor, rows[begin : min(begin + _BATCH, AT_MOST)], cause)
        return AllRead(read=read, more=len(rows) > AT_MOST)

    async def _read(self, actor: MemberContext, rows: Sequence[tuple[str, int]], cause: str) -> int:
        commands = (self._queue.decide(self._reading(actor, *row, cause)) for row in rows)
        try:
            outcomes = await asyncio.gather(*commands)
        except SERVER_AWAY as error:
            raise Unavailable from error
        return sum(isinstance(outcome, Done) and bool(outcome.changes) for outcome in outcomes)

    def _reading(
        self, actor: MemberContext, conversation_id: str, version: int, cause: str
    ) -> Command[Conversation]:
        def decide(conversation: Conversation) -> None:
            if not actor.sees(conversation.state):
                raise NotThere
            if conversation.version == version:
                conversation.mark_read(actor.member_id)

        return Command(
            actor.workspace_id,
            conversation_id,
            f"{cause}/{conversation_id}",
            decide,
            trace_headers(),
        )
