"""Forgetting a person, from the request to the last trace of them.

    begun ──▶ erased ──▶ (done: the document goes)

An erasure is a document of ``conversation_erasures`` before anything is done, those of all the
identities of a person together, so that whatever stops in the middle is taken up again, by any
replica. Every step may be done twice:

1. The identity's next generation of keys is begun: what comes from now on is sealed with it.
2. ``CustomerErased`` is appended to each of their conversations, ``Erased`` to their card's stream.
   Whatever another replica decides on the state before it is refused, because the version is the
   lock; and what it still writes into the read models is of an older version than the erasure's,
   and loses. What the search has of the conversations up to that version is taken out, and not let
   in again; members' drafts go too, and the words of their saved filters that name the person.
3. While the old keys are there, the streams are read once more: for the attachments, which ingest
   deletes, and for the names by which the person is found in dead letters.
4. The old keys are destroyed. No event from before the request opens any longer, wherever it is
   kept; what came during step 2, sealed with the new one already, is shown to nobody.
5. The dead letters of the person are taken out.

Afterwards it is looked at again for a while: a conversation that began at a stopped replica just
then, and was not there to be found, is erased as well, and so are dead letters that came late.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done, NotThere
from libs.runtime.away import SERVER_AWAY
from libs.runtime.dead_letters import Letter
from libs.runtime.left_out import left_out
from libs.runtime.stopping import stopped_within
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.erasure import ATTACHMENTS_AT_ONCE
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import By, CustomerState
from services.conversation.domain.events import decode
from services.conversation.privacy.erasure.erasures import Erasure, Erasures
from services.conversation.privacy.erasure.names import called, long_enough, names_in
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.privacy.sealed_store import SealedStore

log = structlog.get_logger()

_COMES_THROUGH: Final[tuple[type[Exception], ...]] = (*SERVER_AWAY, NotThere)

type TakeOut = Callable[[Callable[[Letter], bool]], Awaitable[int]]

_PAGE: Final = 200
# For as long as Kafka keeps a message somebody may go on with one from before.
_WATCHED: Final = timedelta(days=7)


class PersonalData(Protocol):
    """What the read models hold of persons. Rows that cannot be read are left out, and told of.

    Errors of all: pymongo's.
    """

    async def identities(self, workspace_id: str, customer_id: str) -> list[str]:
        """All identities of the customer's person, the primary first, whose card the others
        show."""
        ...

    async def cards(self, identities: Collection[str]) -> list[CustomerState]:
        """Of those of whom the team wrote anything down."""
        ...

    async def card_of(self, workspace_id: str, identity: str) -> tuple[str, int]:
        """Whose card is the person's, and how often it had been edited when it was erased: what
        was written on it since then is theirs again."""
        ...

    async def conversations(self, identities: Collection[str]) -> list[ConversationState]: ...

    async def forget_words(self, workspace_id: str, names: Collection[str]) -> int:
        """Take what names the person out of members' saved filters; how many of these had it."""
        ...

    async def forget_card(self, workspace_id: str, identity: str) -> None:
        """Drop what stands beside the identity's own row, which the erasure's event empties."""
        ...

    async def forget_conversation(self, conversation_id: str, upto: int) -> None:
        """Drop what was made of the conversation's events before version ``upto``, drafts too."""
        ...


class ErasureProcess:
    """Brings each erasure to its end, whichever replica began it.

    ``personal_data``: of the read models. ``take_out``: removes letters from the dead letters.
    ``again_after``: how long after the erasure the dead letters are searched again."""

    def __init__(
        self,
        erasures: Erasures,
        keyring: Keyring,
        store: SealedStore,
        handler: CommandHandler[ConversationState, Conversation],
        customer_handler: CommandHandler[CustomerState, Customer],
        personal_data: PersonalData,
        take_out: TakeOut,
        again_after: timedelta,
    ) -> None:
        self._erasures = erasures
        self._keyring = keyring
        self._store = store
        self._handler = handler
        self._customer_handler = customer_handler
        self._personal_data = personal_data
        self._take_out = take_out
        self._again_after = again_after

    async def erase(self, workspace_id: str, customer_id: str, member_id: str) -> list[Erasure]:
        """Each identity of the person. On return nothing of them is shown or can be opened any
        longer; what is left in other services and in dead letters goes within seconds.

        Errors: NotThere, SERVER_AWAY.
        """
        identities = await self._personal_data.identities(workspace_id, customer_id)
        newest = await self._keyring.newest(identities, workspace_id)
        if not all(newest.values()):
            raise NotThere
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        # All of them before the first is done: whatever stops in between, they are one person.
        erasures = await self._erasures.begun(
            [Erasure(one, workspace_id, member_id, newest[one], now) for one in identities]
        )
        for erasure in erasures:
            await self._forget(erasure)
        return erasures

    async def run(self, interval_seconds: float, stop: asyncio.Event) -> None:
        """Finish what was begun, and look again at what was finished, until ``stop``."""
        loop = asyncio.get_running_loop()
        watch_at = loop.time()
        while not stop.is_set():
            try:
                await self.finish()
                if loop.time() >= watch_at:
                    await self.watch()
                    watch_at = loop.time() + self._again_after.total_seconds()
            except SERVER_AWAY as error:
                log.warning("erasures are tried again", error=repr(error))
            await stopped_within(stop, interval_seconds)

    async def finish(self) -> None:
        """What was begun is brought to its end. Errors: SERVER_AWAY."""
        for erasure in await self._erasures.at({"stage": "begun"}):
            with left_out("erasure", erasure.id, _COMES_THROUGH):
                await self._forget(erasure)
                # Where another was faster, only the document tells what the person is called.
                await self._forget_letters(await self._erasures.now(erasure))
                await self._erasures.reached(erasure, "erased")

    async def watch(self) -> None:
        """What a replica that had been stopped brought back. Errors: SERVER_AWAY."""
        now = datetime.now(UTC)
        late = {"stage": "erased", "at": {"$lt": now - self._again_after}}
        for erasure in await self._erasures.at(late):
            with left_out("erasure", erasure.id, _COMES_THROUGH):
                await self._forget_letters(erasure)
                await self._erasures.reached(erasure, "done")
        erasures = await self._erasures.at({"stage": {"$ne": "begun"}})
        newest = {one.identity: one for one in sorted(erasures, key=lambda one: one.number)}
        for state in await self._personal_data.conversations(newest):
            erasure = newest[state.customer_id]
            if state.erasures < erasure.number:
                with left_out("erasure", state.thread.conversation_id, _COMES_THROUGH):
                    await self._erase_conversation(erasure, state)
        for customer in await self._personal_data.cards(newest):
            if customer.erasures < newest[customer.customer_id].number:
                with left_out("erasure", customer.customer_id, _COMES_THROUGH):
                    await self._erase_card(newest[customer.customer_id])
        await self._erasures.drop(now - _WATCHED)

    async def _forget(self, erasure: Erasure) -> None:
        identity, number = erasure.identity, erasure.number
        await self._keyring.begin_generation(identity, erasure.workspace_id, number)
        if await self._keyring.to_open([Owner(identity, number)]):
            # All of them, also those that were erased before it was stopped: the rest is repeated.
            # While it is known what the person is called.
            await self._personal_data.forget_words(
                erasure.workspace_id, await self._called(identity)
            )
            names = await self._card_names(identity)
            # Before the card goes: what stood on it is not found a second time.
            await self._erasures.remember(erasure, names)
            # The card first: what conversations show of it is read from there.
            # One that is set aside keeps nobody from forgetting the rest. Without the key nothing
            # of it can be opened either, and it is looked at again (``watch``).
            with left_out("erasure", identity, _COMES_THROUGH):
                await self._erase_card(erasure)
            for state in await self._personal_data.conversations([identity]):
                with left_out("erasure", state.thread.conversation_id, _COMES_THROUGH):
                    names |= await self._erase_conversation(erasure, state)
            await self._personal_data.forget_words(erasure.workspace_id, names)
            await self._erasures.remember(erasure, names)
        await self._keyring.destroy(identity, number + 1)

    async def _called(self, identity: str) -> set[str]:
        """How members may look for the person."""
        cards = await self._personal_data.cards([identity])
        return called(cards, await self._personal_data.conversations([identity]))

    async def _card_names(self, identity: str) -> set[str]:
        """What was written down of the identity, by which it can be found in dead letters."""
        names: set[str] = set()
        for known in await self._personal_data.cards([identity]):
            names |= long_enough(
                known.card.phone, known.card.email, known.card.external_id, *known.google_ids
            )
        return names

    async def _erase_card(self, erasure: Erasure) -> None:
        by = By(erasure.workspace_id, erasure.member_id)
        command: Command[Customer] = Command(
            erasure.workspace_id,
            erasure.identity,
            f"erase/{erasure.id}",
            lambda customer: customer.erase(by, erasure.number),
        )
        await self._customer_handler.handle([command])
        await self._personal_data.forget_card(erasure.workspace_id, erasure.identity)

    async def _erase_conversation(self, erasure: Erasure, state: ConversationState) -> set[str]:
        """The names by which the person went in it."""
        stream, member_id, number = state.thread.conversation_id, erasure.member_id, erasure.number
        cause = f"erase/{erasure.id}"
        primary_id, edits = await self._personal_data.card_of(
            erasure.workspace_id, erasure.identity
        )
        erased = await self._decide(
            erasure, stream, cause, lambda c: c.erase_customer(member_id, number, primary_id, edits)
        )
        upto = erased.state.forgotten
        await self._personal_data.forget_conversation(stream, upto)
        names, attachments = await self._traces(stream, upto)
        for at in range(0, len(attachments), ATTACHMENTS_AT_ONCE):
            some = attachments[at : at + ATTACHMENTS_AT_ONCE]
            await self._decide(
                erasure,
                stream,
                f"{cause}/attachments/{at}",
                lambda c, some=some: c.erase_attachments(member_id, some),  # type: ignore[misc]
                weight_bytes=100 * len(some),
            )
        await self._erasures.erased_in(erasure, stream)
        return names

    async def _decide(
        self,
        erasure: Erasure,
        stream: str,
        cause: str,
        decide: Callable[[Conversation], None],
        weight_bytes: int = 2_000,
    ) -> Snapshot[ConversationState]:
        command = Command(erasure.workspace_id, stream, cause, decide, weight_bytes=weight_bytes)
        (outcome,) = await self._handler.handle([command])
        if not isinstance(outcome, Done) or outcome.snapshot is None:
            raise NotThere
        return outcome.snapshot

    async def _traces(self, stream: str, upto: int) -> tuple[set[str], list[str]]:
        """What the customer is called in the stream, and the attachments of its messages, as long
        as the keys are there."""
        names: set[str] = set()
        attachments: dict[str, None] = {}
        after = 0
        while commits := await self._store.read(stream, after, _PAGE):
            for position, stored in (
                (commit.first + at, stored)
                for commit in commits
                for at, stored in enumerate(commit.events)
            ):
                if position < upto:
                    event = decode(stored.type, stored.data)
                    names |= names_in(event)
                    content = getattr(event, "content", None)
                    attachments |= dict.fromkeys(
                        one.attachment_id for one in (content.attachments if content else ())
                    )
            after = commits[-1].last
        return names, list(attachments)

    async def _forget_letters(self, erasure: Erasure) -> None:
        keys = {name.encode() for name in (erasure.identity, *erasure.conversations)}
        names = [name.encode() for name in await self._erasures.names_of(erasure)]
        called = re.compile(
            rb"(?<![0-9A-Za-z])(?:" + b"|".join(map(re.escape, names)) + rb")(?![0-9A-Za-z])"
        )

        def is_theirs(letter: Letter) -> bool:
            return letter.key in keys or bool(names and called.search(letter.value or b""))

        await self._take_out(is_theirs)
