"""How a batch is answered: its answers reach the broker, each once and in order, and then its offsets are committed.

Where the broker can, both are one transaction: a reader of what is committed sees all of a batch or nothing of it, and
a process that was taken for dead cannot add to what its successor has written. Elsewhere answers are confirmed first
and offsets committed then; what is repeated after a crash has the same key and the same bytes.

A sender belongs to one task, and writes to the partition number of that task, whatever the key of a record.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerFenced
from typing_extensions import TypeVar as TypeVarWithDefault

from shared.runtime.clock import monotonic_s
from shared.runtime.failpoints import failpoint
from shared.runtime.records import Outgoing, by_partition
from shared.runtime.retries import retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from aiokafka import TopicPartition

    from shared.runtime.health import WaitsOfPartitions
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.patience import Patience
    from shared.runtime.records import Record
    from shared.runtime.restoring import Offsets
    from shared.runtime.retries import Refusals

__all__ = [
    "PACE_S",
    "Batch",
    "BatchPace",
    "Builder",
    "Fenced",
    "Plain",
    "Producer",
    "Sender",
    "Transactional",
    "Transactions",
    "publish",
]

TRIES = 5
PACE_S = 0.015  # chosen by benchmarks.stream: at 100 readings a second 25 % less CPU, and the same 99th percentile
WAITS = (
    "no transaction can be begun on the Kafka broker: if it answers, see that its transaction log has its replicas "
    "(transaction.state.log.replication.factor, transaction.state.log.min.isr), or set TETOUAN_TRANSACTIONS=false"
)

T = TypeVar("T")
Sent_contra = TypeVarWithDefault("Sent_contra", default=Outgoing, contravariant=True)

log = structlog.get_logger()


class Fenced(Exception):  # noqa: N818 - no error: another process does the work
    """Somebody else has a partition of this service; the message is one line that says what to do."""


class Builder(Protocol):
    """As much of aiokafka's builder of a record batch as is needed here."""

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> object:
        """Add a record; returns None, and adds nothing, where there is no room for it."""


class Producer(Protocol):
    """As much of aiokafka's producer as is needed here."""

    client: Any

    def create_batch(self) -> Builder:
        """Return a batch without a record; the first one has room in it, however large it is."""

    async def send_batch(self, batch: Builder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Take the records of a batch; the future is done when they are confirmed."""

    async def begin_transaction(self) -> None:
        """Begin one."""

    async def send_offsets_to_transaction(self, offsets: Offsets, group: str) -> None:
        """Commit these with it."""

    async def commit_transaction(self) -> None:
        """Commit it."""

    async def stop(self) -> None:
        """Close it."""


@dataclass(frozen=True)
class Batch:
    """Where the records stand that are answered together: of each partition the first offset, and the next one."""

    begin: Mapping[TopicPartition, int]
    end: Offsets

    @classmethod
    def of(cls, records: Sequence[Record]) -> Batch:
        """Return that of some records, those of a partition in their order."""
        begin: Offsets = {}
        end: Offsets = {}
        for partition, of_it in by_partition(records):
            begin.setdefault(partition, of_it[0].offset)
            end[partition] = of_it[-1].offset + 1
        return cls(begin, end)


class Sender(Protocol[Sent_contra]):
    """Sends what answers a batch, to the broker or to a database, and commits the batch."""

    async def take_over(self) -> None:
        """Shut out whoever had the partition before; to be called before its committed offsets are read."""

    async def pace(self, full: asyncio.Event) -> None:
        """Wait until it is time for the next batch, or it is full."""

    async def send(self, batch: Batch, answers: Sequence[Sent_contra], /) -> bool:
        """Send the answers and commit the offsets of their batch; returns whether these are committed."""

    async def stop(self) -> None:
        """Close what was opened."""


class Plain:
    """At least once: answers first, offsets when they are confirmed.

    Parameters
    ----------
    number
        The partition number that it writes to.
    producer
        Of the process: it is closed by who has made it.
    prefix
        Before the names of topics.
    commit
        Commits offsets for the group.
    metrics
        Of the service.
    """

    def __init__(
        self,
        number: int,
        producer: Producer,
        prefix: str,
        commit: Callable[[Offsets], Awaitable[None]],
        metrics: PipelineMetrics,
    ) -> None:
        self._number = number
        self._producer = producer
        self._prefix = prefix
        self._commit = commit
        self._metrics = metrics

    async def take_over(self) -> None:
        """Do nothing: the group refuses the commits of a member that it has given up."""

    async def pace(self, full: asyncio.Event) -> None:
        """Do not wait: a commit costs little."""

    async def send(self, batch: Batch, outgoing: Sequence[Outgoing]) -> bool:
        """Publish and commit; a refused commit is covered by the next one, or the new owner repeats the batch."""
        await publish(self._producer, self._prefix, self._number, outgoing)
        failpoint("after_send")
        failpoint("before_commit")
        try:
            await self._commit(batch.end)
        except KafkaError as error:
            self._metrics.commit_failures.inc()
            log.warning("the broker refused a commit, the next one will cover it", error=str(error))
            return False
        return True

    async def stop(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Transactions:
    """What the transactional senders of a process share.

    Parameters
    ----------
    group, prefix
        The consumer group, and what stands before the names of topics.
    start
        Starts a producer of a name.
    committed
        Asks what is committed of some partitions.
    metrics, refusals, waits, patience
        Of the service.
    pace_s
        From the beginning of a transaction to that of the next one of the same partition, unless its batch is full.
    clock
        Seconds that never go back.
    """

    group: str
    prefix: str
    start: Callable[[str], Awaitable[Producer]]
    committed: Callable[[Collection[TopicPartition]], Awaitable[Offsets]]
    metrics: PipelineMetrics
    refusals: Refusals
    waits: WaitsOfPartitions
    patience: Patience
    pace_s: float = PACE_S
    clock: Callable[[], float] = monotonic_s


class BatchPace:
    """Batches of a partition that begin no faster than one every ``pace_s``, unless they are full.

    Parameters
    ----------
    pace_s
        Seconds from the beginning of one to that of the next.
    clock
        Seconds that never go back.
    """

    def __init__(self, pace_s: float, clock: Callable[[], float] = monotonic_s) -> None:
        self._pace_s = pace_s
        self._clock = clock
        self._begun_s = clock() - pace_s

    async def wait(self, full: asyncio.Event) -> None:
        """Wait where the last one was begun just now: what comes in the meantime goes together."""
        early_s = self._begun_s + self._pace_s - self._clock()
        if early_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(early_s):
                    await full.wait()

    def begin(self) -> None:
        """Note that one begins."""
        self._begun_s = self._clock()


class Transactional:
    """Exactly once: the answers of a batch and its offsets are one transaction, of one producer for each partition.

    Its name is that of group and partition number: a new producer of that name ends what the last one has left open,
    and shuts it out.

    Parameters
    ----------
    number
        The partition number that it answers, and writes to.
    shared
        What it shares with the senders of other numbers.
    """

    def __init__(self, number: int, shared: Transactions) -> None:
        self._number = number
        self._shared = shared
        self._producer: Producer | None = None
        self._pace = BatchPace(shared.pace_s, shared.clock)

    @property
    def _name(self) -> str:
        return f"{self._shared.group}-{self._number}"

    async def pace(self, full: asyncio.Event) -> None:
        """Wait where the last transaction was begun just now: what comes in the meantime is one transaction."""
        await self._pace.wait(full)

    async def take_over(self) -> None:
        """Start a producer; for as long as none can be, the service is not ready."""
        self._shared.waits.note(self._number, WAITS)
        await self.stop()
        async for attempt in retrying(WAITS, self._shared.refusals, group=self._shared.group):
            with attempt:
                what = f"the first transaction of {self._name} was not begun"
                self._producer = await _at_most(self._shared.patience.begin_s, what, self._shared.start(self._name))
        self._shared.waits.done(self._number)

    async def send(self, batch: Batch, outgoing: Sequence[Outgoing]) -> bool:
        """Send answers and offsets in one transaction, again with the same bytes where that fails for a passing reason.

        Raises
        ------
        Fenced
            If another process has taken the partition over: its producer shuts out ours, or, where we hear of that too
            late, more is committed than we have. One that has committed nothing yet by then, or just our batch, is shut
            out by us, and answers nothing twice either.
        """
        self._pace.begin()
        for attempt in range(1, TRIES + 1):
            try:
                transaction = self._transact(batch, outgoing)
                await _at_most(self._shared.patience.transact_s, "the transaction was not committed", transaction)
            except ProducerFenced:
                raise self._fenced() from None
            except KafkaError as error:
                self._shared.metrics.commit_failures.inc()
                log.warning("a transaction failed, it is done again", attempt=attempt, error=str(error))
                if attempt == TRIES:
                    raise
                self._shared.waits.note(self._number, WAITS)
                await self._refuse_succession(batch)  # first: who has gone on must not be shut out
                await self.take_over()  # ends what is open
                if await self._refuse_succession(batch):
                    return True  # all that had failed was to hear of it
            else:
                break
        return True

    async def _refuse_succession(self, batch: Batch) -> bool:
        """Return whether our batch is committed; raises ``Fenced`` where more is than we had, and not our own batch."""
        committed = await self._shared.committed(batch.end.keys())
        if any(batch.begin[part] < offset != batch.end[part] for part, offset in committed.items()):
            raise self._fenced() from None
        return committed == batch.end

    async def _transact(self, batch: Batch, outgoing: Sequence[Outgoing]) -> None:
        producer = self._producer
        if producer is None:
            raise RuntimeError(f"a batch of partition {self._number} came before it was taken over: report it")
        await producer.begin_transaction()
        await publish(producer, self._shared.prefix, self._number, outgoing)
        failpoint("after_send")
        await producer.send_offsets_to_transaction(batch.end, self._shared.group)
        failpoint("before_commit")
        await producer.commit_transaction()

    def _fenced(self) -> Fenced:
        return Fenced(
            f"another process answers partition {self._number} of {self._shared.group}, or the broker was away for too "
            "long: ending, nothing is lost; start again, each process with a TETOUAN_GROUP_INSTANCE_ID of its own, if "
            "any"
        )

    async def stop(self) -> None:
        """Close the producer; a transaction that is open is ended by the next one of its name."""
        former, self._producer = self._producer, None
        if former is not None:
            await _close(former, self._shared.patience.goodbye_s)


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


async def _close(producer: Producer, goodbye_s: float) -> None:
    """Close a producer that may have failed, may be shut out, or may have no broker to say goodbye to."""
    try:
        async with asyncio.timeout(goodbye_s):
            await producer.stop()
    except (KafkaError, TimeoutError):  # it ends before its connections, or waits for records that nobody confirms
        await producer.client.close()


async def publish(producer: Producer, prefix: str, number: int, outgoing: Sequence[Outgoing]) -> None:
    """Hand over all to the partition of this number without waiting for each, then wait until all are confirmed.

    The records of a topic go in as few batches as hold them: handed over one by one, each takes four times as long.

    The idempotent producer sends again by itself, in order, for as long as the broker is away; what it gives up after
    it has taken it cannot be mended by sending it once more, so that error is raised.
    """
    by_topic: dict[str, list[Outgoing]] = {}
    for record in outgoing:
        by_topic.setdefault(record.topic, []).append(record)
    handed_over = [
        await _hand_over(producer, prefix + topic, number, batch)
        for topic, records in by_topic.items()
        for batch in _batches(producer, records)
    ]
    await asyncio.gather(*handed_over)


def _batches(producer: Producer, records: Sequence[Outgoing]) -> Iterator[Builder]:
    """Yield batches that hold the records, in their order."""
    batch = producer.create_batch()
    for record in records:
        if not _has_taken(batch, record):
            yield batch
            batch = producer.create_batch()
            _has_taken(batch, record)
    yield batch


def _has_taken(batch: Builder, record: Outgoing) -> bool:
    """Add a record to a batch; returns whether there was room."""
    taken = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
    return taken is not None


async def _hand_over(producer: Producer, topic: str, number: int, batch: Builder) -> asyncio.Future[Any]:
    """Hand over a batch; where the producer's buffer stays full it has taken nothing, so it is offered again."""
    while True:
        try:
            return await producer.send_batch(batch, topic, partition=number)
        except KafkaTimeoutError:
            log.warning("the Kafka broker takes nothing more, waiting for it", topic=topic)
