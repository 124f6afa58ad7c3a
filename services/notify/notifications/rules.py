"""The rule of each workspace: whether, and how, a new case in a group is told."""

from collections.abc import Iterable
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection

from libs.events.api.notifications import NotificationRule, SetNotificationRule
from libs.runtime.mongo import Document

CASE_IN_GROUP: Final = "case-in-group"


DEFAULT: Final = SetNotificationRule(enabled=True, in_app=True, email=True)


def view(rule: SetNotificationRule) -> NotificationRule:
    return NotificationRule(
        rule=CASE_IN_GROUP,
        enabled=rule.enabled,
        in_app=rule.in_app,
        email=rule.email,
    )


class Rules:
    """One document a workspace; without one, the default."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def of(self, workspace_ids: Iterable[str]) -> dict[str, SetNotificationRule]:
        """Of every workspace asked for."""
        wanted = set(workspace_ids)
        found = {
            document["_id"]: SetNotificationRule(
                enabled=document["enabled"], in_app=document["in_app"], email=document["email"]
            )
            async for document in self._collection.find({"_id": {"$in": sorted(wanted)}})
        }
        return {workspace_id: found.get(workspace_id, DEFAULT) for workspace_id in wanted}

    async def put(self, workspace_id: str, rule: SetNotificationRule) -> None:
        document = {
            "enabled": rule.enabled,
            "in_app": rule.in_app,
            "email": rule.email,
        }
        await self._collection.replace_one({"_id": workspace_id}, document, upsert=True)
