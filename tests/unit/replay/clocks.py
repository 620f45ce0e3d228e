"""A clock that only moves when somebody sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from replay.pacing import Pauses

__all__ = ["Clock"]


@dataclass
class Clock:
    """Seconds since the start; sets ``stop`` at ``stop_at_s``."""

    now_s: float = 0.0
    stop_at_s: float = float("inf")
    stop: Event = field(default_factory=Event)

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now_s += seconds
        if self.now_s >= self.stop_at_s:
            self.stop.set()

    @property
    def pauses(self) -> Pauses:
        """Waits on this clock."""
        return Pauses(self.stop, lambda: self.now_s, self.sleep)
