"""The tasks of one process: made where the group assigns a partition, kept for a while where it takes one away."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka.errors import IllegalStateError

from shared.runtime.background import Background, cancelled
from shared.runtime.clock import monotonic_s
from shared.runtime.records import by_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from aiokafka import TopicPartition

    from shared.runtime.health import Health, WaitsOfPartitions
    from shared.runtime.patience import Patience
    from shared.runtime.records import Record
    from shared.runtime.task import Task

__all__ = ["Flow", "Tasks"]

AT_ONCE = 2  # tasks that are restored: more would only wait for the same processor
REBUILDING = "the state is being rebuilt"


class Flow(Protocol):
    """What the group assigns: stopped, moved and let go on, partition by partition.

    All of them raise ``IllegalStateError`` where a partition is not ours any more.
    """

    def pause(self, *partitions: TopicPartition) -> None:
        """Give nothing of these."""

    def resume(self, *partitions: TopicPartition) -> None:
        """Give what these have."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go there: what was fetched before is fetched again."""

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        """Go to the first records that are kept."""


@dataclass
class _Held:
    """A task that runs, and what runs it."""

    task: Task[Any]
    since: int = 0
    """The number of the first poll whose records are for it."""
    restoring: asyncio.Task[None] | None = None
    working: asyncio.Task[None] | None = None
    stuck: set[TopicPartition] = field(default_factory=set)
    """Partitions that stand before a record that cannot be fetched."""


class Tasks:
    """The tasks of what the group has assigned, by partition number.

    Each is restored in the background, at most two at a time, and takes records as soon as it is where its commits are;
    nobody waits for the others. One that is taken away stays in memory for a while: if it comes back and nobody has
    committed meanwhile, it goes on.

    Parameters
    ----------
    make
        Makes the task of a partition number.
    health, patience
        Of the service.
    restoring
        Shows which tasks are being restored.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        make: Callable[[int], Task[Any]],
        health: Health,
        restoring: WaitsOfPartitions,
        patience: Patience,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._make = make
        self._health = health
        self._patience = patience
        self._clock = clock
        self._background = Background(health.fail)
        self._restoring = restoring
        self._few = asyncio.Semaphore(AT_ONCE)
        self._held: dict[int, _Held] = {}
        self._resting: dict[int, tuple[Task[Any], float]] = {}
        self._flow: Flow | None = None
        self.joined = False
        """Whether the group has said what is ours, be it nothing."""
        self.polls = 0
        """How often positions have changed: records that were fetched before the last time may be out of place."""

    def __iter__(self) -> Iterator[Task[Any]]:
        """Return the tasks of what is assigned."""
        return iter([held.task for held in self._held.values()])

    @property
    def waiting(self) -> int:
        """How many records have been given to tasks and are not answered."""
        return sum(held.task.waiting for held in self._held.values())

    @property
    def restoring(self) -> list[int]:
        """The numbers whose state is not where its commits are yet."""
        return [number for number, held in self._held.items() if not held.task.open]

    def roomy(self) -> tuple[list[TopicPartition], bool]:
        """Return the partitions that can be fetched, and whether no task that is open is full."""
        takers = [held for held in self._held.values() if held.task.open]
        free = [held for held in takers if held.task.has_room]
        return [part for held in free for part in held.task.partitions], len(free) == len(takers)

    def assigned(self, partitions: AbstractSet[TopicPartition], flow: Flow) -> None:
        """Take what the group assigns: paused before anything is fetched, restored in the background.

        The group waits for this call, and nothing may wait for the group's heartbeats here.
        """
        self._flow = flow
        self.polls += 1
        self.joined = True
        if partitions:
            flow.pause(*partitions)
        self._restoring.show()
        for number in sorted({partition.partition for partition in partitions}):
            self._restoring.note(number, REBUILDING)
            task, _ = self._resting.pop(number, (None, 0.0))
            held = self._held[number] = _Held(task or self._make(number))
            held.restoring = self._background.run(self._restored(held))

    async def revoked(self) -> None:
        """Give back all that is assigned, once the batches in hand are through; what is too slow is left as it is."""
        self.polls += 1
        self.joined = False
        given_back = list(self._held.values())
        self._held.clear()
        until_s = self._clock() + self._patience.rest_s
        for held in given_back:
            self._restoring.done(held.task.number)
        await asyncio.gather(*(self._ended(held) for held in given_back))
        for held in given_back:
            self._resting[held.task.number] = held.task, until_s

    async def _ended(self, held: _Held) -> None:
        """Wait for the batch in hand; where it takes too long it is given up: it is not settled, and comes again."""
        await cancelled([held.restoring])
        await held.task.finish(self._patience.batch_s)
        await cancelled([held.working])
        held.task.abandon()

    async def _restored(self, held: _Held) -> None:
        """Bring a task to where it is committed, and let it go on from there."""
        task = held.task
        async with self._few:
            await task.restore()
        held.working = self._background.run(task.work())
        await self._go_on(held)
        self._restoring.done(task.number)

    async def _go_on(self, held: _Held) -> None:
        flow, task = self._flow, held.task
        if flow is None:
            raise RuntimeError("a task was restored before the group has assigned anything: report it")
        try:
            for partition, offset in task.next.items():
                if offset:
                    flow.seek(partition, offset)
                else:
                    await flow.seek_to_beginning(partition)
            flow.resume(*(set(task.partitions) - held.stuck))
        except IllegalStateError:  # taken away meanwhile: the group tells in a moment
            return
        self.polls += 1
        held.since = self.polls
        task.begin()

    def give(self, records: Sequence[Record], poll: int) -> None:
        """Hand records to their tasks; those that were fetched before a task was where it is now come again."""
        for partition, of_it in by_partition(records):
            held = self._held.get(partition.partition)
            if held is not None and poll >= held.since and self._health.failure is None:
                held.task.give(partition, of_it)

    def go_back(self) -> None:
        """Fetch again what was fetched and not given: a poll that has failed may have dropped it."""
        flow = self._flow
        if flow is not None:
            for partition, offset in self.next.items():
                with suppress(IllegalStateError):  # taken away meanwhile
                    flow.seek(partition, offset)

    @property
    def next(self) -> dict[TopicPartition, int]:
        """Where each partition of an open task is to be read next."""
        return {
            part: offset for held in self._held.values() if held.task.open for part, offset in held.task.next.items()
        }

    def stick(self, partitions: Collection[TopicPartition]) -> None:
        """Hold these, which stand before a record that cannot be fetched, and let all others go on."""
        flow = self._flow
        if flow is None:
            return
        for held in self._held.values():
            stuck = {partition for partition in held.task.partitions if partition in partitions}
            newly, freed = stuck - held.stuck, held.stuck - stuck
            held.stuck = stuck
            if held.task.open:
                with suppress(IllegalStateError):  # taken away meanwhile
                    flow.pause(*newly)
                    flow.resume(*freed)

    def look(self) -> None:
        """Forget who has rested for too long."""
        over = [number for number, (_, until_s) in self._resting.items() if self._clock() > until_s]
        for number in over:
            task, _ = self._resting.pop(number)
            self._background.run(task.close())

    async def stop(self) -> None:
        """Finish the batches in hand; restores and all else are cancelled, and have ended when this returns."""
        await asyncio.gather(*(self._ended(held) for held in self._held.values()))
        await self._background.stop()

    async def close(self) -> None:
        """Close the connections of all tasks, as the process ends.

        The states end with the process: to take down those of a thousand sites takes seconds, and the group waits.
        """
        tasks = [held.task for held in self._held.values()] + [task for task, _ in self._resting.values()]
        await asyncio.gather(*(task.disconnect() for task in tasks))
