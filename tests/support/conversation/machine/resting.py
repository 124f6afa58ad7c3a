"""When the steps are over: everything comes to rest, and what has to hold is checked."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import bson
from bson.codec_options import CodecOptions

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.repository import replay
from libs.events.directory import GroupState
from libs.events.inbound import DeliveryChanged, DeliveryWatermark
from libs.events.topics import Topic
from libs.eventstore.commits import Commit
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.mongo import Document
from libs.runtime.rows import find_rows
from services.conversation.domain.conversation import blocking, corrections, messages
from services.conversation.domain.conversation.erasure import CustomerErased
from services.conversation.domain.conversation.state import NO_CASE, ConversationState
from services.conversation.domain.customer.erasure import Erased
from services.conversation.domain.customer.identities import primary_of
from services.conversation.domain.customer.state import CustomerState
from services.conversation.domain.events import EVENTS
from services.conversation.privacy.erasure.erasures import ERASURES
from services.conversation.privacy.keyring import KEYS
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models.customers.rows import CUSTOMERS, customer_of
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.inbox.rows import INBOX, inbox_row, snapshot_of
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.rebuild.rebuild import rebuild
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.timeline import Timeline
from tests.support.conversation.machine.checks import (
    check_causes,
    check_every_state,
    check_told,
    events_of,
    recounted,
    timers_of,
)
from tests.support.conversation.machine.doings import AGENT, OWNER, Doings
from tests.support.conversation.machine.plant import Plant
from tests.support.conversation.world import DEPLOYMENT_KEY

type Streams = Mapping[str, Sequence[Commit]]

_OPTIONS: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)
_WRITTEN = (
    messages.MessageReceived,
    messages.MessageSent,
    blocking.MessageWithheld,
    blocking.EditWithheld,
    corrections.MessageEdited,
)
# Whatever anybody said, or is called.
_SAID = re.compile(rb"[a-z0-9]+said")


class Resting(Doings):
    async def _come_to_rest(self) -> None:
        counts = [replica.engine.counts for replica in self.plant.replicas]
        for replica in self.plant.replicas:
            await replica.go_on()
            replica.restart()
        first = self.plant.replicas[0]
        engine, received = first.engine, self.plant.received
        await engine.blocked.refresh()
        rest = self.inbound[self.consumed :]
        if rest:
            batch = [received(m, m.conversation_id) for m in rest]
            assert await engine.handlers[Topic.INBOUND](batch) == []
        unheard = [r for n, r in enumerate(self.receipts) if n not in self.heard]
        if unheard:
            told = [received(r, r.conversation_id) for r in unheard]
            assert await engine.handlers[Topic.DELIVERY](told) == []
        for cause in self.unanswered:
            self._note(cause, (await self._decided(first, [cause]))[0])
        if self.forgetting:
            await first.erasure.finish()
            await first.erasure.watch()
        await self._drain()
        began = (await self._heard(Topic.CONVERSATION))[self.begun :]
        assert await engine.new_conversations(began) == []
        while news := (await self._heard(Topic.CUSTOMER))[self.followed :]:
            self.followed += len(news)
            assert await engine.handlers[Topic.CUSTOMER](news) == []
            await self._drain()
        await first.search((await self._heard(Topic.CONVERSATION))[self.searched :])
        await first.search(await self._heard(Topic.CUSTOMER))
        if self.counting:
            await self._check_counts(counts)

    async def _drain(self) -> None:
        engine = self.plant.replicas[0].engine
        while await engine.commits.count_pending():
            await engine.outbox.sweep()

    async def _check_counts(self, along: Sequence[Counts]) -> None:
        """What was counted along is what is there."""
        workspace_id = self.plant.world.workspace_id
        group = GroupState(group_id="grp_1", name="Sales", member_ids=("ivan",))
        directory = WorkspaceDirectory(groups={"grp_1": group})
        anew = Counts(self.plant.database[INBOX])
        for member in (OWNER, AGENT):
            there = await anew.of(workspace_id, member, directory)
            for counts in along:
                for record in self.told:
                    counts.take(record)
                assert await counts.of(workspace_id, member, directory) == there

    async def _check(self) -> None:
        plant = self.plant
        engine = plant.replicas[1].engine
        replies = [message_id for _, message_id in self.replied]
        streams = dict.fromkeys([*self.streams, *self.customers, *replies], 0)
        commits = await engine.store.load(streams)
        expected = {
            stream: await engine.store.open_messages([m for c in own for m in c.public])
            for stream, own in commits.items()
        }
        forgotten = {stream: forgotten_in(own) for stream, own in commits.items()}
        persons = {self.whose[at] for at, one in enumerate(self.streams) if forgotten[one]}
        check_told(plant.world.namespace, expected, self.told, forgotten, persons)
        rows = {row["_id"]: row for row in await find_rows(plant.database[INBOX], self.streams)}
        for stream in self.streams:
            events = events_of(commits[stream])
            if not events:
                assert stream not in rows
                continue
            check_every_state(events)
            snapshot: Snapshot[ConversationState] | None = replay(EVENTS, None, commits[stream])
            assert snapshot is not None
            assert rows[stream] == kept(inbox_row(stream, snapshot))
            # What was withheld from the beginning on is in nobody's case.
            if snapshot.state.case.number != NO_CASE:
                assert timers_of(snapshot.state.case) == recounted(events)
            # Every message is there once, each command that was answered as done, none refused.
            causes = self._check_commands(stream, commits[stream])
            inbound = {m.cause for m in self.inbound if m.conversation_id == stream}
            assert inbound <= causes
            written = [e for e in events if isinstance(e, _WRITTEN) and not _by_member(e)]
            assert len(written) == len(inbound)
            await self._check_forgotten(commits[stream], forgotten[stream])
        for customer_id in self.customers:
            self._check_commands(customer_id, commits[customer_id])
            await self._check_forgotten(commits[customer_id], forgotten[customer_id])
            self._check_untold(customer_id, commits, forgotten[customer_id])
        if self.forgetting or any(commits[one] for one in self.customers):
            await self._check_persons(rows)
        await self._check_deliveries()

    def _check_commands(self, stream: str, commits: Sequence[Commit]) -> set[str]:
        """The causes that the stream has had."""
        causes = set(check_causes(commits))
        own = {cause for cause, command in self.commands.items() if command.stream == stream}
        assert own & causes == own & self.effective
        assert not own & self.refused & causes
        return causes

    async def _check_forgotten(self, commits: Sequence[Commit], upto: int) -> None:
        """Nothing is shown of what was said before; it is looked for everywhere later on."""
        words = self._said_before(upto, commits)
        self.plant.gone |= words
        snapshot: Snapshot[Any] | None = replay(EVENTS, None, commits)
        if not upto or snapshot is None or not isinstance(snapshot.state, ConversationState):
            return
        if not snapshot.state.thread.thread:
            self.plant.gone.add(self.threads[self.streams.index(commits[0].stream)].encode())
        store = self.plant.replicas[1].engine.store
        timeline = Timeline(store, self.plant.database[MESSAGES], snapshot)
        shown = await timeline.for_customer(0, 1_000)
        assert not words.intersection(_SAID.findall(str(shown).encode()))

    def _check_untold(self, customer_id: str, commits: Streams, upto: int) -> None:
        """What the conversations of others were told of who was forgotten does not open."""
        words = self._said_before(upto, commits[customer_id])
        for at, stream in enumerate(self.streams):
            if self.whose[at] != customer_id:
                stored = [event.data for commit in commits[stream] for event in commit.events]
                assert not words.intersection(_SAID.findall(b"".join(stored)))

    def _said_before(self, upto: int, commits: Sequence[Commit]) -> set[bytes]:
        return {
            self.words[cause].encode()
            for commit in commits
            if commit.last < upto
            for cause in commit.causes
            if cause in self.words
        }

    async def _check_persons(self, rows: Mapping[str, Document]) -> None:
        """All conversations show what is known of the customer, and each erasure is everywhere."""
        database = self.plant.database
        known = {row["_id"]: row for row in await find_rows(database[CUSTOMERS], self.customers)}
        held = await find_rows(database[KEYS], self.customers)
        keys = {one["_id"]: one["keys"].keys() for one in held}
        states: dict[str, CustomerState] = {
            name: customer.state for name, row in known.items() if (customer := customer_of(row))
        }
        pointers = {name: into for name, one in states.items() if (into := one.merged_into)}
        erasures = await database[ERASURES].find({"identity": {"$in": self.customers}}).to_list()
        for at, stream in enumerate(self.streams):
            if stream not in rows:
                continue
            state = snapshot_of(rows[stream]).state
            own = [one["number"] for one in erasures if one["identity"] == self.whose[at]]
            assert state.erasures == max(own, default=0)
            assert keys[self.whose[at]] == {str(state.erasures + 1)}
            if self.whose[at] in states:
                assert states[self.whose[at]].erasures in (0, state.erasures)
            primary_id = primary_of(self.whose[at], pointers)
            shown = state.shown_as
            assert shown.customer_id == primary_id
            card = states.get(primary_id, CustomerState("", primary_id))
            assert shown.name == card.card.name
            assert shown.has_phone == (card.card.phone is not None)
            assert shown.funnel_status == card.funnel_status
            assert shown.sales_plans == card.sales_plans
            person = [
                one for name, one in states.items() if primary_of(name, pointers) == primary_id
            ]
            assert bool(state.blocked) == any(one.blocked for one in person)
        await database[ERASURES].delete_many({"identity": {"$in": self.customers}})

    async def _check_deliveries(self) -> None:
        """Each message is, with its latest sending, as far as anybody said of it, or of all that
        were sent until then."""
        order = ("queued", "uncertain", "sent", "delivered", "read", "failed")
        rows = await find_rows(self.plant.database[MESSAGES], [m for _, m in self.replied])
        reached = {row["_id"]: row["delivery"]["reach"] for row in rows if "delivery" in row}
        told = [one for one in self.receipts if isinstance(one, DeliveryChanged)]
        latest: dict[str, int] = {}
        for receipt in told:
            known = latest.get(receipt.message_id, 1)
            latest[receipt.message_id] = max(receipt.attempt, known)
        sent_at: dict[str, datetime] = {}
        wanted: dict[str, str] = {}
        for receipt in told:
            name, at = receipt.message_id, receipt.occurred_at
            if receipt.attempt == latest[name]:
                if receipt.state in ("sent", "delivered", "read"):
                    sent_at[name] = min(sent_at.get(name, at), at)
                wanted[name] = max(wanted.get(name, "queued"), receipt.state, key=order.index)
        for mark in self.receipts:
            if isinstance(mark, DeliveryWatermark):
                named = (mark.up_to_external or "").removeprefix("x")
                up_to = mark.up_to or sent_at.get(named)
                for stream, name in self.replied:
                    before = up_to and stream == mark.conversation_id and name in sent_at
                    if up_to and before and sent_at[name] <= up_to:
                        wanted[name] = max(wanted[name], mark.state, key=order.index)
        assert reached == wanted


async def rebuilt(plant: Plant) -> None:
    """The commits' chains are whole; what is there equals what is rebuilt from them, and has
    nothing of who was forgotten. Then it makes room for more."""
    try:
        verified = await verify_all(AsyncEventStore(plant.database[COMMITS]))
        assert verified.streams
        assert verified.findings == []
        for name, model in read_models(DEPLOYMENT_KEY).items():
            outcome = await rebuild(plant.database, DEPLOYMENT_KEY, model())
            assert (outcome.replaced, outcome.removed) == (0, 0), name
        for name in await plant.database.list_collection_names():
            rows = await plant.database[name].find().to_list()
            assert not plant.gone.intersection(_SAID.findall(str(rows).encode())), name
    finally:
        await plant.forget()


def forgotten_in(commits: Sequence[Commit]) -> int:
    """The version of the stream's latest erasure, 0 where there was none."""
    return max(
        (
            version
            for commit in commits
            for version, event in enumerate(events_of([commit]), commit.first)
            if isinstance(event, CustomerErased | Erased)
        ),
        default=0,
    )


def kept(row: Document) -> Document:
    """As MongoDB gives it back: times to the millisecond."""
    return bson.decode(bson.encode(row), _OPTIONS)


def _by_member(event: Any) -> bool:
    return getattr(event, "member_id", None) is not None
