"""The erasures under way, and those that are still watched: a document each.

    {_id: "<identity>.<number>", identity, workspace, member, number, at, stage, conversations,
     names?, sealed_with?}

(collection ``conversation_erasures``). What is absent was not reached yet, or is no longer needed.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from libs.runtime.rows import insert_missing
from services.conversation.metrics import ERASURES_REACHED
from services.conversation.privacy.keyring import Keyring, Wanted
from services.conversation.privacy.sealed_payload import NONCE_BYTES, Owner

ERASURES: Final = "conversation_erasures"


@dataclass(slots=True)
class Erasure:
    """``number``: which erasure of the identity it is. ``names``: what the person is called on the
    platforms; of no use to anybody who does not have the key of the generation ``sealed_with``,
    one after it."""

    identity: str
    workspace_id: str
    member_id: str
    number: int
    at: datetime
    stage: Literal["begun", "erased", "done"] = "begun"
    names: bytes = b""
    sealed_with: int = 0
    conversations: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.identity}.{self.number}"


class Erasures:
    """Errors: pymongo's; where names are sealed and opened, the keyring's."""

    def __init__(self, database: AsyncDatabase[Document], keyring: Keyring) -> None:
        self._erasures = database[ERASURES]
        self._keyring = keyring

    async def begun(self, erasures: Sequence[Erasure]) -> list[Erasure]:
        """They, or what is known of those that were begun before: stopped at their very beginning,
        or at this moment by another."""
        documents = {one.id: _document(one) for one in erasures}
        if taken := await insert_missing(self._erasures, list(documents.values())):
            before = {"_id": {"$in": [one["_id"] for one in taken]}}
            async for known in self._erasures.find(before):
                documents[known["_id"]] = known
        return [_erasure_of(one) for one in documents.values()]

    async def now(self, erasure: Erasure) -> Erasure:
        """As it stands, with what another who works on it found."""
        return _erasure_of(await self._erasures.find_one({"_id": erasure.id}) or {})

    async def under_way(self, newest: Mapping[str, int]) -> bool:
        """Whether any of the identities is just being forgotten. ``newest``: the newest generation
        of each one's keys, which the erasure before it began, or the one that begins now ends."""
        ids = [f"{one}.{number - back}" for one, number in newest.items() for back in (0, 1)]
        return await self._erasures.find_one({"_id": {"$in": ids}, "stage": "begun"}) is not None

    async def at(self, which: Document) -> list[Erasure]:
        return [_erasure_of(one) async for one in self._erasures.find(which)]

    async def reached(self, erasure: Erasure, stage: Literal["erased", "done"]) -> None:
        erasure.stage = stage
        ERASURES_REACHED.labels(stage).inc()
        change: Document = {"$set": {"stage": stage}}
        if stage == "done":
            change["$unset"] = {"names": ""}
        await self._erasures.update_one({"_id": erasure.id}, change)

    async def drop(self, before: datetime) -> None:
        """Those of before that are done."""
        await self._erasures.delete_many({"stage": "done", "at": {"$lt": before}})

    async def erased_in(self, erasure: Erasure, conversation_id: str) -> None:
        """One of the conversations that it is about."""
        if conversation_id not in erasure.conversations:
            erasure.conversations.append(conversation_id)
            await self._erasures.update_one(
                {"_id": erasure.id}, {"$addToSet": {"conversations": conversation_id}}
            )

    async def remember(self, erasure: Erasure, names: Collection[str]) -> None:
        """Until the dead letters were looked through, sealed for the generation after; besides what
        is remembered already, and may be found no more."""
        wanted = Wanted(Owner(erasure.identity, erasure.number + 1), erasure.workspace_id, True)
        place = erasure.id.encode()
        while True:
            known = await self.now(erasure)
            remembered = set(await self.names_of(known))
            if remembered.issuperset(names) or known.stage == "done":
                return
            # Where the person is just being forgotten once more, it is a generation later still.
            owner, cipher = (await self._keyring.to_seal([wanted]))[erasure.identity]
            nonce, both = os.urandom(NONCE_BYTES), sorted(remembered.union(names))
            sealed = nonce + cipher.encrypt(nonce, msgspec.json.encode(both), place)
            done = await self._erasures.update_one(
                {"_id": erasure.id, "stage": known.stage, "names": known.names or None},
                {"$set": {"names": sealed, "sealed_with": owner.generation}},
            )
            if done.matched_count:
                return

    async def names_of(self, erasure: Erasure) -> list[str]:
        """What is remembered; none where their key was erased since."""
        owner = Owner(erasure.identity, erasure.sealed_with)
        cipher = (await self._keyring.to_open([owner])).get(owner)
        if not erasure.names or cipher is None:
            return []
        nonce, sealed = erasure.names[:NONCE_BYTES], erasure.names[NONCE_BYTES:]
        opened = cipher.decrypt(nonce, sealed, erasure.id.encode())
        return msgspec.json.decode(opened, type=list[str])


def _document(erasure: Erasure) -> Document:
    return {
        "_id": erasure.id,
        "identity": erasure.identity,
        "workspace": erasure.workspace_id,
        "member": erasure.member_id,
        "number": erasure.number,
        "at": erasure.at,
        "stage": erasure.stage,
        "conversations": [],
    }


def _erasure_of(document: Document) -> Erasure:
    return Erasure(
        identity=document["identity"],
        workspace_id=document["workspace"],
        member_id=document["member"],
        number=document["number"],
        at=document["at"],
        stage=document["stage"],
        names=document.get("names", b""),
        sealed_with=document.get("sealed_with", document["number"] + 1),
        conversations=document["conversations"],
    )
