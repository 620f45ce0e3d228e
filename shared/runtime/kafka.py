"""What every service does with Kafka: wait for the broker, make the topics, consume batches, publish, commit.

Delivery is at least once: the outputs of a batch are confirmed before its offsets are committed, each partition on its
own. FastStream's own acknowledgement is not used, since it commits whatever the consumer's position is, past failures.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it is public, its stub forgets it
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from prometheus_client import Counter

from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.runtime import hooks
from shared.runtime.clock import cpu_s, monotonic_s, now
from shared.runtime.records import Outgoing
from shared.runtime.restoring import Foldable, Past
from shared.runtime.retries import patiently

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence
    from concurrent.futures import Future

    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import RecordMetadata
    from faststream.kafka.subscriber.usecase import BatchSubscriber
    from prometheus_client import CollectorRegistry

    from shared.contracts.topics import Topic
    from shared.runtime.health import Health
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.records import Record
    from shared.runtime.settings import Settings

__all__ = ["Core", "DeadLetters", "Pipeline", "ensure_topics", "publish"]

JOINING = "no partition is assigned: the consumer group is joining"
REBUILDING = "the state is being rebuilt"
POLL_MS = 4  # an empty poll waits this long twice, and what comes in the meantime waits with it
FETCH_WAIT_MS = 10  # Kafka answers as soon as there is anything, the embedded broker only when this is over
WATCH_S = 1.0
ADMIN_S = 5.0
BATCH_STOP_S = 5.0  # for the batch in hand; what follows it has the rest of ten seconds
STOP_S = 8.0
REQUEST_S = 5.0

log = structlog.get_logger()


class Core(Foldable, Protocol):
    """The pure heart of a service: a batch of records in, the records that answer it out, in order."""

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Fold the batch into the state and return the answers; any exception is a bug and ends the service."""


class DeadLetters:
    """Writes and counts the dead letters of one service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter("tetouan_dead_letters", "Records refused, by reason.", ["reason"], registry=registry)

    def of(self, record: Record, reason: str, field: str | None, value: str | None) -> Outgoing:
        """Return the dead letter of a refused record: its original bytes, and in the headers why and where it stood.

        Of a record larger than any topic of ours takes, only as much as that is kept.
        """
        self._count.labels(reason).inc()
        letter = DeadLetter(
            reason=reason,
            field=field,
            value=value,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            received=now(),
        )
        original = (record.value or b"")[: topics.MAX_RECORD_BYTES]
        return Outgoing(topics.REJECTED.name, record.key, original, tuple(letter.to_headers()))


def ensure_topics(bootstrap: str, prefix: str = "") -> list[str]:
    """Make the missing topics, kept as long as their table says; returns the names of those it made.

    Raises ``KafkaException`` where the broker does not answer within five seconds.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    there = admin.list_topics(timeout=ADMIN_S).topics
    missing = [_new_topic(topic, prefix) for topic in topics.ALL if prefix + topic.name not in there]
    made = admin.create_topics(missing, request_timeout=ADMIN_S) if missing else {}
    for name, done in made.items():
        _settle(name, done)
    return list(made)


def _settle(name: str, done: Future[None]) -> None:
    try:
        done.result()
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another service was faster
            raise
        log.debug("topic was there already", topic=name)


def _new_topic(topic: Topic, prefix: str) -> NewTopic:
    kept_ms = -1 if topic.kept is None else int(topic.kept.total_seconds() * 1000)
    config = {"retention.ms": str(kept_ms), "max.message.bytes": str(topics.MAX_RECORD_BYTES + topics.HEADROOM_BYTES)}
    return NewTopic(prefix + topic.name, num_partitions=topics.PARTITIONS, replication_factor=-1, config=config)


async def publish(producer: AIOKafkaProducer, prefix: str, outgoing: Sequence[Outgoing]) -> None:
    """Hand over all without waiting for each, then wait until all are confirmed.

    The idempotent producer sends again by itself, in order, for as long as the broker is away; what it gives up after
    it has taken it cannot be mended by sending it once more, so that error is raised.
    """
    handed_over = [await _hand_over(producer, prefix + record.topic, record) for record in outgoing]
    await asyncio.gather(*handed_over)


async def _hand_over(producer: AIOKafkaProducer, topic: str, record: Outgoing) -> asyncio.Future[RecordMetadata]:
    """Hand over one record; where the producer's buffer stays full it has taken nothing, so it is offered again."""
    while True:
        try:
            future: asyncio.Future[RecordMetadata] = await producer.send(
                topic, record.value, key=record.key, headers=list(record.headers)
            )
        except KafkaTimeoutError:
            log.warning("the Kafka broker takes nothing more, waiting for it", topic=topic)
        else:
            return future


class Pipeline:
    """The consume loop of one service: batches from its topics through its core to the broker."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        consumes: tuple[Topic, ...],
        *,
        restores: tuple[Topic, ...],
        metrics: PipelineMetrics,
        health: Health,
        max_records: int = 500,
    ) -> None:
        self._name = name
        self._bootstrap = settings.kafka_bootstrap
        self._prefix = settings.topic_prefix
        self._core: asyncio.Future[Core] | None = None
        self._past = Past(settings.kafka_bootstrap, settings.topic_prefix, name, consumes, restores)
        self._metrics = metrics
        self._health = health
        self._producer: AIOKafkaProducer | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._in_hand = 0
        self._broker = KafkaBroker(
            self._bootstrap,
            apply_types=False,
            consumer_only=True,
            graceful_timeout=BATCH_STOP_S,
            request_timeout_ms=int(1000 * REQUEST_S),
            logger=None,
            client_id=name,
        )
        self._subscriber: BatchSubscriber = self._broker.subscriber(
            *(self._prefix + topic.name for topic in consumes),
            group_id=self._prefix + name,
            batch=True,
            max_records=max_records,
            batch_timeout_ms=POLL_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            partition_assignment_strategy=(RangePartitionAssignor,),  # both topics of one site go to one member
            decoder=_as_it_is,
        )
        self._subscriber(self._handle)
        health.waiting_for["assignment"] = JOINING
        health.waiting_for["state"] = REBUILDING

    async def start(self, core: Awaitable[Core]) -> None:
        """Wait for the broker as long as it takes, make the topics, and consume once the core is made and restored."""
        self._core = asyncio.get_running_loop().create_future()
        try:
            await self._connect()
            self._core.set_result(await self._restored(await core))
        finally:
            self._core.cancel()  # without a core no batch can be answered
        log.info("consuming", bootstrap=self._bootstrap, topics=self._subscriber.topic_names_for_subscribe)

    async def _connect(self) -> None:
        """Wait for the broker, make the topics, and join the group."""
        async for attempt in patiently("the Kafka broker does not answer", bootstrap=self._bootstrap):
            with attempt:
                await asyncio.to_thread(ensure_topics, self._bootstrap, self._prefix)
                self._producer = await self._started_producer()
        self._health.broker_up = True
        await self._broker.start()
        self._watcher = asyncio.create_task(self._watch(self._producer))
        self._watcher.add_done_callback(self._watched)

    async def _restored(self, core: Core) -> Core:
        """Fold the past into the core."""
        started_s = monotonic_s()
        folded = await self._past.fold_into(core, self._health)
        gc.collect()
        gc.freeze()  # what is there by now stays: a full collection of it takes a quarter of a second
        del self._health.waiting_for["state"]
        log.info("state rebuilt", records=folded, seconds=round(monotonic_s() - started_s, 1))
        return core

    async def _started_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._name,
            acks="all",
            enable_idempotence=True,
            max_request_size=topics.MAX_RECORD_BYTES + topics.HEADROOM_BYTES,
            max_batch_size=topics.MAX_RECORD_BYTES,  # all that answers a batch of readings goes in one request
        )
        try:
            await producer.start()
        except KafkaError:
            await producer.stop()
            raise
        return producer

    async def stop(self) -> None:
        """Finish and commit the batch in hand, then leave the group; give up after eight seconds.

        What was not confirmed by then is not committed either: whoever comes next answers it again.
        """
        if self._watcher is not None:
            self._watcher.cancel()
        try:
            async with asyncio.timeout(STOP_S):
                await self._broker.stop()
                if self._producer is not None:
                    await self._producer.stop()
        except TimeoutError:
            log.warning("left without a goodbye: the broker does not answer", records_in_hand=self._in_hand)

    async def _handle(self, message: KafkaMessage) -> None:
        if self._core is None or self._producer is None or self._health.failure is not None:
            return  # what follows a failed batch must not be committed
        records = message.raw_message
        self._in_hand = len(records)
        core = await self._core
        started_s = monotonic_s()
        try:
            outgoing = self._answer(core, records)
            await publish(self._producer, self._prefix, outgoing)
            hooks.reach("after_send")
            await self._commit(message.consumer, records)
        except Exception as error:
            self._health.fail(error)
            raise
        self._in_hand = 0
        self._account(records, outgoing, monotonic_s() - started_s)

    def _answer(self, core: Core, records: Sequence[Record]) -> list[Outgoing]:
        started_s = cpu_s()
        outgoing = core.handle(records)
        self._metrics.core_cpu_s.inc(cpu_s() - started_s)
        return outgoing

    async def _commit(self, consumer: AIOKafkaConsumer, records: Iterable[Record]) -> None:
        offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        hooks.reach("before_commit")
        try:
            await consumer.commit(offsets)
        except KafkaError as error:  # the next commit covers it; after a rebalance the new owner repeats the batch
            self._metrics.commit_failures.inc()
            log.warning("the broker refused a commit, the next one will cover it", error=str(error))

    def _account(self, records: Sequence[Record], outgoing: Sequence[Outgoing], duration_s: float) -> None:
        self._health.progressed()
        self._metrics.batch_s.observe(duration_s)
        self._metrics.batch_records.observe(len(records))
        for topic in {record.topic for record in records}:
            self._metrics.consumed.labels(topic).inc(sum(record.topic == topic for record in records))
        for topic in {record.topic for record in outgoing}:
            self._metrics.published.labels(topic).inc(sum(record.topic == topic for record in outgoing))

    def _watched(self, watcher: asyncio.Task[None]) -> None:
        """End the service where the look-out has failed: nobody would know its health any more."""
        if not watcher.cancelled() and (error := watcher.exception()) is not None:
            self._health.fail(error)

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Once a second: does the broker answer, is anything assigned, how far behind are we."""
        while True:
            self._note_broker(up=await _answers(producer))
            consumer = self._subscriber.consumer
            if consumer is not None and consumer.assignment():
                self._health.waiting_for.pop("assignment", None)
                with suppress(IllegalStateError):  # a partition that is taken away meanwhile has no position
                    await self._measure_lag(consumer)
            else:
                self._health.waiting_for["assignment"] = JOINING
            await asyncio.sleep(WATCH_S)

    def _note_broker(self, *, up: bool) -> None:
        if up != self._health.broker_up:
            say = log.info if up else log.warning
            say(
                "the Kafka broker answers again" if up else "the Kafka broker does not answer",
                bootstrap=self._bootstrap,
            )
        self._health.broker_up = up
        self._metrics.broker_up.set(up)

    async def _measure_lag(self, consumer: AIOKafkaConsumer) -> None:
        total = self._in_hand
        self._metrics.lag.clear()
        for partition in consumer.assignment():
            high = consumer.highwater(partition)
            lag = 0 if high is None else max(0, high - await consumer.position(partition))
            self._metrics.lag.labels(partition.topic, str(partition.partition)).set(lag)
            total += lag
        self._health.lag_records = total
        if total == 0:
            self._health.progressed()


async def _as_it_is(message: KafkaMessage) -> KafkaMessage:
    """Hand the whole message to the handler: each record is decoded on its own, so that one bad record is one."""
    return message


async def _answers(producer: AIOKafkaProducer) -> bool:
    try:
        async with asyncio.timeout(ADMIN_S):
            await producer.client.fetch_all_metadata()
    except (KafkaError, TimeoutError):
        return False
    return True
