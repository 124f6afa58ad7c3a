"""One service's Kafka: FastStream's broker, made of what the service declares (``streams.py``).

Every consumer is a subscriber of it, and every message goes through a publisher of it. What passes
between FastStream and Kafka is ours: subscribers fetch as ``subscriber.py`` says, and messages are
sent by producers that outlast the brokers (``producer.py``).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final

from faststream import AckPolicy
from faststream._internal.broker import BrokerUsecase
from faststream._internal.broker.registrator import Registrator
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.exceptions import FeatureNotSupportedException
from faststream.kafka import KafkaBroker
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl
from faststream.kafka.response import KafkaPublishCommand
from faststream.kafka.schemas import Topic as KafkaTopic
from faststream.kafka.subscriber.config import (
    KafkaSubscriberConfig,
    KafkaSubscriberSpecificationConfig,
)
from faststream.kafka.subscriber.specification import KafkaSubscriberSpecification

from libs.events.topics import DEAD_LETTER_MAX_BYTES, Topic
from libs.runtime.consumer import GroupMember
from libs.runtime.gathering import Gatherer, GatheringMember
from libs.runtime.isolating import Handler, Received, Refused
from libs.runtime.kafka import GROUP_MEMBER, Handed, Publisher, patient
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.policy import Policy
from libs.runtime.producer import LastingProducer, Partitioner
from libs.runtime.reading import Reader
from libs.runtime.settings import Settings
from libs.runtime.streams import Publication, Streams, Subscription
from libs.runtime.subscriber import ConsumerPolicy, Member, Subscriber

_MAX_POLL_INTERVAL_MS: Final = 300_000


class ServiceBroker(KafkaBroker):
    """Idempotent, acknowledged by all replicas. Declare, then connect (as a context manager): that
    waits for no broker; ``Publisher.check`` and ``Subscriber.check`` tell when there is one.

    ``request_timeout_seconds``: how long a message may be on its way before its producer is given
    up.
    """

    def __init__(
        self,
        service: str,
        streams: Streams,
        *,
        kafka: Kafka,
        namespace: str,
        request_timeout_seconds: float = 10,
    ) -> None:
        client_id = f"parley-{service}"
        options = client_options(kafka)
        super().__init__(
            options["bootstrap_servers"],
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=DEAD_LETTER_MAX_BYTES,
            request_timeout_ms=int(request_timeout_seconds * 1000),
            allow_auto_create_topics=False,
            apply_types=False,
            logger=None,
            graceful_timeout=None,
            partitioner=Partitioner(),
            ack_policy=AckPolicy.MANUAL,
            id_generator=str,
            middlewares=(ConsumerPolicy,),
        )
        self._kafka = kafka
        self._namespace = namespace
        self._streams = streams
        self._patience_seconds = request_timeout_seconds
        self._producers: list[LastingProducer] = []
        config = self.config.broker_config
        config.prefix = namespace
        config.producer = _Handing(parser=None, decoder=None)
        config.builder = partial(Reader, **options, client_id=client_id)
        # A subscriber may start before anything is connected, and says so in FastStream's log.
        self._setup_logger()
        self._declared = {
            topic: self.publisher(topic, description=description)
            for topic, description in _published(streams).items()
        }

    def publishes(self, timeout_seconds: float = 10) -> Publisher:
        """A publisher with a producer of its own: what is published by another never stands before
        its messages. ``timeout_seconds`` bounds each publish."""
        producer = LastingProducer(
            patience_seconds=self._patience_seconds,
            **self._connection_kwargs | client_options(self._kafka),
        )
        self._producers.append(producer)
        if self._connection is not None:
            producer.begin()
        return Publisher(producer, self._declared, timeout_seconds)

    def subscribes(
        self,
        subscription: Subscription,
        handler: Handler,
        publisher: Publisher,
        *,
        linger_seconds: float | None = None,
    ) -> Subscriber:
        """The subscriber of a declared subscription. Its dead letters go by ``publisher``.
        ``linger_seconds``: where that is a setting."""
        group = self._namespace + subscription.group
        policy = Policy(
            {self._namespace + topic.value: topic for topic in subscription.topics},
            group,
            publisher,
            bootstrap_servers=self._kafka,
            namespace=self._namespace,
            wanted=subscription.filter,
            ordered=subscription.ordered,
        )
        return self._subscriber(
            subscription,
            handler,
            GroupMember(group, policy, subscription.max_batch),
            subscription.linger_seconds if linger_seconds is None else linger_seconds,
        )

    def gathers(self, subscription: Subscription, gather: Gatherer) -> Subscriber:
        """The subscriber of a declared subscription whose records nobody decodes."""
        member = GatheringMember(self._namespace + subscription.group)
        return self._subscriber(subscription, gather, member, subscription.linger_seconds)

    def _subscriber(
        self,
        subscription: Subscription,
        handler: Callable[[Any], Awaitable[Any]],
        member: Member,
        linger_seconds: float,
    ) -> Subscriber:
        if subscription not in self._streams.subscriptions:
            raise ValueError(f"the service does not declare the group {subscription.group}")
        topics = [KafkaTopic(topic.value) for topic in subscription.topics]
        calls = CallsCollection[Any]()
        patience = subscription.patience_seconds
        subscriber = Subscriber(
            KafkaSubscriberConfig(
                topics=topics,
                group_id=self._namespace + subscription.group,
                connection_args={
                    "auto_offset_reset": "earliest",
                    "max_poll_interval_ms": _MAX_POLL_INTERVAL_MS,
                    **GROUP_MEMBER,
                    **(patient(patience) if patience else {}),
                },
                no_reply=True,
                _outer_config=self.config,  # type: ignore[arg-type]  # as FastStream gives it
                _ack_policy=AckPolicy.MANUAL,
            ),
            KafkaSubscriberSpecification(
                _outer_config=self.config,  # type: ignore[arg-type]
                calls=calls,
                specification_config=KafkaSubscriberSpecificationConfig(
                    topics=topics, title_=None, description_=subscription.description
                ),
            ),
            calls,
            member=member,
            max_batch=subscription.max_batch,
            linger_seconds=linger_seconds,
        )
        Registrator.subscriber(self, subscriber)

        # FastStream looks at a handler's annotations, to which ours mean nothing.
        async def apply(batch: Any) -> Any:
            return await handler(batch)

        apply.__name__ = subscription.group.replace("-", "_")
        subscriber(apply)
        return subscriber

    async def _connect(self) -> Any:
        for producer in self._producers:
            producer.begin()
        return self.config.broker_config.builder

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        await BrokerUsecase.stop(self, exc_type, exc_val, exc_tb)
        for producer in self._producers:
            await producer.end()
        self._connection = None


def broker_of(service: str, streams: Streams, settings: Settings) -> ServiceBroker:
    """A service's own, where its settings say that Kafka is."""
    return ServiceBroker(
        service,
        streams,
        kafka=settings.kafka,
        namespace=settings.kafka_namespace,
    )


class _Handing(AioKafkaFastProducerImpl):
    """FastStream's producer: what a declared publisher is given goes to the producer of the publish
    that it is part of, in order, as it is."""

    async def publish(self, cmd: KafkaPublishCommand) -> Any:
        if not isinstance(cmd.body, Handed):
            raise FeatureNotSupportedException("messages go through libs.runtime.kafka.Publisher")
        for message in cmd.body.messages:
            await cmd.body.sending.hand_over(
                topic=cmd.destination,
                value=message.value,
                key=message.key,
                headers=list(message.headers),
            )

    async def publish_batch(self, cmd: KafkaPublishCommand) -> Any:
        raise FeatureNotSupportedException("a batch of FastStream's goes to one partition whole")


def _published(streams: Streams) -> dict[str, str]:
    """Each topic that the service may publish on, and why."""
    letters = {
        topic.dead_letter: f"What could not be applied of {topic.value}, as it came."
        for subscription in streams.subscriptions
        for topic in subscription.topics
    }
    return letters | {one.topic.value: one.description for one in streams.publications}


# Whoever publishes by hand: the operator's tools, and tests.
EVERYTHING: Final = Streams(
    subscriptions=(Subscription(group="none", topics=tuple(Topic), description=""),),
    publications=tuple(Publication(topic=topic, description="") for topic in Topic),
)


@asynccontextmanager
async def publishing(
    kafka: Kafka,
    namespace: str,
    timeout_seconds: float = 10,
    *,
    request_timeout_seconds: float = 10,
) -> AsyncIterator[Publisher]:
    """A publisher for all topics and their dead-letter twins, for tools.

    Errors: KafkaError where no broker answers at once."""
    broker = ServiceBroker(
        "tool",
        EVERYTHING,
        kafka=kafka,
        namespace=namespace,
        request_timeout_seconds=request_timeout_seconds,
    )
    publisher = broker.publishes(timeout_seconds)
    try:
        await publisher.begin_at_once()
        yield publisher
    finally:
        await broker.stop()


def declared(service: str, streams: Streams) -> ServiceBroker:
    """A service's broker with all that it declares, for documents: it is never connected."""

    async def nothing(_batch: Sequence[Received]) -> Sequence[Refused]:
        return ()

    broker = ServiceBroker(service, streams, kafka="kafka:9092", namespace="")
    publisher = broker.publishes()
    for subscription in streams.subscriptions:
        broker.subscribes(subscription, nothing, publisher)._build_fastdepends_model()
    return broker
