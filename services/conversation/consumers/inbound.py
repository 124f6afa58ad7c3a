"""What comes by Kafka: customers' messages and routing's decisions.

Each handler takes a whole batch, turns its messages into commands, and has them decided.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done
from libs.events.commands import RouteCase
from libs.events.directory import SourceState
from libs.events.inbound import InboundDeleted, InboundReceived
from libs.runtime.consumer import Received, Refused
from libs.runtime.directory import Directory
from services.conversation.commands.case_numbers import CaseNumbers
from services.conversation.consumers.dead_letter_reasons import reason_of
from services.conversation.consumers.inbound_commands import Inbound, InboundCommands
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.conversation.written import Place
from services.conversation.metrics import RECEIVED_TO_PUBLISHED
from services.conversation.read_models.customers.blocked import BlockedCustomers

# A source's state and its first message travel on different topics: wait this long for the former.
_SOURCE_WAIT_SECONDS: Final = 3.0
_SOURCE_POLL_SECONDS: Final = 0.05

type _Decide = Callable[[Conversation], None]


class InboundHandler:
    """``parley.inbound``: what was written on the platforms, and what was deleted there."""

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
                refused.append(_not_expected(one))
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


class CommandsHandler:
    """``parley.commands``: routing's decisions."""

    def __init__(self, handler: CommandHandler[ConversationState, Conversation]) -> None:
        self._handler = handler

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        commands, origins, refused = [], [], []
        for one in batch:
            body = one.envelope.body
            if not isinstance(body, RouteCase):
                refused.append(_not_expected(one))
                continue
            origins.append(one)
            commands.append(
                Command(
                    one.envelope.workspace_id,
                    body.conversation_id,
                    body.cause,
                    _route(body),
                    one.envelope.extra,
                )
            )
        outcomes = await self._handler.handle(commands)
        for one, outcome in zip(origins, outcomes, strict=True):
            if not isinstance(outcome, Done):
                refused.append(Refused(one, reason_of(outcome)))
        return refused


def _route(body: RouteCase) -> _Decide:
    return lambda conversation: conversation.route(body.case_id, body.group_id)


def _not_expected(one: Received) -> Refused:
    return Refused(one, f"{type(one.envelope.body).__name__} is not expected on this topic")
