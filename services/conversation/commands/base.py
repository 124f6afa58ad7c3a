"""What all commands have in common: who asks, what they may see, and what becomes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.actions import Action
from libs.events.api import ConversationView, Sent, TimelineItem, TimelinePage
from libs.events.api.audit import ChainState
from libs.events.api.filters import ConversationCounts
from libs.events.directory import MemberState
from libs.events.ids import IdKey
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.directory import Directory, WorkspaceDirectory
from libs.runtime.language import default_to
from libs.runtime.long_work import LongWork
from libs.runtime.problems import Forbidden, Problem, Unavailable
from libs.runtime.rows import Rows, find_rows
from libs.runtime.sharing import SharedReads
from libs.runtime.texts import COMMON
from libs.runtime.tokens import Caller
from libs.runtime.tracing import trace_headers
from services.conversation.commands.case_numbers import CaseNumbers
from services.conversation.commands.custom_fields import required_fields
from services.conversation.commands.queue import CommandQueue
from services.conversation.desk import Desk
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.erasure import without_card, without_person
from services.conversation.domain.conversation.messages import (
    MessageReceived,
    MessageSent,
    SourceDisconnected,
)
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import CustomerState
from services.conversation.loading import Loader
from services.conversation.localization.localizer import TEXTS, Teller, wrong
from services.conversation.localization.refusals import (
    NotBegun,
    no_such_conversation,
    no_such_message,
    problem_of,
)
from services.conversation.metrics import COMMANDS
from services.conversation.privacy.erasure.erasing import Erasing
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.audit import Audit
from services.conversation.read_models.customers.rows import customer_of
from services.conversation.read_models.drafts import Drafts
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.inbox.inbox import Inbox, Lists
from services.conversation.read_models.search.query import Search
from services.conversation.read_models.time_travel.history import History
from services.conversation.read_models.timeline import Timeline
from services.conversation.read_models.views import conversation_view, timeline_item
from services.conversation.tasks import Done, NotThere, Task

type Decide = Callable[[Conversation], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the answers are made with; one for the process."""

    queue: CommandQueue
    loader: Loader[ConversationState]
    directory: Directory
    store: SealedStore
    commits: AsyncEventStore
    inbox: Rows
    messages: Rows
    customers: Rows
    customer_desk: Desk[CustomerState, Customer]
    history: History
    lists: Lists
    search: Search
    counts: Counts
    erasing: Erasing
    drafts: Drafts
    id_key: IdKey
    numbers: CaseNumbers
    files: Rows
    long_work: LongWork
    chains: SharedReads[ChainState]


class Workplace:
    """What every family of commands needs, for one member in their workspace.

    ``told_of``: the identities whose data is in what was answered to commands.
    Errors of all: NotFound, Unavailable.
    """

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts = parts
        self._caller = caller
        self.told_of: set[str] = set()
        self._directory: WorkspaceDirectory = parts.directory.of(caller.workspace_id)
        member = self._directory.members.get(caller.member_id)
        if member is None:
            raise Unavailable(COMMON.say("unavailable.unknown-member"))
        self._member: MemberState = member
        default_to(self._directory.language_of(member))

    @property
    def inbox(self) -> Inbox:
        parts, caller = self._parts, self._caller
        return Inbox(
            parts.inbox,
            parts.lists,
            caller.workspace_id,
            self._member,
            self._directory,
        )

    async def counts(self) -> ConversationCounts:
        workspace_id = self._caller.workspace_id
        important = await self.inbox.important()
        return await self._parts.counts.of(workspace_id, self._member, self._directory, important)

    async def timeline(
        self, conversation_id: str, cursor: str | None, limit: int, as_of: datetime | None
    ) -> TimelinePage:
        """Errors: Invalid (the cursor, ``as_of``), NotBegun."""
        present = await self._snapshot(conversation_id)
        if as_of is None:
            timeline = Timeline(self._parts.store, self._parts.messages, present)
            return await timeline.page(cursor, limit, self._teller(present))
        async with self._parts.long_work.turn(self._caller.workspace_id):
            past = await self._past(present, as_of)
            timeline = self._parts.history.timeline(past, as_of, present.state.forgotten)
            page = await timeline.page(cursor, limit, self._teller(present))
        return replace(page, as_of=as_of, erased=_erased_since(past, present))

    async def audit(self, conversation_id: str) -> Audit:
        snapshot = await self._snapshot(conversation_id)
        return Audit(self._parts.commits, conversation_id, snapshot.version, self._parts.chains)

    async def view(self, conversation_id: str, as_of: datetime | None) -> ConversationView:
        """Errors: Invalid (``as_of``), NotBegun."""
        present = await self._snapshot(conversation_id)
        if as_of is None:
            return conversation_view(present)
        async with self._parts.long_work.turn(self._caller.workspace_id):
            past = await self._past(present, as_of)
        view = conversation_view(past)
        return replace(view, as_of=as_of, erased=_erased_since(past, present))

    @property
    def _manages(self) -> bool:
        return self._caller.may(Action.MANAGE_CASES)

    def _answers(self, member_id: str) -> bool:
        """Whether they are an active member who answers customers."""
        member = self._directory.members.get(member_id)
        return member is not None and self._directory.may(member, Action.ANSWER)

    def _refuse_disconnected(self, conversation: Conversation) -> None:
        """Before anything is written down that could not be sent. Errors: SourceDisconnected."""
        if conversation.state is not None:
            source = self._directory.sources.get(conversation.state.thread.source_id)
            if source is not None and not source.connected:
                raise SourceDisconnected(source.source_id)

    def _must_close(self) -> None:
        """Asked where another command is to close too. Errors: Forbidden."""
        if not self._caller.may(Action.CLOSE):
            raise Forbidden(TEXTS.say("forbidden.close"))

    def _close(self, conversation: Conversation) -> None:
        """As the aggregate does, where the fields that every case is to have are filled in."""
        before = conversation.version
        conversation.close(
            self._member.member_id,
            manages=self._manages,
            untaken=self._caller.may(Action.CLOSE_UNTAKEN),
        )
        if conversation.version > before:
            conversation.require_fields(required_fields(self._directory))

    async def _snapshot(self, conversation_id: str) -> Snapshot[ConversationState]:
        try:
            return await self.inbox.get(conversation_id)
        except NotThere as error:
            raise no_such_conversation() from error
        except SERVER_AWAY as error:
            raise Unavailable from error

    async def _past(
        self, present: Snapshot[ConversationState], as_of: datetime
    ) -> Snapshot[ConversationState]:
        """For who may see the present. Errors: Invalid, NotBegun."""
        if as_of > datetime.now(UTC):
            raise wrong("as_of", "future")
        conversation_id = present.state.thread.conversation_id
        if as_of >= present.recorded_at:
            return present
        past = await self._parts.history.at(conversation_id, as_of)
        if past is None:
            began = await self._parts.history.began(conversation_id)
            raise NotBegun(self._teller(present), began or present.recorded_at)
        if past.version < present.state.forgotten:
            # Whatever key is still in memory here.
            past = replace(past, state=without_person(past.state))
        if await self._shows_erased_card(past.state):
            past = replace(past, state=without_card(past.state))
        return past

    async def _shows_erased_card(self, past: ConversationState) -> bool:
        """Of another identity, which was forgotten alone: they had been split before."""
        shown = past.shown_as
        if shown.customer_id == past.customer_id:
            return False
        rows = await find_rows(self._parts.customers, [shown.customer_id])
        known = customer_of(rows[0]) if rows else None
        return known is not None and shown.edits <= known.state.forgotten

    async def _remembered(self, conversation_id: str) -> Snapshot[ConversationState]:
        """A state that may be a moment old: good for what never changes, such as the channel.

        Whether the member may act is decided on the state that the commit is made from.
        """
        try:
            loaded = (await self._parts.loader.quickly([conversation_id]))[conversation_id]
        except SERVER_AWAY as error:
            raise Unavailable from error
        snapshot = loaded.snapshot
        if snapshot is None or snapshot.state.thread.workspace_id != self._caller.workspace_id:
            raise no_such_conversation()
        if not self._sees(snapshot.state):
            raise no_such_conversation()
        return snapshot

    def _sees(self, state: ConversationState | None) -> bool:
        """Of a conversation of the workspace; nobody sees what is not there."""
        return self._directory.may_see(self._member, audience_of(state))

    async def _message(
        self, conversation_id: str, message_id: str
    ) -> tuple[Snapshot[ConversationState], MessageReceived | MessageSent]:
        """The conversation as it is now, so that nothing is read of what was forgotten since, and
        how the message came into it."""
        snapshot = await self._snapshot(conversation_id)
        timeline = Timeline(self._parts.store, self._parts.messages, snapshot)
        placed = await timeline.find(message_id)
        if placed is None or not isinstance(placed[1], MessageReceived | MessageSent):
            raise no_such_message()
        return snapshot, placed[1]

    async def _acted(
        self, command: str, conversation_id: str, cause: str, decide: Decide
    ) -> ConversationView:
        done = await self._do(command, conversation_id, cause, decide)
        return self._told(state_of(done))

    def _told(self, snapshot: Snapshot[ConversationState]) -> ConversationView:
        # Who wrote, and whose card is shown: they may be one person now, and two again tomorrow.
        self.told_of |= {snapshot.state.customer_id, snapshot.state.shown_as.customer_id}
        return conversation_view(snapshot)

    async def _do(
        self, command: str, conversation_id: str, cause: str, decide: Decide, characters: int = 0
    ) -> Done[ConversationState]:
        location_id = ""

        def if_visible(conversation: Conversation) -> None:
            nonlocal location_id
            state = conversation.state
            if state is None or not self._sees(state):
                raise NotThere
            location_id = state.case.location_id
            decide(conversation)

        weight = 2_000 + 8 * characters
        task = Task(
            self._caller.workspace_id, conversation_id, cause, if_visible, trace_headers(), weight
        )
        try:
            outcome = await self._parts.queue.decide(task)
        except SERVER_AWAY as error:
            raise Unavailable(COMMON.say("unavailable.not-confirmed")) from error
        if isinstance(outcome, Done):
            COMMANDS.labels(command, "repeated" if outcome.repeated else "done").inc()
            return outcome
        COMMANDS.labels(command, "refused").inc()
        refused: Problem = problem_of(outcome, self._directory, location_id, datetime.now(UTC))
        raise refused

    async def _sent(self, done: Done[ConversationState], item_id: str) -> Sent:
        snapshot = state_of(done)
        conversation_id, teller = snapshot.state.thread.conversation_id, self._teller(snapshot)
        for change in done.changes:
            item = timeline_item(conversation_id, change.version, change.event, None, teller)
            if item is not None and item.id == item_id:
                return Sent(item=item, conversation=self._told(snapshot))
        item = await self._found(snapshot, item_id)
        return Sent(item=item, conversation=self._told(snapshot))

    async def _found(self, snapshot: Snapshot[ConversationState], item_id: str) -> TimelineItem:
        """What an earlier request with the same cause had written."""
        timeline = Timeline(self._parts.store, self._parts.messages, snapshot)
        item = await timeline.item(item_id, self._teller(snapshot))
        if item is None:
            raise no_such_message()
        return item

    def _teller(self, snapshot: Snapshot[ConversationState]) -> Teller:
        return Teller(self._directory, snapshot.state.case.location_id)


def _erased_since(past: Snapshot[ConversationState], present: Snapshot[ConversationState]) -> bool:
    return past.state.erasures < present.state.erasures


def state_of(done: Done[ConversationState]) -> Snapshot[ConversationState]:
    if done.snapshot is None:
        raise no_such_conversation()
    return done.snapshot
