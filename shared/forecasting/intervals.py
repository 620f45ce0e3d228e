"""How far off a forecast may be: intervals that calibrate themselves on past errors, for every fallback level.

An adaptive form of split conformal prediction. The error of a lead, divided by the size to expect of it, is a
nonconformity score; the interval is the forecast plus and minus the right quantile of the scores of the last eight
weeks, times the size to expect. That is the usual one at that time of the day, times a power of how restless the last
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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.forecasting.method import IntervalConstants
    from shared.sites.grid import Grid

__all__ = ["BLOCK_MINUTES", "COVERAGES", "Intervals"]

Floats = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9, 0.95)
BLOCK_MINUTES = 120
"""Errors are taken a block at a time: neighbouring ones say nearly the same."""

_FEWEST_SCORES = 24
_FEWEST_ERRORS = 3  # behind a scale, where none is missing, before an error is measured by it
_LARGEST_SCORE = 6e4  # half precision holds no more
_SMALLEST = 1e-3  # unit of the zone's resolution: a scale of zero would make any error infinite


@dataclass
class Intervals:
    """The errors of the last weeks, per level and lead of the grid.

    A block is two hours of the day (UTC). ``issued_kw`` holds the forecasts of yesterday and today, NaN where there is
    none.

    Examples
    --------
    >>> from shared.forecasting.features import interpolation
    >>> from shared.forecasting.method import METHOD
    >>> from shared.sites.grid import Grid
    >>> leads = np.array([1, 24])
    >>> intervals = Intervals(Grid(60), 1, leads, interpolation(leads, 24), METHOD.intervals)
    >>> intervals.issue(5, 0, np.array([[100.0, 120.0]]))  # from five o'clock, an hour and a day ahead
    >>> intervals.issued_for(np.array([6]))[0, 0]
    array([100.,  nan])
    >>> intervals.calibrated(0)
    False
    """

    grid: Grid
    levels: int
    leads: NDArray[np.int64]
    spread: Floats  # (horizon, leads), the interpolation over leads
    constants: IntervalConstants
    issued_kw: NDArray[np.float32] = field(init=False)  # (two days of origins, levels, leads)
    scale_kw: Floats = field(init=False)  # (levels, blocks, leads): usual size of the error
    usual_error_kw: float = field(init=False, default=0.0)  # of the first level's first lead, over all of the day
    updates: NDArray[np.int64] = field(init=False)  # (levels, blocks)
    unrest: Floats = field(init=False)  # (levels, leads): mean of the last errors, as shares of their usual sizes
    restless: NDArray[np.float16] = field(init=False)  # (a day of blocks and one, levels, leads), a ring
    scores: NDArray[np.float16] = field(init=False)  # (levels, leads, window), a ring
    scored: NDArray[np.int64] = field(init=False)  # (levels,)
    quantile: Floats = field(init=False)  # (levels, leads, coverages)

    def __post_init__(self) -> None:
        leads, day, levels = len(self.leads), self.grid.day, self.levels
        self._block = self.grid.steps(BLOCK_MINUTES)[0]
        blocks = day // self._block
        self._fewest = -(-_FEWEST_ERRORS // self._block)
        self._newest = 1.0 - 0.5 ** (1.0 / self.constants.scale_half_life_days)
        self._calmer = 1.0 - 0.5 ** (1.0 / (blocks * self.constants.unrest_half_life_days))
        self._columns = np.arange(leads)
        self._within = np.arange(self._block)
        self._lead = np.arange(len(self.spread))
        row = np.arange(2 * day) % day // self._block * len(self.spread)
        self._rows = sliding_window_view(row, len(self.spread))
        self._widths: dict[int, Floats] = {}
        self.issued_kw = np.full((2 * day, levels, leads), np.nan, dtype=np.float32)
        self.scale_kw = np.zeros((levels, blocks, leads))
        self.updates = np.zeros((levels, blocks), dtype=np.int64)
        self.unrest = np.ones((levels, leads))
        self.restless = np.ones((blocks + 1, levels, leads), dtype=np.float16)
        self.scores = np.zeros((levels, leads, self.constants.score_days * blocks), dtype=np.float16)
        self.scored = np.zeros(levels, dtype=np.int64)
        self.quantile = np.full((levels, leads, len(COVERAGES)), np.nan)

    def next_day(self) -> None:
        """Move on by a day."""
        day = self.grid.day
        self.issued_kw[:day] = self.issued_kw[day:]
        self.issued_kw[day:] = np.nan

    def since_midnight(self) -> dict[str, NDArray[Any]]:
        """Return what readings of today change of what is large, by name.

        ``issued_kw`` is a view, from today on; ``scores`` are the last of each level, as many as a day has,
        (levels, blocks, leads).
        """
        levels, newest = self._newest_scores()
        return {"issued_kw": self.issued_kw[self.grid.day :], "scores": self.scores[levels, :, newest]}

    def resume_since_midnight(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `since_midnight` returned, once all else is taken over."""
        levels, newest = self._newest_scores()
        self.issued_kw[self.grid.day :] = state["issued_kw"]
        self.scores[levels, :, newest] = state["scores"]

    def _newest_scores(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the last scores stand in the ring: levels, (levels, 1), and places, (levels, blocks)."""
        back = np.arange(self.grid.day // self._block)
        return np.arange(self.levels)[:, None], (self.scored[:, None] - 1 - back) % self.scores.shape[2]

    def issue(self, slot: int, level: int, forecast_kw: Floats) -> None:
        """Remember what a level forecasts, (origins, leads), from this step of the day on; NaN: nothing."""
        first = self.grid.day + slot
        self.issued_kw[first : first + len(forecast_kw), level] = forecast_kw

    def issued_for(self, slots: NDArray[np.int64]) -> Floats:
        """Return what was issued for these steps of the day, (steps, levels, leads), NaN where nothing."""
        origins = self.grid.day + slots[:, None] - self.leads
        issued_kw: Floats = self.issued_kw[origins, :, self._columns].swapaxes(1, 2).astype(np.float64)
        return issued_kw

    def forget(self, slot: int, count: int) -> None:
        """Forget what was issued from so many origins before this step of the day: it is not to be scored."""
        end = self.grid.day + slot
        self.issued_kw[max(end - count, 0) : end] = np.nan

    def learn(
        self, today: int, slot: int, load_kw: Floats, told_kw: Mapping[int, Floats], unit_kw: float = 1.0
    ) -> Floats:
        """Score the forecasts for the block that begins at this step of today, once it is over.

        One of its steps gives a score, another one every day, as some are harder to foresee than others.

        Parameters
        ----------
        today
            Days since the epoch.
        load_kw
            The loads, (steps,), NaN where there was no good reading.
        told_kw
            What the levels that say the same at all leads had said of them, (steps,).
        unit_kw
            That of the zone's resolution.

        Returns
        -------
        The absolute errors at that step in kW, (levels, leads), NaN for a level without any, or not at every lead.
        """
        self._widths.clear()
        block, sample, start = slot // self._block, today % self._block, today * self.grid.day + slot
        error = self.issued_for(slot + self._within)
        for level, kw in told_kw.items():
            error[:, level] = kw[:, None]
        np.abs(error - load_kw[:, None, None], out=error)
        error += 0.0 * np.add.reduce(error, axis=2, keepdims=True)
        known = error[:, :, 0] == error[:, :, 0]  # NaN differs from itself
        answers = np.add.reduce(known, axis=0)
        answered = answers > 0
        mean = np.add.reduce(np.where(known[:, :, None], error, 0.0), axis=0) / np.maximum(answers, 1)[:, None]
        scale, updates = self.scale_kw[:, block], self.updates[:, block]
        usable, size = updates >= self._fewest, np.maximum(scale, _SMALLEST * unit_kw)
        self._score(start + sample, error[sample] / size, np.flatnonzero(usable & known[sample]))
        updates += answered
        rate = np.maximum(1.0 / np.maximum(updates, 1), self._newest)[:, None]
        np.add(scale, (mean - scale) * rate, out=scale, where=answered[:, None])
        self._feel(start // self._block, mean / size, (answered & usable)[:, None])
        sampled: Floats = error[sample]
        return sampled

    def _score(self, step: int, share: Floats, levels: NDArray[np.intp]) -> None:
        """Keep scores of these levels: errors as shares of what was to be expected at their origins."""
        over = (step - self.leads + 1) // self._block - 1  # the last block that was over at each origin
        expected = self.restless[over % len(self.restless), :, self._columns].T
        newest = self.scored[levels] % self.scores.shape[2]
        self.scores[levels, :, newest] = np.minimum(share[levels] / expected[levels], _LARGEST_SCORE)
        self.scored[levels] += 1

    def _feel(self, block: int, share: Floats, scored: NDArray[np.bool_]) -> None:
        """Note how restless the block was, and what that means for the origins after it."""
        np.add(self.unrest, (share - self.unrest) * self._calmer, out=self.unrest, where=scored)
        self.restless[block % len(self.restless)] = self._factor()

    def _factor(self) -> Floats:
        """Return by how much errors are larger than usual after days like the last one, (levels, leads)."""
        constants = self.constants
        unrest = np.minimum(np.maximum(self.unrest, constants.unrest_lowest), constants.unrest_highest)
        factor: Floats = unrest**constants.unrest_power
        return factor

    def refresh(self, today: int) -> None:
        """Take the quantiles anew: the smallest score that at least such a share of n + 1 scores do not exceed.

        The first level, which answers nearly always, has its turn every day, the others one after the other.
        """
        self.usual_error_kw = float(self.scale_kw[0, :, 0].mean())
        turns = {0, 1 + today % (self.levels - 1)}
        for level in range(self.levels):
            if level in turns or not self.calibrated(level):
                self._refresh(level)

    def _refresh(self, level: int) -> None:
        known = min(int(self.scored[level]), self.scores.shape[2])
        if known < _FEWEST_SCORES:
            return
        ranks = [ceil(coverage * (known + 1)) - 1 for coverage in COVERAGES]
        scores = self.scores[level, :, :known].astype(np.float32)
        self.quantile[level] = np.partition(scores, ranks, axis=1)[:, ranks]

    def calibrated(self, level: int) -> bool:
        """Whether two days of errors have been scored, of every lead."""
        return not isnan(self.quantile[level, 0, 0])

    def half_width_kw(self, level: int, slot: int, count: int, leads: slice, stale: int, rows: Sequence[int]) -> Floats:
        """Return half the width of the intervals from so many origins, (count, rows, leads).

        The first of them is at this step of the day, and none but that lies before the end of a block. ``leads`` counts
        from 0 for the first, ``rows`` says which of ``COVERAGES`` are wanted. Where the origin is ``stale``, so many
        steps after the last good reading, a lead counts from that reading: beyond the horizon it is as wide as the
        longest, and wider with the square root of time, as the error of a random walk is. NaN while the level is not
        calibrated.
        """
        if level not in self._widths:
            self._widths[level] = self._all_widths(level)
        widths, column = self._widths[level], self._lead[leads]
        if stale:
            column = np.minimum(column + stale, len(self.spread) - 1)
        places = self._rows[slot + 1 : slot + 1 + count, leads] + column
        half_kw = np.empty((count, len(rows), len(column)))
        for place, row in enumerate(rows):
            half_kw[:, place] = widths[row].take(places)
        if stale:
            half_kw *= np.sqrt(np.maximum((self._lead[leads] + 1 + stale) / len(self.spread), 1.0))
        return half_kw

    def _all_widths(self, level: int) -> Floats:
        """Return half the widths of the intervals in every block of the day at every lead, (coverages, both)."""
        quantile = self.quantile[level] * self._factor()[level][:, None]
        scaled = quantile.T[:, None, :] * self.scale_kw[level]
        widths: Floats = scaled @ self.spread.T
        return widths.reshape(len(COVERAGES), -1)

    def rescale(self, ratio: float) -> None:
        """Follow a lasting shift: larger loads have larger errors, and what was issued before it tells nothing."""
        self.scale_kw *= ratio
        self.usual_error_kw *= ratio
        self.issued_kw[:] = np.nan
        self._widths.clear()
