"""The read models by name, as ``parley rebuild NAME`` makes them again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pymongo import UpdateOne

from libs.aggregates.rebuilding import rebuilt
from libs.eventstore.commits import Commit
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.customer.customer import Customer, is_customers
from services.conversation.domain.events import EVENTS, name_of
from services.conversation.domain.sent_message import DeliveryChanged, SentMessage
from services.conversation.read_models.attachments import FilesModel
from services.conversation.read_models.customers.rows import (
    CUSTOMERS,
    OPENINGS_ARE_OF,
    customer_row,
    of_customer,
    openings_of,
    update_openings,
)
from services.conversation.read_models.inbox.rows import INBOX, inbox_row
from services.conversation.read_models.messages.rows import (
    MESSAGE_PARTS,
    MESSAGES,
    PARTS_ARE_OF,
    delivery_row,
    parts_of,
)
from services.conversation.read_models.rebuild.rebuild import ReadModel
from services.conversation.read_models.search.rebuilding import SearchModel

_DELIVERY: Final = name_of(DeliveryChanged)
_PARTS: Final = ("delivery", *MESSAGE_PARTS)


class _Plain:
    """What most have in common."""

    def reads(self, event: str) -> bool:
        return True

    def part(self, row: Document) -> UpdateOne | None:
        return None

    def stream_of(self, live: Document) -> str | None:
        return None

    async def finish(self, live: Rows) -> None:
        """Nothing: an erasure is a commit, so what it changed is newer."""


class InboxModel(_Plain):
    """The inbox's rows, which are the conversations' snapshots too."""

    collection = INBOX

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        if _is_delivery(stream) or of_customer(stream[0]):
            return []
        return [inbox_row(stream[0].stream, rebuilt(EVENTS, Conversation, stream))]

    def merged(self, live: Document, rebuilt: Document) -> Document:
        return live if live["v"] > rebuilt["v"] else rebuilt

    def same(self, live: Document) -> Document:
        return {"v": live["v"]}

    def stream_of(self, live: Document) -> str | None:
        stream: str = live["_id"]
        return stream


class MessagesModel(_Plain):
    """What became of messages after they were written: of each part its own version."""

    collection = MESSAGES

    def reads(self, event: str) -> bool:
        return event == _DELIVERY or event in PARTS_ARE_OF

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        if of_customer(stream[0]):
            return []
        if _is_delivery(stream):
            return [delivery_row(stream[0].stream, rebuilt(EVENTS, SentMessage, stream))]
        return parts_of(stream)

    def part(self, row: Document) -> UpdateOne | None:
        fields = {name: value for name, value in row.items() if name != "_id"}
        return UpdateOne({"_id": row["_id"]}, {"$set": fields}, upsert=True)

    def merged(self, live: Document, rebuilt: Document) -> Document:
        merged = dict(rebuilt)
        for part in _PARTS:
            if _version(live, part) > _version(rebuilt, part):
                names = (part, "external") if part == "delivery" else (part,)
                merged |= {name: live[name] for name in names}
        return merged

    def same(self, live: Document) -> Document:
        return {f"{part}.v": live[part]["v"] for part in _PARTS if part in live}


class CustomersModel(_Plain):
    """The customers: their own streams, and what the conversations' say of them."""

    collection = CUSTOMERS

    def reads(self, event: str) -> bool:
        return is_customers(event) or event in OPENINGS_ARE_OF

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        if _is_delivery(stream):
            return []
        if of_customer(stream[0]):
            return [customer_row(stream[0].stream, rebuilt(EVENTS, Customer, stream))]
        return openings_of(stream)

    def part(self, row: Document) -> UpdateOne | None:
        if "known" not in row:
            return update_openings(row)
        fields = {name: value for name, value in row.items() if name != "_id"}
        return UpdateOne({"_id": row["_id"]}, {"$set": fields}, upsert=True)

    def merged(self, live: Document, rebuilt: Document) -> Document:
        newer = live if _version(live, "known") > _version(rebuilt, "known") else rebuilt
        streams = _conversations(rebuilt).keys() | _conversations(live).keys()
        conversations = {one: _both(live, rebuilt, one) for one in streams}
        return {**newer, "conversations": conversations} if conversations else newer

    def same(self, live: Document) -> Document:
        known = {"known.v": live["known"]["v"]} if "known" in live else {"known": None}
        return {**known, "conversations": live.get("conversations")}


def read_models(deployment_key: bytes) -> Mapping[str, Callable[[], ReadModel]]:
    """Each is made when it is asked for: the search's has dictionaries to read."""
    return {
        "inbox": InboxModel,
        "messages": MessagesModel,
        "customers": CustomersModel,
        "attachments": FilesModel,
        "search": lambda: SearchModel(deployment_key),
    }


def _is_delivery(stream: Sequence[Commit]) -> bool:
    return stream[0].events[0].type == _DELIVERY


def _version(row: Document, part: str) -> int:
    version: int = row.get(part, {}).get("v", 0)
    return version


def _conversations(row: Document) -> Document:
    conversations: Document = row.get("conversations", {})
    return conversations


def _both(live: Document, rebuilt: Document, stream: str) -> Document:
    """What either says of the conversation: none of it ever changes."""
    parts = [_conversations(row).get(stream, {}) for row in (rebuilt, live)]
    cases = {number: case for part in parts for number, case in part.get("cases", {}).items()}
    both = {name: value for part in parts for name, value in part.items()}
    return {**both, "cases": cases} if cases else both
