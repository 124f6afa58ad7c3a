"""Anything, in any order, with crashes and pauses between append, project, publish and mark.

Each example has two conversations of its own and two replicas that take turns, on the real MongoDB
and the real Kafka. A step that comes to an end or not: then everything comes to rest, and what must
hold is checked against what the store keeps.

`PARLEY_MACHINE_EXAMPLES` is how many examples are tried, `PARLEY_MACHINE_SEED` where they begin.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import bson
import hypothesis
import pytest
from bson.codec_options import CodecOptions
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from libs.events.commands import RouteCase
from libs.events.content import Channel, Content, ReachedState, Sender
from libs.events.inbound import DeliveryChanged, DeliveryWatermark, InboundReceived
from libs.events.topics import Topic
from libs.eventstore.outbox import Step
from libs.runtime.mongo import Document
from services.conversation.domain import corrections, messages
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.state import ConversationState, case_id_of
from services.conversation.loading import replay
from services.conversation.read_models import read_models
from services.conversation.rebuild import rebuild
from services.conversation.rows import INBOX, MESSAGES, find_rows, inbox_row
from services.conversation.settings import ConversationSettings
from services.conversation.tasks import Done, NotThere, Task
from tests.services.conversation.domain.acts import MEMBERS, acts_of
from tests.services.conversation.machine.checks import (
    check_causes,
    check_every_state,
    check_told,
    events_of,
    recounted,
    timers_of,
)
from tests.services.conversation.machine.plant import Plant, Replica, Stop, plant_of
from tests.services.conversation.world import DEPLOYMENT_KEY, settings_of

pytestmark = pytest.mark.servers

EXAMPLES = int(os.environ.get("PARLEY_MACHINE_EXAMPLES", "100"))
SEED = os.environ.get("PARLEY_MACHINE_SEED")

# After so many examples their rows are rebuilt; one by one it would take most of the time.
TOGETHER = 25

ACTS = sorted(acts_of(MEMBERS[0]))
# Two in three go well: a world in which everything crashes gets nowhere.
stops = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        Stop, st.sampled_from(["crash", "pause"]), st.sampled_from(list(Step)), st.integers(1, 2)
    ),
)
which = st.integers(0, 1)
variants = st.integers(0, 11)


class Machine(RuleBasedStateMachine):
    plant: ClassVar[Plant]
    examples: ClassVar[int] = 0

    @initialize(routed=st.booleans())
    def begin(self, routed: bool) -> None:
        plant = self.plant
        self.threads = [f"t{next(plant.numbers)}" for _ in range(2)]
        self.routed = [False, routed]
        self.streams = [
            plant.conversation_id(thread, routed=r)
            for thread, r in zip(self.threads, self.routed, strict=True)
        ]
        self.inbound: list[InboundReceived] = []
        self.consumed = 0
        self.receipts: list[DeliveryChanged | DeliveryWatermark] = []
        self.heard: set[int] = set()
        self.commands: dict[str, Task[Conversation]] = {}
        self.unanswered: list[str] = []
        self.effective: set[str] = set()
        self.refused: set[str] = set()
        self.replied: list[tuple[str, str]] = []
        # Given two customers who wrote.
        for at in (0, 1):
            self.somebody_writes(at, "incoming", 1)
        self.messages_are_consumed(0, 0, None)

    # What comes in.

    @rule(at=which, direction=st.sampled_from(["incoming", "incoming", "outgoing"]), late=variants)
    def somebody_writes(self, at: int, direction: Any, late: int) -> None:
        self.inbound.append(self._inbound(at, next(self.plant.numbers), "message", direction, late))

    @rule(at=which, back=st.integers(1, 3))
    def somebody_edits(self, at: int, back: int) -> None:
        of_thread = [m for m in self.inbound if m.conversation_id == self.streams[at]]
        number = next(self.plant.numbers)
        edited = of_thread[-back % len(of_thread)]
        edit = self._inbound(at, number, "edit", edited.direction, 0)
        self.inbound.append(replace(edit, message_id=edited.message_id))

    @rule(back=st.integers(1, 4))
    def the_platform_repeats_itself(self, back: int) -> None:
        self.inbound.append(self.inbound[-back % len(self.inbound)])

    @rule(by=which, back=st.integers(0, 3), stop=stops)
    def messages_are_consumed(self, by: int, back: int, stop: Stop | None) -> None:
        """Also some once more: their offsets were not committed."""
        end = len(self.inbound)
        batch = self.inbound[max(self.consumed - back, 0) : end]
        handled = self._handle(by, Topic.INBOUND, batch, stop)
        if handled is not None:
            assert handled == []
            self.consumed = max(self.consumed, end)

    # What members do.

    @rule(by=which, at=which, act=st.sampled_from(ACTS), who=st.sampled_from(MEMBERS),
          variant=variants, stop=stops)  # fmt: skip
    def a_member_acts(
        self, by: int, at: int, act: str, who: str, variant: int, stop: Stop | None
    ) -> None:
        cause = self._command(at, act, who, variant)
        self._do(by, [cause], stop)

    @rule(by=which, at=which, stop=stops, acts=st.lists(
        st.tuples(st.sampled_from(ACTS), st.sampled_from(MEMBERS), variants),
        min_size=2, max_size=4))  # fmt: skip
    def several_act_at_once(
        self, by: int, at: int, acts: list[tuple[str, str, int]], stop: Stop | None
    ) -> None:
        self._do(by, [self._command(at, *one) for one in acts], stop)

    @rule(at=which, one=st.sampled_from(ACTS), other=st.sampled_from(ACTS), variant=variants)
    def two_replicas_act_at_once(self, at: int, one: str, other: str, variant: int) -> None:
        causes = [self._command(at, one, "dima", variant), self._command(at, other, "olena", 1)]
        self.plant.run(self._race(causes))

    @rule(by=which, back=st.integers(1, 3), stop=stops)
    def somebody_repeats_a_command(self, by: int, back: int, stop: Stop | None) -> None:
        if self.commands:
            causes = list(self.commands)
            self._do(by, [causes[-back % len(causes)]], stop)

    @rule(by=which, stop=stops)
    def routing_decides(self, by: int, stop: Stop | None) -> None:
        stream = self.streams[1]
        batch = [
            RouteCase(
                cause=f"route/{stream}/{number}",
                conversation_id=stream,
                case_id=case_id_of(stream, number),
                group_id="grp_1",
            )
            for number in (1, 2)
        ]
        self._handle(by, Topic.COMMANDS, batch, stop)

    # What becomes of what was sent.

    @rule(back=st.integers(1, 3), state=st.sampled_from(["sent", "delivered", "read"]))
    def the_platform_tells_of_one(self, back: int, state: Any) -> None:
        if self.replied:
            place = -back % len(self.replied)
            stream, message_id = self.replied[place]
            order = ("sent", "delivered", "read").index(state)
            self.receipts.append(
                DeliveryChanged(
                    message_id=message_id,
                    conversation_id=stream,
                    source_id="src_1",
                    state=state,
                    occurred_at=self._sent_at(place) + timedelta(milliseconds=order),
                    external_message_ids=(f"x{message_id}",),
                )
            )

    @rule(back=st.integers(1, 3), state=st.sampled_from(["delivered", "read"]), named=st.booleans())
    def the_platform_tells_of_all_until_one(
        self, back: int, state: ReachedState, named: bool
    ) -> None:
        if self.replied:
            place = -back % len(self.replied)
            stream, message_id = self.replied[place]
            up_to = self._sent_at(place) + timedelta(milliseconds=5)
            self.receipts.append(
                DeliveryWatermark(
                    conversation_id=stream,
                    source_id="src_1",
                    state=state,
                    occurred_at=up_to,
                    up_to=None if named else up_to,
                    up_to_external=f"x{message_id}" if named else None,
                )
            )

    @rule(by=which, picks=st.lists(st.integers(0, 5), min_size=1, max_size=4), stop=stops)
    def receipts_are_consumed(self, by: int, picks: list[int], stop: Stop | None) -> None:
        """In any order, some of them again."""
        if self.receipts:
            chosen = {pick % len(self.receipts): None for pick in picks}
            batch = [self.receipts[place] for place in chosen]
            if self._handle(by, Topic.DELIVERY, batch, stop) is not None:
                self.heard |= chosen.keys()

    # What replicas do.

    @rule(by=which, stop=stops)
    def a_replica_sweeps(self, by: int, stop: Stop | None) -> None:
        replica = self._free(by)
        self.plant.run(replica.do(replica.engine.outbox.sweep(), stop))

    @rule(by=which)
    def a_replica_starts_anew(self, by: int) -> None:
        self._free(by).restart()

    @precondition(lambda self: any(one.is_paused for one in self.plant.replicas))
    @rule(by=which)
    def a_paused_replica_goes_on(self, by: int) -> None:
        self.plant.run(self.plant.replicas[by].go_on())

    # When all has come to rest.

    def teardown(self) -> None:
        if not hasattr(self, "streams"):
            return
        self.plant.run(self._come_to_rest())
        self.plant.run(self._check())
        type(self).examples += 1
        if self.examples % TOGETHER == 0:
            self.plant.run(rebuilt(self.plant))

    async def _come_to_rest(self) -> None:
        for replica in self.plant.replicas:
            await replica.go_on()
            replica.restart()
        engine = self.plant.replicas[0].engine
        received = self.plant.received
        rest = self.inbound[self.consumed :]
        if rest:
            batch = [received(m, m.conversation_id) for m in rest]
            assert await engine.handlers[Topic.INBOUND](batch) == []
        unheard = [r for n, r in enumerate(self.receipts) if n not in self.heard]
        if unheard:
            told = [received(r, r.conversation_id) for r in unheard]
            assert await engine.handlers[Topic.DELIVERY](told) == []
        for cause in self.unanswered:
            outcome = (await engine.desk.handle([self.commands[cause]]))[0]
            self._note(cause, outcome)
        while await engine.commits.count_pending():
            await engine.outbox.sweep()

    async def _check(self) -> None:
        plant = self.plant
        engine = plant.replicas[1].engine
        replies = [message_id for _, message_id in self.replied]
        commits = await engine.store.load(dict.fromkeys([*self.streams, *replies], 0))
        told = {
            stream: await engine.store.open_messages([m for c in own for m in c.public])
            for stream, own in commits.items()
        }
        by_key = await plant.told()
        ours = [record for stream in self.streams for record in by_key[stream.encode()]]
        check_told(plant.world.namespace, told, ours)
        rows = {row["_id"]: row for row in await find_rows(plant.database[INBOX], self.streams)}
        for stream in self.streams:
            events = events_of(commits[stream])
            if not events:
                assert stream not in rows
                continue
            check_every_state(events)
            causes = check_causes(commits[stream])
            snapshot: Snapshot[ConversationState] | None = replay(None, commits[stream])
            assert snapshot is not None
            assert rows[stream] == kept(inbox_row(stream, snapshot))
            assert timers_of(snapshot.state.case) == recounted(events)
            # Every message is there once, each command that was answered as done, none refused.
            inbound = {m.cause for m in self.inbound if m.conversation_id == stream}
            assert inbound <= causes.keys()
            seen = messages.MessageReceived | corrections.MessageEdited | messages.MessageSent
            written = [e for e in events if isinstance(e, seen) and not _by_member(e)]
            assert len(written) == len(inbound)
            own = {cause for cause in self.commands if self.commands[cause].stream == stream}
            assert own & causes.keys() == own & self.effective
            assert not own & self.refused & causes.keys()
        await self._check_deliveries()

    async def _check_deliveries(self) -> None:
        """Each message is as far as anybody said of it, or of all that were sent until then."""
        order = ("queued", "sent", "delivered", "read")
        rows = await find_rows(self.plant.database[MESSAGES], [m for _, m in self.replied])
        reached = {row["_id"]: row["delivery"]["reach"] for row in rows if "delivery" in row}
        sent_at: dict[str, datetime] = {}
        wanted: dict[str, str] = {}
        for receipt in self.receipts:
            if isinstance(receipt, DeliveryChanged):
                name, at = receipt.message_id, receipt.occurred_at
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

    # How it is done.

    def _inbound(
        self, at: int, number: int, kind: Any, direction: Any, late: int
    ) -> InboundReceived:
        plant, thread, stream = self.plant, self.threads[at], self.streams[at]
        source_id, now = plant.source_ids[self.routed[at]], datetime.now(UTC)
        return InboundReceived(
            cause=f"{kind}/{number}",
            kind=kind,
            direction=direction,
            channel=Channel.TELEGRAM,
            source_id=source_id,
            conversation_id=stream,
            thread=thread,
            customer_id=plant.id_key.customer(source_id, thread),
            sender=Sender(external_id=thread, name="Ada"),
            message_id=plant.id_key.message(source_id, thread, str(number)),
            external_message_id=str(number),
            content=Content(text=f"{kind} {number}"),
            occurred_at=now - timedelta(seconds=late),
            received_at=now,
        )

    def _command(self, at: int, act: str, who: str, variant: int) -> str:
        number = next(self.plant.numbers)
        step, stream = 12 * number + variant, self.streams[at]
        decided = acts_of(who)[act]

        def decide(conversation: Conversation) -> None:
            if conversation.state is None:
                raise NotThere
            decided(conversation, step)

        cause = f"{act}/{number}"
        workspace_id = self.plant.world.workspace_id
        self.commands[cause] = Task(workspace_id, stream, cause, decide)
        if act == "reply":
            self.replied.append((stream, f"msg_{step}"))
        return cause

    def _do(self, by: int, causes: list[str], stop: Stop | None) -> None:
        replica = self._free(by)
        tasks = [self.commands[cause] for cause in causes]
        outcomes = self.plant.run(replica.do(replica.engine.desk.handle(tasks), stop))
        if outcomes is None:
            self.unanswered += causes
        else:
            for cause, outcome in zip(causes, outcomes, strict=True):
                self._note(cause, outcome)

    async def _race(self, causes: list[str]) -> None:
        free = [replica for replica in self.plant.replicas if not replica.is_paused]
        outcomes = await asyncio.gather(
            *(
                free[n % len(free)].engine.desk.handle([self.commands[cause]])
                for n, cause in enumerate(causes)
                if free
            )
        )
        for cause, (outcome,) in zip(causes, outcomes, strict=False):
            self._note(cause, outcome)

    def _note(self, cause: str, outcome: Any) -> None:
        """An answer is for ever: what was done once is not refused later, nor done again."""
        if isinstance(outcome, Done):
            if outcome.changes or outcome.repeated:
                assert cause not in self.effective or outcome.repeated
                self.effective.add(cause)
        else:
            assert cause not in self.effective
            self.refused.add(cause)

    def _handle(self, by: int, topic: Topic, batch: Any, stop: Stop | None) -> list[Any] | None:
        if not batch:
            return None
        replica = self._free(by)
        received = [self.plant.received(body, body.conversation_id) for body in batch]
        handled = self.plant.run(replica.do(_called(replica, topic, received), stop))
        return None if handled is None else list(handled)

    def _free(self, by: int) -> Replica:
        """A replica that is not paused: the one asked for, or the other, or it goes on first."""
        replicas = self.plant.replicas
        for replica in (replicas[by], replicas[1 - by]):
            if not replica.is_paused:
                return replica
        self.plant.run(replicas[by].go_on())
        return replicas[by]

    def _sent_at(self, place: int) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=10 * place)


_OPTIONS: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)


async def rebuilt(plant: Plant) -> None:
    """What is there equals what is rebuilt from the commits; then it makes room for more."""
    for name in ("inbox", "messages", "customers"):
        model = read_models(DEPLOYMENT_KEY)[name]()
        outcome = await rebuild(plant.database, DEPLOYMENT_KEY, model)
        assert (outcome.replaced, outcome.removed) == (0, 0), name
    await plant.forget()


def kept(row: Document) -> Document:
    """As MongoDB gives it back: times to the millisecond."""
    return bson.decode(bson.encode(row), _OPTIONS)


async def _called(replica: Replica, topic: Topic, received: list[Any]) -> Any:
    return await replica.engine.handlers[topic](received)


def _by_member(event: Any) -> bool:
    return isinstance(event, messages.MessageSent) and event.member_id is not None


@pytest.fixture
def machine_settings(
    kafka_bootstrap: str, own_namespace: str, mongodb_url: str, mongodb_name: str
) -> ConversationSettings:
    return settings_of(
        kafka_bootstrap,
        own_namespace,
        mongodb_url,
        mongodb_name,
        PARLEY_CONVERSATION_SETTLE_SECONDS="0",
    )


@pytest.mark.timeout(24 * 60 * 60)
def test_whatever_happens_nothing_is_lost_doubled_or_miscounted(
    machine_settings: ConversationSettings,
) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        held = plant_of(machine_settings)
        Machine.plant = loop.run_until_complete(held.__aenter__())
        try:
            run = run_state_machine_as_test
            if SEED is not None:
                run = hypothesis.seed(int(SEED))(run)
            run(
                Machine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                ),
            )
        finally:
            loop.run_until_complete(held.__aexit__(None, None, None))
