"""What uvloop says of a broken connection, told to aiokafka as what it is.

On asyncio's own loop a write to a transport that has just lost its connection is dropped; uvloop
raises RuntimeError ("the handler is closed"). aiokafka 0.14 expects OSError there and nothing else:
the error leaves its background tasks, and the producer or consumer is dead for good. The moment is
short (the broker is gone, and the reader has not noticed yet), so it takes a killed broker to see.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send


def _send_or_broken(self: Any, request: Any, expect_response: bool = True) -> Any:
    try:
        return _send(self, request, expect_response)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"the connection is broken: {error}") from error


def understand_uvloop() -> None:
    """For the whole process; safe to repeat."""
    AIOKafkaConnection.send = _send_or_broken
