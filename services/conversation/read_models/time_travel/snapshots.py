"""States of the past, kept now and then, so that any other one is near to one of them.

    conversation_landmarks  {_id: "<stream>:<version, ten digits>", at: date, kept_at, form,
                             of: identity, generation, box: nonce and AES-GCM over the state}

One is kept about every ``EVERY`` events: when the read models follow a commit that passes such a
version, and when somebody asked for a past that had none near. They are sealed with the key that
the state's personal data has, so erasing a person makes them unreadable with the rest: of a state
that shows the card of another identity, which has its own key, none is kept. They may all be
dropped at any time, for the events have everything. ``form`` is the shape of the state: what
another version of this program kept is not read.
"""

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import bson
import msgspec
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.aggregates.aggregate import Snapshot
from libs.eventstore.codec import commit_id, id_range
from libs.eventstore.commits import Commit
from libs.runtime.mongo import Document
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_payload import NONCE_BYTES, Owner

HISTORICAL_SNAPSHOTS: Final = "conversation_landmarks"
EVERY: Final = 200
# Who asks again makes another one.
_KEPT: Final = timedelta(days=180)
SNAPSHOT_INDEXES: Final = (
    IndexModel(
        [("kept_at", ASCENDING)], name="expiry", expireAfterSeconds=int(_KEPT.total_seconds())
    ),
)

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(ConversationState).decode
_FORM: Final = hashlib.sha256(
    msgspec.json.encode(msgspec.json.schema(ConversationState), order="sorted")
).hexdigest()[:16]


class HistoricalSnapshots:
    """The kept states of the conversations in ``database``."""

    def __init__(self, database: AsyncDatabase[Document], keyring: Keyring) -> None:
        self._kept = database[HISTORICAL_SNAPSHOTS]
        self._keyring = keyring

    async def before(self, stream: str, instant: datetime) -> Snapshot[ConversationState] | None:
        """The latest that was recorded not after the instant, and can be read."""
        of_stream = {"_id": id_range(stream, 0), "form": _FORM}
        found = await self._kept.find(of_stream, {"at": 1}).to_list()
        for one in sorted(found, key=lambda one: one["_id"], reverse=True):
            if one["at"] > instant:
                continue
            document = await self._kept.find_one({"_id": one["_id"]})
            if document and (snapshot := await self._opened(document)):
                return snapshot
        return None

    async def keep(self, stream: str, snapshot: Snapshot[ConversationState]) -> None:
        """Nothing is kept of who was erased meanwhile."""
        state = snapshot.state
        if state.shown_as.customer_id != state.customer_id:
            return
        owner = Owner(state.customer_id, state.erasures + 1)
        cipher = (await self._keyring.to_open([owner])).get(owner)
        if cipher is None:
            return
        name = commit_id(stream, snapshot.version)
        nonce = os.urandom(NONCE_BYTES)
        document: Document = {
            "_id": name,
            "at": snapshot.recorded_at,
            "kept_at": datetime.now(UTC),
            "form": _FORM,
            "of": owner.identity,
            "generation": owner.generation,
            "box": bson.Binary(nonce + cipher.encrypt(nonce, _encode(state), name.encode())),
        }
        # Two who come by at once keep the same.
        with suppress(DuplicateKeyError):
            await self._kept.replace_one({"_id": name}, document, upsert=True)

    async def keep_passed(
        self, snapshots: Mapping[str, Snapshot[ConversationState]], commits: Sequence[Commit]
    ) -> None:
        """Of those streams whose commits passed a multiple of ``EVERY``."""
        passed = {c.stream for c in commits if (c.first - 1) // EVERY != c.last // EVERY}
        await asyncio.gather(
            *(self.keep(stream, snapshots[stream]) for stream in passed if stream in snapshots)
        )

    async def _opened(self, document: Document) -> Snapshot[ConversationState] | None:
        owner = Owner(document["of"], document["generation"])
        cipher = (await self._keyring.to_open([owner])).get(owner)
        if cipher is None:
            return None
        name: str = document["_id"]
        box: bytes = document["box"]
        state = _decode(cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], name.encode()))
        return Snapshot(int(name.rpartition(":")[2]), document["at"], state)
