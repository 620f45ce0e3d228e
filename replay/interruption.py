"""SIGTERM and SIGINT as a request to finish."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

__all__ = ["set_by_signals"]


@contextmanager
def set_by_signals(stop: Event) -> Iterator[None]:
    """Set ``stop`` on SIGTERM or SIGINT instead of ending the process, as long as the block lasts; main thread only."""
    former = {order: signal.signal(order, lambda *_: stop.set()) for order in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for order, handler in former.items():
            signal.signal(order, handler)
