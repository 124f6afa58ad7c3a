"""The test cases that the `eventsourcing` library ships, on the real server."""

import os
from collections.abc import Iterator
from unittest import mock

import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    TrackingRecorder,
)

# The modules, not the classes: pytest would collect an imported case once more by itself.
from eventsourcing.tests import application as application_cases
from eventsourcing.tests import persistence as persistence_cases
from eventsourcing.utils import Environment

from libs.eventstore import Factory
from libs.eventstore.datastore import MongoDatastore
from libs.eventstore.recorders import (
    MongoAggregateRecorder,
    MongoApplicationRecorder,
    MongoProcessRecorder,
    MongoTrackingRecorder,
)

pytestmark = pytest.mark.servers


class OnTheServer:
    """Gives the library's cases, which know no fixtures, a database of their own."""

    datastore: MongoDatastore

    @pytest.fixture(autouse=True)
    def _use(self, datastore: MongoDatastore) -> None:
        self.datastore = datastore


class ByEnvironment:
    """The same for those that make everything from environment variables."""

    @pytest.fixture(autouse=True)
    def _use(
        self, mongodb_url: str, mongodb_name: str, datastore: MongoDatastore
    ) -> Iterator[None]:
        settings = {
            "PERSISTENCE_MODULE": "libs.eventstore",
            "MONGODB_URL": mongodb_url,
            "MONGODB_NAME": mongodb_name,
        }
        with mock.patch.dict(os.environ, settings):
            yield


class TestAggregateRecorder(OnTheServer, persistence_cases.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        recorder = MongoAggregateRecorder(self.datastore)
        recorder.ensure_indexes()
        return recorder


class TestApplicationRecorder(
    OnTheServer, persistence_cases.ApplicationRecorderTestCase[MongoApplicationRecorder]
):
    def create_recorder(self) -> MongoApplicationRecorder:
        recorder = MongoApplicationRecorder(self.datastore)
        recorder.ensure_indexes()
        return recorder


class TestNonInterleavingNotificationIDs(
    OnTheServer, persistence_cases.NonInterleavingNotificationIDsBaseCase
):
    def create_recorder(self) -> ApplicationRecorder:
        recorder = MongoApplicationRecorder(self.datastore)
        recorder.ensure_indexes()
        return recorder


class TestTrackingRecorder(OnTheServer, persistence_cases.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return MongoTrackingRecorder(self.datastore)


class TestProcessRecorder(OnTheServer, persistence_cases.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        recorder = MongoProcessRecorder(self.datastore)
        recorder.ensure_indexes()
        return recorder


class OwnTrackingRecorder(MongoTrackingRecorder):
    pass


class TestFactory(ByEnvironment, persistence_cases.InfrastructureFactoryTestCase[Factory]):
    def setUp(self) -> None:
        self.env = Environment("TestCase", dict(os.environ))
        super().setUp()

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return MongoAggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return MongoApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return MongoTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return MongoProcessRecorder


# One case catches a deprecation warning of the library, which must not be an error before that.
@pytest.mark.filterwarnings("default:'log' is deprecated:DeprecationWarning")
class TestApplication(ByEnvironment, application_cases.ApplicationTestCase):
    pass


class TestExampleApplication(ByEnvironment, application_cases.ExampleApplicationTestCase):
    expected_factory_topic = "libs.eventstore.factory:Factory"
