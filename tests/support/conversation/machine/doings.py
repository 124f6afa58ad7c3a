"""How the state machine's steps are done, and what it remembers of them."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from libs.aggregates.commands import Command, Done, NotThere
from libs.events import inbound
from libs.events.api import Draft
from libs.events.content import Channel, Content, Sender
from libs.events.directory import MemberState, Role
from libs.events.inbound import DeliveryChanged, DeliveryWatermark, InboundReceived
from libs.events.topics import Topic
from libs.runtime.consumer import Received, Transient
from libs.runtime.rows import find_rows
from services.conversation.commands.messages import Resending
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import (
    Correction,
    MessageDeleted,
    MessageEdited,
)
from services.conversation.domain.conversation.sending import MessageResent, Sending
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import By
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.customers.sets import CustomerSet, sets_of
from services.conversation.read_models.drafts import DRAFTS, Drafts
from services.conversation.read_models.inbox.rows import INBOX, snapshot_of
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.timeline import Timeline
from tests.support.conversation.acts import acts_of, customer_acts_of, said
from tests.support.conversation.machine.broker import Record
from tests.support.conversation.machine.plant import Plant, Replica, Stop, read

OWNER = MemberState(member_id="olena", name="Olena", email="o@x.example", role=Role.OWNER)
AGENT = MemberState(member_id="dima", name="Dima", email="d@x.example", role=Role.OPERATOR)


class Doings:
    """``heard``, ``consumed``, ``followed``, ``begun``, ``searched``: which receipts, how many
    messages and events were dealt with to the end. ``effective`` and ``refused``: the commands by
    their last answers, ``unanswered`` those without. ``told``: what was read from Kafka.
    ``attempts``: of each message that was sent again the latest; ``fates``: whether a sending is to
    arrive or to fail.
    ``forgetting``, ``counting``: whether anybody was to be forgotten, and anything counted.
    """

    plant: ClassVar[Plant]

    def prepare(self, routed: bool, one_person: bool) -> None:
        plant = self.plant
        self.threads = [f"{plant.name}thread{next(plant.numbers)}said" for _ in range(2)]
        self.routed = [False, routed]
        self.streams = [
            plant.conversation_id(thread, routed=r)
            for thread, r in zip(self.threads, self.routed, strict=True)
        ]
        self.whose = [
            plant.id_key.customer(plant.source_ids[r], thread)
            for thread, r in zip(self.threads, self.routed, strict=True)
        ]
        if one_person:
            self.whose[1] = self.whose[0]
        self.customers = list(dict.fromkeys(self.whose))
        self.inbound: list[InboundReceived] = []
        self.consumed = 0
        self.receipts: list[DeliveryChanged | DeliveryWatermark | inbound.CorrectionFailed] = []
        self.heard: set[int] = set()
        self.commands: dict[str, Command[Any]] = {}
        self.words: dict[str, str] = {}
        self.unanswered: list[str] = []
        self.effective: set[str] = set()
        self.refused: set[str] = set()
        self.replied: list[tuple[str, str]] = []
        self.attempts: dict[str, int] = {}
        self.fates: dict[tuple[str, int], str] = {}
        self.corrected: list[tuple[str, str, Correction]] = []
        self.told: list[Record] = []
        self.followed = 0
        self.begun = 0
        self.searched = 0
        self.forgetting = False
        self.counting = False

    def _inbound(
        self, at: int, number: int, kind: Any, direction: Any, late: int
    ) -> InboundReceived:
        plant, thread, stream = self.plant, self.threads[at], self.streams[at]
        source_id, now = plant.source_ids[self.routed[at]], datetime.now(UTC)
        cause = f"{kind}/{number}"
        self.words[cause] = f"{kind}{number}said"
        return InboundReceived(
            cause=cause,
            kind=kind,
            direction=direction,
            channel=Channel.TELEGRAM,
            source_id=source_id,
            conversation_id=stream,
            thread=thread,
            customer_id=self.whose[at],
            sender=Sender(external_id=thread, name=f"name{thread}"),
            message_id=plant.id_key.message(source_id, thread, str(number)),
            external_message_id=str(number),
            content=Content(text=self.words[cause]),
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

        if act == "reply":
            self.replied.append((stream, f"msg_{step}"))
        return self._task(f"{act}/{number}", stream, decide, step)

    def _resending(self, by: int, back: int, who: str) -> list[str]:
        """One that was sent is sent again, as it stands now."""
        stream, message_id = self.replied[-back % len(self.replied)]
        looked_up = self.plant.run(self._looked_up(self._free(by), stream, message_id))
        if looked_up is None:
            return []
        number, step = next(self.plant.numbers), int(message_id.removeprefix("msg_"))
        return [self._task(f"resend/{number}", stream, Resending(who, *looked_up), step)]

    async def _looked_up(
        self, replica: Replica, stream: str, message_id: str
    ) -> tuple[Sending, int] | None:
        rows = await find_rows(self.plant.database[INBOX], [stream])
        if not rows:
            return None
        snapshot = snapshot_of(rows[0])
        timeline = Timeline(replica.engine.store, self.plant.database[MESSAGES], snapshot)
        found = await timeline.sending(message_id)
        return (found, snapshot.version) if found else None

    def _customer_command(self, at: int, act: str, who: str, variant: int) -> str:
        number = next(self.plant.numbers)
        step = 12 * number + variant
        decided = customer_acts_of(By(self.plant.world.workspace_id, who))[act]

        def decide(customer: Customer) -> None:
            decided(customer, step)

        return self._task(f"{act}/{number}", self.whose[at], decide, step)

    def _merging(self, at: int, who: str) -> list[str]:
        """The other identity becomes one of this person's, as the two stand now."""
        sets = self._sets()
        if not sets.keys() >= set(self.whose):
            return []
        primary_id, merged_id = (sets[self.whose[one]].primary_id for one in (at, 1 - at))
        if primary_id == merged_id:
            return []
        by = By(self.plant.world.workspace_id, who)
        return [self._own_task("merge", merged_id, lambda c: c.merge_into(by, primary_id))]

    def _splitting(self, at: int, who: str) -> list[str]:
        """The identity is a person of their own again."""
        person = self._sets().get(self.whose[at])
        if person is None or person.primary_id == self.whose[at]:
            return []
        by = By(self.plant.world.workspace_id, who)
        split = [self.whose[at]]
        if person.known.merged_into is not None:
            # They were merged the other way round at once.
            split.append(person.primary_id)
        return [self._own_task("split", one, lambda c: c.split(by)) for one in split]

    def _sets(self) -> dict[str, CustomerSet]:
        rows, workspace_id = self.plant.database[CUSTOMERS], self.plant.world.workspace_id
        return self.plant.run(sets_of(rows, workspace_id, self.customers))

    def _own_task(self, act: str, stream: str, decide: Any) -> str:
        number = next(self.plant.numbers)
        return self._task(f"{act}/{number}", stream, decide, 12 * number)

    def _task(self, cause: str, stream: str, decide: Any, step: int) -> str:
        self.commands[cause] = Command(self.plant.world.workspace_id, stream, cause, decide)
        self.words[cause] = said(step)
        return cause

    def _do(self, by: int, causes: list[str], stop: Stop | None) -> None:
        replica = self._free(by)
        outcomes = self.plant.run(replica.do(self._decided(replica, causes), stop))
        if outcomes is None:
            self.unanswered += causes
        else:
            for cause, outcome in zip(causes, outcomes, strict=True):
                self._note(cause, outcome)

    async def _race(self, causes: list[str]) -> None:
        free = [replica for replica in self.plant.replicas if not replica.is_paused]
        outcomes = await asyncio.gather(
            *(self._decided(free[n % len(free)], [cause]) for n, cause in enumerate(causes) if free)
        )
        for cause, (outcome,) in zip(causes, outcomes, strict=False):
            self._note(cause, outcome)

    async def _decided(self, replica: Replica, causes: Sequence[str]) -> list[Any]:
        """The commands' outcomes; all are of conversations, or all of customers."""
        commands = [self.commands[cause] for cause in causes]
        engine = replica.engine
        if commands[0].stream in self.customers:
            return await engine.customer_handler.handle(commands)
        return await engine.handler.handle(commands)

    def _note(self, cause: str, outcome: Any) -> None:
        """What was done once is not refused later, nor done again."""
        if isinstance(outcome, Done):
            if outcome.changes or outcome.repeated:
                assert cause not in self.effective or outcome.repeated
                self.effective.add(cause)
                # What was refused may be done when it is asked again: the case has moved on.
                self.refused.discard(cause)
            stream = self.commands[cause].stream
            for event in (change.event for change in outcome.changes):
                match event:
                    case MessageEdited():
                        self.corrected.append((stream, event.message_id, "edit"))
                    case MessageResent():
                        self.attempts[event.message_id] = event.attempt
                    case MessageDeleted():
                        self.corrected.append((stream, event.message_id, "delete"))
        else:
            assert cause not in self.effective
            self.refused.add(cause)

    def _handle(
        self, by: int, topic: Topic, batch: Sequence[Any], stop: Stop | None
    ) -> list[Any] | None:
        """``batch``: bodies of messages, or what was read from Kafka."""
        if not batch:
            return None
        replica = self._free(by)
        received = [
            one if isinstance(one, Received) else self.plant.received(one, one.conversation_id)
            for one in batch
        ]
        handled = self.plant.run(replica.do(_called(replica, topic, received), stop))
        return None if handled is None else list(handled)

    def _listen(self, topic: Topic) -> list[Received]:
        """All that has been told on the topic. The counts of both replicas take it too."""
        return self.plant.run(self._heard(topic))

    async def _heard(self, topic: Topic) -> list[Received]:
        for record in await self.plant.broker.told([*self.streams, *self.customers]):
            self.told.append(record)
            for replica in self.plant.replicas:
                replica.engine.counts.take(record)
        name = self.plant.world.namespace + topic.value
        return [read(record) for record in self.told if record.topic == name]

    def _forget(self, by: int, at: int, who: str, stop: Stop | None) -> None:
        self.forgetting = True
        replica = self._free(by)
        forgetting = replica.erasure.erase(self.plant.world.workspace_id, self.whose[at], who)
        self.plant.run(replica.do(_if_there(forgetting), stop))

    async def _draft(self, at: int, who: str) -> None:
        number = next(self.plant.numbers)
        draft = Draft(text=f"draft{number}said")
        drafts = Drafts(self.plant.database[DRAFTS])
        await drafts.put(self.plant.world.workspace_id, who, self.streams[at], draft)

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


async def _called(replica: Replica, topic: Topic, received: list[Received]) -> Any:
    """None where the batch has to come again, for a customer is just being forgotten."""
    handlers = replica.engine.handlers | {Topic.CONVERSATION: replica.engine.new_conversations}
    with suppress(Transient):
        return await handlers[topic](received)


async def _if_there(work: Coroutine[Any, Any, Any]) -> bool:
    """Of somebody who never wrote there is nothing to forget."""
    with suppress(NotThere):
        await work
    return True
