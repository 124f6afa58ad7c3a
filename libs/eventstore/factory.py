"""What `PERSISTENCE_MODULE=libs.eventstore` resolves to.

Environment (each may be prefixed with the application's name, as everywhere in the library):
MONGODB_URL, MONGODB_NAME (the database); optional COMMITS_COLLECTION (`stored_commits`),
SNAPSHOTS_COLLECTION (`stored_snapshots`), ORIGINATOR_ID_TYPE (`uuid`, default, or `text`) and
CREATE_TABLE (`no` leaves the indexes alone).
"""

from typing import Final, Literal, NoReturn, cast

from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    NotSupportedError,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, strtobool

from libs.eventstore.datastore import MongoDatastore
from libs.eventstore.recorders import CommitRecorder, SnapshotRecorder

SNAPSHOTS: Final = "snapshots"


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Makes the recorders of one application, on one client."""

    MONGODB_URL = "MONGODB_URL"
    MONGODB_NAME = "MONGODB_NAME"
    COMMITS_COLLECTION = "COMMITS_COLLECTION"
    SNAPSHOTS_COLLECTION = "SNAPSHOTS_COLLECTION"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        id_type = self.env.get(self.ORIGINATOR_ID_TYPE, "uuid").lower()
        if id_type not in ("uuid", "text"):
            raise OSError(f"{self.ORIGINATOR_ID_TYPE} must be 'uuid' or 'text', not {id_type!r}")
        self._commits = self.env.get(self.COMMITS_COLLECTION) or "stored_commits"
        self._snapshots = self.env.get(self.SNAPSHOTS_COLLECTION) or "stored_snapshots"
        self.datastore = MongoDatastore(
            self._required(self.MONGODB_URL),
            self._required(self.MONGODB_NAME),
            originator_id_type=cast(Literal["uuid", "text"], id_type),
        )

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose == SNAPSHOTS:
            return SnapshotRecorder(self.datastore, collection_name=self._snapshots)
        return self.application_recorder()

    def application_recorder(self) -> CommitRecorder:
        recorder = CommitRecorder(self.datastore, collection_name=self._commits)
        if strtobool(self.env.get(self.CREATE_TABLE) or "yes"):
            recorder.ensure_indexes()
        return recorder

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        """Errors: NotSupportedError. A follower of the broker keeps its place there."""
        _not_supported()

    def process_recorder(self) -> ProcessRecorder:
        """Errors: NotSupportedError, as above."""
        _not_supported()

    def close(self) -> None:
        self.datastore.close()

    def _required(self, key: str) -> str:
        value = self.env.get(key)
        if not value:
            names = ", ".join(self.env.create_keys(key))
            raise OSError(f"not found in the environment: {names}")
        return value


def _not_supported() -> NoReturn:
    raise NotSupportedError("nothing is tracked: follow the messages of the outbox")
