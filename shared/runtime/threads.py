"""Work that blocks, in a thread for which nobody waits who is told to stop, or has waited long enough."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["LoopThread", "begin_in_thread", "run_in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


def begin_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Begin it in a thread of its own; who waits for the outcome may give up, and the thread goes on.

    A thread cannot be ended. Those of asyncio's pool, and of most others, hold up the end of the process for as long
    as they take; this one does not.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # from here on nobody but the thread settles it

    def run() -> None:
        try:
            outcome.set_result(work(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome


async def run_in_thread(patience_s: float | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it beside the event loop; raises ``TimeoutError``, which is an ``OSError``, after ``patience_s``, if any.

    What the thread does it may still do later.
    """
    outcome = begin_in_thread(work, *args, **kwargs)
    try:
        async with asyncio.timeout(patience_s):
            return await asyncio.wrap_future(outcome)
    except TimeoutError as error:
        raise error if outcome.done() else TimeoutError(f"no answer within {patience_s:.0f} s") from error


class LoopThread:
    """An event loop in a thread of its own: work that takes the processor there holds up no other loop.

    It runs while the block of the context manager does.
    """

    def __init__(self) -> None:
        self._begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = Thread(target=lambda: asyncio.run(self._until_stopped()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.result()
        return self

    def __exit__(self, *_: object) -> None:
        loop, stopped = self._begun.result()
        loop.call_soon_threadsafe(stopped.set)
        self._thread.join()

    async def _until_stopped(self) -> None:
        stopped = asyncio.Event()
        self._begun.set_result((asyncio.get_running_loop(), stopped))
        await stopped.wait()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it there, and wait for what it returns or raises."""
        loop, _ = self._begun.result()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
