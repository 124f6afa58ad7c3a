"""The timeline of one conversation, read straight from its commits.

No second copy of what was written is kept: a commit's id is its place, so a page is a range of ids.
What became of a message afterwards (delivery, an edit) is joined from the messages' rows.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta

from libs.aggregates.aggregate import Snapshot
from libs.events.api import CustomerTimeline, TimelineItem, TimelinePage
from libs.events.content import Content
from libs.eventstore.commits import StoredEvent
from libs.runtime.cursors import Place, cursor_of, place_of
from libs.runtime.rows import Rows, find_rows
from services.conversation.domain.conversation.blocking import MessageWithheld
from services.conversation.domain.conversation.corrections import (
    CorrectionFailed,
    CustomerCopy,
    MessageEdited,
)
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.sending import MessageResent, Sending
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import Event, decode, erased
from services.conversation.localization.localizer import Localizer, wrong
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.messages.parts import (
    MessageRow,
    attempts_of,
    deletion_of,
    edit_of,
)
from services.conversation.read_models.messages.rows import delivery_of
from services.conversation.read_models.views import (
    customer_message,
    is_item,
    message_id_of,
    row_id_of,
    timeline_item,
)

type Placed = tuple[int, Event[Any]]

_CHUNK: Final = 50


class _Before(Place, frozen=True):
    """Before which position a page ends."""

    position: Annotated[int, Meta(ge=0)]


class Timeline:
    """Of the conversation whose state is given: who has that was allowed to see it."""

    def __init__(
        self, store: SealedStore, messages: Rows, snapshot: Snapshot[ConversationState]
    ) -> None:
        self._store = store
        self._messages = messages
        self._id = snapshot.state.thread.conversation_id
        self._version = snapshot.version
        self._forgotten = snapshot.state.forgotten

    async def page(self, cursor: str | None, limit: int, localizer: Localizer) -> TimelinePage:
        """Newest first; ``localizer`` tells of the actions. Errors: Invalid (the cursor)."""
        of = ("timeline", self._id)
        before = place_of(cursor, _Before, *of).position if cursor else self._version + 1
        found = await _first(limit + 1, self._backwards(before, limit + 1), is_item)
        rows = await self._rows(found[:limit])
        items = [
            item
            for position, event in found[:limit]
            if (item := timeline_item(self._id, position, event, rows.get(_key(event)), localizer))
        ]
        more = len(found) > limit
        return TimelinePage(
            items=tuple(items), next=cursor_of(_Before(items[-1].position), *of) if more else None
        )

    async def for_customer(self, after: int, limit: int) -> CustomerTimeline:
        """Messages only, oldest first, those after the position."""
        found = await _first(
            limit + 1, self._forwards(after), lambda event: message_id_of(event) is not None
        )
        rows = await self._rows(found[:limit])
        items = [
            item
            for position, event in found[:limit]
            if (item := customer_message(position, event, rows.get(_key(event))))
        ]
        return CustomerTimeline(items=tuple(items), more=len(found) > limit)

    async def comments(self, limit: int, localizer: Localizer) -> list[TimelineItem]:
        """The newest public messages that are still there; those before them are not looked for."""
        found = await _first(limit, self._backwards(self._version + 1, limit), lambda _: True)
        rows = await self._rows(found)
        items = (
            timeline_item(self._id, position, event, rows.get(_key(event)), localizer)
            for position, event in found
        )
        return [i for i in items if i and i.visibility == "public" and not i.deleted_at]

    async def find(self, item_id: str) -> Placed | None:
        """Where a message, a note or an activity stands. The newest are looked through first."""
        async for position, event in self._backwards(self._version + 1, _CHUNK):
            named = (getattr(event, name, None) for name in ("note_id", "activity_id"))
            if item_id in (message_id_of(event), *named):
                return position, event
        return None

    async def item(self, item_id: str, localizer: Localizer) -> TimelineItem | None:
        """A message, a note or an activity as a page has it."""
        placed = await self.find(item_id)
        if placed is None:
            return None
        rows = await self._rows([placed])
        return timeline_item(self._id, *placed, rows.get(_key(placed[1])), localizer)

    async def external_id(self, message_id: str) -> str | None:
        """The platform's id of a message, to quote it there; None while it is not known.

        Errors: Invalid (no such message in this conversation).
        """
        placed = await self.find(message_id)
        if placed is None or message_id_of(placed[1]) is None:
            raise wrong("reply_to", "quoted")
        event = placed[1]
        if isinstance(event, MessageReceived | MessageSent | MessageWithheld) and (
            event.external_message_id
        ):
            return event.external_message_id
        rows = await find_rows(self._messages, [message_id])
        sent = delivery_of(rows[0]) if rows else None
        # Of a message that was sent in parts, the last stands nearest to the answer.
        parts = sent.state.external_message_ids if sent else ()
        return parts[-1] if parts else None

    async def customer_copy(self, message_id: str, asked: int) -> CustomerCopy | None:
        """What the customer has of a message, now that the correction that was decided on at the
        version ``asked`` failed: its newest edit that has not. None: there is no such message."""
        failed = {asked}
        newest: MessageEdited | None = None
        attempted: Content | None = None
        async for position, event in self._backwards(self._version + 1, _CHUNK):
            if getattr(event, "message_id", None) != message_id:
                continue
            match event:
                case CorrectionFailed():
                    failed.add(event.asked)
                case MessageEdited() if position == asked:
                    attempted = event.content
                case MessageEdited() if newest is None and position not in failed:
                    newest = event
                case MessageReceived() | MessageSent() | MessageWithheld():
                    content = newest.content if newest else event.content
                    edited_at = newest.at if newest else None
                    return CustomerCopy(
                        content=content, edited_at=edited_at, attempted=attempted, asked=asked
                    )
        return None

    async def sending(self, message_id: str) -> Sending | None:
        """The message as it is now, with all that was recorded since it was sent last. None: no
        member has sent it through Parley."""
        later: list[Placed] = []
        since: list[Placed] = []
        async for position, event in self._backwards(self._version + 1, _CHUNK):
            later.append((position, event))
            if getattr(event, "message_id", None) != message_id:
                continue
            if not since and isinstance(event, MessageSent | MessageResent):
                since = later[::-1]
            if not isinstance(event, MessageSent) or event.member_id is None:
                if isinstance(event, MessageReceived | MessageSent | MessageWithheld):
                    return None
                continue
            rows = await find_rows(self._messages, [message_id])
            row = rows[0] if rows else {}
            *earlier, latest = attempts_of(row, event.member_id, event.at)
            delivery, edit, deletion = delivery_of(row), edit_of(row), deletion_of(row)
            return Sending(
                message_id=message_id,
                attempt=latest,
                content=edit[0] if edit and not event.content.erased else event.content,
                since=since,
                earlier=tuple(earlier),
                external_message_ids=delivery.state.external_message_ids if delivery else (),
                reply_to=event.reply_to,
                reply_to_external=event.reply_to_external,
                visibility=event.visibility,
                deleted_at=deletion[0] if deletion else None,
            )
        return None

    async def _rows(self, placed: Sequence[Placed]) -> dict[str, MessageRow]:
        ids = {message_id for _, event in placed if (message_id := row_id_of(event))}
        return {row["_id"]: row for row in await find_rows(self._messages, ids)}

    async def _backwards(self, before: int, chunk: int) -> AsyncIterator[Placed]:
        """Events before the position, newest first."""
        while before > 1:
            commits = await self._store.read(self._id, before, min(chunk, _CHUNK), backwards=True)
            if not commits:
                return
            for commit in commits:
                for position in range(min(commit.last, before - 1), commit.first - 1, -1):
                    stored = commit.events[position - commit.first]
                    yield position, remembered(stored, position, self._forgotten)
            before = commits[-1].first

    async def _forwards(self, after: int) -> AsyncIterator[Placed]:
        """Events after the position, which may be in the middle of a commit, oldest first."""
        if after >= self._version:
            return
        commits = []
        if after > 0:
            commits = await self._store.read(self._id, after + 1, 1, backwards=True)
        commits += await self._store.read(self._id, commits[-1].last if commits else 0, _CHUNK)
        while commits:
            for commit in commits:
                for position, stored in enumerate(commit.events, commit.first):
                    if position > after:
                        yield position, remembered(stored, position, self._forgotten)
            commits = await self._store.read(self._id, commits[-1].last, _CHUNK)


class Timelines:
    """The timelines of conversations; who asks has the state that they are to be read up to."""

    def __init__(self, store: SealedStore, messages: Rows) -> None:
        self._store = store
        self._messages = messages

    def of(self, snapshot: Snapshot[ConversationState]) -> Timeline:
        return Timeline(self._store, self._messages, snapshot)


def remembered(stored: StoredEvent, position: int, forgotten: int) -> Event[Any]:
    """The event at that position of a stream of which what stands before ``forgotten`` is: it is
    not shown again, whatever key is still in memory here."""
    event = decode(stored.type, stored.data)
    return erased(event) if position < forgotten else event


async def _first(
    limit: int, events: AsyncIterator[Placed], wanted: Callable[[Event[Any]], bool]
) -> list[Placed]:
    """As many of those that are wanted; nothing behind them is read."""
    found: list[Placed] = []
    async for placed in events:
        if wanted(placed[1]):
            found.append(placed)
            if len(found) == limit:
                break
    return found


def _key(event: Event[Any]) -> str:
    return row_id_of(event) or ""
