"""The snapshots of a service's tasks: each kept now and then, in turn, at a cost that stays small."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.task import Task
    from shared.runtime.tasks import Tasks

__all__ = ["Keeper"]

SHARE = 0.05  # of the processor: the more there is to write, the rarer it is written


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
    """

    def __init__(self, tasks: Tasks, every_s: float, metrics: PipelineMetrics) -> None:
        self._tasks = tasks
        self._every_s = every_s
        self._metrics = metrics

    async def run(self) -> None:
        """Keep them for ever, with at most a twentieth of a processor."""
        while True:
            tasks = [task for task in self._tasks if task.open]
            pause_s = self._every_s / max(len(tasks), 1)
            for task in tasks:
                await asyncio.sleep(pause_s)
                spent_s = await self._kept(task) if task.open else 0.0
                await asyncio.sleep(max(0.0, spent_s / SHARE - pause_s))
            if not tasks:
                await asyncio.sleep(pause_s)

    async def keep_last(self) -> None:
        """Keep all of them once more."""
        for task in self._tasks:
            await self._kept(task)

    async def _kept(self, task: Task) -> float:
        """Write a snapshot of the task where there is something new; returns the CPU seconds that it took."""
        copy = await task.snapshot()
        if copy is None:
            return 0.0
        spent_s = await task.state.keep(copy)
        self._metrics.snapshot_cpu_s.inc(spent_s)
        return spent_s
