"""The consume loop of a service: its membership in the group, the tasks of what it is assigned, and their snapshots."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from confluent_kafka import KafkaException

from shared.contracts import topics
from shared.runtime import embedded
from shared.runtime.administration import find_topics, identity, lacking, uneven
from shared.runtime.background import Background
from shared.runtime.clock import monotonic_s
from shared.runtime.diagnosis import NoAccessError, explain
from shared.runtime.fetching import concerns_a_record
from shared.runtime.group import Group
from shared.runtime.health import Reason, WaitsOfPartitions
from shared.runtime.keeping import Keeper
from shared.runtime.patience import Patience
from shared.runtime.placement import Placement
from shared.runtime.places import KafkaPlace
from shared.runtime.publishing import Plain, Transactional, Transactions
from shared.runtime.records import Outgoing
from shared.runtime.rejections import Rejections
from shared.runtime.restoring import TopicReplay
from shared.runtime.retries import Refusals, retrying
from shared.runtime.settings import Refused
from shared.runtime.snapshots import Snapshots
from shared.runtime.state import TaskState
from shared.runtime.task import Task
from shared.runtime.tasks import REBUILDING, Tasks
from shared.runtime.threads import run_in_thread
from shared.runtime.unreadable import UnreadableRecordSearch
from shared.runtime.watching import JOINING, Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.runtime.concerns import ServiceSettings
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.publishing import Sender
    from shared.runtime.records import Record
    from shared.runtime.restoring import Offsets
    from shared.runtime.service import Service

__all__ = ["Pipeline"]

FETCH_WAIT_MS = 250  # a partition that is let go on waits for the fetch of the others, if these are quiet
EMBEDDED_FETCH_WAIT_MS = 10  # that broker answers an empty fetch only when this is over, whatever comes meanwhile
TRANSACTION_S = 300.0  # longer than brokers are usually away; the next producer of the name ends it at once

log = structlog.get_logger()


class Pipeline:
    """Runs one service against Kafka: reaches the brokers, joins the group, keeps the states of the tasks, and stops.

    Parameters
    ----------
    service, settings, metrics
        What is run, and how.
    patience
        How long it waits for what.
    """

    def __init__(
        self,
        service: Service[Any],
        settings: ServiceSettings,
        *,
        metrics: PipelineMetrics,
        patience: Patience | None = None,
    ) -> None:
        self._service = service
        self._settings = settings
        self._metrics = metrics
        self._patience = patience or Patience()
        self._health = service.health
        self._access = settings.kafka
        self._prefix = settings.topic_prefix
        self._name = self._prefix + settings.group_of(service.name)
        self._consumes = [self._prefix + topic.name for topic in service.consumes]
        self._identity: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._rejections = Rejections(settings.max_rejected_share, service.health, metrics.rejected_ratio)
        self._placement = Placement(service.health, metrics)
        self._reading = self._refusals(Reason.READING)
        self._refused_s = -self._patience.shown_s
        self._background = Background(service.health.fail)
        self._place = KafkaPlace(self._access, self._name, self._refusals(Reason.PAST))
        self._restoring = WaitsOfPartitions(service.health, Reason.STATE)
        self._tasks = Tasks(self._new_task, service.health, self._restoring, self._patience)
        self._group = Group(
            self._access,
            self._name,
            settings.group_instance_id,
            self._consumes,
            client=service.name,
            most_records=service.max_records,
            patience=self._patience,
        )
        self._group.tell(assigned=self._tasks.assigned, revoked=self._tasks.revoked, hand_over=self._hand_over)
        self._search = UnreadableRecordSearch(
            self._tasks,
            self._place,
            self._refusals(Reason.PAST),
            self._background,
            service.health,
            self._patience,
            self._group.take,
        )
        self._keeper = Keeper(self._tasks, settings.snapshot_every_s, metrics)
        self._watch = Watch(
            self._access,
            lambda: self._group.consumer,
            self._tasks,
            self._health,
            metrics,
            self._patience,
        )
        self._transactions = Transactions(
            self._name,
            self._prefix,
            self._started_producer,
            self._place.committed,
            metrics,
            self._refusals(Reason.TRANSACTIONS),
            WaitsOfPartitions(service.health, Reason.TRANSACTIONS),
            self._patience,
            service.pace_s,
        )
        self._producer: AIOKafkaProducer | None = None
        self._rejoining: asyncio.Task[None] | None = None
        self._health.waiting_for |= {Reason.ASSIGNMENT: JOINING, Reason.STATE: REBUILDING}

    def _refusals(self, reason: Reason) -> Refusals:
        return Refusals(self._access, self._health, reason)

    # --- a task

    def _new_task(self, number: int) -> Task[Any]:
        """Return the task of a partition number, which has seen nothing."""
        reads = [self._prefix + topic.name for topic in self._service.restores]
        replay = TopicReplay(
            number,
            self._consumes,
            reads,
            self._place,
            refusals=self._refusals(Reason.PAST),
            show=lambda line: self._progressed(number, line),
            patience=self._patience,
        )
        state = TaskState(
            self._service.make_core,
            replay,
            Snapshots(self._settings.snapshots_place, f"{self._name}/{self._consumes[0]}-{number}"),
            identity=self._identity,
            partitions=self._counts,
            metrics=self._metrics,
            patience=self._patience,
        )
        return Task(
            number,
            state,
            self._sender(number),
            most_records=self._service.max_records,
            account=self._account,
            refusals=self._refusals(Reason.PUBLISHING),
        )

    def _progressed(self, number: int, line: str) -> None:
        self._restoring.note(number, line)
        self._health.progressed()

    def _sender(self, number: int) -> Sender[Any]:
        if self._producer is None:
            raise RuntimeError("a task was made before there was a producer: report it")
        if self._service.make_sender is None and self._settings.transactions:
            return Transactional(number, self._transactions)
        plain = Plain(number, self._producer, self._prefix, self._commit, self._metrics)
        return plain if self._service.make_sender is None else self._service.make_sender(plain)

    async def _commit(self, offsets: Offsets) -> None:
        consumer = self._group.consumer
        if consumer is None:
            raise IllegalStateError("the group was left meanwhile")
        await consumer.commit(offsets)

    def _hand_over(self, records: Sequence[Record], poll: int) -> None:
        self._placement.note(records)
        self._tasks.give(records, poll)

    def _account(self, records: Sequence[Record], answers: Sequence[object], duration_s: float) -> None:
        outgoing = [answer for answer in answers if isinstance(answer, Outgoing)]
        self._health.progressed()
        self._metrics.batch_s.observe(duration_s)
        self._metrics.batch_records.observe(len(records))
        self._metrics.count_consumed(records)
        self._metrics.count_published(outgoing)
        self._rejections.account(records, outgoing)

    # --- the start

    async def start(self) -> None:
        """Wait for the broker as long as it takes, make the topics, and join the group."""
        async for attempt in retrying("Kafka cannot be used", bootstrap=self._access.bootstrap):
            with attempt:
                self._producer = await self._reached()
        self._health.broker_up = True
        await self._join()
        self._background.run(self._look(self._producer))
        self._background.run(self._keeper.run())
        log.info("consuming", bootstrap=self._access.bootstrap, topics=self._consumes)

    async def _reached(self) -> AIOKafkaProducer:
        """Make and check the topics and start what talks to the brokers.

        Raises ``NoAccessError`` with what keeps us from it, ``Refused`` where the topics do not fit together.
        """
        service, explain_s = self._service, self._patience.explain_s
        wanted = {*service.consumes, *service.restores, *service.publishes}
        try:
            partitions = self._settings.partitions
            found = await run_in_thread(explain_s, find_topics, self._access, self._prefix, wanted, partitions)
            self._identity |= await run_in_thread(explain_s, identity, self._access, self._name, self._consumes)
            await self._place.stop()
            await self._place.start()
            await self._count_partitions([self._prefix + topic.name for topic in wanted])
            producer = await self._started_producer()
            await producer.client.set_topics(self._consumes)  # without any it asks for those of the whole cluster
        except (KafkaError, KafkaException, NoAccessError, TimeoutError) as error:
            self._health.broker_fault = await run_in_thread(explain_s, explain, self._access, error)
            raise NoAccessError(self._health.broker_fault) from None
        self._note_complaints(found.complaints)
        return producer

    async def _count_partitions(self, names: Sequence[str]) -> None:
        """Note how many partitions each topic has; raises ``Refused`` where they do not fit together."""
        counts = Counter(partition.topic for partition in await self._place.partitions(names))
        consumed = {name: counts[name] for name in self._consumes}
        if line := uneven(consumed) or lacking(consumed, counts):
            raise Refused(line)
        self._counts.clear()
        self._counts |= counts

    def _note_complaints(self, complaints: Sequence[str]) -> None:
        for complaint in complaints:
            log.warning("a topic is not as it should be", why=complaint)
        if complaints:
            self._health.notes["topics"] = "; ".join(complaints)

    async def _started_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._access.aiokafka(),
            client_id=self._service.name,
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

    async def _join(self) -> None:
        """Join the group; where that is not permitted, again until it is."""
        waits_ms = EMBEDDED_FETCH_WAIT_MS if embedded.is_embedded(self._identity["cluster"]) else FETCH_WAIT_MS
        async for attempt in retrying("the consumer group cannot be joined", self._reading, group=self._name):
            with attempt:
                await self._group.join(
                    fetch_wait_ms=waits_ms,
                    on_failure=self._note_failure,
                    roomy=self._tasks.roomy,
                    polls=lambda: self._tasks.polls,
                )

    async def _rejoin(self) -> None:
        """Leave the group and join it anew: a consumer that was refused by its group stays so for good."""
        await self._tasks.revoked()
        await self._group.leave()
        await self._join()

    async def _note_failure(self, error: Exception) -> None:
        """Find out, beside the consume loop, what a poll has failed of, and say so."""
        if concerns_a_record(error):
            self._search.begin(error)
            await asyncio.sleep(self._patience.refused_s)
            return
        shown = self._health.waiting_for.get(self._reading.key)
        line = self._reading.note(error)
        if line is None or line != shown:
            log.warning("nothing can be read, trying again", error=line or str(error), group=self._name)
        self._refused_s = monotonic_s()
        await asyncio.sleep(self._patience.refused_s)
        if not isinstance(error, TopicAuthorizationFailedError) and not self._is_rejoining:
            self._rejoining = self._background.run(self._rejoin())

    @property
    def _is_rejoining(self) -> bool:
        return self._rejoining is not None and not self._rejoining.done()

    async def _look(self, producer: AIOKafkaProducer) -> None:
        """Look once a second how it stands."""
        while True:
            await self._watch.look(producer)
            self._rejections.look()
            self._tasks.look()
            if monotonic_s() - self._refused_s > self._patience.shown_s and not self._is_rejoining:
                self._reading.note(None)
            await asyncio.sleep(self._patience.watch_s)

    # --- the end

    async def stop(self) -> None:
        """Finish and commit the batches in hand, keep the states, then leave the group; give up after eight seconds.

        What was not confirmed by then is not committed either: whoever comes next answers it again.
        """
        try:
            async with asyncio.timeout(self._patience.stop_s):
                await self._background.stop()
                await self._tasks.stop()
                if self._health.failure is None:
                    await self._keeper.keep_last(self._patience.keep_s)
                await self._close()
        except TimeoutError:
            log.warning("left without a goodbye: the broker does not answer", records_in_hand=self._tasks.waiting)

    async def _close(self) -> None:
        """Leave the group and close what was opened; whatever befalls one of them, the others are closed."""
        producer = self._producer
        closes = [self._group.leave(), self._tasks.close(), self._place.stop()]
        for failed in await asyncio.gather(*closes, return_exceptions=True):
            if isinstance(failed, BaseException):
                log.warning("left without a goodbye", error=repr(failed))
        if producer is not None:
            await producer.stop()
