"""What means that a server is away: the one list, for all that waits and tries again."""

from typing import Final

from aiokafka.errors import KafkaError
from pymongo.errors import ConnectionFailure


class ServerAway(Exception):
    """A server did not do what it was asked, and may do it a moment later."""


class Transient(ServerAway):
    """What was asked cannot be done yet; nothing of it was done that a repetition would double."""


# Kafka's errors all belong here: the producer tells apart what Kafka takes from nobody, ever
# (``Unpublishable``). Of MongoDB's only those of the connection do; what its server refuses, it
# refuses again.
SERVER_AWAY: Final[tuple[type[Exception], ...]] = (ServerAway, KafkaError, ConnectionFailure)
