"""Work that blocks, in a thread for which nobody waits who is told to stop, or has waited long enough."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["beside"]

P = ParamSpec("P")
T = TypeVar("T")


async def beside(patience_s: float | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it beside the event loop; raises ``TimeoutError``, which is an ``OSError``, after ``patience_s``, if any.

    A thread cannot be ended: what it does it may still do later.
    """
    with anyio.fail_after(patience_s):
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), abandon_on_cancel=True)
