"""An event in this store and in the recorders that come with the `eventsourcing` library.

`append_us` and `load_us`: an event of a batch through the asynchronous store (here an event is a
commit, with its index over causes). `sqlite_append_us`, `sqlite_load_us`, `postgresql_append_us`
and `postgresql_load_us`: of the same batches through the library's recorders, one transaction a
batch, then a query a stream; SQLite in a file, PostgreSQL in a server of its own on 127.0.0.1, both
as durable as they are by default (SQLite's `synchronous` is full, PostgreSQL's `fsync` is on).
Where no PostgreSQL is installed its figures are left out.
"""

import tempfile
import time
import uuid
from pathlib import Path
from typing import Final

from eventsourcing.persistence import StoredEvent as LibraryEvent
from eventsourcing.postgres import PostgresAggregateRecorder
from eventsourcing.sqlite import SQLiteAggregateRecorder, SQLiteDatastore
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks import postgresql
from benchmarks.eventstore import BATCH, batch
from benchmarks.figures import Figures
from libs.eventstore.codec import Document
from libs.eventstore.store import AsyncEventStore

_ROUNDS: Final = 5


async def measure_beside_recorders(database: AsyncDatabase[Document], figures: Figures) -> None:
    """Microseconds an event: the shortest of the rounds, in each of which all take their turn."""
    store = AsyncEventStore(database["beside"])
    await store.ensure_indexes()
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        postgresql.started() as postgres,
    ):
        recorders: dict[str, SQLiteAggregateRecorder | PostgresAggregateRecorder] = {
            "sqlite": SQLiteAggregateRecorder(SQLiteDatastore(str(Path(folder) / "events.sqlite")))
        }
        if postgres is None:
            print("no PostgreSQL is installed: the figures of its recorder are left out")
        else:
            recorders["postgresql"] = PostgresAggregateRecorder(postgres)
        for recorder in recorders.values():
            recorder.create_table()
        took: dict[str, list[float]] = {}

        def note(name: str, started: float) -> None:
            took.setdefault(name, []).append((time.perf_counter() - started) / BATCH * 1e6)

        for round_ in range(_ROUNDS):
            commits = batch(round_)
            events = [
                LibraryEvent(uuid.uuid4(), 1, one.events[0].type, one.events[0].data)
                for one in commits
            ]
            started = time.perf_counter()
            await store.append(commits)
            note("append_us", started)
            started = time.perf_counter()
            await store.load(dict.fromkeys((one.stream for one in commits), 0))
            note("load_us", started)
            for name, recorder in recorders.items():
                started = time.perf_counter()
                recorder.insert_events(events)
                note(f"{name}_append_us", started)
                started = time.perf_counter()
                for event in events:
                    recorder.select_events(event.originator_id)
                note(f"{name}_load_us", started)
    for name, times in took.items():
        figures.put(name, min(times))
