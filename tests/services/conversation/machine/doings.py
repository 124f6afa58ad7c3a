"""How the state machine's steps are done, what it remembers of them, what is checked at the end."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import bson
from bson.codec_options import CodecOptions

from libs.events.content import Channel, Content, Sender
from libs.events.inbound import DeliveryChanged, DeliveryWatermark, InboundReceived
from libs.events.topics import Topic
from libs.eventstore.verifying import verify_stream
from libs.runtime.mongo import Document
from services.conversation.domain import corrections, messages
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.state import ConversationState
from services.conversation.loading import replay
from services.conversation.read_models import read_models
from services.conversation.rebuild import rebuild
from services.conversation.rows import INBOX, MESSAGES, find_rows, inbox_row
from services.conversation.tasks import Done, NotThere, Task
from tests.services.conversation.domain.acts import acts_of
from tests.services.conversation.machine.checks import (
    check_causes,
    check_every_state,
    check_told,
    events_of,
    recounted,
    timers_of,
)
from tests.services.conversation.machine.plant import Plant, Replica, Stop
from tests.services.conversation.world import DEPLOYMENT_KEY


class Doings:
    """``heard`` and ``consumed``: which receipts, how many messages, were dealt with to the end.
    ``effective`` and ``refused``: the commands by their last answers, ``unanswered`` those without.
    """

    plant: ClassVar[Plant]

    def prepare(self, routed: bool) -> None:
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
        """What was done once is not refused later, nor done again."""
        if isinstance(outcome, Done):
            if outcome.changes or outcome.repeated:
                assert cause not in self.effective or outcome.repeated
                self.effective.add(cause)
                # What was refused may be done when it is asked again: the case has moved on.
                self.refused.discard(cause)
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
        for stream in commits:
            assert (await verify_stream(engine.commits, stream)).findings == ()
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
