"""Conversations as a member may see them in the past: who was forgotten since is not shown."""

from datetime import UTC, datetime

from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.runtime.rows import Rows, find_rows
from services.conversation.domain.conversation.erasure import without_card, without_person
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.localizer import Localizer, wrong
from services.conversation.localization.refusals import NotBegun
from services.conversation.read_models.customers.rows import customer_of
from services.conversation.read_models.time_travel.history import History
from services.conversation.read_models.timeline import Timeline


class PastConversations:
    def __init__(self, history: History, customers: Rows) -> None:
        self._history = history
        self._customers = customers

    async def at(
        self, present: Snapshot[ConversationState], as_of: datetime, localizer: Localizer
    ) -> Snapshot[ConversationState]:
        """For who may see the present. Errors: Invalid, NotBegun."""
        if as_of > datetime.now(UTC):
            raise wrong("as_of", "future")
        conversation_id = present.state.thread.conversation_id
        if as_of >= present.recorded_at:
            return present
        past = await self._history.at(conversation_id, as_of)
        if past is None:
            began = await self._history.began(conversation_id)
            raise NotBegun(localizer, began or present.recorded_at)
        if past.version < present.state.forgotten:
            # Whatever key is still in memory here.
            past = replace(past, state=without_person(past.state))
        if await self._shows_erased_card(past.state):
            past = replace(past, state=without_card(past.state))
        return past

    def timeline(
        self,
        past: Snapshot[ConversationState],
        as_of: datetime,
        present: Snapshot[ConversationState],
    ) -> Timeline:
        return self._history.timeline(past, as_of, present.state.forgotten)

    async def _shows_erased_card(self, past: ConversationState) -> bool:
        """Of another identity, which was forgotten alone: they had been split before."""
        shown = past.shown_as
        if shown.customer_id == past.customer_id:
            return False
        rows = await find_rows(self._customers, [shown.customer_id])
        known = customer_of(rows[0]) if rows else None
        return known is not None and shown.edits <= known.state.forgotten
