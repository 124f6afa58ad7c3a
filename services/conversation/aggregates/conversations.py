"""Conversations as a type of aggregate, with their rows."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import Command
from libs.eventstore.commits import Commit, PublicMessage
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, find_rows, replacing, write_newer
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import name_of
from services.conversation.domain.sent_message import (
    DeliveryChanged,
)
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.publishing.conversations import conversation_messages
from services.conversation.read_models.attachments import files_of, write_files
from services.conversation.read_models.customers.rows import (
    of_customer,
    openings_of,
    write_openings,
)
from services.conversation.read_models.inbox.rows import inbox_row, snapshot_of
from services.conversation.read_models.messages.rows import (
    erase_parts,
    parts_of,
    update_part,
)
from services.conversation.read_models.time_travel.snapshots import HistoricalSnapshots

type Written = Callable[[Mapping[str, Snapshot[ConversationState]]], None]

_DELIVERY: Final = name_of(DeliveryChanged)


class Conversations:
    """Streams named by conversations' ids; their states are in the inbox's rows.

    ``written`` is told of the states whose rows were just written; now and then one of them is kept
    among the ``historical_snapshots``.
    """

    def __init__(
        self,
        inbox: Rows,
        messages: Rows,
        customers: Rows,
        files: Rows,
        written: Written,
        historical_snapshots: HistoricalSnapshots,
    ) -> None:
        self._inbox = inbox
        self._messages = messages
        self._customers = customers
        self._files = files
        self._written = written
        self._historical_snapshots = historical_snapshots

    def owns(self, commit: Commit) -> bool:
        return commit.events[0].type != _DELIVERY and not of_customer(commit)

    def make(
        self, stream: str, snapshot: Snapshot[ConversationState] | None, now: datetime
    ) -> Conversation:
        return Conversation(stream, snapshot, now)

    def workspace_of(self, state: ConversationState) -> str:
        return state.thread.workspace_id

    def public(
        self, aggregate: Conversation, origins: Sequence[Command[Conversation]]
    ) -> tuple[PublicMessage, ...]:
        return conversation_messages(aggregate, [command.trace for command in origins])

    async def find(self, streams: Collection[str]) -> dict[str, Snapshot[ConversationState]]:
        return {row["_id"]: snapshot_of(row) for row in await find_rows(self._inbox, streams)}

    def row(self, stream: str, snapshot: Snapshot[ConversationState]) -> Document:
        return inbox_row(stream, snapshot)

    def beside(self, commits: Sequence[Commit]) -> list[Document]:
        return [*parts_of(commits), *openings_of(commits)]

    async def write(
        self,
        rows: Mapping[str, Document],
        snapshots: Mapping[str, Snapshot[ConversationState]],
        commits: Sequence[Commit],
    ) -> None:
        new, known = apart(rows, commits)
        writes = [write_newer(self._inbox, new, known, replacing)]
        if parts := parts_of(commits):
            writes.append(write_newer(self._messages, parts, [], update_part))
        if openings := openings_of(commits):
            writes.append(write_openings(self._customers, openings))
        if files := files_of(commits):
            writes.append(write_files(self._files, files))
        await asyncio.gather(*writes)
        self._written(snapshots)
        await erase_parts(self._messages, commits)
        await self._historical_snapshots.keep_passed(snapshots, commits)


def apart(
    rows: Mapping[str, Document], commits: Sequence[Commit]
) -> tuple[list[Document], list[Document]]:
    """The rows that begin with these commits, and those that are there already."""
    begun = {commit.stream for commit in commits if commit.first == 1}
    new = [row for stream, row in rows.items() if stream in begun]
    return new, [row for stream, row in rows.items() if stream not in begun]


def conversation_owner(state: ConversationState) -> Owner:
    """Whose personal data the stream's events hold."""
    return Owner(state.customer_id, state.erasures + 1)
