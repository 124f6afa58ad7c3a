"""What a member does to a customer, from the rule's check to the answer."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done, NotDone, Outcome
from libs.events.api.customers import (
    ChangeSalesPlans,
    CustomerView,
    EditCustomer,
    MergeCustomer,
    RecordVisit,
    SetFunnelStatus,
    SplitCustomer,
)
from libs.events.customer import Visit
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import NotFound, Problem, Unavailable
from libs.runtime.tracing import trace_headers
from services.conversation.commands.answers import Answer
from services.conversation.commands.custom_fields import checked_values
from services.conversation.commands.customer_checks import card_changes, check_visit
from services.conversation.domain.customer.card import MergedAway, NotInvolved
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.identities import NotMerged
from services.conversation.domain.customer.state import By, CustomerState
from services.conversation.localization.localizer import TEXTS, wrong
from services.conversation.localization.refusals import problem_of
from services.conversation.metrics import COMMANDS
from services.conversation.read_models.customers.queries import CustomerQueries
from services.conversation.read_models.customers.views import InSight
from services.conversation.read_models.member import MemberContext

type Decide = Callable[[Customer], None]

# A customer who is merged while somebody changes them is looked up again this often.
_ATTEMPTS: Final = 3
_WEIGHT_BYTES: Final = 60_000


class CustomerCommands:
    """All answer with the customer after it. What is known of a person is changed by those who
    answer them, and by who manages cases; blocking asks for no more than that they are in sight.

    Errors of all: NotFound, Unavailable.
    """

    def __init__(
        self, queries: CustomerQueries, customer_handler: CommandHandler[CustomerState, Customer]
    ) -> None:
        self._queries = queries
        self._customer_handler = customer_handler

    async def edit(
        self, actor: MemberContext, customer_id: str, cause: str, asked: EditCustomer
    ) -> Answer[CustomerView]:
        """Errors: Invalid, NotInvolved."""
        changes = card_changes(asked)
        fields = None
        if asked.fields is not UNSET:
            fields = checked_values(actor.directory, "customer", asked.fields, "fields")
        by = _by(actor)
        return await self._known(
            actor, "customer-edit", customer_id, cause, lambda c: c.edit_card(by, changes, fields)
        )

    async def move_in_funnel(
        self, actor: MemberContext, customer_id: str, cause: str, asked: SetFunnelStatus
    ) -> Answer[CustomerView]:
        """Errors: NotInvolved."""
        by = _by(actor)
        return await self._known(
            actor,
            "customer-funnel",
            customer_id,
            cause,
            lambda c: c.move_in_funnel(by, asked.status),
        )

    async def change_sales_plans(
        self, actor: MemberContext, customer_id: str, cause: str, asked: ChangeSalesPlans
    ) -> Answer[CustomerView]:
        """Errors: NotInvolved, TooManySalesPlans."""
        by = _by(actor)
        return await self._known(
            actor,
            "customer-plans",
            customer_id,
            cause,
            lambda c: c.change_sales_plans(by, asked.add, asked.remove),
        )

    async def record_visit(
        self, actor: MemberContext, customer_id: str, cause: str, asked: RecordVisit
    ) -> Answer[CustomerView]:
        """Errors: Invalid, NotInvolved."""
        check_visit(asked)
        visit = Visit(
            at=asked.at or datetime.now(UTC),
            tool=asked.tool,
            google_id=asked.google_id,
            link=asked.link,
            utm={str(label): value for label, value in asked.utm.items()},
        )
        by = _by(actor)
        return await self._known(
            actor, "customer-visit", customer_id, cause, lambda c: c.record_visit(by, visit)
        )

    async def block(
        self, actor: MemberContext, customer_id: str, cause: str
    ) -> Answer[CustomerView]:
        by = _by(actor)
        return await self._every_identity(
            actor, "customer-block", customer_id, cause, lambda c, one: c.block(by, as_identity=one)
        )

    async def unblock(
        self, actor: MemberContext, customer_id: str, cause: str
    ) -> Answer[CustomerView]:
        by = _by(actor)
        return await self._every_identity(
            actor,
            "customer-unblock",
            customer_id,
            cause,
            lambda c, one: c.unblock(by, as_identity=one),
        )

    async def subscribe(
        self, actor: MemberContext, customer_id: str, cause: str
    ) -> Answer[CustomerView]:
        """This identity's subscription, not the person's. Errors: NotInvolved."""
        by = _by(actor)
        return await self._identity(
            actor, "customer-subscribe", customer_id, cause, lambda c: c.subscribe(by)
        )

    async def unsubscribe(
        self, actor: MemberContext, customer_id: str, cause: str
    ) -> Answer[CustomerView]:
        """This identity's subscription, not the person's. Errors: NotInvolved."""
        by = _by(actor)
        return await self._identity(
            actor, "customer-unsubscribe", customer_id, cause, lambda c: c.unsubscribe(by)
        )

    async def merge(
        self, actor: MemberContext, customer_id: str, cause: str, asked: MergeCustomer
    ) -> Answer[CustomerView]:
        """The other's set becomes part of this one. Errors: Invalid, NotInvolved."""
        by = _by(actor)
        for _ in range(_ATTEMPTS):
            found = await self._queries.in_sight(actor, customer_id)
            _must_answer(actor, found)
            try:
                other = await self._queries.in_sight(actor, asked.customer_id)
            except NotFound:
                raise wrong("customer_id", "not-a-customer") from None
            primary_id, merged_id = found.customer.primary_id, other.customer.primary_id
            if primary_id == merged_id:
                return _answer(actor, found)
            outcome = await self._decided(actor, [(merged_id, cause, _merging(by, primary_id))])
            if not isinstance(outcome, MergedAway):
                return await self._after(actor, "customer-merge", outcome, customer_id)
        raise Unavailable(TEXTS.say("unavailable.merging"))

    async def split(
        self, actor: MemberContext, customer_id: str, cause: str, asked: SplitCustomer
    ) -> Answer[CustomerView]:
        """The identity is a person of their own again, with all that had been merged into it.

        Errors: Invalid, NotInvolved, NotMerged.
        """
        found = await self._queries.in_sight(actor, customer_id)
        _must_answer(actor, found)
        customer, by = found.customer, _by(actor)
        if asked.customer_id not in customer.rows:
            raise wrong("customer_id", "not-an-identity")
        if asked.customer_id == customer.primary_id:
            raise _problem(actor, NotMerged())
        steps: list[tuple[str, str, Decide]] = [(asked.customer_id, cause, lambda c: c.split(by))]
        if customer.known.merged_into is not None:
            # Two merged the other way round at once: the circle is opened for good.
            steps.append((customer.primary_id, f"{cause}/circle", lambda c: c.split(by)))
        outcome = await self._decided(actor, steps)
        return await self._after(actor, "customer-split", outcome, customer.primary_id)

    async def _every_identity(
        self,
        actor: MemberContext,
        command: str,
        customer_id: str,
        cause: str,
        decide: Callable[[Customer, bool], None],
    ) -> Answer[CustomerView]:
        """Decide on all identities of the person, the primary first. ``decide`` is told
        whether it is another."""
        for _ in range(_ATTEMPTS):
            person = (await self._queries.in_sight(actor, customer_id)).customer
            primary_id = person.primary_id
            steps: list[tuple[str, str, Decide]] = [
                (primary_id, cause, lambda c: decide(c, False)),
                *(
                    (one, f"{cause}/{one}", lambda c: decide(c, True))
                    for one in sorted(person.rows.keys() - {primary_id})
                ),
            ]
            outcome = await self._decided(actor, steps)
            if not isinstance(outcome, MergedAway):
                return await self._after(actor, command, outcome, customer_id)
        raise Unavailable(TEXTS.say("unavailable.merging"))

    async def _known(
        self, actor: MemberContext, command: str, customer_id: str, cause: str, decide: Decide
    ) -> Answer[CustomerView]:
        """A change of what is known of the person, so on the primary's stream."""
        for _ in range(_ATTEMPTS):
            found = await self._queries.in_sight(actor, customer_id)
            _must_answer(actor, found)
            outcome = await self._decided(actor, [(found.customer.primary_id, cause, decide)])
            if not isinstance(outcome, MergedAway):
                return await self._after(actor, command, outcome, customer_id)
        raise Unavailable(TEXTS.say("unavailable.merging"))

    async def _identity(
        self, actor: MemberContext, command: str, customer_id: str, cause: str, decide: Decide
    ) -> Answer[CustomerView]:
        _must_answer(actor, await self._queries.in_sight(actor, customer_id))
        outcome = await self._decided(actor, [(customer_id, cause, decide)])
        return await self._after(actor, command, outcome, customer_id)

    async def _decided(
        self, actor: MemberContext, steps: Sequence[tuple[str, str, Decide]]
    ) -> Outcome[CustomerState]:
        """Of several steps the first's outcome: the others only complete it."""
        commands = [
            Command(actor.workspace_id, stream, cause, decide, trace_headers(), _WEIGHT_BYTES)
            for stream, cause, decide in steps
        ]
        try:
            return (await self._customer_handler.handle(commands))[0]
        except SERVER_AWAY as error:
            raise Unavailable(TEXTS.say("unavailable.not-confirmed")) from error

    async def _after(
        self, actor: MemberContext, command: str, outcome: Outcome[CustomerState], customer_id: str
    ) -> Answer[CustomerView]:
        if not isinstance(outcome, Done):
            COMMANDS.labels(command, "refused").inc()
            raise _problem(actor, outcome)
        COMMANDS.labels(command, "repeated" if outcome.repeated else "done").inc()
        # The rows have it: they are written before the command handler returns.
        return _answer(actor, await self._queries.in_sight(actor, customer_id))


def _by(actor: MemberContext) -> By:
    return By(actor.workspace_id, actor.member_id)


def _must_answer(actor: MemberContext, found: InSight) -> None:
    """Those who answer the customer, and who manages cases. Errors: NotInvolved."""
    if not actor.manages and actor.member_id not in found.people:
        raise _problem(actor, NotInvolved(found.responsible))


def _answer(actor: MemberContext, found: InSight) -> Answer[CustomerView]:
    view = found.view(actor.member_id, manages=actor.manages)
    return Answer(view, frozenset(found.customer.rows))


def _problem(actor: MemberContext, refusal: NotDone) -> Problem:
    return problem_of(refusal, actor.directory, "", datetime.now(UTC))


def _merging(by: By, primary_id: str) -> Decide:
    return lambda customer: customer.merge_into(by, primary_id)
