"""MongoDB as the recorders see it: collections, and the library's errors for the driver's."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal
from uuid import UUID

from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    PersistenceError,
)
from pymongo import MongoClient
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

from libs.eventstore.codec import READING, Document
from libs.eventstore.duplicates import DUPLICATE_KEY

_SELECTION: Final = "serverSelectionTimeoutMS"
_SELECTION_MS: Final = 5_000


class MongoDatastore:
    """One client and one database; what the recorders of a factory share."""

    def __init__(
        self,
        url: str,
        database_name: str,
        *,
        originator_id_type: Literal["uuid", "text"] = "uuid",
    ) -> None:
        # The driver's own 30 s would hold a thread for as long as somebody waits for an answer.
        patience: dict[str, Any] = {}
        if _SELECTION.lower() not in url.lower():
            patience[_SELECTION] = _SELECTION_MS
        with library_errors():
            self.client: MongoClient[Document] = MongoClient(url, **patience)
        self.originator_id_type = originator_id_type
        self._database = self.client.get_database(
            database_name,
            codec_options=READING,
            write_concern=WriteConcern(w="majority", j=True),
            read_concern=ReadConcern("majority"),
        )
        # Applications are often dropped without being closed; the client must not outlive them.
        self._finalizer = weakref.finalize(self, self.client.close)

    def collection(self, name: str) -> Collection[Document]:
        return self._database[name]

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


@contextmanager
def driver_errors() -> Iterator[None]:
    """The other way round: what the driver raised, for a caller that knows the driver's errors.

    IntegrityError, which says that a version or a cause is taken, comes through as it is.
    """
    try:
        yield
    except IntegrityError:
        raise
    except PersistenceError as error:
        if isinstance(error.__cause__, PyMongoError):
            raise error.__cause__ from error
        raise
