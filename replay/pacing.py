"""When each reading is due, and a wait for it that can be interrupted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pauses", "SendSchedule", "Tempo", "TempoFollower"]

SLICE_S = 0.1


@dataclass(frozen=True)
class Pauses:
    """Waits that end early once ``stop`` is set.

    They look at it in slices instead of waiting on it: an event that the main thread waits on must not be set by a
    signal handler of the same thread, which could find its lock held.
    """

    stop: Event = field(default_factory=Event)
    now_s: Callable[[], float] = monotonic_s
    sleep: Callable[[float], None] = time.sleep

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or soon after ``stop`` was set."""
        due_s = self.now_s() + seconds
        while not self.stop.is_set() and (left_s := due_s - self.now_s()) > 0:
            self.sleep(min(left_s, SLICE_S))


class SendSchedule:
    """An even schedule: reading n (from 0) is due ``n / rate_per_s`` after the start, however late earlier ones were.

    Parameters
    ----------
    rate_per_s : float
        Readings a second; 0 = as fast as it goes.
    start_s : float
        When reading 0 is due.
    """

    def __init__(self, rate_per_s: float, start_s: float) -> None:
        if rate_per_s < 0:
            raise ValueError(f"rate_per_s is {rate_per_s}: give readings a second, or 0 for as fast as it goes")
        self._interval_s = 1 / rate_per_s if rate_per_s else 0.0
        self._start_s = start_s

    def wait_s(self, n: int, now_s: float) -> float:
        """Return the seconds until reading n is due; 0 where it is due already."""
        return max(0.0, self._start_s + n * self._interval_s - now_s) if self._interval_s else 0.0

    def postpone(self, seconds: float) -> None:
        """Move what is still to come: time lost to waiting for consumers is not made up in a burst."""
        self._start_s += seconds


@dataclass
class Tempo:
    """How fast a replay goes just now; another thread may change it.

    Attributes
    ----------
    rate_per_s
        Readings a second; 0 = as fast as it goes.
    paused
        Whether nothing is sent.
    """

    rate_per_s: float = 0.0
    paused: bool = False


class TempoFollower:
    """Waits until readings are due at a tempo that may change; what a pause has held up is not made up in a burst."""

    def __init__(self, tempo: Tempo, pauses: Pauses) -> None:
        self._tempo = tempo
        self._pauses = pauses
        self._rate_per_s = tempo.rate_per_s
        self._first = 0
        self._schedule = SendSchedule(self._rate_per_s, pauses.now_s())

    def wait(self, n: int) -> None:
        """Return when reading n is due, or soon after a stop."""
        while not self._pauses.stop.is_set():
            self._heed(n)
            left_s = self._schedule.wait_s(n - self._first, self._pauses.now_s())
            if self._tempo.paused:
                self._pauses.wait(SLICE_S)
                self._schedule.postpone(SLICE_S)
            elif left_s > 0:
                self._pauses.wait(min(left_s, SLICE_S))
            else:
                return

    def postpone(self, seconds: float) -> None:
        """Move what is still to come."""
        self._schedule.postpone(seconds)

    def _heed(self, n: int) -> None:
        """Begin anew with this reading where the rate has changed."""
        if self._tempo.rate_per_s != self._rate_per_s:
            self._rate_per_s, self._first = self._tempo.rate_per_s, n
            self._schedule = SendSchedule(self._rate_per_s, self._pauses.now_s())
