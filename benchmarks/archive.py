"""Conversations that were had long ago, without their having to be received one by one.

Each is decided by the real domain, step after step, and its rows go straight into the store; where
they are to be rebuilt, its commits too, one a step, sealed and with their public messages as the
service writes them. Of ten messages eight are the customer's and two the team's, which were
delivered. One in ten cases is new, two are in somebody's hands, the others are done.
"""

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks import texts
from libs.aggregates.aggregate import Snapshot
from libs.events.content import Channel, Content, Sender
from libs.events.ids import IdKey
from libs.eventstore.codec import to_document
from libs.eventstore.commits import GENESIS, Commit
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.conversation.written import Place, Written
from services.conversation.domain.sent_message import Receipt, SentIn, SentMessage
from services.conversation.privacy.keyring import Keyring, Wanted
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.privacy.sealed_store import COMMITS, Key, SealedStore
from services.conversation.publishing.conversations import (
    conversation_messages,
    delivery_messages,
    stored_events,
)
from services.conversation.read_models.customers.rows import CUSTOMERS, openings_of
from services.conversation.read_models.inbox.rows import INBOX, inbox_row
from services.conversation.read_models.messages.rows import MESSAGES, delivery_row
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.index import SEARCH

MESSAGES_EACH: Final = 10
TAGS: Final = ("vip", "wholesale", "опт", "жалоба", "скарга", "return-2026")
FIRST_NUMBER: Final = 1_000_000
_ANSWERED: Final = (3, 7)
_APART: Final = timedelta(seconds=20)
_STEP: Final = timedelta(seconds=97)
_LASTS: Final = (MESSAGES_EACH + 4) * _STEP
_TAGGED: Final = 0.05
_URGENT: Final = 0.03
_DUE: Final = 0.05
_AT_ONCE: Final = 200
_KEYS_KEPT: Final = 1_000


# What goes into each collection.
type _Made = dict[str, list[Document]]


@dataclass(frozen=True, slots=True)
class Desks:
    """Where the conversations are had, and by whom."""

    workspace_id: str
    source_ids: Sequence[str]
    location_ids: Sequence[str]
    member_ids: Sequence[str]


class Archive:
    """``now``: when the newest was last written in; each other one 20 s before the next."""

    def __init__(
        self, database: AsyncDatabase[Document], key: bytes, desks: Desks, now: datetime
    ) -> None:
        self._database = database
        self._store = SealedStore(
            AsyncEventStore(database[COMMITS]), Keyring(database, key, _KEYS_KEPT)
        )
        self._ids = IdKey(key)
        self._entries = Entries(key)
        self._desks = desks
        self._now = now.replace(microsecond=0)
        self._texts = texts.Texts(1)
        self._chance = random.Random(2)

    async def write_all(self, numbers: Iterable[int]) -> int:
        """Commits and rows of the conversations of these numbers, the newest first; how many
        events. Errors: the driver's."""
        events = 0

        async def kept(some: Sequence[int]) -> _Made:
            nonlocal events
            stories = [self._story(number) for number in some]
            keys = await self._store.keys(
                Wanted(Owner(story.customer_id, 1), self._desks.workspace_id, begins=True)
                for story in stories
            )
            made: _Made = defaultdict(list)
            for story in stories:
                events += story.snapshot.version + len(story.answers)
                self._keep(story, keys[story.customer_id], made)
            return made

        await self._insert(kept(some) for some in batched(numbers, _AT_ONCE))
        return events

    async def write_rows(self, numbers: Iterable[int]) -> None:
        """Only the rows of the inbox and of the search. Errors: the driver's."""

        def rows(some: Sequence[int]) -> _Made:
            stories = [self._story(number) for number in some]
            return {
                INBOX: [inbox_row(one.stream, one.snapshot) for one in stories],
                SEARCH: [row for one in stories for row in self._found(one)],
            }

        await self._insert(asyncio.to_thread(rows, some) for some in batched(numbers, _AT_ONCE))

    async def _insert(self, batches: Iterable[Awaitable[_Made]]) -> None:
        """Each batch is made while the one before it is written."""
        made: _Made = {}
        for following in batches:
            made, _ = await asyncio.gather(following, self._inserted(made))
        await self._inserted(made)

    async def _inserted(self, made: _Made) -> None:
        await asyncio.gather(
            *(
                self._database[collection].insert_many(documents, ordered=False)
                for collection, documents in made.items()
            )
        )

    def _story(self, number: int) -> "_Story":
        desks, chance = self._desks, self._chance
        source_id = desks.source_ids[number % len(desks.source_ids)]
        kind = chance.choices(("new", "active", "done"), (1, 2, 7))[0]
        member_id = chance.choice(desks.member_ids)
        place = Place(
            workspace_id=desks.workspace_id,
            source_id=source_id,
            channel=Channel.TELEGRAM,
            location_id=desks.location_ids[number % len(desks.location_ids)],
            routed=False,
            next_number=itertools.count(FIRST_NUMBER + number).__next__,
        )
        story = _Story(
            self._ids.conversation(source_id, str(number)),
            self._ids.customer(source_id, str(number)),
            self._now - number * _APART - _LASTS,
        )
        for at in range(MESSAGES_EACH):
            message_id = self._ids.message(source_id, str(number), str(at))
            text = self._text(number, at)
            if at in _ANSWERED and kind != "new":
                story.reply(member_id, message_id, text)
            else:
                story.receive(number, message_id, text, place)
            if at == 0:
                self._mark(story, member_id)
                if kind != "new":
                    story.step(lambda one: one.take(member_id))
        if kind == "active" and chance.random() < _DUE:
            due = self._now + timedelta(hours=chance.randrange(-24, 48))
            story.step(lambda one: one.set_due(member_id, due, manages=True))
        if kind == "done":
            story.step(lambda one: one.close(member_id, manages=True))
        return story

    def _text(self, number: int, at: int) -> str:
        text = self._texts.text()
        if at == 1 and number % 5 == 0:
            return f"{text} {texts.phone(number)}"
        if at == 2 and number % 10 == 0:
            return f"{text} {texts.email(number)}"
        return text

    def _mark(self, story: "_Story", member_id: str) -> None:
        draw = self._chance.random()
        if draw < _TAGGED:
            tag = TAGS[int(draw * 1_000) % len(TAGS)]
            story.step(lambda one: one.change_marks(member_id, "tag", add=[tag], remove=[]))
        elif draw < _TAGGED + _URGENT:
            story.step(lambda one: one.set_priority(member_id, "high"))

    def _found(self, story: "_Story") -> list[Document]:
        workspace_id = self._desks.workspace_id
        case = story.snapshot.state.case
        numbered = self._entries.of_case(
            workspace_id, story.stream, case.case_id, case.short_number, case.opened_at
        )
        entries = [self._entries.of_state(story.snapshot), *([numbered] if numbered else [])]
        entries += (
            self._entries.of_content(workspace_id, message_id, story.stream, version, at, text)
            for message_id, version, at, text in story.texts
        )
        return [entry.row() for entry in entries]

    def _keep(self, story: "_Story", key: Key, made: _Made) -> None:
        opened = list(self._commits(story, key))
        snapshot = replace(story.snapshot, head=opened[-1][1].hash)
        made[COMMITS] += [to_document(sealed) for _, sealed in opened]
        made[INBOX].append(inbox_row(story.stream, snapshot))
        made[CUSTOMERS] += openings_of([commit for commit, _ in opened])
        made[SEARCH] += self._found(story)
        for message_id, at in story.answers:
            self._deliver(story, message_id, at, made)

    def _commits(self, story: "_Story", key: Key) -> Iterator[tuple[Commit, Commit]]:
        """Each as it was decided, and as it is kept."""
        prev = GENESIS
        for conversation in story.decided:
            first = conversation.loaded_version + 1
            events = stored_events(conversation)
            public = conversation_messages(conversation, [{}] * len(conversation.changes))
            commit = Commit(
                stream=story.stream,
                first=first,
                causes=(f"{story.stream}.{first}",),
                recorded_at=conversation.now,
                events=self._store.sealed_events(story.stream, first, events, key),
                public=self._store.sealed_messages(public, key),
                pending=False,
                prev=prev,
            )
            prev = commit.hash
            yield replace(commit, events=events), commit

    def _deliver(self, story: "_Story", message_id: str, at: datetime, made: _Made) -> None:
        sent = SentMessage(message_id, None, at)
        sent_in = SentIn(self._desks.workspace_id, story.stream, story.snapshot.state.case.case_id)
        sent.receipt(Receipt("sent", at, (message_id[-8:],)), sent_in)
        commit = Commit(
            stream=message_id,
            first=1,
            causes=(f"{message_id}.sent",),
            recorded_at=sent.now,
            events=stored_events(sent),
            public=delivery_messages(sent, [(None, {})]),
            pending=False,
        )
        made[COMMITS].append(to_document(commit))
        made[MESSAGES].append(delivery_row(message_id, replace(sent.snapshot(), head=commit.hash)))


class _Story:
    """One conversation as it goes on, a step every 97 s; ``decided``: what each step decided.

    ``texts``: id, version, time and text of each message; ``answers``: the team's, and when.
    """

    def __init__(self, stream: str, customer_id: str, begins: datetime) -> None:
        self.stream = stream
        self.customer_id = customer_id
        self.decided: list[Conversation] = []
        self.texts: list[tuple[str, int, datetime, str]] = []
        self.answers: list[tuple[str, datetime]] = []
        self._at = begins

    @property
    def snapshot(self) -> Snapshot[ConversationState]:
        """Errors: IndexError before the first step."""
        return self.decided[-1].snapshot()

    def receive(self, number: int, message_id: str, text: str, place: Place) -> None:
        written = Written(
            message_id=message_id,
            external_message_id=message_id[-8:],
            customer_id=self.customer_id,
            sender=Sender(external_id=str(number), name=texts.name(number), language="uk"),
            content=Content(text=text),
            occurred_at=self._at,
            received_at=self._at,
            thread=str(number),
        )
        self._write(message_id, text, lambda one: one.receive(written, place))

    def reply(self, member_id: str, message_id: str, text: str) -> None:
        self.answers.append((message_id, self._at))
        content = Content(text=text)
        self._write(message_id, text, lambda one: one.reply(member_id, message_id, content))

    def step(self, decide: Callable[[Conversation], None]) -> None:
        conversation = Conversation(self.stream, self.snapshot if self.decided else None, self._at)
        decide(conversation)
        self.decided.append(conversation)
        self._at += _STEP

    def _write(self, message_id: str, text: str, decide: Callable[[Conversation], None]) -> None:
        at = self._at
        self.step(decide)
        self.texts.append((message_id, self.decided[-1].version, at, text))
