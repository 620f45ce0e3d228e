"""How far off a forecast may be: intervals that calibrate themselves on past errors, for every rung on its own.

An adaptive form of split conformal prediction. The error of a lead, divided by the size to expect of it, is a
nonconformity score; the interval is the forecast plus and minus the right quantile of the scores of the last eight
weeks, times the size to expect. That is the usual one at that hour of the day, times a power of how restless the last
day was: errors come in clusters, and a wild day is mostly followed by another. The errors are those of forecasts that
were issued before their target was known, so nothing needs to be held out, and a moving window follows what
exchangeability does not cover. All quantiles are of the same scores, so that the intervals of different coverage never
cross.

References
----------
V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005 (conformal prediction).
J. Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113, 2018 (split form, scaled residuals).
R. F. Engle, Autoregressive Conditional Heteroscedasticity, Econometrica 50, 1982 (errors come in clusters).
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

__all__ = ["COVERAGES", "Intervals"]

Floats = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9, 0.95)
_SCALE_HALF_LIFE_DAYS = 28
_SCORE_DAYS = 56
_SCORE_MINUTES = 120  # neighbouring errors say the same: one score in two hours is enough
_FEWEST_SCORES = 24
_FEWEST_UPDATES = 3  # of a scale, before an error is measured by it
_UNREST_HALF_LIFE_DAYS = 1
_UNREST_POWER = 0.2
_UNREST_LIMITS = (0.5, 3.0)
_LARGEST_SCORE = 6e4  # half precision holds no more
_SMALLEST_KW = 1e-3  # a scale of zero would make any error infinite


@dataclass
class Intervals:
    """The errors of the last weeks, per rung and lead of the grid.

    ``issued_kw`` holds the forecasts whose target lies within today or tomorrow, NaN where there is none.
    """

    resolution: Resolution
    rungs: int
    leads: NDArray[np.int64]
    spread: Floats  # (horizon, leads), the interpolation over leads
    issued_kw: NDArray[np.float32] = field(init=False)  # (two days of targets, rungs, leads)
    scale_kw: Floats = field(init=False)  # (hours, rungs, leads): usual size of the error
    usual_error_kw: float = field(init=False, default=0.0)  # of the first rung's first lead, over all hours of the day
    updates: NDArray[np.int64] = field(init=False)  # (hours, rungs)
    unrest: Floats = field(init=False)  # (rungs, leads): mean of the last errors, as shares of their usual sizes
    restless: NDArray[np.float16] = field(init=False)  # (day, rungs, leads), a ring: the factor at each origin
    scores: NDArray[np.float16] = field(init=False)  # (rungs, leads, window), a ring
    scored: NDArray[np.int64] = field(init=False)  # (rungs,)
    quantile: Floats = field(init=False)  # (rungs, leads, coverages)

    def __post_init__(self) -> None:
        grid, day, rungs = len(self.leads), self.resolution.day, self.rungs
        self._every = self.resolution.steps(_SCORE_MINUTES)[0]
        hour = self.resolution.steps(60)[0]
        self._fewest = max(_FEWEST_UPDATES, hour)
        self._newest = 1.0 - 0.5 ** (1.0 / (_SCALE_HALF_LIFE_DAYS * hour))
        self._calmer = 1.0 - 0.5 ** (1.0 / (_UNREST_HALF_LIFE_DAYS * day))
        self._columns = np.arange(grid)
        self.issued_kw = np.full((2 * day, rungs, grid), np.nan, dtype=np.float32)
        self.scale_kw = np.zeros((24, rungs, grid))
        self.updates = np.zeros((24, rungs), dtype=np.int64)
        self.unrest = np.ones((rungs, grid))
        self.restless = np.ones((day, rungs, grid), dtype=np.float16)
        self.scores = np.zeros((rungs, grid, _SCORE_DAYS * day // self._every), dtype=np.float16)
        self.scored = np.zeros(rungs, dtype=np.int64)
        self.quantile = np.full((rungs, grid, len(COVERAGES)), np.nan)

    def next_day(self) -> None:
        """Move on to the targets of the next two days."""
        day = self.resolution.day
        self.issued_kw[:day] = self.issued_kw[day:]
        self.issued_kw[day:] = np.nan

    def issue(self, slot: int, forecast_kw: Floats) -> None:
        """Remember what each rung forecast, (rungs, leads), from the origin at this step of the day; NaN: nothing."""
        self.issued_kw[slot + self.leads, :, self._columns] = forecast_kw.T

    def feel(self, slot: int) -> None:
        """Note how restless it is at the origin at this step of the day."""
        low, high = _UNREST_LIMITS
        np.power(
            np.minimum(np.maximum(self.unrest, low), high), _UNREST_POWER, out=self.restless[slot], casting="same_kind"
        )

    def learn(self, slot: int, hour: int, load_kw: float) -> Floats:
        """Score the forecasts for this step of the day, which lies in this local hour, once its load is known.

        Returns the absolute errors in kW, (rungs, leads), NaN for a rung that has not answered at every lead.
        """
        error: Floats = np.abs(self.issued_kw[slot].astype(np.float64) - load_kw)
        error += 0.0 * np.add.reduce(error, axis=1)[:, None]
        known = error[:, 0] == error[:, 0]  # NaN differs from itself
        scale, updates = self.scale_kw[hour], self.updates[hour]
        share = error / np.maximum(scale, _SMALLEST_KW)
        scored = known & (updates >= self._fewest)
        if slot % self._every == 0:
            self._score(slot, share, scored)
        np.add(self.unrest, (share - self.unrest) * self._calmer, out=self.unrest, where=scored[:, None])
        updates += known
        rate = np.maximum(1.0 / np.maximum(updates, 1), self._newest)[:, None]
        np.add(scale, (error - scale) * rate, out=scale, where=known[:, None])
        return error

    def _score(self, slot: int, share: Floats, usable: NDArray[np.bool_]) -> None:
        """Keep the scores of the rungs that have any: errors as shares of what was to be expected at their origins."""
        expected = self.restless[(slot - self.leads) % len(self.restless), :, self._columns].T
        for rung in np.flatnonzero(usable):
            self.scores[rung, :, self.scored[rung] % self.scores.shape[2]] = np.minimum(
                share[rung] / expected[rung], _LARGEST_SCORE
            )
            self.scored[rung] += 1

    def refresh(self, today: int) -> None:
        """Take the quantiles anew: the smallest score that at least such a share of n + 1 scores do not exceed.

        The first rung, which answers nearly always, has its turn every day, the others one after the other.
        """
        self.usual_error_kw = float(self.scale_kw[:, 0, 0].mean())
        turns = {0, 1 + today % (self.rungs - 1)}
        for rung in range(self.rungs):
            if rung in turns or not self.calibrated(rung):
                self._refresh(rung)

    def _refresh(self, rung: int) -> None:
        known = min(int(self.scored[rung]), self.scores.shape[2])
        if known < _FEWEST_SCORES:
            return
        ranks = [ceil(coverage * (known + 1)) - 1 for coverage in COVERAGES]
        scores = self.scores[rung, :, :known].astype(np.float32)
        self.quantile[rung] = np.partition(scores, ranks, axis=1)[:, ranks]

    def calibrated(self, rung: int) -> bool:
        """Whether a day of errors has been scored, of every lead."""
        return not isnan(self.quantile[rung, 0, 0])

    def half_width_kw(self, rung: int, slot: int, hours: NDArray[np.int64], leads: NDArray[np.int64]) -> Floats:
        """Return half the width of each interval from the origin at this step of the day, (coverages, targets).

        The targets lie in these local hours at these leads. A lead beyond the horizon is as wide as the longest, and
        wider with the square root of time, as the error of a random walk is. NaN while the rung is not calibrated.
        """
        horizon = len(self.spread)
        usual = leads[0] == 1 and leads[-1] == horizon  # spares copying the rows of all leads
        spread = self.spread if usual else self.spread.take(np.minimum(leads, horizon) - 1, axis=0)
        scale = self.scale_kw[:, rung].take(hours, axis=0) * spread
        half_kw: Floats = (scale @ (self.quantile[rung] * self.restless[slot, rung][:, None])).T
        if leads[-1] > horizon:
            half_kw *= np.sqrt(np.maximum(leads / horizon, 1.0))
        return half_kw

    def rescale(self, ratio: float) -> None:
        """Follow a lasting shift: larger loads have larger errors, and what was issued before it tells nothing."""
        self.scale_kw *= ratio
        self.usual_error_kw *= ratio
        self.issued_kw[:] = np.nan
