"""Wrapping the identities' keys by new keys of their workspaces."""

from typing import Final

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from services.conversation.privacy.keyring import KEYS, WORKSPACE_KEYS, WorkspaceKeys, key_name

_BATCH: Final = 500


async def rewrap(database: AsyncDatabase[Document], deployment_key: bytes) -> int:
    """Rotate: each workspace gets a new key, which wraps the keys of its identities from then on.

    No event is touched. It may be stopped at any time and run again, while the services go on:
    a replica that does not know of the new key yet may wrap by the one before it, so that one
    stays until the next rotation. How many identities' keys were wrapped.
    """
    workspaces = WorkspaceKeys(database, deployment_key)
    keys, done = database[KEYS], 0
    for document in await database[WORKSPACE_KEYS].find({}, {"_id": 1}).to_list():
        workspace_id = document["_id"]
        by = await workspaces.renew(workspace_id)
        old: Document = {"workspace": workspace_id, "by": {"$lt": by}}
        bad: list[str] = []
        while batch := await keys.find({**old, "_id": {"$nin": bad}}, limit=_BATCH).to_list():
            operations = []
            for one in batch:
                wrapped: dict[str, str] | None = None
                with left_out("key", one["_id"]):
                    before, after = workspaces.sealer(workspace_id, one["by"]), workspaces.newest
                    wrapped = {
                        generation: after(workspace_id)[1].seal(
                            before.open(key, key_name(one["_id"], int(generation))),
                            key_name(one["_id"], int(generation)),
                        )
                        for generation, key in one["keys"].items()
                    }
                if wrapped is None:
                    bad.append(one["_id"])
                    continue
                # Only over what was read: an erasure meanwhile must not be undone.
                found = {"_id": one["_id"], "by": one["by"], "keys": one["keys"]}
                operations.append(UpdateOne(found, {"$set": {"by": by, "keys": wrapped}}))
            if operations:
                done += (await keys.bulk_write(operations, ordered=False)).modified_count
        if not bad:  # what did not open may be mended, and needs its key then
            await workspaces.drop(workspace_id, by - 1)
    return done
