"""MongoDB as the recorders see it: collections, transactions, the library's errors."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Literal
from uuid import UUID

import pymongo
from bson.codec_options import CodecOptions
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    PersistenceError,
)
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from libs.eventstore.codec import Document
from libs.eventstore.duplicates import DUPLICATE_KEY


class MongoDatastore:
    """One client and one database; what the recorders of a factory share."""

    def __init__(
        self,
        url: str,
        database_name: str,
        *,
        originator_id_type: Literal["uuid", "text"] = "uuid",
        transaction_timeout_s: float = 30.0,
    ) -> None:
        with library_errors():
            self.client: MongoClient[Document] = MongoClient(url)
        self.originator_id_type = originator_id_type
        self._transaction_timeout_s = transaction_timeout_s
        self._database = self.client.get_database(
            database_name,
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            write_concern=WriteConcern(w="majority"),
            read_concern=ReadConcern("majority"),
        )
        # Applications are often dropped without being closed; the client must not outlive them.
        self._finalizer = weakref.finalize(self, self.client.close)

    def collection(self, name: str) -> Collection[Document]:
        return self._database[name]

    def in_transaction[T](self, work: Callable[[ClientSession], T]) -> T:
        """Run `work`, again where the server saw a conflict with another writer, and commit.

        The driver would try for two minutes, also where the server is away.
        """
        with (
            library_errors(),
            pymongo.timeout(self._transaction_timeout_s),
            self.client.start_session() as session,
        ):
            return session.with_transaction(work)

    def stream(self, originator_id: UUID | str) -> str:
        return originator_id.hex if isinstance(originator_id, UUID) else originator_id

    def originator_id(self, stream: str) -> UUID | str:
        return UUID(stream) if self.originator_id_type == "uuid" else stream

    def close(self) -> None:
        self._finalizer()


@contextmanager
def library_errors() -> Iterator[None]:
    """The driver's exceptions as those that the `eventsourcing` library declares."""
    try:
        yield
    except DuplicateKeyError as error:
        raise IntegrityError(str(error)) from error
    except BulkWriteError as error:
        failures: list[dict[str, Any]] = error.details["writeErrors"]
        if any(failure["code"] == DUPLICATE_KEY for failure in failures):
            raise IntegrityError(failures[0]["errmsg"]) from error
        raise PersistenceError(str(error)) from error
    except ConfigurationError as error:
        raise InterfaceError(str(error)) from error
    except (ConnectionFailure, ExecutionTimeout) as error:
        raise OperationalError(str(error)) from error
    except DocumentTooLarge as error:
        raise DataError(str(error)) from error
    except PyMongoError as error:
        raise PersistenceError(str(error)) from error
