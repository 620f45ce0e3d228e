"""Which loads were drawn at the same time of the clock on other days, while the clock is changed in between.

Where the clock was put forward since, the same time a day before is 23 hours back, and 25 where it was put back. For a
time that the clock skipped that day it is 24 hours back; of a time that it showed twice it is the second one, from
which on the clock goes as it does now.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.forecasting.calendar import Calendar
    from shared.forecasting.grid import Grid

__all__ = ["SameTime", "same_time"]

Steps = NDArray[np.int64]


class SameTime:
    """The same time of the clock on the days of a window, whose places count steps.

    Parameters
    ----------
    turned
        By how many steps the clock has been put forward at each place, (places,).
    day
        Steps a day.
    """

    def __init__(self, turned: Steps, day: int) -> None:
        self._turned, self._day = turned, day
        shown = np.arange(len(turned)) + turned
        self._shown = shown - shown.min()
        self._place = np.full(self._shown.max() + 1, -1, dtype=np.int64)
        self._place[self._shown] = np.arange(len(turned))  # of a time that is shown twice the last one stays

    def turned_from(self, place: int) -> int:
        """Return by how many steps the clock is put forward or back at the most after the place; 0 where it is not."""
        return int(np.abs(self._turned[place:] - self._turned[place]).max())

    def turned_between(self, places: Steps, later: Steps) -> Steps:
        """Return by how many steps the clock is put forward from a place to a later one, less than 0 where back."""
        turned: Steps = self._turned.take(later) - self._turned.take(places)
        return turned

    def after(self, places: Steps, steps: Steps | int) -> Steps:
        """Return the places at which the clock shows so many steps more, or less where they are below 0."""
        shown = self._shown.take(places) + steps
        found = self._place.take(shown, mode="clip")
        there = (shown >= 0) & (shown < len(self._place)) & (found >= 0)
        after: Steps = np.where(there, found, places + steps)
        return after

    def before(self, places: Steps, days: Steps | int) -> Steps:
        """Return the places of the same time so many days before."""
        return self.after(places, -self._day * days)


@lru_cache(maxsize=32)
def same_time(calendar: Calendar, grid: Grid, first_step: int, count: int) -> SameTime | None:
    """Return the same times in a window of so many steps, None where the clock is not changed in it."""
    turned = calendar.turned(np.arange(first_step, first_step + count), grid.step_minutes)
    return SameTime(turned, grid.day) if (turned != turned[0]).any() else None
