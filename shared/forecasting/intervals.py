"""How far off the forecast may be: intervals that calibrate themselves on its own past errors.

An adaptive form of split conformal prediction. The error of a lead, divided by its usual size at that hour of the day,
is a nonconformity score; the interval is the forecast plus and minus the right quantile of the scores of the last eight
weeks, times the usual size at the hour of the target. The errors are those of forecasts that were issued before their
target was known, so nothing needs to be held out, and a moving window follows what exchangeability does not cover.

References
----------
V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005 (conformal prediction).
J. Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113, 2018 (split form, scaled residuals).
R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 2021, ch. 5.5 (errors by lead).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, isnan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.forecasting.history import Resolution

__all__ = ["COVERAGE", "Intervals"]

Floats = NDArray[np.float64]

COVERAGE = 0.9
_SCALE_HALF_LIFE_DAYS = 28
_SCORE_DAYS = 56
_SCORE_MINUTES = 60  # neighbouring errors say the same: one score an hour is enough
_FEWEST_SCORES = 24
_SMALLEST_KW = 1e-3  # a scale of zero would make any error infinite


@dataclass
class Intervals:
    """The errors of the last weeks, per lead of the grid.

    ``issued_kw`` holds the forecasts whose target lies within today or tomorrow, NaN where there is none.
    """

    resolution: Resolution
    leads: NDArray[np.int64]
    spread: Floats  # (horizon, leads), the interpolation over leads
    issued_kw: Floats = field(init=False)  # (two days of targets, leads)
    scale_kw: Floats = field(init=False)  # (hours, leads): usual size of the error
    updates: NDArray[np.int64] = field(init=False)  # (hours,)
    scores: NDArray[np.float32] = field(init=False)  # (leads, window), a ring
    scored: int = field(init=False, default=0)
    quantile: Floats = field(init=False)  # (leads,)

    def __post_init__(self) -> None:
        grid, day = len(self.leads), self.resolution.day
        self._every = self.resolution.steps(_SCORE_MINUTES)[0]
        self._newest = 1.0 - 0.5 ** (1.0 / (_SCALE_HALF_LIFE_DAYS * self._every))
        self._position = self.leads * grid + np.arange(grid)
        self.issued_kw = np.full((2 * day, grid), np.nan)
        self.scale_kw = np.zeros((24, grid))
        self.updates = np.zeros(24, dtype=np.int64)
        self.scores = np.zeros((grid, _SCORE_DAYS * day // self._every), dtype=np.float32)
        self.quantile = np.full(grid, np.nan)

    def next_day(self) -> None:
        """Move on to the targets of the next two days."""
        day = self.resolution.day
        self.issued_kw[:day] = self.issued_kw[day:]
        self.issued_kw[day:] = np.nan

    def issue(self, slot: int, median_kw: Floats) -> None:
        """Remember what was forecast, (horizon,), from the origin at this step of the day."""
        self.issued_kw.put(self._position + slot * len(self.leads), median_kw[self.leads - 1])

    def learn(self, slot: int, hour: int, load_kw: float) -> None:
        """Score the forecasts for this step of the day, which lies in this local hour, once its load is known."""
        error = np.abs(self.issued_kw[slot] - load_kw)
        if isnan(np.add.reduce(error)):
            return
        scale = self.scale_kw[hour]
        if slot % self._every == 0 and self.updates[hour]:
            self.scores[:, self.scored % self.scores.shape[1]] = error / np.maximum(scale, _SMALLEST_KW)
            self.scored += 1
        self.updates[hour] += 1
        scale += (error - scale) * max(1.0 / float(self.updates[hour]), self._newest)

    def refresh(self) -> None:
        """Take the quantile anew: the smallest score that at least ``COVERAGE`` of n + 1 scores do not exceed."""
        known = min(self.scored, self.scores.shape[1])
        if known < _FEWEST_SCORES:
            return
        rank = ceil(COVERAGE * (known + 1)) - 1
        self.quantile[:] = np.partition(self.scores[:, :known], rank, axis=1)[:, rank]

    @property
    def ready(self) -> bool:
        """Whether a day of errors has been scored, of every lead."""
        return not isnan(self.quantile[0])

    def usual_error_kw(self) -> float:
        """Return the usual size of the error of the first lead, over all hours of the day."""
        return float(self.scale_kw[:, 0].mean())

    def half_width_kw(self, hours: NDArray[np.int64]) -> Floats:
        """Return half the width of the interval for the targets in these local hours, one a lead, (horizon,)."""
        half_kw: Floats = np.vecdot(self.spread, self.scale_kw.take(hours, axis=0) * self.quantile)
        return half_kw
