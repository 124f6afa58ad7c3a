"""Writes the search's rows behind, from the events of the conversations and of the customers."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cachetools import LRUCache

from libs.aggregates.aggregate import Snapshot
from libs.events import customer
from libs.events.content import Content, Sender
from libs.events.conversation.case import CaseOpened
from libs.events.conversation.customer import CustomerErased, CustomerKnown
from libs.events.conversation.marks import FieldsSet, MarksChanged
from libs.events.conversation.message import (
    CorrectionFailed,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    MessageWithheld,
    NoteAdded,
)
from libs.runtime.consumer import Received, Refused
from libs.runtime.rows import Rows, find_rows
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.inbox.rows import snapshot_of
from services.conversation.read_models.search.cards import CardRows
from services.conversation.read_models.search.entries import WRITTEN, Entries
from services.conversation.read_models.search.index import Entry, SearchIndex

_NAMES_KEPT: Final = 40_000

# After these a conversation may be called something else; a blocked customer's may begin so.
_NAMING: Final = (
    CaseOpened,
    CustomerErased,
    CustomerKnown,
    FieldsSet,
    MessageWithheld,
    MarksChanged,
)
# After these a person is found by other things that the team wrote down.
_CARDS: Final = (customer.CardEdited, customer.Merged, customer.Split, customer.Erased)
# All that the consumer has a use for.
MESSAGES: Final = (*WRITTEN, *_NAMING, *_CARDS)


class SearchHandler:
    """``parley.conversation``: what was written, and what conversations are called by.
    ``parley.customer``: what is written down about who writes."""

    def __init__(self, index: SearchIndex, entries: Entries, inbox: Rows, cards: CardRows) -> None:
        self._index = index
        self._entries = entries
        self._inbox = inbox
        self._cards = cards
        self._seen: LRUCache[tuple[str, str], tuple[str, int]] = LRUCache(_NAMES_KEPT)

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        forgotten = await self._index.forgotten({one.envelope.subject for one in batch})
        renamed = {one.envelope.subject for one in batch if self._renames(one, forgotten)}
        named = [snapshot_of(row) for row in await find_rows(self._inbox, renamed)]
        # The words are looked up beside the loop: a batch of new ones takes long.
        new, changed = await asyncio.to_thread(self._entries_of, batch, named, forgotten)
        await self._index.put(new, changed, forgotten)
        await self._write_cards(batch)
        return []

    async def _write_cards(self, batch: Sequence[Received]) -> None:
        changed: dict[str, set[str]] = {}
        begun: dict[str, set[str]] = {}
        for one in batch:
            match one.envelope.body:
                case CaseOpened(case=case) if not case.repeat:
                    begun.setdefault(one.envelope.workspace_id, set()).add(case.customer_id)
                case MessageWithheld(customer_id=customer_id) if one.envelope.sequence == 1:
                    begun.setdefault(one.envelope.workspace_id, set()).add(customer_id)
                case customer.CustomerEvent() as event if isinstance(event, _CARDS):
                    persons = changed.setdefault(one.envelope.workspace_id, set())
                    persons.add(event.customer.customer_id)
                    if isinstance(event, customer.Split):
                        persons.add(event.split_from)
        for workspace_id, customer_ids in changed.items():
            await self._cards.renew(workspace_id, customer_ids)
        for workspace_id, customer_ids in begun.items():
            await self._cards.begin(workspace_id, customer_ids)

    def _entries_of(
        self,
        batch: Sequence[Received],
        named: Sequence[Snapshot[ConversationState]],
        forgotten: Mapping[str, int],
    ) -> tuple[list[Entry], list[Entry]]:
        """Those thought not to be there yet, and those that may be."""
        new: dict[str, Entry] = {}
        changed: dict[str, Entry] = {}
        for one in batch:
            body = one.envelope.body
            for beside in self._beside(one, forgotten):
                new[beside.id] = beside
            if isinstance(body, CorrectionFailed) and body.content is None:
                continue
            if isinstance(body, WRITTEN):
                entry = self._entry(one, body)
                edited = isinstance(body, MessageEdited | MessageDeleted | CorrectionFailed)
                if (known := changed.get(entry.id)) and known.version >= entry.version:
                    continue  # a repeat, of what was changed since
                if edited:
                    new.pop(entry.id, None)
                    changed[entry.id] = entry
                elif entry.found.t:
                    new[entry.id] = entry
        heads = [self._entries.of_state(snapshot) for snapshot in named]
        return list(new.values()), [*changed.values(), *heads]

    def _entry(self, one: Received, body: object) -> Entry:
        envelope = one.envelope
        content: Content | str
        match body:
            case NoteAdded():
                item_id, content = body.note_id, body.text
            case MessageReceived() | MessageSent() | MessageEdited():
                item_id, content = body.message.message_id, body.message.content
            case MessageDeleted():
                item_id, content = body.message_id, ""
            case CorrectionFailed(content=Content() as content):
                item_id = body.message_id
            case _:
                raise TypeError(f"{type(body).__name__} has no text")
        return self._entries.of_content(
            envelope.workspace_id,
            item_id,
            envelope.subject,
            envelope.sequence,
            envelope.time,
            content,
        )

    def _beside(self, one: Received, forgotten: Mapping[str, int]) -> Iterator[Entry]:
        """What is found beside the words: a case's number, what a platform calls who wrote."""
        envelope, body = one.envelope, one.envelope.body
        workspace_id, stream = envelope.workspace_id, envelope.subject
        if isinstance(body, CaseOpened):
            case = body.case
            yield from _those_of(
                self._entries.of_case(
                    workspace_id, stream, case.case_id, case.short_number, case.opened_at
                )
            )
        sender = _sender_of(body)
        if sender is not None and self._is_news(
            (stream, sender.external_id), sender.username or "", envelope.sequence, forgotten
        ):
            yield from _those_of(
                self._entries.of_sender(
                    workspace_id, stream, envelope.sequence, envelope.time, sender
                )
            )

    def _renames(self, one: Received, forgotten: Mapping[str, int]) -> bool:
        """Whether the conversation may be called something else now: it has another case or tag, or
        its customer's name is not the one that was seen last in this process."""
        body, stream = one.envelope.body, one.envelope.subject
        if isinstance(body, _NAMING):
            return True
        if not isinstance(body, MessageReceived) or body.message.sender is None:
            return False
        return self._is_news(
            (stream, ""), body.message.sender.name, one.envelope.sequence, forgotten
        )

    def _is_news(
        self, of: tuple[str, str], name: str, sequence: int, forgotten: Mapping[str, int]
    ) -> bool:
        """Whether the name was not seen yet, or was forgotten with its person since."""
        known, seen_at = self._seen.get(of, (None, 0))
        self._seen[of] = name, max(sequence, seen_at)
        return name != known or seen_at <= forgotten.get(of[0], 0)


def _sender_of(body: object) -> Sender | None:
    match body:
        case MessageReceived() | MessageWithheld():
            return body.message.sender
    return None


def _those_of(entry: Entry | None) -> Iterator[Entry]:
    if entry is not None:
        yield entry
