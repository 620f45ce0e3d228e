"""How much of the day before is in a forecast: two forecasts combined by what each has been worth lately.

The regression starts from the last load and carries its level on. The load of the day before at the time of the target
knows nothing of this morning. Where a level does not last, far ahead and in a season that drifts, a mean of the two is
better than either. Its weight is that of least squares over past targets,

    w = sum (y - f) (r - f) / sum (r - f)^2,

for the load y, the regression's forecast f and the load r of the day before, with a half-life of 15 days: for every
lead on its own, and none where the regression needs no help.

References
----------
J. M. Bates, C. W. J. Granger, The Combination of Forecasts, Operational Research Quarterly 20, 1969.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.forecasting.method import CombinationConstants

__all__ = ["Combination"]

Floats = NDArray[np.float64]

_FEWEST_DAYS = 14
_SMALLEST = 1e-6  # square, in units of the zone's resolution


@dataclass
class Combination:
    """The share of the day before in the forecasts that are made today, and in those that were made yesterday."""

    leads: NDArray[np.int64]
    blocks: int  # a day
    constants: CombinationConstants
    share: Floats = field(init=False)  # (yesterday and today, leads)
    gain_kw2: Floats = field(init=False)  # (leads,): errors of the regression times its distances from the day before
    distance_kw2: Floats = field(init=False)  # (leads,): the squares of these distances
    learned: int = field(init=False, default=0)  # blocks

    def __post_init__(self) -> None:
        self._fade = 0.5 ** (1.0 / (self.constants.half_life_days * self.blocks))
        self.share = np.zeros((2, len(self.leads)))
        self.gain_kw2 = np.zeros(len(self.leads))
        self.distance_kw2 = np.zeros(len(self.leads))

    def next_day(self, unit_kw: float = 1.0) -> None:
        """Move on by a day, with the share that what is known by now calls for; the unit is that of the resolution."""
        self.share[0] = self.share[1]
        if self.learned >= _FEWEST_DAYS * self.blocks:
            best = self.gain_kw2 / np.maximum(self.distance_kw2, _SMALLEST * unit_kw * unit_kw)
            self.share[1] = np.minimum(np.maximum(best, 0.0), self.constants.largest_share)

    def learn(self, slots: NDArray[np.int64], issued_kw: Floats, day_before_kw: Floats, load_kw: Floats) -> None:
        """Learn from the forecasts for a block that is over.

        Parameters
        ----------
        slots
            The steps of today that it is made of, (steps,).
        issued_kw
            What was issued for them, the day before in it, (steps, leads), NaN where nothing.
        day_before_kw, load_kw
            The loads of the day before and of these steps, (steps,); the latter NaN where there was no good reading.
        """
        own = 1.0 - np.where(slots[:, None] < self.leads, self.share[0], self.share[1])
        distance_kw = (day_before_kw[:, None] - issued_kw) / own
        # y - f = (y - r) + (r - f)
        error_kw = (load_kw - day_before_kw)[:, None] + distance_kw
        known = np.isfinite(error_kw)
        if not known.any():
            return
        self.learned += 1
        error_kw, distance_kw = np.where(known, error_kw, 0.0), np.where(known, distance_kw, 0.0)
        self.gain_kw2 = self._fade * self.gain_kw2 + np.add.reduce(error_kw * distance_kw, axis=0)
        self.distance_kw2 = self._fade * self.distance_kw2 + np.add.reduce(distance_kw * distance_kw, axis=0)

    def rescale(self, ratio: float) -> None:
        """Carry what was learned over to a new level of the load."""
        self.gain_kw2 *= ratio * ratio
        self.distance_kw2 *= ratio * ratio
