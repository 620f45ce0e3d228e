"""What every service does with Kafka: wait for the broker, make the topics, consume batches, publish, commit.

How a batch is answered and committed says `shared.runtime.publishing`. FastStream's own acknowledgement is not used,
since it commits whatever the consumer's position is, past failures.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from confluent_kafka import KafkaException
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.contracts import topics
from shared.runtime.administration import find_topics, identity
from shared.runtime.clock import cpu_s, monotonic_s
from shared.runtime.diagnosis import NoAccessError, explain, why_no_answer
from shared.runtime.fetching import Consumer, concerns_a_record, is_of_a_record
from shared.runtime.health import BROKER_AWAY
from shared.runtime.publishing import Plain, Transactional
from shared.runtime.rejections import Rejections
from shared.runtime.restoring import LOOK_EVERY_S, REFUSED_S, show_unreadable
from shared.runtime.retries import Refusals, retrying
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from aiokafka import AIOKafkaConsumer
    from faststream.kafka.subscriber.usecase import BatchSubscriber

    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.publishing import Sender
    from shared.runtime.records import Outgoing, Record
    from shared.runtime.service import Service
    from shared.runtime.settings import Settings
    from shared.runtime.state import ServiceState

__all__ = ["Pipeline"]

JOINING = "no partition is assigned: the consumer group is joining"
REBUILDING = "the state is being rebuilt"
POLL_MS = 4  # an empty poll waits this long twice, and what comes in the meantime waits with it
FETCH_WAIT_MS = 10  # Kafka answers as soon as there is anything, the embedded broker only when this is over
WATCH_S = 1.0
REFUSAL_SHOWN_S = 5.0  # after the last one; what is refused is asked for more often
ADMIN_S = 5.0
EXPLAIN_S = 60.0  # several questions of five seconds to brokers that do not answer
BATCH_STOP_S = 5.0  # for the batch in hand; what follows it has the rest of ten seconds
STOP_S = 8.0
REQUEST_S = 5.0
TRANSACTION_S = 300.0  # longer than brokers are usually away; the next producer of the name ends it at once

log = structlog.get_logger()


class Pipeline:
    """The consume loop of one service: batches from its topics through its core to the broker.

    A partition that is assigned is paused until the state is where its commits are; only then its batches are answered.
    A batch and its commit, a take-over and the copy of a snapshot each hold the lock: none sees half of another.
    """

    def __init__(self, service: Service, settings: Settings, *, state: ServiceState, metrics: PipelineMetrics) -> None:
        self._name = service.name
        self._access = settings.kafka
        self._topics = {*service.consumes, *service.restores, *service.publishes}
        self._prefix = settings.topic_prefix
        self._snapshot_every_s = settings.snapshot_every_s
        self._group = self._prefix + settings.group_of(service.name)
        self._metrics = metrics
        self._health = service.health
        self._state = state
        self._rejections = Rejections(settings.max_rejected_share, service.health, metrics.rejected_ratio)
        self._rebuilt = asyncio.Event()
        self._lock = asyncio.Lock()
        self._open: frozenset[TopicPartition] = frozenset()  # to be answered
        self._transactions = settings.transactions
        self._producer: AIOKafkaProducer | None = None
        self._sender: Sender | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking_over: asyncio.Task[None] | None = None
        self._owned: frozenset[TopicPartition] = frozenset()  # what the consumer says is old while a group is joined
        self._in_hand = 0
        self._reading = Refusals(self._access, self._health, "reading")
        self._publishing = Refusals(self._access, self._health, "publishing")
        self._refused_s = -REFUSAL_SHOWN_S
        self._rejoining: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._seeking: asyncio.Task[None] | None = None  # the record of which a poll has failed
        self._max_records = service.max_records
        self._broker = KafkaBroker(
            self._access.bootstrap,
            apply_types=False,
            consumer_only=True,
            graceful_timeout=BATCH_STOP_S,
            request_timeout_ms=int(1000 * REQUEST_S),
            logger=None,
            client_id=service.name,
        )
        self._subscriber: BatchSubscriber = self._broker.subscriber(
            *(self._prefix + topic.name for topic in service.consumes),
            group_id=self._group,
            group_instance_id=settings.group_instance_id,
            batch=True,
            max_records=service.max_records,
            batch_timeout_ms=POLL_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            partition_assignment_strategy=(RangePartitionAssignor,),  # both topics of one site go to one member
            listener=_Listener(self._revoked, self._assigned),
            decoder=_as_it_is,
        )
        self._subscriber(self._handle)
        self._health.waiting_for |= {"assignment": JOINING, "state": REBUILDING}

    async def start(self) -> None:
        """Wait for the broker as long as it takes, make the topics, join the group, and rebuild the state meanwhile."""
        await self._connect()
        async with self._lock:
            await self._state.rebuild()
        self._rebuilt.set()
        log.info("consuming", bootstrap=self._access.bootstrap, topics=self._subscriber.topic_names_for_subscribe)

    async def _connect(self) -> None:
        """Wait for the broker, make the topics, and join the group."""
        async for attempt in retrying("Kafka cannot be used", bootstrap=self._access.bootstrap):
            with attempt:
                self._producer = await self._reached()
        self._sender = self._new_sender(self._producer)
        self._health.broker_up = True
        await self._join()
        self._run(self._watch(self._producer))
        self._run(self._keep())

    async def _reached(self) -> AIOKafkaProducer:
        """Make and check the topics and start a producer; raises ``NoAccessError`` with what keeps us from it."""
        try:
            found = await run_in_thread(EXPLAIN_S, find_topics, self._access, self._prefix, self._topics)
            names = self._subscriber.topic_names_for_subscribe
            self._state.broker_identity = await run_in_thread(EXPLAIN_S, identity, self._access, self._group, names)
            producer = await self._started_producer()
        except (KafkaError, KafkaException, NoAccessError, TimeoutError) as error:
            self._health.broker_fault = await run_in_thread(EXPLAIN_S, explain, self._access, error)
            raise NoAccessError(self._health.broker_fault) from None
        self._note_complaints(found.complaints)
        return producer

    def _note_complaints(self, complaints: Sequence[str]) -> None:
        for complaint in complaints:
            log.warning("a topic is not as it should be", why=complaint)
        if complaints:
            self._health.notes["topics"] = "; ".join(complaints)

    async def _join(self) -> None:
        """Join the group; where that is not permitted, again until it is."""
        async for attempt in retrying("the consumer group cannot be joined", self._reading, group=self._group):
            with attempt:
                await self._start_broker()

    async def _start_broker(self) -> None:
        """Start the consumer, one of ours: FastStream makes one of aiokafka's, and takes no other class."""
        await self._broker.connect()
        config = self._broker.config.broker_config
        given = config.builder.keywords  # type: ignore[attr-defined]  # it is a partial, typed as any callable
        config.builder = partial(Consumer, **{**given, **self._access.aiokafka()}, on_failure=self._note_failure)
        try:
            await self._broker.start()
        except BaseException:
            await self._broker.stop()
            raise

    async def _rejoin(self) -> None:
        """Leave the group and join it anew: a consumer that was refused by its group stays so for good."""
        self._open = self._owned = frozenset()
        await self._broker.stop()
        await self._join()

    async def _note_failure(self, error: Exception) -> None:
        """Find out, beside the consume loop, what a poll has failed of, and say so."""
        if concerns_a_record(error):
            log.warning("a poll has failed, looking for the record", error=repr(error), group=self._group)
            if self._seeking is None or self._seeking.done():  # a poll that fails all the time must not begin it anew
                self._seeking = self._restart(partial(self._look_through, failed=error))
            await asyncio.sleep(REFUSED_S)
            return
        shown = self._health.waiting_for.get(self._reading.key)
        line = self._reading.note(error)
        if line is None or line != shown:
            log.warning("nothing can be read, trying again", error=line or str(error), group=self._group)
        self._refused_s = monotonic_s()
        await asyncio.sleep(REFUSED_S)
        if not isinstance(error, TopicAuthorizationFailedError) and (self._rejoining is None or self._rejoining.done()):
            self._rejoining = self._run(self._rejoin())

    def _new_sender(self, producer: AIOKafkaProducer) -> Sender:
        if self._transactions:
            started, committed = self._started_producer, self._state.committed
            refusals = Refusals(self._access, self._health, "transactions")
            return Transactional(self._group, self._prefix, started, committed, self._metrics, refusals)
        return Plain(producer, self._prefix, self._metrics)

    async def _started_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._access.aiokafka(),
            client_id=self._name,
            acks="all",
            transactional_id=transactional_id,
            transaction_timeout_ms=int(1000 * TRANSACTION_S),
            enable_idempotence=True,
            max_request_size=topics.MAX_RECORD_BYTES + topics.HEADROOM_BYTES,
            max_batch_size=topics.MAX_RECORD_BYTES,  # all that answers a batch of readings goes in one request
        )
        try:
            await producer.start()
        except AssertionError as error:  # aiokafka's word for a broker that has just come back and names none
            await producer.stop()
            raise KafkaConnectionError(f"the broker is not ready ({error})") from error
        except BaseException:  # told to stop while it waits for the broker, it must not leave its connections open
            await producer.stop()
            raise
        return producer

    async def stop(self) -> None:
        """Finish and commit the batch in hand, keep the state, then leave the group; give up after eight seconds.

        What was not confirmed by then is not committed either: whoever comes next answers it again.
        """
        self._open = frozenset()
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(STOP_S):
                await self._keep_last()
                for opened in (self._broker, self._sender, self._producer):
                    if opened is not None:
                        await self._close(opened)
        except TimeoutError:
            log.warning("left without a goodbye: the broker does not answer", records_in_hand=self._in_hand)

    async def _close(self, opened: KafkaBroker | Sender | AIOKafkaProducer) -> None:
        try:
            await opened.stop()
        except Exception as error:  # noqa: BLE001 - whatever befalls one of them, the others have connections to close
            log.warning("left without a goodbye", what=type(opened).__name__, error=repr(error))

    async def _keep_last(self) -> None:
        """Keep the state as it is after the batch in hand, if that can be committed in time."""
        try:
            async with asyncio.timeout(BATCH_STOP_S), self._lock:
                snapshot = self._state.snapshot() if self._health.failure is None else None
        except TimeoutError:
            return
        if snapshot is not None:
            await self._state.keep(snapshot)

    async def _keep(self) -> None:
        """Keep the state now and then, if something was committed since."""
        while True:
            await asyncio.sleep(self._snapshot_every_s)
            async with self._lock:
                snapshot = self._state.snapshot()
            if snapshot is not None:
                await self._state.keep(snapshot)

    def _assigned(self, partitions: AbstractSet[TopicPartition]) -> None:
        """Pause what is assigned before anything is fetched, and take it over in the background.

        The group waits for this call, and nothing may wait for the group's heartbeats here.
        """
        if not partitions:
            return
        self._owned = frozenset(partitions)
        self._restart(self._take_over)

    def _restart(
        self, work: Callable[[AIOKafkaConsumer, frozenset[TopicPartition]], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None] | None:
        """Stop fetching, and let ``work`` take over what is ours; None where nothing is."""
        consumer = self._subscriber.consumer
        if consumer is None or not self._owned:
            return None
        self._open = frozenset()
        self._cancel_take_over()
        consumer.pause(*self._owned)
        self._taking_over = self._run(work(consumer, self._owned))
        return self._taking_over

    def _cancel_take_over(self) -> None:
        for task in (self._taking_over, self._looking):
            if task is not None:
                task.cancel()

    async def _revoked(self) -> None:
        """Let the batch in hand be committed, for as long as the group waits for that."""
        self._open = self._owned = frozenset()
        self._cancel_take_over()
        show_unreadable(self._health, [])
        with suppress(TimeoutError):
            async with asyncio.timeout(BATCH_STOP_S), self._lock:
                pass

    def _begin_anew(self) -> None:
        """Take over once more what is ours: the state is made anew on the way."""
        if self._owned:
            log.info("the state is made anew, it should have begun with something else")
            self._restart(self._take_over)

    async def _look_through(
        self,
        consumer: AIOKafkaConsumer,
        partitions: frozenset[TopicPartition],
        *,
        failed: Exception | None = None,
    ) -> None:
        """Find the records that cannot be fetched; go on with all that stands before them, and look again later.

        Raises what a poll has ``failed`` of where no record is the reason: it is a bug, and would come again for ever.
        """
        await self._rebuilt.wait()
        async with self._lock:
            found = await self._state.unreadable(partitions)
            committed = await self._state.committed()
        show_unreadable(self._health, found)
        if failed is not None and not found and not is_of_a_record(failed):
            raise failed
        held = frozenset(each.partition for each in found if each.offset <= committed[each.partition])
        # what is fetched together with such a record is not to be had but one by one
        self._subscriber.max_records = self._max_records if len(held) == len(found) else 1
        await self._take_over(consumer, partitions, held)
        if found:
            self._looking = self._run(self._look_again(partitions))

    async def _look_again(self, partitions: frozenset[TopicPartition]) -> None:
        """Begin anew once something has become readable."""
        found = before = await self._state.unreadable(partitions)
        while found == before:
            await asyncio.sleep(LOOK_EVERY_S)
            found = await self._state.unreadable(partitions)
        self._restart(self._look_through)

    async def _take_over(
        self,
        consumer: AIOKafkaConsumer,
        partitions: frozenset[TopicPartition],
        held: frozenset[TopicPartition] = frozenset(),
    ) -> None:
        """Bring the state to where these partitions are committed, and fetch from there; not from those ``held``."""
        self._health.waiting_for["state"] = REBUILDING
        await self._rebuilt.wait()
        async with self._lock:
            if self._sender is not None:
                await self._sender.take_over(partitions)
            offsets = await self._state.catch_up(partitions)
        with suppress(IllegalStateError):  # taken away meanwhile: whoever has it takes it over
            for partition, offset in offsets.items():
                if offset:
                    consumer.seek(partition, offset)  # what was fetched before this is fetched again
                else:
                    await consumer.seek_to_beginning(partition)
            consumer.resume(*(partitions - held))
            self._open = partitions - held
        self._health.waiting_for.pop("state", None)

    async def _handle(self, message: KafkaMessage) -> None:
        open_when_fetched = self._open
        if self._sender is not None:
            await self._sender.pace()
        async with self._lock:
            if open_when_fetched is not self._open:
                return  # given back meanwhile: the position that it was fetched from need not be that of the state
            for records in self._batches(message.raw_message):
                self._in_hand = len(records)
                try:
                    await self._answer(message.consumer, records)
                except Exception as error:
                    self._health.fail(error)
                    raise
                self._in_hand = 0

    def _batches(self, records: Sequence[Record]) -> Iterator[list[Record]]:
        """Return what is to be answered and committed together.

        What follows a failed batch must not be committed, nor what comes before its past is folded.
        """
        apart = self._sender is not None and self._sender.partition_by_partition
        for _, batch in groupby(records, _partition if apart else _all_of_them):
            to_answer = [record for record in batch if _partition(record) in self._open]
            if to_answer and self._health.failure is None:
                yield to_answer

    async def _answer(self, consumer: AIOKafkaConsumer, records: Sequence[Record]) -> None:
        if self._sender is None:
            raise RuntimeError("a batch came before there was a producer: report it")
        started_s, started_cpu_s = monotonic_s(), cpu_s()
        await self._run(self._state.prepare(records))  # it may wait for long: a stop must not wait for it
        if not {_partition(record) for record in records} <= self._open:
            return  # given back meanwhile
        outgoing, offsets = self._state.handle(records)
        self._metrics.core_cpu_s.inc(cpu_s() - started_cpu_s)
        async for attempt in retrying("answers cannot be published", self._publishing, only_refused=True):
            with attempt:
                if await self._sender.send(consumer, records[0].offset, offsets, outgoing):
                    self._state.settle(offsets)
        self._account(records, outgoing, monotonic_s() - started_s)
        self._rejections.account(records, outgoing)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the consume loop; where it fails, the service ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._health.fail(error)

    def _account(self, records: Sequence[Record], outgoing: Sequence[Outgoing], duration_s: float) -> None:
        self._health.progressed()
        self._metrics.batch_s.observe(duration_s)
        self._metrics.batch_records.observe(len(records))
        for topic in {record.topic for record in records}:
            self._metrics.consumed.labels(topic).inc(sum(record.topic == topic for record in records))
        for topic in {record.topic for record in outgoing}:
            self._metrics.published.labels(topic).inc(sum(record.topic == topic for record in outgoing))

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Once a second: does the broker answer, is anything assigned, how far behind are we."""
        while True:
            await self._note_broker(up=await _answers(producer))
            self._rejections.look()
            consumer = self._subscriber.consumer
            if consumer is not None and consumer.assignment():
                self._health.waiting_for.pop("assignment", None)
                with suppress(IllegalStateError):  # a partition that is taken away meanwhile has no position
                    await self._measure_lag(consumer)
                if self._state.outdated() and self._taking_over is not None and self._taking_over.done():
                    self._begin_anew()
            else:
                self._health.waiting_for["assignment"] = JOINING
            if monotonic_s() - self._refused_s > REFUSAL_SHOWN_S and (
                self._rejoining is None or self._rejoining.done()
            ):
                self._reading.note(None)
            await asyncio.sleep(WATCH_S)

    async def _note_broker(self, *, up: bool) -> None:
        was_up, self._health.broker_up = self._health.broker_up, up
        self._metrics.broker_up.set(up)
        if up:
            if not was_up:
                log.info("the Kafka broker answers again", bootstrap=self._access.bootstrap)
            return
        if was_up:
            self._health.broker_fault = BROKER_AWAY
        with suppress(TimeoutError):
            why = await run_in_thread(EXPLAIN_S, why_no_answer, self._access)
            if why is not None and (was_up or why != self._health.broker_fault):
                log.warning("Kafka cannot be used", why=why)
                self._health.broker_fault = why

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


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is published without types
    """Tells the pipeline what its group gives it and takes from it."""

    def __init__(
        self, revoked: Callable[[], Awaitable[None]], assigned: Callable[[AbstractSet[TopicPartition]], None]
    ) -> None:
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Before the group is joined again, all that was assigned is given back."""
        if revoked:
            await self._revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """After the group was joined; fetching goes on while this runs."""
        self._assigned(assigned)


def _all_of_them(_: Record) -> None:
    return None


def _partition(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


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
