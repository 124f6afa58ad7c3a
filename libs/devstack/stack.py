"""All the servers of one folder, started and stopped together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from libs.devstack.folders import FolderLock, cache_folder
from libs.devstack.kafka import kafka_process
from libs.devstack.mongodb import MongodbProgram, mongodb_process, mongodb_program, mongodb_url
from libs.devstack.ports import kept_ports
from libs.devstack.processes import ManagedProcess
from libs.devstack.stores import Stores

# A start after a crash includes the recovery of the logs: 13 s measured after 160,000 messages.
START_TIMEOUT_S: Final = 90.0


@dataclass(frozen=True)
class Servers:
    """Where the servers are. ``clickhouse_dsn`` is a path for chDB, which one process may open."""

    kafka_bootstrap: str
    mongodb_url: str
    clickhouse_dsn: str


class Devstack:
    """The servers over ``folder``, which keeps their data, logs (``logs/``) and ports.

    What is given by address is used as it is and not started. ``say`` is told what is being done,
    a sentence at a time. As a context manager it is started on entering, and all of it stopped on
    leaving; should this process die, so do its servers (``libs.devstack.processes`` says how).
    The data decide which MongoDB server is started, and stores that do not belong together are not;
    ``keys`` tells the keys that the data are sealed with from any others; ``folders``, by name, are
    what is kept here without a server and belongs together with them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cache: Path | None = None,
        kafka_bootstrap: str | None = None,
        mongodb_url: str | None = None,
        keys: str | None = None,
        folders: Mapping[str, Path] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder.resolve()
        self._cache = cache or cache_folder()
        self._given_kafka = kafka_bootstrap
        self._given_mongodb = mongodb_url
        self._keys = keys
        self._folders = folders
        self._say = say
        self._lock = FolderLock(self._folder)
        self._servers: Servers | None = None
        self.kafka: ManagedProcess | None = None
        self.mongodb: ManagedProcess | None = None

    @property
    def servers(self) -> Servers:
        if self._servers is None:
            raise RuntimeError("the devstack is not started")
        return self._servers

    @property
    def processes(self) -> tuple[ManagedProcess, ...]:
        """What was started here, to be watched."""
        return tuple(process for process in (self.mongodb, self.kafka) if process is not None)

    def start(self) -> Servers:
        """Start what is not given and wait until all of it answers.

        Errors: FolderInUse, JarsUnavailable, NoMongodb, ProcessFailed, StoresApart; then nothing
        runs.
        """
        self._lock.take()
        clickhouse = self._folder / "clickhouse"
        kept = {"ClickHouse": clickhouse}
        try:
            ports = kept_ports(
                ("kafka", "kafka_controller", "mongodb"), self._folder / "ports.json"
            )
            program: MongodbProgram | None = None
            if self._given_mongodb is None:
                program = mongodb_program(self._folder / "mongodb", self._cache)
                kept["MongoDB"] = program.data
            if self._given_kafka is None:
                kept["Kafka"] = self._folder / "kafka" / "data"
            stores = Stores(self._folder, kept, self._keys, self._folders)
            stores.check()
            if program is not None:
                self._start_mongodb(program, ports["mongodb"])
            if self._given_kafka is None:
                self._start_kafka(ports["kafka"], ports["kafka_controller"])
            for process in self.processes:
                process.wait_ready(START_TIMEOUT_S)
            stores.stamp()
        except BaseException:
            self.stop()
            raise
        self._servers = Servers(
            kafka_bootstrap=self._given_kafka or f"127.0.0.1:{ports['kafka']}",
            mongodb_url=self._given_mongodb or mongodb_url(ports["mongodb"]),
            clickhouse_dsn=f"chdb://{clickhouse}",
        )
        return self._servers

    def _start_mongodb(self, program: MongodbProgram, port: int) -> None:
        self._say("starting MongoDB")
        if program.faster is not None:
            self._say(
                f"  {program.kind}, for the data here are its; {program.faster} is faster, and"
                " serves a folder that begins anew (`make clean` removes all data)"
            )
        self.mongodb = mongodb_process(
            self._folder / "mongodb",
            program,
            port=port,
            log_path=self._folder / "logs" / "mongodb.log",
            keep_open=(self._lock.descriptor,),
        )
        self.mongodb.start()

    def _start_kafka(self, port: int, controller_port: int) -> None:
        self._say("starting Kafka (its 44 MB are downloaded the first time)")
        self.kafka = kafka_process(
            self._folder / "kafka",
            port=port,
            controller_port=controller_port,
            cache=self._cache,
            log_path=self._folder / "logs" / "kafka.log",
            keep_open=(self._lock.descriptor,),
        )
        self.kafka.start()

    def stop(self) -> None:
        """Stop what was started here; the data stays."""
        for process in reversed(self.processes):
            process.stop()
        self.kafka = self.mongodb = self._servers = None
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
