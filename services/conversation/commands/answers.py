"""What commands are answered with: the conversation after it, or what was written."""

from dataclasses import dataclass

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import Done
from libs.events.api import ConversationView, Sent, TimelineItem
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.refusals import no_such_conversation, no_such_message
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.timeline import Timelines
from services.conversation.read_models.views import conversation_view, timeline_item


@dataclass(frozen=True, slots=True)
class Answer[T]:
    """``told_of``: the identities whose data is in the body, which is kept no longer than that."""

    body: T
    told_of: frozenset[str]


def answer_of(snapshot: Snapshot[ConversationState]) -> Answer[ConversationView]:
    return Answer(conversation_view(snapshot), told_of(snapshot))


def told_of(snapshot: Snapshot[ConversationState]) -> frozenset[str]:
    """Who wrote, and whose card is shown: they may be one person now, and two again tomorrow."""
    return frozenset({snapshot.state.customer_id, snapshot.state.shown_as.customer_id})


def state_of(done: Done[ConversationState]) -> Snapshot[ConversationState]:
    """Errors: NotFound."""
    if done.snapshot is None:
        raise no_such_conversation()
    return done.snapshot


class SentAnswers:
    """Answers with what a command wrote into the timeline. Errors of all: NotFound."""

    def __init__(self, timelines: Timelines) -> None:
        self._timelines = timelines

    async def of(
        self, actor: MemberContext, done: Done[ConversationState], item_id: str
    ) -> Answer[Sent]:
        """The item among the command's own changes, or where an earlier request with the same
        cause wrote it."""
        snapshot = state_of(done)
        conversation_id = snapshot.state.thread.conversation_id
        localizer = actor.localizer(snapshot.state)
        for change in done.changes:
            item = timeline_item(conversation_id, change.version, change.event, None, localizer)
            if item is not None and item.id == item_id:
                return _sent(item, snapshot)
        return await self.shown(actor, snapshot, item_id)

    async def shown(
        self, actor: MemberContext, snapshot: Snapshot[ConversationState], item_id: str
    ) -> Answer[Sent]:
        """The item as the timeline has it now."""
        localizer = actor.localizer(snapshot.state)
        item = await self._timelines.of(snapshot).item(item_id, localizer)
        if item is None:
            raise no_such_message()
        return _sent(item, snapshot)


def _sent(item: TimelineItem, snapshot: Snapshot[ConversationState]) -> Answer[Sent]:
    conversation = conversation_view(snapshot)
    return Answer(Sent(item=item, conversation=conversation), told_of(snapshot))
