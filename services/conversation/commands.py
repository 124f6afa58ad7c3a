"""What a member does to a conversation, from the rule's check to the answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from libs.events.actions import Action
from libs.events.api import AddNote, ConversationView, SendMessage, Sent, TimelineItem
from libs.events.directory import MemberState
from libs.events.ids import IdKey
from libs.eventstore.store import AsyncEventStore
from libs.runtime.consumer import Transient
from libs.runtime.directory import Directory, WorkspaceDirectory
from libs.runtime.kafka import PublishFailed
from libs.runtime.mongo import TRANSIENT
from libs.runtime.problems import NotFound, Problem, Unavailable
from libs.runtime.tokens import Caller
from libs.runtime.tracing import trace_headers
from services.conversation.desk import Desk
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.state import ConversationState
from services.conversation.inbox import EncodedViews, Hints, Inbox
from services.conversation.limits import check_content, check_note
from services.conversation.loading import Loader
from services.conversation.metrics import COMMANDS
from services.conversation.publishing import audience_of
from services.conversation.refusals import problem_of
from services.conversation.rows import Rows
from services.conversation.tasks import Done, NotThere, Outcome, Task
from services.conversation.timeline import Timeline
from services.conversation.views import conversation_view, timeline_item

type Decide = Callable[[Conversation], None]
type ConversationTask = Task[Conversation]
type ConversationOutcome = Outcome[ConversationState]
type _Waiting = tuple[ConversationTask, asyncio.Future[ConversationOutcome]]

_NOT_NOW: Final[tuple[type[Exception], ...]] = (Transient, PublishFailed, *TRANSIENT)


class CommandQueue:
    """Members' commands, taken together: whatever waits is decided and committed as one batch.

    So sixteen agents cost hardly more round trips than one, and nobody waits for a timer.
    """

    def __init__(self, desk: Desk[ConversationState, Conversation]) -> None:
        self._desk = desk
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()

    async def decide(self, task: ConversationTask) -> ConversationOutcome:
        """Errors: the driver's and the broker's."""
        future: asyncio.Future[ConversationOutcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((task, future))
        self._arrived.set()
        return await future

    async def run(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        try:
            while self._waiting or not stop.is_set():
                arriving = asyncio.create_task(self._arrived.wait())
                await asyncio.wait({arriving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                arriving.cancel()
                self._arrived.clear()
                batch, self._waiting = self._waiting, []
                if batch:
                    await self._together(batch)
        finally:
            stopping.cancel()

    async def _together(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._desk.handle([task for task, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, _NOT_NOW):
                # One of them met a bug: it alone is to fail, and each finds out which it was.
                for one in batch:
                    await self._together([one])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the answers are made with; one for the process."""

    queue: CommandQueue
    loader: Loader[ConversationState]
    directory: Directory
    store: AsyncEventStore
    inbox: Rows
    messages: Rows
    hints: Hints
    views: EncodedViews
    id_key: IdKey


class Desktop:
    """What one member sees and does in their workspace. Errors of all: NotFound, Unavailable."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts = parts
        self._caller = caller
        self._directory: WorkspaceDirectory = parts.directory.of(caller.workspace_id)
        member = self._directory.members.get(caller.member_id)
        if member is None:
            raise Unavailable("this member is not known here yet")
        self._member: MemberState = member

    @property
    def inbox(self) -> Inbox:
        parts, caller = self._parts, self._caller
        return Inbox(
            parts.inbox,
            parts.hints,
            parts.views,
            caller.workspace_id,
            self._member,
            self._directory,
        )

    async def timeline(self, conversation_id: str) -> Timeline:
        snapshot = await self._snapshot(conversation_id)
        return Timeline(self._parts.store, self._parts.messages, snapshot)

    async def view(self, conversation_id: str) -> ConversationView:
        return conversation_view(await self._snapshot(conversation_id))

    async def take(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken (naming the winner), CaseDone."""
        member_id = self._member.member_id
        done = await self._do("take", conversation_id, cause, lambda c: c.take(member_id))
        return conversation_view(_state(done))

    async def close(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseDone."""
        member_id, manages = self._member.member_id, self._manages
        done = await self._do(
            "close", conversation_id, cause, lambda c: c.close(member_id, manages=manages)
        )
        return conversation_view(_state(done))

    async def reopen(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseOpen."""
        member_id, manages = self._member.member_id, self._manages
        done = await self._do(
            "reopen", conversation_id, cause, lambda c: c.reopen(member_id, manages=manages)
        )
        return conversation_view(_state(done))

    async def send(self, conversation_id: str, cause: str, message: SendMessage) -> Sent:
        """Errors: Invalid, CaseTaken, CaseNotTaken, CaseDone."""
        snapshot = await self._remembered(conversation_id)
        check_content(snapshot.state.thread.channel, message.content)
        quoted = None
        if message.reply_to is not None:
            timeline = Timeline(self._parts.store, self._parts.messages, snapshot)
            quoted = await timeline.external_id(message.reply_to)
        member_id, manages = self._member.member_id, self._manages
        message_id = self._parts.id_key.derive("msg", conversation_id, cause)

        def decide(conversation: Conversation) -> None:
            conversation.reply(
                member_id,
                message_id,
                message.content,
                reply_to=message.reply_to,
                reply_to_external=quoted,
            )
            if message.close:
                conversation.close(member_id, manages=manages)

        done = await self._do("send", conversation_id, cause, decide, len(message.content.text))
        return await self._sent(done, message_id)

    async def note(self, conversation_id: str, cause: str, note: AddNote) -> Sent:
        """Errors: Invalid."""
        check_note(note.text)
        member_id = self._member.member_id
        note_id = self._parts.id_key.derive("note", conversation_id, cause)
        done = await self._do(
            "note", conversation_id, cause, lambda c: c.note(member_id, note_id, note.text)
        )
        return await self._sent(done, note_id)

    @property
    def _manages(self) -> bool:
        return self._caller.may(Action.MANAGE_CASES)

    async def _snapshot(self, conversation_id: str) -> Snapshot[ConversationState]:
        try:
            return await self.inbox.get(conversation_id)
        except NotThere as error:
            raise NotFound("There is no such conversation") from error
        except _NOT_NOW as error:
            raise Unavailable from error

    async def _remembered(self, conversation_id: str) -> Snapshot[ConversationState]:
        """A state that may be a moment old: good for what never changes, such as the channel.

        Whether the member may act is decided on the state that the commit is made from.
        """
        try:
            loaded = (await self._parts.loader.quickly([conversation_id]))[conversation_id]
        except _NOT_NOW as error:
            raise Unavailable from error
        snapshot = loaded.snapshot
        if snapshot is None or snapshot.state.thread.workspace_id != self._caller.workspace_id:
            raise NotFound("There is no such conversation")
        if not self._directory.may_see(self._member, audience_of(snapshot.state)):
            raise NotFound("There is no such conversation")
        return snapshot

    async def _do(
        self, command: str, conversation_id: str, cause: str, decide: Decide, characters: int = 0
    ) -> Done[ConversationState]:
        location_id = ""

        def if_visible(conversation: Conversation) -> None:
            nonlocal location_id
            state = conversation.state
            if state is None or not self._directory.may_see(self._member, audience_of(state)):
                raise NotThere
            location_id = state.case.location_id
            decide(conversation)

        weight = 2_000 + 8 * characters
        task = Task(
            self._caller.workspace_id, conversation_id, cause, if_visible, trace_headers(), weight
        )
        try:
            outcome = await self._parts.queue.decide(task)
        except _NOT_NOW as error:
            raise Unavailable("This was not confirmed; repeat it with the same key") from error
        if isinstance(outcome, Done):
            COMMANDS.labels(command, "repeated" if outcome.repeated else "done").inc()
            return outcome
        COMMANDS.labels(command, "refused").inc()
        refused: Problem = problem_of(outcome, self._directory, location_id, datetime.now(UTC))
        raise refused

    async def _sent(self, done: Done[ConversationState], item_id: str) -> Sent:
        snapshot = _state(done)
        conversation_id = snapshot.state.thread.conversation_id
        for change in done.changes:
            item = timeline_item(conversation_id, change.version, change.event, None)
            if item is not None and item.id == item_id:
                return Sent(item=item, conversation=conversation_view(snapshot))
        return Sent(
            item=await self._found(snapshot, item_id), conversation=conversation_view(snapshot)
        )

    async def _found(self, snapshot: Snapshot[ConversationState], item_id: str) -> TimelineItem:
        """What an earlier request with the same cause had written."""
        timeline = Timeline(self._parts.store, self._parts.messages, snapshot)
        placed = await timeline.find(item_id)
        item = (
            timeline_item(snapshot.state.thread.conversation_id, *placed, None) if placed else None
        )
        if item is None:
            raise NotFound("There is no such message")
        return item


def _state(done: Done[ConversationState]) -> Snapshot[ConversationState]:
    if done.snapshot is None:
        raise NotFound("There is no such conversation")
    return done.snapshot
