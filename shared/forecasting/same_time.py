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
    from shared.sites.calendar import Calendar
    from shared.sites.grid import Grid

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
        self._changes = np.cumsum(turned != np.roll(turned, 1))

    def turned_from(self, place: int) -> int:
        """Return by how many steps the clock is put forward or back at the most after the place; 0 where it is not."""
        return int(np.abs(self._turned[place:] - self._turned[place]).max())

    def is_steady(self, places: Steps, back: int) -> bool:
        """Tell whether the clock is not changed from so many steps before each of the places to the place."""
        changes = self._changes
        return bool((changes.take(places, mode="clip") == changes.take(places - back, mode="clip")).all())

    def turned_between(self, places: Steps, later: Steps) -> Steps:
        """Return by how many steps the clock is put forward from a place to a later one, less than 0 where back."""
        turned: Steps = self._turned.take(later) - self._turned.take(places)
        return turned

    def after(self, places: Steps, steps: Steps | int) -> Steps:
        """Return the places at which the clock shows so many steps more, or less where they are below 0.

        Outside of the window, where nothing is known of the clock, and at a time that it skips, they are plain steps.
        """
        plain = places + steps
        there = self._turned.take(plain, mode="clip")
        moved = plain + self._turned.take(places, mode="clip") - there
        shown = self._turned.take(moved, mode="clip") == there
        inside = (moved >= 0) & (moved < len(self._turned))
        after: Steps = np.where(shown & inside, moved, plain)
        return after

    def before(self, places: Steps, days: Steps | int) -> Steps:
        """Return the places of the same time so many days before."""
        return self.after(places, -self._day * days)


@lru_cache(maxsize=32)
def same_time(calendar: Calendar, grid: Grid, first_step: int, count: int) -> SameTime | None:
    """Return the same times in a window of so many steps, None where the clock is not changed in it."""
    turned = calendar.turned(np.arange(first_step, first_step + count), grid.step_minutes)
    return SameTime(turned, grid.day) if (turned != turned[0]).any() else None
