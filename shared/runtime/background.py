"""What runs beside something else: all of it is awaited when it is stopped, and what fails is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

__all__ = ["Background", "cancelled"]


class Background:
    """Some asynchronous work.

    Parameters
    ----------
    fail
        Is told what any of it has raised.
    """

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self._fail = fail
        self._running: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            error = task.exception()
        elif task.cancelling():
            error = None
        else:  # a library has let the end of something of its own through, and took our work with it
            error = RuntimeError(f"{task.get_coro()} was cancelled by nobody: report it")
        if error is not None:
            self._fail(error)

    async def stop(self) -> None:
        """Cancel all of it, and wait until it has ended: what it has opened is closed then."""
        await cancelled(self._running)


async def cancelled(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancel these, and wait until they have ended; what they raise is told by who began them."""
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
