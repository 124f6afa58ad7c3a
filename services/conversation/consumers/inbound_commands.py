"""What platforms tell of messages, in whatever order it comes, as decisions on conversations.

A platform numbers and dates what it tells, and promises no order: an edit may come before its
message or after a later edit, a deletion before what it deletes, parts of an album one by one. What
is right follows from the platform's own times, whatever came first. So of a batch that holds more
than plain messages it is looked up what was there before, in few queries: which messages came in
(by their causes), and what became of them (by their rows).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from libs.aggregates.commands import Command
from libs.aggregates.repository import AggregateRepository
from libs.events.content import Content
from libs.events.ids import IdKey
from libs.events.inbound import InboundDeleted, InboundReceived
from libs.runtime.consumer import Received, Transient
from libs.runtime.rows import Rows, find_rows
from services.conversation.consumers.early_deletions import EarlyDeletions
from services.conversation.domain.conversation.albums import joined, without_part
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.conversation.written import Place, Written
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.messages.parts import deletion_of, edit_of, last_edit_of
from services.conversation.read_models.timeline import Timeline

type Decide = Callable[[Conversation], None]
type Inbound = InboundReceived | InboundDeleted
type Origins = list[tuple[Received, Inbound]]

_DELETION_BYTES = 2_000


@dataclass(slots=True)
class _Known:
    """``sent``: rows by conversation and the platform's id; ``rows`` by message id. ``causes``:
    which messages came in. ``contents``: albums as they are after what was decided so far.
    ``erased``: messages from before their customer was forgotten, for the last of so many
    ``erasures``."""

    sent: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    rows: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    causes: set[tuple[str, str]] = field(default_factory=set)
    contents: dict[str, Content] = field(default_factory=dict)
    edited_at: dict[str, datetime] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    erasures: dict[str, int] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)

    def told_of(self, body: Inbound, written: Written) -> Written:
        """What was erased stays so, whatever is told of it later, and whenever that was made."""
        return written.forgotten() if body.message_id in self.erased else written

    def refuse_erased_since(self, conversation: Conversation) -> None:
        """Errors: Transient (the customer was forgotten after the messages were looked up)."""
        erasures = conversation.state.erasures if conversation.state else 0
        if erasures > self.erasures.get(conversation.stream, erasures):
            raise Transient("the customer is just being forgotten")


class InboundCommands:
    """Turns what platforms tell into commands: one of a message, an edit or a deletion, one of all
    parts of an album that came together."""

    def __init__(
        self,
        store: SealedStore,
        repository: AggregateRepository[ConversationState],
        messages: Rows,
        early: EarlyDeletions,
        ids: IdKey,
    ) -> None:
        self._store = store
        self._repository = repository
        self._messages = messages
        self._early = early
        self._ids = ids

    async def of(
        self, arrived: Sequence[tuple[Received, Inbound, Place, bool]]
    ) -> list[tuple[Command[Conversation], Origins]]:
        """The commands that the batch gives rise to, in order, each with the messages it comes of;
        none for what is so already. ``arrived``: each message as received and decoded, its source,
        and whether its customer is blocked. Errors: the driver's."""
        known = await self._look([body for _, body, _, _ in arrived])
        early: dict[str, datetime] = {}
        made: list[tuple[Command[Conversation], Origins]] = []
        albums: dict[str, list[tuple[Received, InboundReceived]]] = defaultdict(list)
        for one, body, _, _ in arrived:
            if isinstance(body, InboundDeleted) or not body.album or body.kind == "edit":
                continue
            if (body.conversation_id, body.cause) not in known.causes:
                albums[body.message_id].append((one, body))
        for one, body, place, blocked in arrived:
            origins: Origins = [(one, body)]
            command: Command[Conversation] | None
            if isinstance(body, InboundDeleted):
                command = self._deletion(one, body, known, early)
            elif body.kind == "edit":
                command = _edit(one, body, place, known, self._written(body, known, blocked))
            elif body.album:
                parts = albums.pop(body.message_id, [])
                origins = list(parts)
                command = self._album(parts, place, known, blocked) if parts else None
            else:
                command = self._message(
                    one, body, place, self._written(body, known, blocked), early
                )
                known.causes.add((body.conversation_id, body.cause))
            if command is not None:
                made.append((command, origins))
        await self._early.note(early)
        return made

    async def _look(self, bodies: Sequence[Inbound]) -> _Known:
        known = _Known()
        external: dict[str, set[str]] = defaultdict(set)
        causes: dict[str, set[str]] = defaultdict(set)
        ids: set[str] = set()
        for body in bodies:
            conversation_id = body.conversation_id
            if isinstance(body, InboundDeleted):
                for number in (body.external_message_id, *body.more):
                    external[conversation_id].add(number)
                    causes[conversation_id].add(self._cause(body, number))
                    ids.add(self._message_id(body, number))
                continue
            if body.reply_to_external:
                external[conversation_id].add(body.reply_to_external)
            if body.message_cause:
                causes[conversation_id].add(body.message_cause)
            if body.album:
                causes[conversation_id] |= {body.cause, _album_cause(body.message_id)}
            if body.kind == "edit" or body.album:
                ids.add(body.message_id)
        for row in await self._by_external(external):
            known.sent |= {(row["conversation"], number): row for number in row["external"]}
            ids.add(row["_id"])
        if causes:
            applied = await self._store.applied_causes(causes)
            known.causes = {(stream, one) for stream, some in applied.items() for one in some}
        if ids and causes:
            known.rows = {row["_id"]: row for row in await find_rows(self._messages, ids)}
        await self._look_for_erased(bodies, known)
        return known

    async def _look_for_erased(self, bodies: Sequence[Inbound], known: _Known) -> None:
        """What changes a message is little of all that comes, and who was forgotten are few."""
        changing = [
            body
            for body in bodies
            if isinstance(body, InboundReceived) and (body.kind == "edit" or body.album)
        ]
        if not changing:
            return
        loaded = await self._repository.load_consistent({body.conversation_id for body in changing})
        for stream, one in loaded.items():
            known.erasures[stream] = one.snapshot.state.erasures if one.snapshot else 0
        for body in changing:
            snapshot = loaded[body.conversation_id].snapshot
            if snapshot is not None and snapshot.state.forgotten:
                timeline = Timeline(self._store, self._messages, snapshot)
                placed = await timeline.find(body.message_id)
                if placed is not None and placed[0] < snapshot.state.forgotten:
                    known.erased.add(body.message_id)

    async def _by_external(self, wanted: Mapping[str, set[str]]) -> list[Mapping[str, Any]]:
        if not wanted:
            return []
        asked = [
            {"conversation": conversation_id, "external": {"$in": sorted(numbers)}}
            for conversation_id, numbers in wanted.items()
        ]
        told = {"conversation": 1, "external": 1, "delivery.v": 1}
        return list(await self._messages.find({"$or": asked}, told).to_list())

    def _message(
        self,
        one: Received,
        body: InboundReceived,
        place: Place,
        written: Written,
        early: Mapping[str, datetime],
    ) -> Command[Conversation]:
        deleted_at = early.get(body.message_id) or self._early.at.get(body.message_id)

        def decide(conversation: Conversation) -> None:
            conversation.arrive(written, body.direction, place)
            if deleted_at is not None:
                conversation.deleted_elsewhere(body.message_id, body.direction, deleted_at)

        return _command(one, body, place, decide)

    def _album(
        self,
        parts: Sequence[tuple[Received, InboundReceived]],
        place: Place,
        known: _Known,
        blocked: bool,
    ) -> Command[Conversation]:
        """One message of what has come; what comes later joins it."""
        (one, first), conversation_id = parts[0], parts[0][1].conversation_id
        message_id, album = first.message_id, _album_cause(first.message_id)
        content = _content_now(message_id, known)
        for _, body in parts:
            content = joined(content, body.content) if content else body.content
        is_there = (conversation_id, album) in known.causes
        causes = {body.cause for _, body in parts} | {album}
        earliest = min(parts, key=lambda part: part[1].occurred_at)[1]
        now = content or first.content
        written = msgspec.structs.replace(self._written(earliest, known, blocked), content=now)
        written = known.told_of(first, written)
        now = written.content
        known.contents[message_id] = now
        known.causes |= {(conversation_id, cause) for cause in causes}

        def decide(conversation: Conversation) -> None:
            known.refuse_erased_since(conversation)
            if not is_there:
                conversation.arrive(written, first.direction, place)
            conversation.join(written, first.direction)

        covers = causes - {first.cause} - ({album} if is_there else set())
        return _command(one, first, place, decide, covers)

    def _deletion(
        self, one: Received, body: InboundDeleted, known: _Known, early: dict[str, datetime]
    ) -> Command[Conversation] | None:
        """Nothing of what is deleted already: the team may have taken it back, of which the
        platform then tells. One that was sent in parts is deleted with the first of them."""
        decisions: list[Decide] = []
        for number in (body.external_message_id, *body.more):
            row = known.sent.get((body.conversation_id, number))
            message_id = row["_id"] if row else self._message_id(body, number)
            ours = row is not None and "delivery" in row
            content = _content_now(message_id, known) if row and not ours else None
            if message_id in known.deleted or deletion_of(known.rows.get(message_id, {})):
                continue
            if content is not None and (rest := without_part(content, number)) is not None:
                known.contents[message_id] = rest
                decisions.append(_shrunk(message_id, rest))
                continue
            came = (body.conversation_id, self._cause(body, number)) in known.causes
            if not (came or row or message_id in known.rows):
                early.setdefault(message_id, body.occurred_at)
                continue
            known.deleted.add(message_id)
            decisions.append(_deleted(message_id, body.occurred_at, ours=ours))
        if not decisions:
            return None

        def decide(conversation: Conversation) -> None:
            for decision in decisions:
                decision(conversation)

        return Command(
            one.envelope.workspace_id,
            body.conversation_id,
            body.cause,
            decide,
            one.envelope.extra,
            weight_bytes=_DELETION_BYTES * len(decisions),
        )

    def _written(self, body: InboundReceived, known: _Known, blocked: bool) -> Written:
        quoted = known.sent.get((body.conversation_id, body.reply_to_external or ""))
        return Written(
            message_id=body.message_id,
            external_message_id=body.external_message_id,
            customer_id=body.customer_id,
            sender=body.sender,
            content=body.content,
            occurred_at=body.occurred_at,
            received_at=body.received_at,
            thread=body.thread,
            reply_to=quoted["_id"] if quoted else body.reply_to,
            blocked=blocked,
            visibility=body.visibility,
            post=body.post,
            permalink=body.permalink,
            customer_name=body.customer.name if body.customer else "",
            sent_at=body.sent_at,
        )

    def _message_id(self, body: InboundDeleted, number: str) -> str:
        if number == body.external_message_id:
            return body.message_id
        return self._ids.message(body.source_id, body.thread, number)

    def _cause(self, body: InboundDeleted, number: str) -> str:
        return self._ids.message_cause(body.source_id, body.thread, number)


def _edit(
    one: Received, body: InboundReceived, place: Place, known: _Known, written: Written
) -> Command[Conversation] | None:
    """None: what the message says was said later."""
    message_id, cause, covers = body.message_id, body.message_cause, set[str]()
    key = (body.conversation_id, cause or "")
    is_there = cause is None or key in known.causes
    if body.album:
        album = (body.conversation_id, _album_cause(message_id))
        covers |= set() if is_there or cause is None else {cause}
        is_there = album in known.causes
        covers |= set() if is_there else {album[1]}
        present = _content_now(message_id, known)
        content = joined(present, body.content) if present else body.content
        written = known.told_of(body, msgspec.structs.replace(written, content=content))
        known.contents[message_id] = written.content
        known.causes.add(album)
    elif not is_there and cause is not None:
        covers = {cause}
    latest = known.edited_at.get(message_id) or last_edit_of(known.rows.get(message_id, {}))
    if is_there and latest is not None and latest > body.occurred_at:
        return None
    written = known.told_of(body, written)
    known.edited_at[message_id] = body.occurred_at
    if cause is not None:
        known.causes.add(key)

    def decide(conversation: Conversation) -> None:
        known.refuse_erased_since(conversation)
        if not is_there:
            conversation.arrive(written.before_its_edit(), body.direction, place)
        conversation.edit(written, body.direction, place)

    return _command(one, body, place, decide, covers)


def _content_now(message_id: str, known: _Known) -> Content | None:
    """Of an album: its row says all of it."""
    if message_id in known.contents:
        return known.contents[message_id]
    edit = edit_of(known.rows.get(message_id, {}))
    return edit[0] if edit else None


def _album_cause(message_id: str) -> str:
    """By which a stream knows that the first part of an album has come."""
    return f"album-{message_id}"


def _deleted(message_id: str, at: datetime, *, ours: bool) -> Decide:
    # Of a message that Parley did not send, the platform does not say who wrote it. Nearly always
    # it was the customer: the owner's own words in the platform's application are few.
    return lambda conversation: conversation.deleted_elsewhere(
        message_id, "outgoing" if ours else "incoming", at
    )


def _shrunk(message_id: str, content: Content) -> Decide:
    return lambda conversation: conversation.shrink(message_id, content)


def _command(
    one: Received,
    body: InboundReceived,
    place: Place,
    decide: Decide,
    covers: set[str] | frozenset[str] = frozenset(),
) -> Command[Conversation]:
    return Command(
        place.workspace_id,
        body.conversation_id,
        body.cause,
        decide,
        one.envelope.extra,
        weight_bytes=2 * len(one.record.value or b"") + 4_000,
        covers=tuple(sorted(covers)),
    )
