"""The one place that reads the clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["cpu_s", "monotonic_s", "now", "process_cpu_s"]


def now() -> datetime:
    """Return the wall clock: aware, UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back; only differences mean something."""
    return time.monotonic()


def cpu_s() -> float:
    """Return the CPU seconds of this thread; only differences mean something."""
    return time.thread_time()


def process_cpu_s() -> float:
    """Return the CPU seconds of this process; only differences mean something."""
    return time.process_time()
