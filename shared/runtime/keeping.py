"""Schedules the snapshots of a service's tasks: in turn, within a share of the CPU time of the process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from shared.runtime.clock import process_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.task import Task

__all__ = ["SHARE", "Budget", "Keeper"]

SHARE = 0.04  # of the CPU time of the process; with one snapshot more at the edge, minutes stay below a twentieth

log = structlog.get_logger()


class Budget:
    """A CPU budget: a share of the CPU time of the process, which is earned before it is spent.

    Each spending ends what was earned and not used; an overdraft is earned back first. So over any period the spending
    is at most the share, and one snapshot.

    Parameters
    ----------
    share
        Of the CPU time of the process.
    process_cpu_s
        CPU seconds of the process.
    """

    def __init__(self, share: float, process_cpu_s: Callable[[], float]) -> None:
        self._share = share
        self._process_cpu_s = process_cpu_s
        self._since_s = process_cpu_s()  # the CPU time from which on the share is earned

    @property
    def earned_s(self) -> float:
        """CPU seconds that may be spent now; negative after an overdraft."""
        return self._share * (self._process_cpu_s() - self._since_s)

    def spend(self, spent_s: float) -> None:
        """Record these CPU seconds as spent."""
        lacking_s = max(0.0, spent_s - self.earned_s)
        self._since_s = self._process_cpu_s() + lacking_s / self._share


class Keeper:
    """Writes snapshots of the open tasks in turn, and a last one of every task.

    Parameters
    ----------
    tasks
        Those of the service.
    every_s
        Shortest time between two snapshots of a task.
    metrics
        Of the service.
    process_cpu_s
        CPU seconds of the process.
    """

    def __init__(
        self,
        tasks: Iterable[Task[Any]],
        every_s: float,
        metrics: PipelineMetrics,
        process_cpu_s: Callable[[], float] = process_cpu_s,
    ) -> None:
        self._tasks = tasks
        self._every_s = every_s
        self._metrics = metrics
        self._budget = Budget(SHARE, process_cpu_s)
        self._last = -1  # the number of the task of the last snapshot
        self._awaited_s = 0.0  # CPU that the next one takes: what it expects is not asked before that is earned

    async def run(self) -> None:
        """Write snapshots until cancelled."""
        while True:
            await asyncio.sleep(self._every_s / max(len(self._open()), 1))
            await self.look()

    async def look(self) -> None:
        """Write a snapshot of the task whose turn it is, where the budget allows it; else it keeps its turn."""
        tasks = self._open()
        if not tasks or self._awaited_s > self._budget.earned_s:
            return
        task = min(tasks, key=lambda each: (each.number <= self._last, each.number))
        state = task.state
        self._awaited_s = state.expected_cpu_s()
        if self._awaited_s > self._budget.earned_s:
            return
        self._last, self._awaited_s, was_kept = task.number, 0.0, state.is_kept
        spent_s = await self._kept(task)
        if (
            was_kept or not state.is_kept
        ):  # the first one of a rebuilt state is not charged: to rebuild took far more. One that failed is
            self._budget.spend(spent_s)

    async def keep_last(self, patience_s: float) -> None:
        """Write a last snapshot of every task, whatever CPU it takes; stop after ``patience_s``, to leave the group."""
        left = [task.number for task in self._tasks]
        try:
            async with asyncio.timeout(patience_s):
                for task in self._tasks:
                    await self._kept(task)
                    left.remove(task.number)
        except TimeoutError:
            log.warning("no time for all last snapshots, the next start folds the newer records", partitions=left)

    def _open(self) -> list[Task[Any]]:
        return [task for task in self._tasks if task.open]

    async def _kept(self, task: Task[Any]) -> float:
        """Write a snapshot where there is new state; return the CPU seconds that it took, 0 where there is none."""
        copy = await task.snapshot()
        if copy is None:
            return 0.0
        spent_s = await task.state.keep(copy)
        self._metrics.snapshot_cpu_s.inc(spent_s)
        return spent_s
