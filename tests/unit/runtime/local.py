"""A broker in memory: partitions, what a group has committed, transactions, and producers that shut out each other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, IllegalStateError, ProducerFenced

from shared.runtime.access import Access
from shared.runtime.background import Background
from shared.runtime.clock import cpu_s
from shared.runtime.health import Health, Reason, WaitsOfPartitions
from shared.runtime.metrics import PipelineMetrics, new_registry
from shared.runtime.patience import Patience
from shared.runtime.publishing import Transactional, Transactions
from shared.runtime.records import Outgoing
from shared.runtime.restoring import TopicReplay
from shared.runtime.retries import Refusals
from shared.runtime.snapshots import Snapshots
from shared.runtime.state import PAUSE_S, TaskState
from shared.runtime.task import Task
from shared.runtime.tasks import Tasks
from shared.runtime.unreadable import UnreadableRecordSearch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.runtime.publishing import Builder
    from shared.runtime.records import Record
    from shared.runtime.restoring import Offsets
    from shared.runtime.state import Core

__all__ = ["IN", "OUT", "LocalBatch", "LocalBroker", "LocalFlow", "LocalService", "Summing", "burn", "settled"]

IN, OUT = "in", "out"
SOON = Patience(
    batch_s=0.05, begin_s=0.05, goodbye_s=0.05, look_every_s=0.01, place_s=0.5, refused_s=0.0, rest_s=60, transact_s=0.2
)


@dataclass
class Stored:
    """A record on a partition."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1


@dataclass
class LocalBroker:
    """Partitions by name and number; the offsets of one group."""

    log: dict[TopicPartition, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    commits: dict[TopicPartition, int] = field(default_factory=dict)
    owners: dict[str, LocalProducer] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """What a commit waits for, where ``slow`` names its partition."""
    slow: set[int] = field(default_factory=set)
    damaged: dict[TopicPartition, int] = field(default_factory=dict)
    """Of a partition, the offset of a record that cannot be unpacked."""
    damage: Exception = field(default_factory=lambda: CorruptRecordException("Invalid CRC"))
    """What a poll raises of it; what it has taken from other partitions in the same call is lost."""
    looks: int = 0
    """How many readers there were."""

    def append(self, topic: str, number: int, *values: bytes) -> None:
        """Store records."""
        stored = self.log[TopicPartition(topic, number)]
        for value in values:
            stored.append(Stored(topic, number, len(stored), value, key=b"site"))

    def values(self, topic: str, number: int) -> list[bytes | None]:
        """Return what stands on a partition."""
        return [record.value for record in self.log[TopicPartition(topic, number)]]

    async def committed(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Return what the group has committed."""
        return {partition: self.commits.get(partition, 0) for partition in partitions}

    @asynccontextmanager
    async def reading(self, partitions: Collection[TopicPartition]) -> AsyncIterator[LocalReader]:
        """Return a reader of these."""
        self.looks += 1
        yield LocalReader(self, partitions)

    async def start(self, name: str) -> LocalProducer:
        """Start a producer, and shut out the last one of its name."""
        self.started.append(name)
        self.owners[name] = LocalProducer(self, name)
        return self.owners[name]


class LocalReader:
    """Reads partitions of a broker; stands for a consumer with or without a group."""

    def __init__(self, broker: LocalBroker, partitions: Collection[TopicPartition]) -> None:
        self._broker = broker
        self.ours = set(partitions)
        self.paused_ones = set(partitions)
        self.positions = dict.fromkeys(partitions, 0)

    def _check(self, partitions: Collection[TopicPartition]) -> None:
        if odd := set(partitions) - self.ours:
            raise IllegalStateError(f"not ours: {odd}")

    def pause(self, *partitions: TopicPartition) -> None:
        """Give nothing of these."""
        self._check(partitions)
        self.paused_ones |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Give what these have."""
        self._check(partitions)
        self.paused_ones -= set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go there."""
        self._check([partition])
        self.positions[partition] = offset

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        """Go to zero."""
        for partition in partitions:
            self.seek(partition, 0)

    async def position(self, partition: TopicPartition) -> int:
        """Return where it is."""
        return self.positions[partition]

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Offsets:
        """Return zeros."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Offsets:
        """Return the ends."""
        return {partition: len(self._broker.log[partition]) for partition in partitions}

    async def getmany(
        self,
        *partitions: TopicPartition,
        timeout_ms: int,  # noqa: ARG002 - what is not there does not come
        max_records: int | None = None,
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return all that is there, or at most so many a partition."""
        await asyncio.sleep(0)
        found = {}
        for partition in sorted(set(partitions or self.ours) - self.paused_ones):
            position = self.positions[partition]
            rest = self._broker.log[partition][position:][:max_records]
            if self._broker.damaged.get(partition, -1) in range(position, position + len(rest)):
                raise self._broker.damage
            if rest:
                found[partition] = rest
                self.positions[partition] += len(rest)
        return found


@dataclass
class LocalBatch:
    """Records for one partition, as many as there is room for."""

    room: int = 1000
    records: list[Outgoing] = field(default_factory=list)

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> object:
        """Add a record; returns None where there is no room."""
        assert timestamp is None, "the broker stores when it was sent"
        if len(self.records) >= self.room:
            return None
        self.records.append(Outgoing("", key, value, tuple(headers)))
        return self.records[-1]


class LocalProducer:
    """A transactional producer: nothing is seen before the commit, and the last one of a name shuts out all others."""

    def __init__(self, broker: LocalBroker, name: str) -> None:
        self._broker = broker
        self._name = name
        self._records: list[Stored] = []
        self._offsets: Offsets = {}
        self.client: Any = self

    async def close(self) -> None:
        """Close the connections."""

    def _refuse(self) -> None:
        if self._broker.owners[self._name] is not self:
            raise ProducerFenced

    def create_batch(self) -> LocalBatch:
        """Return a batch."""
        return LocalBatch()

    async def send_batch(self, batch: Builder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Take the records of a batch."""
        self._refuse()
        assert isinstance(batch, LocalBatch)
        self._records += [
            Stored(topic, partition, -1, record.value, record.key, record.headers) for record in batch.records
        ]
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def begin_transaction(self) -> None:
        """Begin with nothing."""
        self._refuse()
        self._records, self._offsets = [], {}

    async def send_offsets_to_transaction(self, offsets: Offsets, group: str) -> None:  # noqa: ARG002 - there is one
        """Take the offsets."""
        self._offsets = dict(offsets)

    async def commit_transaction(self) -> None:
        """Commit all, or nothing where another has the name."""
        if {partition.partition for partition in self._offsets} & self._broker.slow:
            await self._broker.gate.wait()
        self._refuse()
        for record in self._records:
            stored = self._broker.log[TopicPartition(record.topic, record.partition)]
            record.offset = len(stored)
            stored.append(record)
        self._broker.commits |= self._offsets

    async def stop(self) -> None:
        """Close it."""


class LocalFlow(LocalReader):
    """What the group has assigned to one member."""

    def __init__(self, broker: LocalBroker, tasks: Tasks) -> None:
        super().__init__(broker, ())
        self._tasks = tasks
        self.most_records: int | None = None
        self.fail: Callable[[Exception], object] = _raise

    def assign(self, *numbers: int) -> None:
        """Give these partitions of the input topic, and no other."""
        self.ours = {TopicPartition(IN, number) for number in numbers}
        self.paused_ones = set()
        self.positions = dict.fromkeys(self.ours, 0)
        self._tasks.assigned(self.ours, self)

    async def revoke(self) -> None:
        """Take all away."""
        await self._tasks.revoked()
        self.ours = set()

    async def poll(self) -> None:
        """Hand over what has come for whoever has room; tell what a poll has failed of."""
        roomy, _ = self._tasks.roomy()
        if not roomy:
            return
        try:
            found = await self.getmany(*roomy, timeout_ms=0, max_records=self.most_records)
        except Exception as error:  # noqa: BLE001 - as the consumer of a service does
            self.fail(error)
        else:
            self._tasks.give([record for records in found.values() for record in records], self._tasks.polls)


def _raise(error: Exception) -> None:
    raise error


class Summing:
    """A core that answers each number with the sum so far: what is lost, doubled or out of order shows."""

    def __init__(self) -> None:
        self.sum = self.resumed = 0
        self.closed = False

    def restore(self, records: Sequence[Record]) -> None:
        """Add."""
        for record in records:
            self.sum += int(record.value or b"")

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Add, and answer with the sum."""
        answers = []
        for record in records:
            self.restore([record])
            answers.append(Outgoing(OUT, record.key, b"%d" % self.sum))
        return answers

    def close(self) -> None:
        """Note that it is over."""
        self.closed = True

    def identity(self) -> dict[str, str]:
        """Return nothing: all are alike."""
        return {}

    def parts(self) -> dict[str, int]:
        """Return the one part; numbers that are added are positive."""
        return {"all": self.sum - self.resumed}

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return the sum."""
        return {part: np.array(self.sum)}

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Take the sum over."""
        self.sum = self.resumed = int(parts["all"]["all"])


def burn() -> None:
    """Take so much CPU that whoever copies parts makes a pause."""
    until_s = cpu_s() + 2 * PAUSE_S
    while cpu_s() < until_s:
        pass


class LocalService:
    """One process of a service on the broker: its tasks, without a group that would assign by itself."""

    def __init__(
        self,
        broker: LocalBroker,
        folder: Path,
        make_core: Callable[[], Core] = Summing,
        patience: Patience = SOON,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.health = Health(broker_up=True)
        self.metrics = PipelineMetrics(new_registry())
        self.cores: list[Core] = []
        self._broker, self._folder, self._make_core, self._patience = broker, folder, make_core, patience
        self._restoring = WaitsOfPartitions(self.health, Reason.STATE)
        self._transactions = Transactions(
            "group",
            "",
            broker.start,
            broker.committed,
            self.metrics,
            self._refusals("transactions"),
            WaitsOfPartitions(self.health, Reason.TRANSACTIONS),
            patience,
            clock=lambda: 1e9,
        )
        self.tasks = Tasks(self._task, self.health, self._restoring, patience, clock)
        self.flow = LocalFlow(broker, self.tasks)
        self.background = Background(self.health.fail)
        refusals = self._refusals("past")
        self.search = UnreadableRecordSearch(
            self.tasks, broker, refusals, self.background, self.health, patience, self._take
        )
        self.flow.fail = self.search.begin

    def _take(self, most_records: int | None) -> None:
        self.flow.most_records = most_records

    async def stop(self) -> None:
        """Stop all that runs."""
        await self.background.stop()
        await self.tasks.stop()
        await self.tasks.close()

    def _refusals(self, key: str) -> Refusals:
        return Refusals(Access("127.0.0.1:1"), self.health, key)

    def _core(self) -> Core:
        self.cores.append(self._make_core())
        return self.cores[-1]

    def _task(self, number: int) -> Task:
        replay = TopicReplay(
            number,
            [IN],
            [IN],
            self._broker,
            refusals=self._refusals("past"),
            show=lambda line: self._restoring.note(number, line),
            patience=self._patience,
        )
        state = TaskState(
            self._core,
            replay,
            Snapshots(str(self._folder), str(number)),
            identity={"group": "group"},
            partitions={IN: 2},
            metrics=self.metrics,
            patience=self._patience,
        )
        return Task(
            number,
            state,
            Transactional(number, self._transactions),
            most_records=3,
            account=lambda *_: None,
            refusals=self._refusals("publishing"),
        )


async def settled(condition: Callable[[], bool], service: LocalService | None = None) -> None:
    """Let all that runs go on, and poll, until a condition holds; ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():
            if service is not None:
                await service.flow.poll()
            await asyncio.sleep(0.001)
