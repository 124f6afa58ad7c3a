"""The keys that persons' data is sealed with: each identity's, in generations.

    deployment's key ─derives─▶ wraps workspace's keys ─each wraps─▶ identities' keys ─seal─▶ events

    conversation_workspace_keys  {_id: workspace, newest: 2, keys: {"1": wrapped, "2": wrapped}}
    conversation_keys            {_id: identity, workspace, by: 2, newest: 1, keys: {"1": wrapped}}

``by`` is the generation of the workspace's key that wraps them. Rotating makes a new key of the
workspace and wraps the identities' again (``rotation.py``); no event is ever sealed again.

What is new is sealed with an identity's newest generation. Erasing begins a generation and then
takes the ones before it away: the document stays, as the sign that they are not to be made again.

An identity that is known costs no round trip. A stream that begins asks the store all the same,
because its writer has nothing else that would tell of an erasure; a stream that is there says in
its state which generation is the least that may seal what comes next.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from libs.runtime.consumer import Transient
from libs.runtime.mongo import Document
from libs.runtime.rows import insert_missing
from libs.runtime.sealing import Sealer
from services.conversation.privacy.sealed_payload import Cipher, Owner

KEYS: Final = "conversation_keys"
WORKSPACE_KEYS: Final = "conversation_workspace_keys"

_PURPOSE: Final = "keys of workspaces"
_KEY_BYTES: Final = 32
_BATCH: Final = 10_000


class KeyLost(Exception):
    """A key that ought to be there is not: nothing may be sealed in its stead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to seal with: of the owner's generation or a newer one. ``begins``: the stream does,
    so nothing else would tell of an erasure."""

    owner: Owner
    workspace_id: str
    begins: bool


@dataclass(slots=True)
class _Held:
    """The keys of one identity that are there; those of older generations were erased."""

    newest: int
    ciphers: dict[int, Cipher] = field(default_factory=dict)


class Keyring:
    """``cache_size``: how many identities' keys are kept in memory, about 1 KB each."""

    def __init__(
        self, database: AsyncDatabase[Document], deployment_key: bytes, cache_size: int
    ) -> None:
        majority = ReadConcern("majority")
        self._keys: AsyncCollection[Document] = database[KEYS].with_options(read_concern=majority)
        self._workspaces = WorkspaceKeys(database, deployment_key)
        self._cache_size = cache_size
        self._held: OrderedDict[str, _Held] = OrderedDict()

    async def to_seal(self, wanted: Iterable[Wanted]) -> dict[str, tuple[Owner, Cipher]]:
        """By identity its newest key, which is durable. Errors: KeyLost, the driver's.

        No round trip for identities that are known; else one query, or for new ones one insert.
        """
        held: dict[str, _Held] = {}
        asked: dict[str, Wanted] = {}
        for identity, one in _by_identity(wanted).items():
            known = self._known(one.owner)
            if known and not one.begins:
                held[identity] = known
            else:
                asked[identity] = one
        if asked:
            await self._workspaces.load({one.workspace_id for one in asked.values()})
            # Who begins a stream is mostly new.
            new = [o for i, o in asked.items() if o.begins and i not in self._held]
            held |= await self._insert(new)
            held |= await self._read(asked.keys() - held.keys())
            held |= await self._insert([o for i, o in asked.items() if i not in held])
            held |= await self._read(asked.keys() - held.keys())
        keys: dict[str, tuple[Owner, Cipher]] = {}
        for identity, own in held.items():
            if own.newest not in own.ciphers:
                raise KeyLost(f"the newest key of {identity} is not there")
            keys[identity] = Owner(identity, own.newest), own.ciphers[own.newest]
        for identity, want in asked.items():
            if keys[identity][0].generation < want.owner.generation:
                raise KeyLost(f"the key {want.owner.generation} of {identity} is not there")
        return keys

    async def to_open(
        self, owners: Iterable[Owner], *, as_of_now: bool = False
    ) -> dict[Owner, Cipher]:
        """The keys that are there of those that are asked for: one query for all.

        ``as_of_now``: what is in memory is not believed, for nothing else tells of an erasure.
        """
        asked = set(owners)
        # Whoever knows of no erasure holds the key of what was before it, and lacks that of what
        # came since: the newest that is asked for says whether the store has to be.
        newest = {owner.identity: owner for owner in sorted(asked)}
        held: dict[str, _Held] = {}
        if not as_of_now:
            held = {i: known for i, owner in newest.items() if (known := self._known(owner))}
        held |= await self._read(newest.keys() - held.keys())
        return {
            owner: cipher
            for owner in asked
            if owner.identity in held
            and (cipher := held[owner.identity].ciphers.get(owner.generation))
        }

    async def newest(self, identities: Collection[str], workspace_id: str) -> dict[str, int]:
        """Each one's newest generation; 0 where the workspace has no such identity."""
        of_them = {"_id": {"$in": sorted(identities)}, "workspace": workspace_id}
        known = {one["_id"]: one["newest"] async for one in self._keys.find(of_them, {"newest": 1})}
        return {one: int(known.get(one, 0)) for one in identities}

    async def begin_generation(self, identity: str, workspace_id: str, after: int) -> None:
        """The identity goes on with a generation later than ``after``. Errors: Transient."""
        await self.to_seal([Wanted(Owner(identity, 1), workspace_id, begins=True)])
        by, sealer = self._workspaces.newest(workspace_id)
        wrapped = sealer.seal(os.urandom(_KEY_BYTES), key_name(identity, after + 1))
        await self._keys.update_one(
            {"_id": identity, "newest": {"$lte": after}, "by": by},
            {"$set": {"newest": after + 1, f"keys.{after + 1}": wrapped}},
        )
        # Where its keys are just being wrapped again, nothing was changed.
        if (await self._read({identity}))[identity].newest <= after:
            raise Transient(f"the keys of {identity} are being wrapped again")

    async def destroy(self, identity: str, before: int) -> None:
        """The generations below ``before`` are gone, for ever and on every replica."""
        gone = {f"keys.{generation}": "" for generation in range(1, before)}
        if gone:
            await self._keys.update_one({"_id": identity}, {"$unset": gone})
        self.forget(identity)

    def forget(self, identity: str) -> None:
        self._held.pop(identity, None)

    def _known(self, owner: Owner) -> _Held | None:
        """What is held; None where the store has to be asked. What is older than what is held
        and not among it was erased."""
        held = self._held.get(owner.identity)
        if held is None or held.newest < owner.generation:
            return None
        self._held.move_to_end(owner.identity)
        return held

    def _keep(self, held: Mapping[str, _Held]) -> None:
        self._held.update(held)
        while len(self._held) > self._cache_size:
            self._held.popitem(last=False)

    async def _insert(self, wanted: Sequence[Wanted]) -> dict[str, _Held]:
        """First keys, of those identities that have none yet."""
        documents, made = [], {}
        for one in wanted:
            identity, generation = one.owner
            by, sealer = self._workspaces.newest(one.workspace_id)
            key = os.urandom(_KEY_BYTES)
            made[identity] = _Held(generation, {generation: AESGCM(key)})
            documents.append(
                {
                    "_id": identity,
                    "workspace": one.workspace_id,
                    "by": by,
                    "newest": generation,
                    "keys": {str(generation): sealer.seal(key, key_name(identity, generation))},
                }
            )
        for there in await insert_missing(self._keys, documents):
            del made[there["_id"]]
        self._keep(made)
        return made

    async def _read(self, identities: Collection[str]) -> dict[str, _Held]:
        """The keys of those identities that have any."""
        if not identities:
            return {}
        query = {"_id": {"$in": list(identities)}}
        documents = await self._keys.find(query, batch_size=_BATCH).to_list()
        await self._workspaces.load({document["workspace"] for document in documents})
        stale = {d["workspace"] for d in documents if not self._workspaces.knows(d)}
        await self._workspaces.load(stale, again=True)
        found = {}
        for document in documents:
            sealer = self._workspaces.sealer(document["workspace"], document["by"])
            identity, held = document["_id"], _Held(document["newest"])
            for generation, wrapped in document["keys"].items():
                key = sealer.open(wrapped, key_name(identity, int(generation)))
                held.ciphers[int(generation)] = AESGCM(key)
            found[identity] = held
        self._keep(found)
        return found


class WorkspaceKeys:
    """The keys that wrap the identities'. There are few, and all that were asked for are kept."""

    def __init__(self, database: AsyncDatabase[Document], deployment_key: bytes) -> None:
        self._keys = database[WORKSPACE_KEYS]
        self._sealer = Sealer(deployment_key, _PURPOSE)
        self._known: dict[str, tuple[int, dict[int, Sealer]]] = {}

    def newest(self, workspace_id: str) -> tuple[int, Sealer]:
        """Errors: KeyError (it was not loaded)."""
        newest, sealers = self._known[workspace_id]
        return newest, sealers[newest]

    def knows(self, document: Mapping[str, Any]) -> bool:
        return document["by"] in self._known[document["workspace"]][1]

    def sealer(self, workspace_id: str, generation: int) -> Sealer:
        """Errors: KeyLost."""
        sealer = self._known[workspace_id][1].get(generation)
        if sealer is None:
            raise KeyLost(f"the key {generation} of {workspace_id} is not there")
        return sealer

    async def load(self, workspace_ids: Collection[str], *, again: bool = False) -> None:
        """Keys of the workspaces, made where there are none. Errors: CannotOpen."""
        unknown = [one for one in workspace_ids if again or one not in self._known]
        await asyncio.gather(*(self._load(workspace_id) for workspace_id in unknown))

    async def renew(self, workspace_id: str) -> int:
        """One more generation, which wraps from now on; its number."""
        await self.load([workspace_id], again=True)
        newest = self._known[workspace_id][0] + 1
        await self._keys.update_one(
            {"_id": workspace_id, "newest": newest - 1},
            {"$set": {"newest": newest, f"keys.{newest}": self._wrapped(workspace_id, newest)}},
        )
        await self.load([workspace_id], again=True)
        return self._known[workspace_id][0]

    async def drop(self, workspace_id: str, before: int) -> None:
        gone = {f"keys.{generation}": "" for generation in range(1, before)}
        await self._keys.update_one({"_id": workspace_id}, {"$unset": gone})

    async def _load(self, workspace_id: str) -> None:
        document = await self._keys.find_one({"_id": workspace_id})
        if document is None:
            document = {
                "_id": workspace_id,
                "newest": 1,
                "keys": {"1": self._wrapped(workspace_id, 1)},
            }
            try:
                await self._keys.insert_one(document)
            except DuplicateKeyError:
                await self._load(workspace_id)
                return
        keys = {
            int(generation): self._sealer.open(wrapped, key_name(workspace_id, int(generation)))
            for generation, wrapped in document["keys"].items()
        }
        self._known[workspace_id] = (
            document["newest"],
            {generation: Sealer(key, "keys of identities") for generation, key in keys.items()},
        )

    def _wrapped(self, workspace_id: str, generation: int) -> str:
        return self._sealer.seal(os.urandom(_KEY_BYTES), key_name(workspace_id, generation))


def _by_identity(wanted: Iterable[Wanted]) -> dict[str, Wanted]:
    """What suits all that is wanted of an identity: of two streams of a person, one may not have
    been told yet of the erasure that the other knows of."""
    united: dict[str, Wanted] = {}
    for want in wanted:
        one, identity = want, want.owner.identity
        if (other := united.get(identity)) is not None:
            owner = max(one.owner, other.owner)
            one = Wanted(owner, one.workspace_id, one.begins or other.begins)
        united[identity] = one
    return united


def key_name(owner: str, generation: int) -> str:
    return f"{owner}.{generation}"
