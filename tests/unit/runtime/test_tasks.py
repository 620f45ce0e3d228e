"""What becomes of the tasks of a process, whatever its group gives and takes: each record once, in order, by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition

from shared.runtime.health import Reason
from shared.runtime.publishing import Fenced
from shared.runtime.snapshots import Snapshots
from tests.unit.runtime.local import IN, OUT, LocalBroker, LocalService, Summing, burn, settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.runtime.records import Outgoing, Record

NUMBERS = [b"%d" % number for number in range(1, 11)]
SUMS = [b"1", b"3", b"6", b"10", b"15", b"21", b"28", b"36", b"45", b"55"]
ZERO = TopicPartition(IN, 0)


def answered(broker: LocalBroker, count: int, number: int = 0) -> Callable[[], bool]:
    """Tell whether so many answers are committed."""
    return lambda: broker.commits.get(TopicPartition(IN, number), 0) >= count


async def first_half(broker: LocalBroker, service: LocalService) -> None:
    """Assign a partition and answer five records on it."""
    broker.append(IN, 0, *NUMBERS[:5])
    service.flow.assign(0)
    await settled(answered(broker, 5), service)


async def comes_back(broker: LocalBroker, service: LocalService, _: Path) -> None:
    """The group takes the partition away and gives it again."""
    await service.flow.revoke()
    service.flow.assign(0)
    broker.append(IN, 0, *NUMBERS[5:])
    await settled(answered(broker, 10), service)


async def goes_away_for_a_while(broker: LocalBroker, service: LocalService, folder: Path) -> None:
    """Another process answers some records meanwhile."""
    await service.flow.revoke()
    other = LocalService(broker, folder / "other")
    other.flow.assign(0)
    broker.append(IN, 0, *NUMBERS[5:8])
    await settled(answered(broker, 8), other)
    await other.flow.revoke()
    service.flow.assign(0)
    broker.append(IN, 0, *NUMBERS[8:])
    await settled(answered(broker, 10), service)


async def is_taken_away_in_the_middle(broker: LocalBroker, service: LocalService, _: Path) -> None:
    """A batch whose commit takes too long is given up when the partition is taken away, and is answered once."""
    broker.slow = {0}
    broker.append(IN, 0, *NUMBERS[5:8])
    await settled(lambda: any(task.waiting for task in service.tasks), service)
    await service.flow.revoke()
    broker.slow = set()
    service.flow.assign(0)
    broker.append(IN, 0, *NUMBERS[8:])
    await settled(answered(broker, 10), service)


class Large(Summing):
    """A core of many parts, each of which takes a while to be copied."""

    def parts(self) -> dict[str, int]:
        """Return one that changes, and those that are large."""
        return {**super().parts(), **{f"{number}": 0 for number in range(20)}}

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return the sum."""
        burn()
        return super().state(part)


def test_a_task_waits_while_it_is_copied(tmp_path: Path) -> None:
    """The copy is of one moment, whatever comes meanwhile; others are let through, and what came is answered then."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path, Large)
        await first_half(broker, service)
        (task,) = service.tasks
        copying = asyncio.create_task(task.snapshot())
        broker.append(IN, 0, *NUMBERS[5:])
        await settled(answered(broker, 10), service)
        copy = await copying
        assert copy is not None
        snapshot, _, _ = await copy.written
        assert snapshot.offsets == {(IN, 0): 5}
        store = Snapshots(str(tmp_path), "0")
        assert {int(state[part]) for part, state in store.parts(snapshot).items()} == {15}
        await service.stop()

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS


async def is_killed(broker: LocalBroker, _: LocalService, folder: Path) -> None:
    """A fresh process takes over without a snapshot."""
    other = LocalService(broker, folder / "other")
    other.flow.assign(0)
    broker.append(IN, 0, *NUMBERS[5:])
    await settled(answered(broker, 10), other)


async def is_stopped_and_started(broker: LocalBroker, service: LocalService, folder: Path) -> None:
    """A fresh process goes on with the snapshot of the one before."""
    task = next(iter(service.tasks))
    copy = await task.snapshot()
    assert copy is not None
    await task.state.keep(copy)
    await service.tasks.stop()
    await service.tasks.close()
    other = LocalService(broker, folder)
    other.flow.assign(0)
    broker.append(IN, 0, *NUMBERS[5:])
    await settled(answered(broker, 10), other)


@pytest.mark.parametrize(
    "event",
    [comes_back, goes_away_for_a_while, is_taken_away_in_the_middle, is_killed, is_stopped_and_started],
    ids=lambda event: event.__name__,
)
def test_each_record_is_answered_once_and_in_order(
    event: Callable[[LocalBroker, LocalService, Path], Awaitable[None]], tmp_path: Path
) -> None:
    """Whatever happens after five of ten records, the answers are those of one process that nothing has happened to."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        await first_half(broker, service)
        await event(broker, service, tmp_path)
        assert service.health.failure is None
        assert Reason.STATE not in service.health.waiting_for

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS


def test_who_comes_back_while_nobody_has_committed_goes_on_with_its_core(tmp_path: Path) -> None:
    """Nothing is folded again; the producer is a new one, which shuts out whoever had the partition meanwhile."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        await first_half(broker, service)
        await comes_back(broker, service, tmp_path)
        assert len(service.cores) == 1
        assert broker.started == ["group-0", "group-0"]

    asyncio.run(run())


def test_tasks_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """While a commit of one partition takes its time, all records of another are answered."""
    broker = LocalBroker(slow={0})

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        broker.append(IN, 0, *NUMBERS)
        broker.append(IN, 1, *NUMBERS)
        service.flow.assign(0, 1)
        await settled(answered(broker, 10, 1), service)
        assert broker.values(OUT, 0) == []
        broker.gate.set()
        await settled(answered(broker, 10, 0), service)

    asyncio.run(run())
    assert broker.values(OUT, 0) == broker.values(OUT, 1) == SUMS


def test_a_task_whose_restore_takes_long_holds_up_no_other(tmp_path: Path) -> None:
    """It is not ready, and says which partition is behind; the other one answers."""
    broker, gate = LocalBroker(), asyncio.Event()

    class Slow(Summing):
        async def prepare(self, records: Sequence[Record]) -> None:
            if records[0].partition == 0:
                await gate.wait()

    async def run() -> None:
        broker.append(IN, 0, *NUMBERS)
        broker.append(IN, 1, *NUMBERS)
        broker.commits = {ZERO: 4}
        service = LocalService(broker, tmp_path, Slow)
        service.flow.assign(0, 1)
        await settled(answered(broker, 10, 1), service)
        assert "partition 0" in service.health.waiting_for[Reason.STATE]
        assert service.tasks.restoring == [0]
        gate.set()
        await settled(answered(broker, 10, 0), service)
        assert Reason.STATE not in service.health.waiting_for

    asyncio.run(run())
    assert broker.values(OUT, 1) == SUMS
    assert broker.values(OUT, 0) == SUMS[4:]


def test_answers_stand_on_the_partition_that_was_read(tmp_path: Path) -> None:
    """Whatever the key of a record."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        broker.append(IN, 1, *NUMBERS)
        service.flow.assign(1)
        await settled(answered(broker, 10, 1), service)

    asyncio.run(run())
    assert broker.values(OUT, 1) == SUMS
    assert broker.values(OUT, 0) == []


def test_a_bug_ends_the_service_and_commits_nothing(tmp_path: Path) -> None:
    """The first failure is kept, and what was given meanwhile is not answered."""
    broker = LocalBroker()

    class Buggy(Summing):
        def handle(self, records: Sequence[Record]) -> list[Outgoing]:
            raise ZeroDivisionError(records[0].value)

    async def run() -> None:
        service = LocalService(broker, tmp_path, Buggy)
        broker.append(IN, 0, *NUMBERS)
        service.flow.assign(0)
        await settled(lambda: service.health.failure is not None, service)
        assert isinstance(service.health.failure, ZeroDivisionError)
        service.health.fail(RuntimeError("what follows from it"))
        assert isinstance(service.health.failure, ZeroDivisionError)
        await service.tasks.stop()

    asyncio.run(run())
    assert broker.commits == {}
    assert broker.values(OUT, 0) == []


def test_who_is_fenced_ends_and_the_successor_goes_on(tmp_path: Path) -> None:
    """A process that was taken for dead answers nothing more, and says that another has the partition."""
    broker = LocalBroker()

    async def run() -> None:
        zombie = LocalService(broker, tmp_path / "zombie")
        await first_half(broker, zombie)
        successor = LocalService(broker, tmp_path / "successor")
        successor.flow.assign(0)
        broker.append(IN, 0, *NUMBERS[5:])
        await settled(answered(broker, 10), successor)
        await settled(lambda: zombie.health.failure is not None, zombie)
        assert isinstance(zombie.health.failure, Fenced)
        await zombie.tasks.stop()

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS


def test_a_core_that_has_rested_for_too_long_is_closed(tmp_path: Path) -> None:
    """What it shows goes away with it, and a task that comes back later begins anew."""
    broker, times_s = LocalBroker(), [0.0]

    async def run() -> None:
        service = LocalService(broker, tmp_path, clock=lambda: times_s[0])
        await first_half(broker, service)
        await service.flow.revoke()
        service.tasks.look()
        (core,) = service.cores
        assert isinstance(core, Summing)
        assert not core.closed
        times_s[0] = 61.0
        service.tasks.look()
        await settled(lambda: isinstance(core, Summing) and core.closed)
        await goes_on(broker, service)
        assert len(service.cores) == 2

    async def goes_on(broker: LocalBroker, service: LocalService) -> None:
        service.flow.assign(0)
        broker.append(IN, 0, *NUMBERS[5:])
        await settled(answered(broker, 10), service)

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS


def test_a_full_task_is_not_fetched_and_the_others_are(tmp_path: Path) -> None:
    """What it has not room for stays where it is."""
    broker = LocalBroker(slow={0})

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        service.flow.assign(0, 1)
        await settled(lambda: not service.tasks.restoring)
        assert service.tasks.roomy() == ([ZERO, TopicPartition(IN, 1)], True)
        broker.append(IN, 0, *NUMBERS)
        await settled(lambda: not service.tasks.roomy()[1], service)
        assert service.tasks.roomy() == ([TopicPartition(IN, 1)], False)
        broker.gate.set()
        await settled(answered(broker, 10), service)
        assert service.tasks.roomy()[1]

    asyncio.run(run())


def test_records_that_were_fetched_before_a_partition_was_ours_are_not_taken(tmp_path: Path) -> None:
    """They come again from where its state is: else what lies between would be lost."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        broker.append(IN, 0, *NUMBERS)
        before = service.tasks.polls
        service.flow.assign(0)
        await settled(lambda: not service.tasks.restoring)
        service.tasks.give(broker.log[ZERO][7:], before)
        await settled(answered(broker, 10), service)

    asyncio.run(run())
    assert broker.values(OUT, 0) == SUMS


def test_who_gets_nothing_stands_by_and_is_ready(tmp_path: Path) -> None:
    """There are more replicas than partitions: that one has joined, and waits for nothing."""
    broker = LocalBroker()

    async def run() -> None:
        service = LocalService(broker, tmp_path)
        service.health.waiting_for[Reason.STATE] = "the state is being rebuilt"
        before = service.tasks.joined
        service.flow.assign()
        assert (before, service.tasks.joined) == (False, True)
        assert service.health.ready()[0]

    asyncio.run(run())
