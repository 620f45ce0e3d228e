"""Work that blocks, in a thread for which nobody waits who is told to stop, or has waited long enough."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["begin_in_thread", "run_in_thread"]

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
