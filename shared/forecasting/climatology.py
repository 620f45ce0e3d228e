"""The usual load of a time of day on a kind of day: the forecast that can be made whatever is missing.

Every weekday is a kind of day, and so is a holiday. A cell that was never seen borrows from the others: the mean of the
kinds that were seen at that time of day, else the mean of all that was seen. Steps of the day are those of the site's
clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.sites.grid import Grid

__all__ = ["HOLIDAY", "Climatology"]

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

HOLIDAY = 7  # the kind of day beside the weekdays 0 (Monday) to 6
_MEMORY_DAYS = 6  # of its kind: about six weeks


@dataclass
class Climatology:
    """A running mean for each kind of day and step of the day.

    Examples
    --------
    >>> from shared.sites.grid import Grid
    >>> usual = Climatology(Grid(60))
    >>> monday, tuesday, wednesday = 9, 24 + 9, 48 + 9  # at nine
    >>> usual.learn(np.array([monday, tuesday]), np.array([100.0, 200.0]))
    >>> usual.refresh()
    >>> usual.said_kw(np.array([monday, wednesday]))
    array([100., 150.])
    """

    grid: Grid
    mean_kw: Floats = field(init=False)  # (kinds, day), NaN where never seen
    days: NDArray[np.int16] = field(init=False)  # (kinds, day): how many values lie behind a mean
    usual_kw: Floats = field(init=False)  # (kinds, day): the means, and what stands in for those that are missing

    def __post_init__(self) -> None:
        shape = (HOLIDAY + 1, self.grid.day)
        self.mean_kw = np.full(shape, np.nan)
        self.days = np.zeros(shape, dtype=np.int16)
        self.usual_kw = np.full(shape, np.nan)

    def said_kw(self, cells: Steps) -> Floats:
        """Return the usual loads of these cells, kind of day x day + step of the day; NaN before the first reading."""
        said_kw: Floats = self.usual_kw.reshape(-1).take(cells)
        return said_kw

    def learn(self, cells: Steps, loads_kw: Floats) -> None:
        """Take good readings of these cells, no two of which are the same."""
        days, means_kw = self.days.reshape(-1), self.mean_kw.reshape(-1)
        known = days.take(cells) + 1
        before_kw = np.where(known == 1, 0.0, means_kw.take(cells))
        days[cells] = known
        means_kw[cells] = before_kw + (loads_kw - before_kw) / np.minimum(known, _MEMORY_DAYS)
        self.usual_kw.reshape(-1)[cells] = means_kw[cells]

    def refresh(self) -> None:
        """Let the cells that were never seen borrow anew."""
        seen = self.days > 0
        if not seen.any():
            return
        at_all = self.mean_kw[seen].mean()
        kinds = seen.sum(axis=0)
        at_slot = np.where(kinds > 0, np.where(seen, self.mean_kw, 0.0).sum(axis=0) / np.maximum(kinds, 1), at_all)
        self.usual_kw[:] = np.where(seen, self.mean_kw, at_slot)

    def move(self, ratio: float, offset_kw: float) -> None:
        """Follow a lasting shift of the load: what was y is now ratio * y + offset."""
        for kw in (self.mean_kw, self.usual_kw):
            kw[:] = ratio * kw + offset_kw
