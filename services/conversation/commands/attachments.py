"""Files: which a member may see, because one of their conversations has it."""

from collections.abc import Collection
from itertools import batched
from typing import Final

from libs.events.api.attachments import AttachmentsInSight
from services.conversation.commands.base import Workplace
from services.conversation.rows import snapshot_of

_AT_ONCE: Final = 500


class AttachmentCommands(Workplace):
    async def attachments_in_sight(self, ids: Collection[str]) -> AttachmentsInSight:
        """Those of which nothing is said are in no conversation."""
        found = await self._parts.files.find({"a": {"$in": list(ids)}}).to_list()
        places: dict[str, list[str]] = {}
        for row in found:
            places.setdefault(row["a"], []).append(row["c"])
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
