"""The naive forecast that live scores compare with: the load at the same time of the clock, the fewest days before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.same_time import same_time
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.same_time import SameTime
    from shared.sites.calendar import Calendar

__all__ = ["Yesterday"]


class Yesterday:
    """Finds the step whose load is the naive forecast of a pair.

    Parameters
    ----------
    leads, day
        How many steps a forecast reaches ahead, and steps a day.
    calendar
        The clock of the site; None where it is never changed.
    longest
        Steps of the longest window that is scored.

    Attributes
    ----------
    reach
        How many steps before its target such a step may lie.
    """

    def __init__(self, leads: int, day: int, calendar: Calendar | None, longest: int) -> None:
        self._day, self._days = day, -(-leads // day)
        # where the clock is put forward, the same time of the fewest days before may not be known yet
        self.reach = (self._days + 1) * day
        self._calendar = calendar
        self._window_days = (longest + self.reach) // day + 1
        self._today: int | None = None
        self._first_step = 0
        self._same_time: SameTime | None = None

    def of(self, targets: NDArray[np.int64], leads: NDArray[np.int64], clock: int) -> NDArray[np.int64]:
        """Return the steps for some targets, as they are known ``leads`` steps before them.

        ``targets`` and ``leads`` broadcast; where it is one step for all leads, the result is as large as ``targets``.
        """
        self._look_up(clock)
        days = self._days if self._days == 1 else -(-leads // self._day)
        places = targets - self._first_step
        if self._same_time is None or self._same_time.is_steady(places, self.reach):
            return targets - days * self._day
        same = self._same_time.before(places, days)
        known = np.where(same <= places - leads, same, self._same_time.before(places, days + 1))
        steps: NDArray[np.int64] = self._first_step + known
        return steps

    def _look_up(self, clock: int) -> None:
        """Look up whether and when the clock of the site is changed in what is kept, once a day."""
        today = clock // self._day
        if self._calendar is None or today == self._today:
            return
        self._today = today
        self._first_step = (today - self._window_days) * self._day
        steps = (self._window_days + 2) * self._day
        self._same_time = same_time(self._calendar, Grid.of_day(self._day), self._first_step, steps)
