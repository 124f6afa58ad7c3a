"""The attempts to send, as MongoDB keeps them: what was begun is never begun again.

    waiting ──begin──▶ begun ──end──▶ ended ──settle──▶ (settled: its result known on Kafka)
       ▲                 │                 │
       └──postpone───────┘                 └─▶ the next attempt of the same message: waiting
           only when the platform              only where it failed or is uncertain, and a member
           certainly did not take it           asked for it

Each attempt to send a message is a document of its own, and ends for good; the next one has another
name, and begins behind the parts that the platform has taken. So however often a request comes, or
its attempt is adopted, what was begun is never begun a second time. To correct a message is an
attempt too, and may be begun again: done twice is done once.

An attempt that is not settled has an owner (a replica) until an instant that the owner keeps moving
on. When that lapses: waiting is adopted, begun becomes uncertain, ended is published again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from libs.events.content import DeliveryState
from libs.events.outbound import OutboundRequested
from libs.events.registry import decode, encode, spec_of
from libs.eventstore.duplicates import refused_as_taken
from libs.runtime.mongo import Document, DocumentChange, change_each, with_fields
from services.ingest.ports.sending import Ending, Failed, Request, Sent, Uncertain
from services.ingest.sending.requests import correction_of, id_of, number_of

# Longer than Kafka keeps the request: it cannot come again when its attempt is forgotten.
KEPT_FOR: Final = timedelta(days=14)
LEASE: Final = timedelta(seconds=10)
ERASED_REASON: Final = "The customer was erased"
# Of attempts that were written down before there were others than to send.
_REQUEST_TYPE: Final = spec_of(OutboundRequested).name


@dataclass(slots=True)
class Attempt:
    """``order`` is the request's offset: a conversation's requests share a partition.

    ``done``: the platform's ids of the parts that it has taken already.
    """

    workspace_id: str
    order: int
    request: Request
    taken_at: datetime
    done: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return id_of(self.request)

    @property
    def conversation_id(self) -> str:
        return self.request.conversation_id


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended, and when. ``correction`` None: it was to send the message, for the
    ``number``-th time."""

    attempt_id: str
    message_id: str
    conversation_id: str
    source_id: str
    workspace_id: str
    state: DeliveryState
    at: datetime
    external_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    correction: Literal["edit", "delete"] | None = None
    number: int = 1


def result_of(attempt: Attempt, ending: Ending, at: datetime) -> AttemptResult:
    state: DeliveryState
    match ending:
        case Sent():
            state, reason, code = "sent", None, None
        case Failed(code=code, reason=reason):
            state = "failed"
        case Uncertain(code=code, reason=reason):
            state = "uncertain"
    return AttemptResult(
        attempt_id=attempt.id,
        message_id=attempt.request.message_id,
        conversation_id=attempt.conversation_id,
        source_id=attempt.request.source_id,
        workspace_id=attempt.workspace_id,
        state=state,
        at=at,
        external_ids=ending.external_ids,
        reason=reason,
        reason_code=code,
        correction=correction_of(attempt.request),
        number=number_of(attempt.request),
    )


class Attempts:
    """``owner`` names this life of this replica. All errors are pymongo's."""

    def __init__(
        self, collection: AsyncCollection[Document], owner: str, lease: timedelta = LEASE
    ) -> None:
        self._collection = collection
        self._lease = lease
        self.owner = owner

    async def ensure_indexes(self) -> None:
        # The three fields are there only until an attempt is settled, so these stay small.
        for name in ("lane", "owner", "until"):
            await self._collection.create_index([(name, ASCENDING)], name=name, sparse=True)
        await self._collection.create_index(
            "taken_at", name="expiry", expireAfterSeconds=int(KEPT_FOR.total_seconds())
        )

    async def find(self, ids: Sequence[str]) -> dict[str, Document]:
        return {d["_id"]: d async for d in self._collection.find({"_id": {"$in": list(ids)}})}

    async def external_id(self, message_id: str, conversation_id: str) -> str | None:
        """The platform's id of a message that was sent; of several parts the last one's, which
        stands nearest to an answer. None: it is not known."""
        query: dict[str, Any] = {
            # The attempts of a message have names that begin with its id (requests.py).
            "_id": {"$gte": message_id, "$lt": f"{message_id}/"},
            "conversation_id": conversation_id,
            "state": "ended",
            "correction": None,
            "result.external_ids": {"$ne": []},
        }
        newest = [("_id", DESCENDING)]
        found = await self._collection.find_one(query, {"result.external_ids": 1}, sort=newest)
        return str(found["result"]["external_ids"][-1]) if found else None

    async def unsettled(self, conversation_ids: Iterable[str]) -> list[Document]:
        """Of each attempt of these conversations that is not settled: lane, owner and until."""
        query = {"lane": {"$in": list(conversation_ids)}}
        return await self._collection.find(query, {"lane": 1, "owner": 1, "until": 1}).to_list()

    async def insert(self, mine: Sequence[Attempt], anyones: Sequence[Attempt]) -> set[str]:
        """Make them durable as waiting; the ids of those that were not there before.

        The driver repeats by itself a write whose answer got lost, so what is refused as being
        there already may have been put there by this very call: then it counts as new.
        """
        now = datetime.now(UTC)
        documents = [self._document(attempt, self.owner, now + self._lease) for attempt in mine]
        documents += [self._document(attempt, "", now) for attempt in anyones]
        ids = {document["_id"] for document in documents}
        if not documents:
            return ids
        try:
            await self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            there = {documents[one["index"]]["_id"] for one in refused_as_taken(error)}
            ids -= {
                _id
                for _id, found in (await self.find(list(there))).items()
                if not self._is_waiting_here(found)
            }
        return ids

    async def begin(self, ids: Sequence[str]) -> list[bool]:
        """Which of them may be called now: ours still, and durably begun."""
        ours = {"owner": self.owner, "state": {"$in": ["waiting", "begun"]}}
        change = {"$set": {"state": "begun", "begun_at": datetime.now(UTC)}}
        done = await self._collection.update_many({"_id": {"$in": list(ids)}, **ours}, change)
        if done.matched_count == len(ids):
            return [True] * len(ids)
        found = await self.find(ids)
        return [
            found.get(one, {}).get("owner") == self.owner and found[one]["state"] == "begun"
            for one in ids
        ]

    async def postpone(self, attempts: Sequence[Attempt]) -> None:
        """Begun, but certainly not taken by the platform beyond what is ``done``."""
        still_ours = {"$eq": ["$owner", self.owner]}
        await change_each(
            self._collection,
            {
                one.id: DocumentChange(
                    still_ours, with_fields({"state": "waiting", "done": list(one.done)})
                )
                for one in attempts
            },
        )

    async def end(self, results: Sequence[AttemptResult]) -> None:
        """The first end stands: an attempt that another replica has ended is left as it is."""
        going_on = {"$ne": ["$state", "ended"]}
        await change_each(
            self._collection,
            {
                one.attempt_id: DocumentChange(
                    going_on, with_fields({"state": "ended", "result": _result_document(one)})
                )
                for one in results
            },
        )

    async def settle(self, ids: Sequence[str]) -> None:
        """Their results are on Kafka; what was said in them is not kept any longer."""
        await self._collection.update_many(
            {"_id": {"$in": list(ids)}, "state": "ended"},
            {"$unset": {"lane": "", "owner": "", "until": "", "request": ""}},
        )

    async def erase(self, conversation_id: str) -> None:
        """Nothing of what waits in a conversation is sent, or kept. What is being sent at this
        moment is kept until its end is known, as always."""
        now = datetime.now(UTC)
        await self._collection.update_many(
            {"lane": conversation_id, "state": "waiting"},
            {
                # Whoever finds it lapsed tells of its end, and settles it.
                "$set": {"state": "ended", "result": _erased(now), "owner": "", "until": now},
                "$unset": {"request": ""},
            },
        )

    async def renew(self, held: Iterable[str]) -> None:
        """Only what is held lives on: an attempt of ours that nobody works on must lapse, so that
        the sweep finds it."""
        await self._collection.update_many(
            {"_id": {"$in": list(held)}, "owner": self.owner},
            {"$set": {"until": datetime.now(UTC) + self._lease}},
        )

    async def release(self) -> None:
        """Let another replica (or our next life) have at once what was not begun."""
        await self._collection.update_many(
            {"owner": self.owner, "state": "waiting"},
            {"$set": {"owner": "", "until": datetime.now(UTC)}},
        )

    async def lapsed(self, limit: int) -> list[Document]:
        """Attempts whose owner is gone; those of a conversation as they were asked for."""
        query = {"until": {"$lt": datetime.now(UTC)}}
        return await self._collection.find(query).sort("order").limit(limit).to_list()

    async def claim(self, document: Document) -> bool:
        """Become the owner of a lapsed attempt, unless another was faster."""
        still = {name: document[name] for name in ("_id", "state", "owner", "until")}
        change = {"$set": {"owner": self.owner, "until": datetime.now(UTC) + self._lease}}
        return (await self._collection.update_one(still, change)).modified_count == 1

    def _is_waiting_here(self, document: Document) -> bool:
        return document.get("owner") == self.owner and bool(document["state"] == "waiting")

    @staticmethod
    def _document(attempt: Attempt, owner: str, until: datetime) -> Document:
        return {
            "_id": attempt.id,
            "message_id": attempt.request.message_id,
            "type": spec_of(attempt.request).name,
            "correction": correction_of(attempt.request),
            "number": number_of(attempt.request),
            "workspace_id": attempt.workspace_id,
            "conversation_id": attempt.conversation_id,
            "source_id": attempt.request.source_id,
            "lane": attempt.conversation_id,
            "order": attempt.order,
            "request": encode(attempt.request),
            "state": "waiting",
            "done": list(attempt.done),
            "owner": owner,
            "until": until,
            "taken_at": attempt.taken_at,
        }


def attempt_of(document: Mapping[str, Any]) -> Attempt:
    """Of an attempt that is not settled."""
    request = decode(document.get("type", _REQUEST_TYPE), bytes(document["request"]))
    assert isinstance(request, Request)  # noqa: S101  # decoded by its type's name
    return Attempt(
        workspace_id=document["workspace_id"],
        order=document["order"],
        request=request,
        taken_at=document["taken_at"],
        done=tuple(document["done"]),
    )


def ended_result(document: Mapping[str, Any]) -> AttemptResult:
    """Of an attempt that has ended."""
    return AttemptResult(
        attempt_id=document["_id"],
        message_id=document.get("message_id", document["_id"]),
        conversation_id=document["conversation_id"],
        source_id=document["source_id"],
        workspace_id=document["workspace_id"],
        state=document["result"]["state"],
        at=document["result"]["at"],
        external_ids=tuple(document["result"]["external_ids"]),
        reason=document["result"]["reason"],
        reason_code=document["result"]["reason_code"],
        correction=document.get("correction"),
        number=document.get("number", 1),
    )


def _erased(at: datetime) -> Document:
    return {
        "state": "failed",
        "at": at,
        "external_ids": [],
        "reason": ERASED_REASON,
        "reason_code": "erased",
    }


def _result_document(result: AttemptResult) -> Document:
    return {
        "state": result.state,
        "at": result.at,
        "external_ids": list(result.external_ids),
        "reason": result.reason,
        "reason_code": result.reason_code,
    }
