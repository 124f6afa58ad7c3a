"""The MongoDB client, with the write concern that "durable" means here."""

from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, ConnectionFailure, NotPrimaryError, PyMongoError

# What means "the server does not answer": the batch that met it is tried again.
TRANSIENT: Final[tuple[type[Exception], ...]] = (AutoReconnect, ConnectionFailure, NotPrimaryError)
_SERVER_SELECTION_MS: Final = 5_000

Document = dict[str, Any]
MongoClient = AsyncMongoClient[Document]


def mongo_client(url: str, app_name: str) -> MongoClient:
    """Acknowledged by the majority and journaled; times come back in UTC with a zone."""
    return AsyncMongoClient(
        url,
        appname=app_name,
        tz_aware=True,
        w="majority",
        journal=True,
        serverSelectionTimeoutMS=_SERVER_SELECTION_MS,
    )


async def check_mongo(client: MongoClient) -> None:
    """For readiness. Errors: PyMongoError."""
    await client.admin.command("ping")


__all__ = ["TRANSIENT", "Document", "MongoClient", "PyMongoError", "check_mongo", "mongo_client"]
