"""The usual load of a time of day on a kind of day: the forecast that can be made whatever is missing.

Every weekday is a kind of day, and so is a holiday. A cell that was never seen borrows from the others: the mean of the
kinds that were seen at that time of day, else the mean of all that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.forecasting.history import Resolution

__all__ = ["HOLIDAY", "Climatology"]

Floats = NDArray[np.float64]

HOLIDAY = 7  # the kind of day beside the weekdays 0 (Monday) to 6
_MEMORY_DAYS = 6  # of its kind: about six weeks


@dataclass
class Climatology:
    """A running mean for each kind of day and step of the day."""

    resolution: Resolution
    mean_kw: Floats = field(init=False)  # (kinds, day), NaN where never seen
    days: NDArray[np.int16] = field(init=False)  # (kinds, day): how many values lie behind a mean
    usual_kw: Floats = field(init=False)  # (kinds, day): the means, and what stands in for those that are missing

    def __post_init__(self) -> None:
        shape = (HOLIDAY + 1, self.resolution.day)
        self.mean_kw = np.full(shape, np.nan)
        self.days = np.zeros(shape, dtype=np.int16)
        self.usual_kw = np.full(shape, np.nan)

    def learn(self, kind: int, slot: int, load_kw: float) -> None:
        """Take a good reading of this kind of day and step of the day."""
        known = int(self.days[kind, slot]) + 1
        self.days[kind, slot] = known
        before_kw = 0.0 if known == 1 else float(self.mean_kw[kind, slot])
        self.mean_kw[kind, slot] = before_kw + (load_kw - before_kw) / min(known, _MEMORY_DAYS)
        self.usual_kw[kind, slot] = self.mean_kw[kind, slot]

    def refresh(self) -> None:
        """Let the cells that were never seen borrow anew."""
        seen = self.days > 0
        if not seen.any():
            return
        at_all = self.mean_kw[seen].mean()
        kinds = seen.sum(axis=0)
        at_slot = np.where(kinds > 0, np.where(seen, self.mean_kw, 0.0).sum(axis=0) / np.maximum(kinds, 1), at_all)
        self.usual_kw[:] = np.where(seen, self.mean_kw, at_slot)

    def rescale(self, ratio: float) -> None:
        """Follow a lasting shift of the load."""
        self.mean_kw *= ratio
        self.usual_kw *= ratio
