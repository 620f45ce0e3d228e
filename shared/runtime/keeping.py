"""The snapshots of a service's tasks: each kept now and then, in turn, at a cost that stays small."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.runtime.clock import process_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.task import Task
    from shared.runtime.tasks import Tasks

__all__ = ["Keeper"]

SHARE = 0.05  # of what the process takes: the more there is to write, the rarer it is written


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
        tasks: Tasks,
        every_s: float,
        metrics: PipelineMetrics,
        process_cpu_s: Callable[[], float] = process_cpu_s,
    ) -> None:
        self._tasks = tasks
        self._every_s = every_s
        self._metrics = metrics
        self._process_cpu_s = process_cpu_s

    async def run(self) -> None:
        """Keep them for ever: a twentieth of what the process takes is for that."""
        while True:
            tasks = [task for task in self._tasks if task.open]
            pause_s = self._every_s / max(len(tasks), 1)
            for task in tasks:
                await asyncio.sleep(pause_s)
                started_s = self._process_cpu_s()
                spent_s = await self._kept(task) if task.open else 0.0
                while self._process_cpu_s() < started_s + spent_s / SHARE:  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(pause_s)
            if not tasks:
                await asyncio.sleep(pause_s)

    async def keep_last(self) -> None:
        """Keep all of them once more."""
        for task in self._tasks:
            await self._kept(task)

    async def _kept(self, task: Task) -> float:
        """Keep the state of a task where there is something new; returns the CPU seconds that it took."""
        copy = await task.snapshot()
        if copy is None:
            return 0.0
        spent_s = await task.state.keep(copy)
        self._metrics.snapshot_cpu_s.inc(spent_s)
        return spent_s
