"""Signals as a request to finish."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

__all__ = ["ORDERS", "set_by_signals"]

ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def set_by_signals(stop: Event) -> Iterator[None]:
    """Set ``stop`` on SIGTERM, SIGINT or SIGHUP instead of ending the process, in the block; main thread only."""
    former = {order: signal.signal(order, lambda *_: stop.set()) for order in ORDERS}
    try:
        yield
    finally:
        for order, handler in former.items():
            signal.signal(order, handler)
