"""Sent messages as a type of aggregate, with their rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import Command
from libs.events.conversation.case import Audience
from libs.eventstore.commits import Commit, PublicMessage
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, find_rows, write_newer
from services.conversation.aggregates.conversations import apart
from services.conversation.domain.events import name_of
from services.conversation.domain.sent_message import (
    DeliveryChanged,
    SentMessage,
    SentMessageState,
)
from services.conversation.publishing.conversations import delivery_messages
from services.conversation.read_models.messages.rows import (
    delivery_of,
    delivery_row,
    update_delivery,
)

_DELIVERY: Final = name_of(DeliveryChanged)


@dataclass(frozen=True, slots=True, eq=False)
class DeliveryCommand(Command[SentMessage]):
    """``audience`` is told with the delivery's change, which does not know its conversation."""

    audience: Audience | None = None


class SentMessages:
    """Streams named by sent messages' ids; their states are in the messages' rows."""

    def __init__(self, messages: Rows) -> None:
        self._messages = messages

    def owns(self, commit: Commit) -> bool:
        return commit.events[0].type == _DELIVERY

    def make(
        self, stream: str, snapshot: Snapshot[SentMessageState] | None, now: datetime
    ) -> SentMessage:
        return SentMessage(stream, snapshot, now)

    def workspace_of(self, state: SentMessageState) -> str:
        return state.sent_in.workspace_id

    def public(
        self, aggregate: SentMessage, origins: Sequence[Command[SentMessage]]
    ) -> tuple[PublicMessage, ...]:
        return delivery_messages(aggregate, [(_audience_of(one), one.trace) for one in origins])

    async def find(self, streams: Collection[str]) -> dict[str, Snapshot[SentMessageState]]:
        rows = await find_rows(self._messages, streams)
        states = {row["_id"]: delivery_of(row) for row in rows}
        return {stream: state for stream, state in states.items() if state}

    def row(self, stream: str, snapshot: Snapshot[SentMessageState]) -> Document:
        return delivery_row(stream, snapshot)

    def beside(self, commits: Sequence[Commit]) -> tuple[Document, ...]:
        return ()

    async def write(
        self,
        rows: Mapping[str, Document],
        snapshots: Mapping[str, Snapshot[SentMessageState]],
        commits: Sequence[Commit],
    ) -> None:
        new, known = apart(rows, commits)
        await write_newer(self._messages, new, known, update_delivery)


def _audience_of(command: Command[SentMessage]) -> Audience | None:
    return command.audience if isinstance(command, DeliveryCommand) else None
