"""What members, customers, platforms and replicas do, as rules of one state machine."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)
from msgspec.structs import replace

from libs.events.commands import RouteCase
from libs.events.content import ReachedState
from libs.events.inbound import CorrectionFailed, DeliveryChanged, DeliveryWatermark
from libs.events.topics import Topic
from libs.eventstore.outbox import Step
from services.conversation.domain.conversation.state import case_id_of
from services.conversation.domain.customer.state import By
from tests.support.conversation.acts import MEMBERS, acts_of, customer_acts_of
from tests.support.conversation.machine.doings import OWNER
from tests.support.conversation.machine.plant import Stop
from tests.support.conversation.machine.resting import Resting, rebuilt

# After so many examples their rows are rebuilt; one by one it would take most of the time.
TOGETHER = 25


ACTS = sorted(acts_of(MEMBERS[0]))


CUSTOMER_ACTS = sorted(customer_acts_of(By("", "")))


# Two in three go well: a world in which everything crashes gets nowhere.
stops = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        Stop, st.sampled_from(["crash", "pause"]), st.sampled_from(list(Step)), st.integers(1, 2)
    ),
)


which = st.integers(0, 1)


_ARRIVED = ("sent", "delivered", "read")


variants = st.integers(0, 11)


class Machine(Resting, RuleBasedStateMachine):
    examples: ClassVar[int] = 0
    together: ClassVar[int] = TOGETHER

    @initialize(
        routed=st.booleans(), one_person=st.booleans(), both=st.booleans(), known=st.booleans(),
        merged=st.booleans(),
    )  # fmt: skip
    def begin(self, routed: bool, one_person: bool, both: bool, known: bool, merged: bool) -> None:
        self.prepare(routed, one_person)
        # Given a customer who wrote, or two, of whom something is known already, or nothing, and
        # who were two until somebody knew better.
        for at in (0, 1) if both else (0,):
            self.somebody_writes(at, "incoming", 1)
        self.messages_are_consumed(0, 0, None)
        if known:
            self.a_member_acts_on_a_customer(0, 0, "edit_card", "dima", 0, None)
            self.what_became_of_customers_is_consumed(0, 0, None)
            self.somebody_writes(1, "incoming", 1)
        if merged:
            self.two_turn_out_to_be_one(0, 0, "dima", None)
            self.what_became_of_customers_is_consumed(0, 0, None)

    # What comes in.

    @rule(at=which, direction=st.sampled_from(["incoming", "incoming", "outgoing"]), late=variants)
    def somebody_writes(self, at: int, direction: Any, late: int) -> None:
        self.inbound.append(self._inbound(at, next(self.plant.numbers), "message", direction, late))

    @rule(back=st.integers(1, 6))
    def somebody_edits(self, back: int) -> None:
        edited = self.inbound[-back % len(self.inbound)]
        at, number = self.streams.index(edited.conversation_id), next(self.plant.numbers)
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

    @precondition(lambda self: self.commands)
    @rule(by=which, back=st.integers(1, 3), stop=stops)
    def somebody_repeats_a_command(self, by: int, back: int, stop: Stop | None) -> None:
        causes = list(self.commands)
        self._do(by, [causes[-back % len(causes)]], stop)

    @rule(at=which, who=st.sampled_from(MEMBERS))
    def a_member_drafts(self, at: int, who: str) -> None:
        self.plant.run(self._draft(at, who))

    @rule(by=which)
    def a_member_looks_at_the_counts(self, by: int) -> None:
        """From then on they are counted along."""
        self.counting = True
        counts, plant = self.plant.replicas[by].engine.counts, self.plant
        directory = plant.directory.of(plant.world.workspace_id)
        plant.run(counts.of(plant.world.workspace_id, OWNER, directory))

    # What becomes of customers.

    @rule(by=which, at=which, act=st.sampled_from(CUSTOMER_ACTS), who=st.sampled_from(MEMBERS),
          variant=variants, stop=stops)  # fmt: skip
    def a_member_acts_on_a_customer(
        self, by: int, at: int, act: str, who: str, variant: int, stop: Stop | None
    ) -> None:
        self._do(by, [self._customer_command(at, act, who, variant)], stop)

    @rule(by=which, at=which, who=st.sampled_from(MEMBERS), stop=stops)
    def two_turn_out_to_be_one(self, by: int, at: int, who: str, stop: Stop | None) -> None:
        if causes := self._merging(at, who):
            self._do(by, causes, stop)

    @rule()
    def two_replicas_merge_the_same_two_each_its_way(self) -> None:
        self.plant.run(self._race([*self._merging(0, "dima"), *self._merging(1, "olena")]))

    @rule(by=which, at=which, who=st.sampled_from(MEMBERS), stop=stops)
    def one_turns_out_to_be_two(self, by: int, at: int, who: str, stop: Stop | None) -> None:
        if causes := self._splitting(at, who):
            self._do(by, causes, stop)

    @rule(by=which, back=st.integers(0, 2), stop=stops)
    def what_became_of_customers_is_consumed(self, by: int, back: int, stop: Stop | None) -> None:
        told = self._listen(Topic.CUSTOMER)
        if self._handle(by, Topic.CUSTOMER, told[max(self.followed - back, 0) :], stop) is not None:
            self.followed = max(self.followed, len(told))

    @rule(by=which, back=st.integers(0, 2), stop=stops)
    def what_began_is_consumed(self, by: int, back: int, stop: Stop | None) -> None:
        told = self._listen(Topic.CONVERSATION)
        batch = told[max(self.begun - back, 0) :]
        if self._handle(by, Topic.CONVERSATION, batch, stop) is not None:
            self.begun = max(self.begun, len(told))

    @rule(by=which)
    def a_replica_looks_who_is_blocked(self, by: int) -> None:
        self.plant.run(self.plant.replicas[by].engine.blocked.refresh())

    @rule(by=which, at=which, who=st.sampled_from(MEMBERS), stop=stops)
    def a_person_is_forgotten(self, by: int, at: int, who: str, stop: Stop | None) -> None:
        self._forget(by, at, who, stop)

    @rule(by=which, stop=stops)
    def what_was_to_be_forgotten_is_looked_at_again(self, by: int, stop: Stop | None) -> None:
        replica = self._free(by)
        self.plant.run(replica.do(replica.erasure.finish(), stop))
        if not replica.is_paused:
            self.plant.run(replica.do(replica.erasure.watch(), stop))

    @rule(by=which, back=st.integers(0, 9))
    def the_search_catches_up(self, by: int, back: int) -> None:
        told = self._listen(Topic.CONVERSATION)
        self.plant.run(self.plant.replicas[by].search(told[max(self.searched - back, 0) :]))
        self.searched = len(told)

    # What the system does.

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

    @precondition(lambda self: self.replied)
    @rule(by=which, back=st.integers(1, 3), who=st.sampled_from(MEMBERS), stop=stops)
    def a_member_sends_again(self, by: int, back: int, who: str, stop: Stop | None) -> None:
        if causes := self._resending(by, back, who):
            self._do(by, causes, stop)

    @precondition(lambda self: self.replied)
    @rule(
        back=st.integers(1, 3),
        state=st.sampled_from(["sent", "delivered", "read", "uncertain", "failed", "failed"]),
    )
    def the_platform_tells_of_one(self, back: int, state: Any) -> None:
        """Of one sending it says that it arrived, or that it failed, and never both."""
        place = -back % len(self.replied)
        stream, message_id = self.replied[place]
        attempt = self.attempts.get(message_id, 1)
        if state != "uncertain":
            fate = "fails" if state == "failed" else "arrives"
            if self.fates.setdefault((message_id, attempt), fate) != fate:
                return
        # Of two sendings both times are the first's, or a watermark would tell them apart.
        order = ("sent", "delivered", "read").index(state) if state in _ARRIVED else 0
        order = order if attempt == 1 else 0
        self.receipts.append(
            DeliveryChanged(
                message_id=message_id,
                conversation_id=stream,
                source_id="src_1",
                state=state,
                occurred_at=self._sent_at(place) + timedelta(milliseconds=order),
                external_message_ids=(f"x{message_id}",) if state in _ARRIVED else (),
                attempt=attempt,
            )
        )

    @precondition(lambda self: self.replied)
    @rule(back=st.integers(1, 3), state=st.sampled_from(["delivered", "read"]), named=st.booleans())
    def the_platform_tells_of_all_until_one(
        self, back: int, state: ReachedState, named: bool
    ) -> None:
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

    @precondition(lambda self: self.corrected)
    @rule(back=st.integers(1, 3))
    def the_platform_refuses_a_correction(self, back: int) -> None:
        stream, message_id, correction = self.corrected[-back % len(self.corrected)]
        self.receipts.append(
            CorrectionFailed(
                request_id=f"{message_id}.{correction}.{back}",
                message_id=message_id,
                conversation_id=stream,
                source_id="src_1",
                correction=correction,
                occurred_at=datetime.now(UTC),
                reason="too late",
                reason_code="refused",
            )
        )

    @precondition(lambda self: self.receipts)
    @rule(by=which, picks=st.lists(st.integers(0, 5), min_size=1, max_size=4), stop=stops)
    def receipts_are_consumed(self, by: int, picks: list[int], stop: Stop | None) -> None:
        """In any order, some of them again."""
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
        if self.examples % self.together == 0:
            # Where it does not hold, it is looked for in each example, until it is found again.
            type(self).together = 1
            self.plant.run(rebuilt(self.plant))
            type(self).together = TOGETHER
