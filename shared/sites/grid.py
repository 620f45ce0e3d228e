"""The distance between two readings, and what follows from it: the only place of step arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid:
    """The distance between two readings, and the lags in minutes as numbers of steps."""

    step_minutes: int

    def __post_init__(self) -> None:
        if self.step_minutes < 1 or 60 % self.step_minutes:
            raise ValueError(f"step_minutes is {self.step_minutes}: use a divisor of 60 like 5, 10, 15, 30 or 60")

    @cached_property
    def day(self) -> int:
        """Steps a day."""
        return 1440 // self.step_minutes

    def steps(self, *minutes: int) -> tuple[int, ...]:
        """Return the minutes in steps: rising, each once, at least one."""
        return tuple(sorted({max(1, round(minute / self.step_minutes)) for minute in minutes}))
