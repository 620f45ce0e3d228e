"""The distance between two readings, and what follows from it: the only place of step arithmetic.

A step is the index of an interval of that length, counted from 1970 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Grid", "grid_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Grid:
    """The distance between two readings, a divisor of 60 minutes.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> grid = Grid(10)
    >>> grid.day, grid.steps(60, 1440)
    (144, (6, 144))
    >>> grid.step_of(datetime(2017, 10, 19, 4, 47, tzinfo=UTC))
    2513980
    >>> f"{grid.time_of(2513980):%Y-%m-%d %H:%M}"
    '2017-10-19 04:40'
    """

    step_minutes: int

    def __post_init__(self) -> None:
        if self.step_minutes < 1 or 60 % self.step_minutes:
            raise ValueError(f"step_minutes is {self.step_minutes}: use a divisor of 60 like 5, 10, 15, 30 or 60")

    @classmethod
    def of_day(cls, steps_a_day: int) -> Grid:
        """Return the grid with so many steps a day."""
        return cls(1440 // steps_a_day)

    @cached_property
    def day(self) -> int:
        """Steps a day."""
        return 1440 // self.step_minutes

    @cached_property
    def hour(self) -> int:
        """Steps an hour."""
        return 60 // self.step_minutes

    @cached_property
    def length(self) -> timedelta:
        """How long a step is."""
        return timedelta(minutes=self.step_minutes)

    def steps(self, *minutes: int) -> tuple[int, ...]:
        """Return the minutes in steps: rising, each once, at least one."""
        return tuple(sorted({max(1, round(minute / self.step_minutes)) for minute in minutes}))

    def covering(self, minutes: int) -> int:
        """Return the fewest steps that are no shorter than so many minutes."""
        return -(-minutes // self.step_minutes)

    def minutes(self, steps: int) -> int:
        """Return how long so many steps are."""
        return steps * self.step_minutes

    def has(self, time: datetime) -> bool:
        """Tell whether a step begins at an aware time."""
        return not (time - _EPOCH) % self.length

    def step_of(self, time: datetime) -> int:
        """Return the step that holds an aware time."""
        return (time - _EPOCH) // self.length

    def first_from(self, time: datetime) -> int:
        """Return the first step that begins at an aware time or after it."""
        return -((_EPOCH - time) // self.length)

    def time_of(self, step: int) -> datetime:
        """Return when a step begins, aware UTC."""
        return _EPOCH + step * self.length

    def times_of(self, steps: NDArray[np.int64]) -> pd.DatetimeIndex:
        """Return when steps begin, in UTC."""
        import pandas as pd  # noqa: PLC0415 - only who has it needs it here

        return pd.DatetimeIndex(pd.to_datetime(steps * 60 * self.step_minutes, unit="s", utc=True))


@cache
def grid_of(step_minutes: int) -> Grid:
    """Return the one grid of that distance, which has worked out its numbers."""
    return Grid(step_minutes)
