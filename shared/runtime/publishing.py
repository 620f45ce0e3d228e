"""How a batch is answered: its answers reach the broker, each once and in order, and then its offsets are committed.

Where the broker can, both are one transaction: a reader of what is committed sees all of a batch or nothing of it, and
a process that was taken for dead cannot add to what its successor has written. Elsewhere answers are confirmed first
and offsets committed then; what is repeated after a crash has the same key and the same bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerFenced

from shared.runtime.clock import monotonic_s
from shared.runtime.failpoints import failpoint
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.structs import RecordMetadata

    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.records import Outgoing
    from shared.runtime.restoring import Offsets
    from shared.runtime.retries import Refusals

__all__ = ["Fenced", "Plain", "Sender", "Transactional", "publish"]

TRIES = 5
PACE_S = 0.015  # chosen by benchmarks.stream: at 100 readings a second 25 % less CPU, and the same 99th percentile
BEGIN_S = 10.0
TRANSACT_S = 30.0  # for what a broker does in 10 ms; aiokafka itself would wait for ever
GOODBYE_S = 2.0
WAITS = (
    "no transaction can be begun on the Kafka broker: if it answers, see that its transaction log has its replicas "
    "(transaction.state.log.replication.factor, transaction.state.log.min.isr), or set TETOUAN_TRANSACTIONS=false"
)

T = TypeVar("T")

log = structlog.get_logger()


class Fenced(Exception):  # noqa: N818 - no error: another process does the work
    """Somebody else has this service's partitions; the message is one line that says what to do."""


class Sender(Protocol):
    """Sends what answers a batch, and commits the batch."""

    partition_by_partition: bool
    """Whether a batch must be of one partition."""

    async def take_over(self, partitions: Collection[TopicPartition]) -> None:
        """Shut out whoever had these before; to be called before their committed offsets are read."""

    async def pace(self) -> None:
        """Wait until it is time for the next batch."""

    async def send(
        self, consumer: AIOKafkaConsumer, begin: int, offsets: Offsets, outgoing: Sequence[Outgoing]
    ) -> bool:
        """Send the answers and commit the offsets of their batch; returns whether these are committed.

        ``begin`` is the offset of the first record of the batch.
        """

    async def stop(self) -> None:
        """Close what was opened."""


class Plain:
    """At least once: answers first, offsets when they are confirmed."""

    partition_by_partition = False

    def __init__(self, producer: AIOKafkaProducer, prefix: str, metrics: PipelineMetrics) -> None:
        self._producer = producer
        self._prefix = prefix
        self._metrics = metrics

    async def take_over(self, partitions: Collection[TopicPartition]) -> None:
        """Do nothing: the group refuses the commits of a member that it has given up."""

    async def pace(self) -> None:
        """Do not wait: a commit costs little."""

    async def send(
        self,
        consumer: AIOKafkaConsumer,
        begin: int,  # noqa: ARG002 - nobody can be told apart here
        offsets: Offsets,
        outgoing: Sequence[Outgoing],
    ) -> bool:
        """Publish and commit; a refused commit is covered by the next one, or the new owner repeats the batch."""
        await publish(self._producer, self._prefix, outgoing)
        failpoint("after_send")
        failpoint("before_commit")
        try:
            await consumer.commit(offsets)
        except KafkaError as error:
            self._metrics.commit_failures.inc()
            log.warning("the broker refused a commit, the next one will cover it", error=str(error))
            return False
        return True

    async def stop(self) -> None:
        """Do nothing: the producer is closed by who has made it."""


class Transactional:
    """Exactly once: the answers of a batch and its offsets are one transaction, of one producer for each partition.

    Its name is that of group, topic and partition: a new producer of that name ends what the last one has left open and
    shuts it out.
    """

    partition_by_partition = True

    def __init__(
        self,
        group: str,
        prefix: str,
        started: Callable[[str], Awaitable[AIOKafkaProducer]],
        committed: Callable[[], Awaitable[Offsets]],
        metrics: PipelineMetrics,
        refusals: Refusals,
    ) -> None:
        self._group = group
        self._prefix = prefix
        self._started = started
        self._committed = committed
        self._metrics = metrics
        self._refusals = refusals
        self._health = refusals.health
        self._producers: dict[TopicPartition, AIOKafkaProducer] = {}
        self._begun_s = -PACE_S

    async def pace(self) -> None:
        """Wait where the last transaction was begun just now: what comes in the meantime is one transaction."""
        await asyncio.sleep(max(0.0, self._begun_s + PACE_S - monotonic_s()))

    async def take_over(self, partitions: Collection[TopicPartition]) -> None:
        """Start a producer for each partition, all at once; for as long as none can be, the service is not ready."""
        self._health.waiting_for["transactions"] = WAITS
        former = [self._producers.pop(partition) for partition in partitions if partition in self._producers]
        await asyncio.gather(*map(_close, former))
        async for attempt in retrying(WAITS, self._refusals, group=self._group):
            with attempt:
                await self._begin([partition for partition in partitions if partition not in self._producers])
        self._health.waiting_for.pop("transactions", None)

    async def send(
        self,
        consumer: AIOKafkaConsumer,  # noqa: ARG002 - the producer commits
        begin: int,
        offsets: Offsets,
        outgoing: Sequence[Outgoing],
    ) -> bool:
        """Send answers and offsets in one transaction, again with the same bytes where that fails for a passing reason.

        Raises
        ------
        Fenced
            If another process has taken the partition over: its producer shuts out ours, or, where we hear of that too
            late, more is committed than we have. One that has committed nothing yet by then, or just our batch, is shut
            out by us, and answers nothing twice either.
        """
        ((partition, offset),) = offsets.items()
        self._begun_s = monotonic_s()
        for attempt in range(1, TRIES + 1):
            try:
                transaction = self._transact(self._producers[partition], offsets, outgoing)
                await _at_most(TRANSACT_S, "the transaction was not committed", transaction)
            except ProducerFenced:
                raise _fenced(partition) from None
            except KafkaError as error:
                self._metrics.commit_failures.inc()
                log.warning("a transaction failed, it is done again", attempt=attempt, error=str(error))
                if attempt == TRIES:
                    raise
                self._health.waiting_for["transactions"] = WAITS
                await self._refuse_succession(partition, begin, offset)  # first: who has gone on must not be shut out
                await self.take_over([partition])  # ends what is open
                if await self._refuse_succession(partition, begin, offset) == offset:
                    return True  # all that had failed was to hear of it
            else:
                break
        return True

    async def _refuse_succession(self, partition: TopicPartition, begin: int, offset: int) -> int:
        """Return what is committed; raises ``Fenced`` where it is more than we had, and not our own batch."""
        committed = (await self._committed())[partition]
        if begin < committed != offset:
            raise _fenced(partition) from None
        return committed

    async def _transact(self, producer: AIOKafkaProducer, offsets: Offsets, outgoing: Sequence[Outgoing]) -> None:
        await producer.begin_transaction()
        await publish(producer, self._prefix, outgoing)
        failpoint("after_send")
        await producer.send_offsets_to_transaction(offsets, self._group)
        failpoint("before_commit")
        await producer.commit_transaction()

    async def _begin(self, partitions: Sequence[TopicPartition]) -> None:
        """Start a producer for each partition, and raise the first error once all have succeeded or failed."""
        outcomes = await asyncio.gather(*map(self._begin_one, partitions), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _begin_one(self, partition: TopicPartition) -> None:
        name = f"{self._group}-{partition.topic}-{partition.partition}"
        what = f"the first one of {name} was not begun"
        self._producers[partition] = await _at_most(BEGIN_S, what, self._started(name))

    async def stop(self) -> None:
        """Close the producers; a transaction that is open is ended by the next one of its name."""
        producers = tuple(self._producers.values())
        self._producers.clear()
        await asyncio.gather(*(_close(producer) for producer in producers))


def _fenced(partition: TopicPartition) -> Fenced:
    return Fenced(
        f"another process answers {partition.topic}-{partition.partition}, or the broker was away for too long: "
        "ending, nothing is lost; start again, each process with a TETOUAN_GROUP_INSTANCE_ID of its own, if any"
    )


async def _at_most(seconds: float, what: str, work: Awaitable[T]) -> T:
    """Do the work; raises ``KafkaTimeoutError``, upon which it is tried again, where it does not end in time.

    The time has two halves: who was frozen finds the first one over at once, and hears in the second what has come
    meanwhile, such as that it is shut out.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(2):
            await asyncio.wait((task,), timeout=seconds / 2)
        if task.done():
            return task.result()
        raise KafkaTimeoutError(f"{what} within {seconds:.0f} s")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _close(producer: AIOKafkaProducer) -> None:
    """Close a producer that may have failed, may be shut out, or may have no broker to say goodbye to."""
    try:
        async with asyncio.timeout(GOODBYE_S):
            await producer.stop()
    except (KafkaError, TimeoutError):  # it ends before its connections, or waits for records that nobody confirms
        await producer.client.close()


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
