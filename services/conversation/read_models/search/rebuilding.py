"""The search's rows, made again from the conversations' commits; the cards' from the customers'."""

from collections.abc import Sequence
from typing import Any, Final

from pymongo import UpdateOne

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.repository import replay
from libs.events.content import Content
from libs.eventstore.commits import Commit, StoredEvent
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from services.conversation.domain.conversation.blocking import MessageWithheld
from services.conversation.domain.conversation.corrections import (
    CorrectionFailed,
    MessageDeleted,
    MessageEdited,
)
from services.conversation.domain.conversation.life import CaseOpened
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.notes import NoteAdded
from services.conversation.domain.conversation.state import ConversationState, case_id_of
from services.conversation.domain.events import EVENTS, decode, name_of
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.search.cards import CardRows
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.index import SEARCH, Entry, SearchIndex

_OPENS: Final = name_of(CaseOpened)
_WRITTEN_BY_CUSTOMER: Final = frozenset(
    name_of(event) for event in (MessageReceived, MessageWithheld)
)


class SearchModel:
    """Those of one conversation come from its stream alone."""

    collection = SEARCH

    def __init__(self, deployment_key: bytes) -> None:
        self._entries = Entries(deployment_key)

    def reads(self, event: str) -> bool:
        return True

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        snapshot: Snapshot[Any] | None = replay(EVENTS, None, stream)
        if snapshot is None or not isinstance(snapshot.state, ConversationState):
            return []
        workspace_id = snapshot.state.thread.workspace_id
        entries = {snapshot.state.thread.conversation_id: self._entries.of_state(snapshot)}
        for commit in stream:
            for version, stored in enumerate(commit.events, commit.first):
                if stored.type == _OPENS and (case := self._case(workspace_id, commit, stored)):
                    entries[case.id] = case
                # What was written while the person was being forgotten still opens.
                if version < snapshot.state.forgotten:
                    continue
                if sender := self._sender(workspace_id, commit, version, stored):
                    entries[sender.id] = sender
                if entry := self._entry(workspace_id, commit, version, stored.type, stored.data):
                    entries[entry.id] = entry
        return [entry.row() for entry in entries.values() if entry.found.t]

    def _case(self, workspace_id: str, commit: Commit, stored: StoredEvent) -> Entry | None:
        opened = decode(stored.type, stored.data)
        if not isinstance(opened, CaseOpened):
            return None
        case_id = case_id_of(commit.stream, opened.number)
        return self._entries.of_case(
            workspace_id, commit.stream, case_id, opened.short_number, opened.at
        )

    def _sender(
        self, workspace_id: str, commit: Commit, version: int, stored: StoredEvent
    ) -> Entry | None:
        if stored.type not in _WRITTEN_BY_CUSTOMER:
            return None
        event = decode(stored.type, stored.data)
        if not isinstance(event, MessageReceived | MessageWithheld):
            return None
        return self._entries.of_sender(workspace_id, commit.stream, version, event.at, event.sender)

    def _entry(
        self, workspace_id: str, commit: Commit, version: int, name: str, data: bytes
    ) -> Entry | None:
        event = decode(name, data)
        content: Content | str
        match event:
            case MessageReceived() | MessageSent() | MessageEdited():
                item_id, content = event.message_id, event.content
            case MessageDeleted():
                item_id, content = event.message_id, ""
            case CorrectionFailed() if event.is_known:
                item_id, content = event.message_id, event.content
            case NoteAdded():
                item_id, content = event.note_id, event.text
            case _:
                return None
        return self._entries.of_content(
            workspace_id, item_id, commit.stream, version, event.at, content
        )

    def part(self, row: Document) -> UpdateOne | None:
        return None

    def merged(self, live: Document, rebuilt: Document) -> Document:
        # What a conversation is called by is written when that changes, not with every version.
        if live["v"] > rebuilt["v"] or {**rebuilt, "v": live["v"]} == live:
            return live
        return rebuilt

    def same(self, live: Document) -> Document:
        return {"v": live["v"]}

    def stream_of(self, live: Document) -> str | None:
        stream: str = live["c"]
        return stream

    async def finish(self, live: Rows) -> None:
        index = SearchIndex(live.database)
        await index.forget_again()
        await CardRows(live.database[CUSTOMERS], index, self._entries).renew_all()
