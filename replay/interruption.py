"""Signals as a request to finish."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]

__all__ = ["handled_by", "set_by_signals"]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Call ``handler`` on SIGTERM, SIGINT or SIGHUP in the block; main thread only.

    A signal that is ignored stays so: ``nohup`` ignores SIGHUP.
    """
    heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)


def set_by_signals(stop: Event) -> AbstractContextManager[None]:
    """Set ``stop`` on a signal instead of ending the process, in the block; main thread only."""
    return handled_by(lambda *_: stop.set())
