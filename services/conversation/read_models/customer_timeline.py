"""The conversation as its customer sees it: messages of both sides, and nothing of the team's."""

from libs.events.api import CustomerTimeline
from libs.runtime.rows import Rows, find_rows
from services.conversation.localization.refusals import no_such_conversation
from services.conversation.read_models.inbox.rows import snapshot_of
from services.conversation.read_models.timeline import Timelines


class CustomerTimelines:
    def __init__(self, inbox: Rows, timelines: Timelines) -> None:
        self._inbox = inbox
        self._timelines = timelines

    async def page(
        self, workspace_id: str, conversation_id: str, after: int, limit: int
    ) -> CustomerTimeline:
        """Those after the position, oldest first. Errors: NotFound."""
        rows = await find_rows(self._inbox, [conversation_id])
        if not rows or rows[0]["workspace"] != workspace_id:
            raise no_such_conversation()
        return await self._timelines.of(snapshot_of(rows[0])).for_customer(after, limit)
