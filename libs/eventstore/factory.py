"""What `PERSISTENCE_MODULE=libs.eventstore` resolves to.

Environment (each may be prefixed with the application's name, as everywhere in the library):
MONGODB_URL, MONGODB_NAME (the database); optional ORIGINATOR_ID_TYPE (`uuid`, default, or `text`)
and CREATE_TABLE (`no` leaves the indexes alone).
"""

from typing import Literal, cast

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ProcessRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from libs.eventstore.datastore import MongoDatastore
from libs.eventstore.recorders import (
    MongoAggregateRecorder,
    MongoApplicationRecorder,
    MongoProcessRecorder,
    MongoTrackingRecorder,
)


class Factory(InfrastructureFactory[MongoTrackingRecorder]):
    """Makes the recorders of one application, on one client."""

    MONGODB_URL = "MONGODB_URL"
    MONGODB_NAME = "MONGODB_NAME"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        id_type = self.env.get(self.ORIGINATOR_ID_TYPE, "uuid").lower()
        if id_type not in ("uuid", "text"):
            raise OSError(f"{self.ORIGINATOR_ID_TYPE} must be 'uuid' or 'text', not {id_type!r}")
        self.datastore = MongoDatastore(
            self._required(self.MONGODB_URL),
            self._required(self.MONGODB_NAME),
            originator_id_type=cast(Literal["uuid", "text"], id_type),
        )

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        recorder = MongoAggregateRecorder(
            self.datastore, collection_name=f"stored_{purpose}", chained=purpose == "events"
        )
        return self._with_indexes(recorder)

    def application_recorder(self) -> ApplicationRecorder:
        recorder_class = self._configured(self.APPLICATION_RECORDER_TOPIC, MongoApplicationRecorder)
        return self._with_indexes(recorder_class(self.datastore))

    def tracking_recorder(
        self, tracking_recorder_class: type[MongoTrackingRecorder] | None = None
    ) -> MongoTrackingRecorder:
        if tracking_recorder_class is None:
            tracking_recorder_class = self._configured(
                self.TRACKING_RECORDER_TOPIC, MongoTrackingRecorder
            )
        return tracking_recorder_class(self.datastore)

    def process_recorder(self) -> ProcessRecorder:
        recorder_class = self._configured(self.PROCESS_RECORDER_TOPIC, MongoProcessRecorder)
        return self._with_indexes(recorder_class(self.datastore))

    def close(self) -> None:
        self.datastore.close()

    def _configured[R](self, key: str, default: type[R]) -> type[R]:
        topic = self.env.get(key)
        if not topic:
            return default
        recorder_class: type[R] = resolve_topic(topic)
        if not issubclass(recorder_class, default):
            raise OSError(f"{key} must name a subclass of {default.__name__}, not {topic!r}")
        return recorder_class

    def _with_indexes[R: MongoAggregateRecorder](self, recorder: R) -> R:
        if strtobool(self.env.get(self.CREATE_TABLE) or "yes"):
            recorder.ensure_indexes()
        return recorder

    def _required(self, key: str) -> str:
        value = self.env.get(key)
        if not value:
            names = ", ".join(self.env.create_keys(key))
            raise OSError(f"not found in the environment: {names}")
        return value
