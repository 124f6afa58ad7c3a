"""What a member sees of what they know by its id: conversations, and the files in them."""

from collections.abc import Collection
from itertools import batched
from typing import Final

from libs.events.api.attachments import AttachmentsInSight
from libs.events.api.conversations import ConversationsInSight
from services.conversation.commands.base import Workplace
from services.conversation.read_models.inbox.rows import snapshot_of

_AT_ONCE: Final = 500


class SightCommands(Workplace):
    async def attachments_in_sight(self, ids: Collection[str]) -> AttachmentsInSight:
        """Those of which nothing is said are in no conversation."""
        found = await self._parts.files.find({"a": {"$in": list(ids)}}).to_list()
        places: dict[str, list[str]] = {}
        for row in found:
            places.setdefault(row["a"], []).append(row["c"])
        # The same file of a platform may be in very many.
        visible: set[str] = set()
        hidden: set[str] = set()
        for attachment_id, conversations in places.items():
            own, seen = False, False
            for some in batched(conversations, _AT_ONCE):
                of_workspace = {"_id": {"$in": list(some)}, "workspace": self._caller.workspace_id}
                rows = await self._parts.inbox.find(of_workspace).to_list()
                own = own or bool(rows)
                if seen := any(self._sees(snapshot_of(row).state) for row in rows):
                    break
            if own:
                (visible if seen else hidden).add(attachment_id)
        return AttachmentsInSight(visible=tuple(sorted(visible)), hidden=tuple(sorted(hidden)))

    async def conversations_in_sight(self, ids: Collection[str]) -> ConversationsInSight:
        rows = await self._parts.inbox.find(
            {"_id": {"$in": list(ids)}, "workspace": self._caller.workspace_id}
        ).to_list()
        visible = (row["_id"] for row in rows if self._sees(snapshot_of(row).state))
        return ConversationsInSight(visible=tuple(sorted(visible)))
