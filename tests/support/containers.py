"""Kafka and MongoDB from their official images, where a Docker engine has them.

The engine is only asked whether it has them, nothing is pulled: without an engine, or without one
of the images, the tests run on the devstack. The images are those of ``docker-compose.yml``.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from libs.devstack.mongodb import REPLICA_SET, mongodb_answers, mongodb_url
from libs.devstack.ports import free_port

_KAFKA: Final = "apache/kafka:4.3.1"
_MONGODB: Final = "mongo:8.0"
_ENGINE_TIMEOUT_S: Final = 10
_START_TIMEOUT_S: Final = 60


def images_are_there() -> bool:
    """Whether an engine answers that has all the images, also the one that cleans up after us."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    images = [_KAFKA, _MONGODB, testcontainers_config.ryuk_image]
    try:
        asked = subprocess.run(
            [docker, "image", "inspect", *images],
            capture_output=True,
            timeout=_ENGINE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


@contextmanager
def kafka_and_mongodb() -> Iterator[tuple[str, str]]:
    """Kafka's bootstrap address and MongoDB's URL. Errors: TimeoutError."""
    kafka_port, mongodb_port = free_port(), free_port()
    with _kafka(kafka_port), _mongodb(mongodb_port):
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not mongodb_answers(mongodb_port, as_replica_set=True):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{_MONGODB} was not ready after {_START_TIMEOUT_S} s")
            time.sleep(0.1)
        yield f"127.0.0.1:{kafka_port}", mongodb_url(mongodb_port)


def _kafka(port: int) -> DockerContainer:
    started = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(_START_TIMEOUT_S)
    container = _container(_KAFKA, port).waiting_for(started)
    return container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_LISTENERS=f"PLAINTEXT://:{port},CONTROLLER://:9093",
        KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://127.0.0.1:{port}",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
    )


def _mongodb(port: int) -> DockerContainer:
    command = ["mongod", "--replSet", REPLICA_SET, "--bind_ip_all", "--port", str(port)]
    return _container(_MONGODB, port).with_command(command)


def _container(image: str, port: int) -> DockerContainer:
    """One port inside and outside: both servers tell it to their clients."""
    container = DockerContainer(image)
    # with_bind_ports takes no address and would let the whole network in.
    container.ports[f"{port}/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]
    return container
