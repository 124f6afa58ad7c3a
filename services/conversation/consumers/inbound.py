"""``parley.inbound``: what was written on the platforms, and what was deleted there."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Done
from libs.events.directory import SourceState
from libs.events.inbound import InboundDeleted, InboundReceived
from libs.runtime.consumer import Received, Refused
from libs.runtime.directory import Directory
from services.conversation.commands.case_numbers import CaseNumbers
from services.conversation.consumers.dead_letter_reasons import not_expected, reason_of
from services.conversation.consumers.inbound_commands import Inbound, InboundCommands
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.conversation.written import Place
from services.conversation.metrics import RECEIVED_TO_PUBLISHED
from services.conversation.read_models.customers.blocked import BlockedCustomers

# A source's state and its first message travel on different topics: wait this long for the former.
_SOURCE_WAIT_SECONDS: Final = 3.0
_SOURCE_POLL_SECONDS: Final = 0.05


class InboundHandler:
    """Turns a whole batch into commands, and has them decided together.

    ``numbers``: of the cases that the batch opens. ``blocked``: whose messages are withheld.
    """

    def __init__(
        self,
        handler: CommandHandler[ConversationState, Conversation],
        directory: Directory,
        commands: InboundCommands,
        numbers: CaseNumbers,
        blocked: BlockedCustomers,
    ) -> None:
        self._handler = handler
        self._directory = directory
        self._commands = commands
        self._numbers = numbers
        self._blocked = blocked

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        understood: list[tuple[Received, Inbound]] = []
        refused: list[Refused] = []
        for one in batch:
            body = one.envelope.body
            if isinstance(body, InboundReceived | InboundDeleted):
                understood.append((one, body))
            else:
                refused.append(not_expected(one))
        places = await self._places(understood)
        arrived = []
        for one, body in understood:
            place = places.get(body.source_id)
            if place is None or place.workspace_id != one.envelope.workspace_id:
                refused.append(Refused(one, "its source is not known in its workspace"))
                continue
            arrived.append((one, body, place, body.customer_id in self._blocked.ids))
        made = await self._commands.of(arrived)
        commands = [command for command, _ in made]
        # Within a batch a conversation opens one case at most: nobody closes it meanwhile.
        streams = {(command.workspace_id, command.stream) for command in commands}
        await self._numbers.reserve(Counter(workspace_id for workspace_id, _ in streams))
        outcomes = await self._handler.handle(commands)
        now = datetime.now(UTC)
        for (_, origins), outcome in zip(made, outcomes, strict=True):
            for one, body in origins:
                if not isinstance(outcome, Done):
                    refused.append(Refused(one, reason_of(outcome)))
                elif outcome.changes:
                    RECEIVED_TO_PUBLISHED.observe((now - body.received_at).total_seconds())
        return refused

    async def _places(self, inbound: Sequence[tuple[Received, Inbound]]) -> dict[str, Place]:
        known: dict[str, tuple[str, SourceState]] = {}
        wanted = {body.source_id for _, body in inbound}
        deadline = asyncio.get_running_loop().time() + _SOURCE_WAIT_SECONDS
        while True:
            for source_id in wanted - known.keys():
                if (found := self._directory.source(source_id)) is not None:
                    known[source_id] = found
            if len(known) == len(wanted) or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_SOURCE_POLL_SECONDS)
        return {
            source_id: Place(
                workspace_id=workspace_id,
                source_id=source_id,
                channel=source.channel,
                location_id=source.location_id,
                routed=self._directory.of(workspace_id).autoforward_of(source_id) is not None,
                next_number=self._numbers.of(workspace_id),
            )
            for source_id, (workspace_id, source) in known.items()
        }
