"""Writes the search's rows behind, from the events of the conversations."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from libs.events import conversation as public
from libs.events.content import Content
from libs.events.correcting import CorrectionFailed, MessageDeleted
from libs.events.marking import MarksChanged
from libs.events.withholding import MessageWithheld
from libs.runtime.consumer import Received, Refused, Wanted, of_types
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.state import ConversationState
from services.conversation.rows import Rows, find_rows, snapshot_of
from services.conversation.search.entries import WRITTEN, Entries
from services.conversation.search.index import Entry, SearchIndex

GROUP: Final = "conversation-search"
# A batch is cheaper the more it has, and nobody looks for what they have just written.
LINGER_SECONDS: Final = 0.3
PATIENCE_SECONDS: Final = 0.25
_NAMES_KEPT: Final = 20_000

# After these a conversation may be called something else; a blocked customer's may begin so.
_NAMING: Final = (
    public.CaseOpened,
    public.CustomerErased,
    public.CustomerKnown,
    MessageWithheld,
    MarksChanged,
)


def wanted() -> Wanted:
    """Which records the consumer needs at all."""
    return of_types(*WRITTEN, *_NAMING)


class SearchHandler:
    """``parley.conversation``: what was written, and what conversations are called by."""

    def __init__(self, index: SearchIndex, entries: Entries, inbox: Rows) -> None:
        self._index = index
        self._entries = entries
        self._inbox = inbox
        self._names: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        renamed = {one.envelope.subject for one in batch if self._renames(one)}
        named = [snapshot_of(row) for row in await find_rows(self._inbox, renamed)]
        # The words are looked up beside the loop: a batch of new ones takes long.
        new, changed = await asyncio.to_thread(self._entries_of, batch, named)
        await self._index.put(new, changed)
        return []

    def _entries_of(
        self, batch: Sequence[Received], named: Sequence[Snapshot[ConversationState]]
    ) -> tuple[list[Entry], list[Entry]]:
        """Those thought not to be there yet, and those that may be."""
        new: dict[str, Entry] = {}
        changed: dict[str, Entry] = {}
        for one in batch:
            body = one.envelope.body
            if isinstance(body, CorrectionFailed) and body.content is None:
                continue
            if isinstance(body, WRITTEN):
                entry = self._entry(one, body)
                edited = isinstance(
                    body,
                    public.MessageEdited | MessageDeleted | CorrectionFailed | public.CustomerKnown,
                )
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
            case public.CustomerKnown():
                return self._entries.of_card(
                    envelope.workspace_id,
                    envelope.subject,
                    envelope.sequence,
                    envelope.time,
                    body.card,
                )
            case public.NoteAdded():
                item_id, content = body.note_id, body.text
            case public.MessageReceived() | public.MessageSent() | public.MessageEdited():
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

    def _renames(self, one: Received) -> bool:
        """Whether the conversation may be called something else now: it has another case or tag, or
        its customer's name is not the one that was seen last in this process."""
        body, stream = one.envelope.body, one.envelope.subject
        if isinstance(body, _NAMING):
            return True
        if not isinstance(body, public.MessageReceived) or body.message.sender is None:
            return False
        name = body.message.sender.name
        known = self._names.get(stream)
        self._names[stream] = name
        self._names.move_to_end(stream)
        if len(self._names) > _NAMES_KEPT:
            self._names.popitem(last=False)
        return name != known
