"""The snapshots of a service's tasks: each kept now and then, in turn, at a cost that stays small."""

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

SHARE = 0.04  # of what the process takes; with one snapshot more at the edge, some minutes stay below a twentieth

log = structlog.get_logger()


class Budget:
    """CPU that may be spent on something: a share of all that the process takes, earned before it is spent.

    What was not needed is not saved up: the share holds of any stretch of time, but for the last spending in it.
    What was spent beyond what was earned has to be earned before anything else.

    Parameters
    ----------
    share
        Of the CPU of the process.
    process_cpu_s
        CPU seconds of the process.
    """

    def __init__(self, share: float, process_cpu_s: Callable[[], float]) -> None:
        self._share = share
        self._process_cpu_s = process_cpu_s
        self._since_s = process_cpu_s()  # of what the process takes from here on, the share is earned

    @property
    def earned_s(self) -> float:
        """CPU seconds that can be spent now; negative as long as too much was spent."""
        return self._share * (self._process_cpu_s() - self._since_s)

    def spend(self, spent_s: float) -> None:
        """Note that so much was spent just now."""
        lacking_s = max(0.0, spent_s - self.earned_s)
        self._since_s = self._process_cpu_s() + lacking_s / self._share


class Keeper:
    """Keeps the states of the tasks that are open.

    Parameters
    ----------
    tasks
        Whose states are kept.
    every_s
        How often each of them is kept, at most.
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
        self._last = -1  # whose turn was the last
        self._awaited_s = 0.0  # what the next one takes at least: to ask again before that is earned costs and is vain

    async def run(self) -> None:
        """Look after them for ever."""
        while True:
            await asyncio.sleep(self._every_s / max(len(self._open()), 1))
            await self.look()

    async def look(self) -> None:
        """Keep the task whose turn it is, where that is earned by now; else it is still its turn the next time."""
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
        if was_kept or not state.is_kept:  # the first of a state is paid for: rebuilding has taken many times as much
            self._budget.spend(spent_s)

    async def keep_last(self, patience_s: float) -> None:
        """Keep all of them once more, whatever CPU it takes, but not for longer: the group has to be left, too."""
        left = [task.number for task in self._tasks]
        try:
            async with asyncio.timeout(patience_s):
                for task in self._tasks:
                    await self._kept(task)
                    left.remove(task.number)
        except TimeoutError:
            log.warning("no time to keep all states, the next start folds what came since", partitions=left)

    def _open(self) -> list[Task[Any]]:
        return [task for task in self._tasks if task.open]

    async def _kept(self, task: Task[Any]) -> float:
        """Keep the state of a task where there is something new; returns the CPU seconds that it took."""
        copy = await task.snapshot()
        if copy is None:
            return 0.0
        spent_s = await task.state.keep(copy)
        self._metrics.snapshot_cpu_s.inc(spent_s)
        return spent_s
