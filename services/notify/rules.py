"""The rule of each workspace: whether, and how, a new case in a group is told."""

from collections.abc import Iterable
from typing import Final, Literal

from pymongo.asynchronous.collection import AsyncCollection

from libs.events.registry import Body
from libs.runtime.bodies import RequestBody
from libs.runtime.mongo import Document

CASE_IN_GROUP: Final = "case-in-group"


class Channels(RequestBody):
    """The rule as it is set, whole. ``enabled`` false silences both channels."""

    enabled: bool
    in_app: bool
    email: bool


DEFAULT: Final = Channels(enabled=True, in_app=True, email=True)


class RuleView(Body, omit_defaults=False):
    rule: Literal["case-in-group"]
    enabled: bool
    in_app: bool
    email: bool


def view(channels: Channels) -> RuleView:
    return RuleView(
        rule=CASE_IN_GROUP,
        enabled=channels.enabled,
        in_app=channels.in_app,
        email=channels.email,
    )


class Rules:
    """One document a workspace; without one, the default."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def of(self, workspace_ids: Iterable[str]) -> dict[str, Channels]:
        """Of every workspace asked for."""
        wanted = set(workspace_ids)
        found = {
            document["_id"]: Channels(
                enabled=document["enabled"], in_app=document["in_app"], email=document["email"]
            )
            async for document in self._collection.find({"_id": {"$in": sorted(wanted)}})
        }
        return {workspace_id: found.get(workspace_id, DEFAULT) for workspace_id in wanted}

    async def put(self, workspace_id: str, channels: Channels) -> None:
        document = {
            "enabled": channels.enabled,
            "in_app": channels.in_app,
            "email": channels.email,
        }
        await self._collection.replace_one({"_id": workspace_id}, document, upsert=True)
