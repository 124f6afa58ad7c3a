"""A broker that is gone is an error of Kafka's, also on uvloop."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from libs.runtime.broken_connections import understand_uvloop

pytestmark = pytest.mark.servers


async def _write_to_a_lost_connection(kafka_bootstrap: str) -> None:
    host, port = kafka_bootstrap.split(":")
    connection = AIOKafkaConnection(host, int(port))
    await connection.connect()
    try:
        # Lost, before aiokafka's reader has noticed.
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


def test_a_write_to_a_lost_connection_is_kafkas_error(kafka_bootstrap: str) -> None:
    understand_uvloop()

    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.raises(KafkaConnectionError, match="broken"),
    ):
        runner.run(_write_to_a_lost_connection(kafka_bootstrap))
