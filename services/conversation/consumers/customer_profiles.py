"""The customer's profile in their conversations: whose card they show, whether they are heard.

A customer and their conversations are streams of their own; what a conversation shows of the card
is an event of it (``domain/conversation/customer_profile.py``).
"""

from collections.abc import Collection, Mapping
from itertools import batched, count
from typing import Final, NamedTuple

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command
from libs.events.envelope import Envelope
from libs.runtime.consumer import Transient
from libs.runtime.rows import Rows
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.customer_profile import KnownProfile
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.privacy.erasure.erasures import Erasures
from services.conversation.privacy.keyring import Keyring
from services.conversation.read_models.customers.sets import CustomerSet, sets_of

_AT_ONCE: Final = 500


class _Shown(NamedTuple):
    """Of a person, in their conversations. ``by``: who wrote last what is shown."""

    known: KnownProfile
    by: str
    blocked_by: str | None


class CustomerProfileProcess:
    def __init__(
        self,
        handler: CommandHandler[ConversationState, Conversation],
        customers: Rows,
        keyring: Keyring,
        erasures: Erasures,
    ) -> None:
        self._handler = handler
        self._customers = customers
        self._keyring = keyring
        self._erasures = erasures

    async def update(
        self, envelope: Envelope, customer_ids: Collection[str], member_id: str
    ) -> None:
        """All conversations of these customers show what ``member_id`` changed.

        Errors: Transient.
        """
        await self._update(envelope, customer_ids, None, member_id)

    async def update_new(self, envelope: Envelope, customer_id: str, conversation_id: str) -> None:
        """A conversation that has just begun shows what is known already. Errors: Transient."""
        await self._update(envelope, [customer_id], conversation_id, None)

    async def _update(
        self,
        envelope: Envelope,
        customer_ids: Collection[str],
        only: str | None,
        member_id: str | None,
    ) -> None:
        """What holds is what the rows say now, not what the event said: events of two customers
        who were merged overtake each other. So the rows are read again after the effect."""
        done: Mapping[str, _Shown] | None = None
        for attempt in count():
            wanted = await self._shown(envelope.workspace_id, customer_ids)
            if only is not None:
                wanted = {name: shown for name, shown in wanted.items() if name == only}
            if wanted == done:
                return
            commands = [
                _command(envelope, member_id, conversation_id, shown, attempt)
                for conversation_id, shown in wanted.items()
            ]
            for some in batched(commands, _AT_ONCE):
                await self._handler.handle(some)
            done = wanted

    async def _shown(self, workspace_id: str, customer_ids: Collection[str]) -> dict[str, _Shown]:
        """What each conversation is to show of its person."""
        sets = await sets_of(self._customers, workspace_id, customer_ids)
        persons = {one.primary_id: one for one in sets.values()}.values()
        await self._refuse_forgotten(workspace_id, persons)
        return {
            conversation_id: _Shown(_known(one), _by(one), _blocked_by(one))
            for one in persons
            for conversation_id in one.conversation_ids
        }

    async def _refuse_forgotten(self, workspace_id: str, persons: Collection[CustomerSet]) -> None:
        """Of who is just being forgotten nothing is told. A conversation that began after that is
        not looked for by the erasure, and would keep the card; one that it has not reached yet
        would lose what was written on the card since. Errors: Transient."""
        identities = [identity for person in persons for identity in person.rows]
        newest = await self._keyring.newest(identities, workspace_id)
        for person in persons:
            if person.version and newest[person.primary_id] > person.known.erasures + 1:
                raise Transient(f"{person.primary_id} is being forgotten")
        if await self._erasures.under_way(newest):
            raise Transient("one of the customers is being forgotten")


def _known(customer: CustomerSet) -> KnownProfile:
    state = customer.known
    return KnownProfile(
        customer.primary_id, state.edits, state.card, state.funnel_status, state.sales_plans
    )


def _blocked_by(customer: CustomerSet) -> str | None:
    blocked = customer.blocked_as
    return blocked.blocked_by if blocked else None


def _by(customer: CustomerSet) -> str:
    """Who wrote last on the card, or else merged the identities."""
    states = (customer.known, *map(customer.state_of, sorted(customer.rows)))
    return next((state.changed_by for state in states if state.changed_by), "")


def _command(
    envelope: Envelope, member_id: str | None, conversation_id: str, shown: _Shown, attempt: int
) -> Command[Conversation]:
    def decide(conversation: Conversation) -> None:
        conversation.know_customer(member_id or shown.by, shown.known, begins=member_id is None)
        conversation.set_blocked(
            member_id or shown.blocked_by or shown.by, blocked=shown.blocked_by is not None
        )

    cause = f"customer/{envelope.id}/{attempt}"
    return Command(envelope.workspace_id, conversation_id, cause, decide, envelope.extra)
