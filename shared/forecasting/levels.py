"""What each fallback level says of the loads to come, and how far off it may be.

``adapted`` and ``frozen`` add to the bare shape what a regression has learned, the former with the day before mixed in.
``weather`` is what weather and calendar say, ``analogue`` the bare shape, ``climatology`` a mean of such days. Which of
them answers is chosen by the ladder (:mod:`shared.forecasting.ladder`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.history import ESTIMATE
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, FROZEN, WEATHER
from shared.forecasting.size import size_kw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.forecasting.features import DayPlan
    from shared.forecasting.zone import Zone

__all__ = ["LevelForecasts", "Levels"]

Floats = NDArray[np.float64]

_MODEL_DAYS = 2  # where more than half of them is filled, the model would forecast from its own forecasts


class LevelForecasts(NamedTuple):
    """What is said from some consecutive origins, NaN where the regression cannot answer."""

    shape_kw: Floats  # (origins, horizon): the bare shape
    grid_kw: Floats  # (origins, grid leads): the same at the leads that have weights
    rest_kw: Floats  # (origins, adapted and frozen, grid leads): what these levels add to it
    mixed_kw: Floats  # (origins, grid leads): how much of it the day before has added to adapted
    fitted_kw: Floats  # (origins, adapted and frozen, grid leads): what these levels say


class Levels:
    """What the fallback levels say from the origins of a zone's day."""

    def __init__(self, zone: Zone, largest_ratio: float) -> None:
        self._zone, self._largest_ratio = zone, largest_ratio
        self._leads, self._spread = zone.intervals.leads, zone.intervals.spread
        self._places = self._leads - 1  # where they stand among all leads
        self._horizon = np.arange(1, zone.horizon_steps + 1)
        self._plan: DayPlan | None = None
        self._planned = (-1, -1)  # the day that the plan is for, and how often the weights had changed

    def fits(self, step: int, at: int) -> bool:
        """Tell whether the regression can answer: it has learned, and does not look at its own forecasts."""
        zone = self._zone
        filled = zone.history.filled_steps(at, _MODEL_DAYS)
        known = zone.regression.learned and zone.history.has_week(step)
        return known and 2 * filled <= _MODEL_DAYS * zone.grid.day

    def say(self, step: int, at: int, count: int) -> LevelForecasts:
        """Return what is said from so many origins, the one at the step and those that follow it."""
        zone = self._zone
        shape_kw, rest_kw = zone.features.base(zone.history, at, count), self._rest_kw(step, at, count)
        grid_kw = shape_kw[:, self._places]
        mixed_kw = self._mixed_kw(at, grid_kw + rest_kw[:, ADAPTED])
        rest_kw[:, ADAPTED] += mixed_kw
        fitted_kw = np.maximum(rest_kw + grid_kw[:, None], zone.floor_kw)
        return LevelForecasts(shape_kw, grid_kw, rest_kw, mixed_kw, fitted_kw)

    def within_reason(self, said: LevelForecasts, largest_kw: Floats) -> NDArray[np.bool_]:
        """Tell what of adapted and frozen is within reason, (origins, both); NaN is below no limit.

        ``largest_kw`` is the largest size of a load in the history of each origin, (origins,).
        """
        limit_kw = np.where(largest_kw > 0.0, self._largest_ratio * largest_kw, inf)
        reasonable: NDArray[np.bool_] = np.maximum.reduce(np.abs(said.fitted_kw), axis=2) <= limit_kw[:, None]
        return reasonable

    def computable(self, step: int, reasonable: NDArray[np.bool_]) -> list[bool]:
        """Tell which levels can answer: all leads, and what was fitted only with intervals and within reason."""
        zone, calibrated = self._zone, self._zone.intervals.calibrated
        adapted, frozen = reasonable.tolist()
        return [
            adapted and (calibrated(ADAPTED) or zone.borrows),
            frozen and calibrated(FROZEN),
            step - zone.outlook.dark_step > zone.grid.day and calibrated(WEATHER),
            zone.history.has_day(step),
            True,
        ]

    def chosen_kw(self, at: int, said: LevelForecasts) -> Floats:
        """Return what the chosen levels say, (origins, horizon); of the first origin where one of them needs more."""
        spans = self._zone.ladder.spans()
        if any(span.level in (WEATHER, CLIMATOLOGY) for span in spans):
            said = LevelForecasts(*(part[:1] for part in said))
        curves = [self._curve_kw(span.level, at, said)[:, span.first - 1 : span.last] for span in spans]
        return np.maximum(curves[0] if len(curves) == 1 else np.concatenate(curves, axis=1), self._zone.floor_kw)

    def carried_kw(self, median_kw: Floats, mixed_kw: Floats) -> Floats:
        """Return the forecast of one origin, (horizon,), without what the day before has added, (grid leads,)."""
        carried_kw, added = median_kw.copy(), self._spread @ mixed_kw
        for span in self._zone.ladder.spans():
            if span.level == ADAPTED:
                carried_kw[span.first - 1 : span.last] -= added[span.first - 1 : span.last]
        return carried_kw

    def half_width_kw(self, median_kw: Floats, rows: Sequence[int]) -> Floats:
        """Return half the width of intervals around what was taken last, for these of ``COVERAGES``.

        Without a good reading for a while, a lead counts from the last one. A level that is not calibrated yet is as
        uncertain as the load is large.

        Parameters
        ----------
        median_kw
            The forecasts from the last origins, (origins, horizon).

        Returns
        -------
        Array in kW, (origins, rows, horizon).
        """
        zone, outlook = self._zone, self._zone.outlook
        count, stale = len(median_kw), outlook.last_step - outlook.good_step
        slot = (outlook.last_step + 1 - count) % zone.grid.day
        half_kw = []
        for span in zone.ladder.spans():
            leads, judge = slice(span.first - 1, span.last), self._known_errors(span.level)
            if zone.intervals.calibrated(judge):
                half_kw.append(zone.intervals.half_width_kw(judge, slot, count, leads, stale, rows))
            else:
                shares = np.array([COVERAGES[row] for row in rows])
                half_kw.append(shares[:, None] * size_kw(median_kw[:, None, leads], outlook.swing_kw))
        return half_kw[0] if len(half_kw) == 1 else np.concatenate(half_kw, axis=2)

    def said_of_next_kw(self) -> Floats:
        """Return what each level has said of the next reading, (levels, grid leads), NaN where nothing."""
        zone, last_step = self._zone, self._zone.outlook.last_step
        at, slot = zone.history.index(last_step + 1), last_step % zone.grid.day + 1
        said_kw: Floats = zone.intervals.issued_for(np.array((slot,)))[0]
        said_kw[WEATHER] = zone.history.series[ESTIMATE, at]
        said_kw[CLIMATOLOGY] = zone.climatology.usual_kw.item(zone.features.cell(at))
        return said_kw

    def _known_errors(self, level: int) -> int:
        """Return the level whose errors make the intervals: the bare shape until borrowed weights have some."""
        return ANALOGUE if level == ADAPTED and not self._zone.intervals.calibrated(ADAPTED) else level

    def _rest_kw(self, step: int, at: int, count: int) -> Floats:
        """Return what the regression adds to the shape, (origins, adapted and frozen, grid leads)."""
        if not self.fits(step, at):
            return np.full((count, 2, len(self._leads)), np.nan)
        features, regression = self._zone.features, self._zone.regression
        planned = self._zone.history.today, regression.changes
        if self._plan is None or planned != self._planned:
            self._plan, self._planned = features.plan(regression.beta, regression.gamma, regression.limit), planned
        return features.answer(self._plan, self._zone.history, at, count)

    def _mixed_kw(self, at: int, fitted_kw: Floats) -> Floats:
        """Return what the loads of the day before add to the regression's forecasts, (origins, grid leads)."""
        targets = np.arange(at, at + len(fitted_kw))[:, None] + self._leads
        day_before_kw = self._zone.history.day_before_kw(targets)
        added: Floats = self._zone.combination.share[1] * (day_before_kw - fitted_kw)
        return added

    def _curve_kw(self, level: int, at: int, said: LevelForecasts) -> Floats:
        """Return what one level says, (origins, horizon)."""
        if level == ANALOGUE:
            return said.shape_kw
        if level == CLIMATOLOGY:
            return self._zone.climatology.said_kw(self._zone.features.cells(at + self._horizon))[None]
        if level == WEATHER:
            return self._weather_kw(at)[None]
        curve_kw: Floats = said.shape_kw + np.matvec(self._spread, said.rest_kw[:, level])
        return curve_kw

    def _weather_kw(self, at: int) -> Floats:
        """Return what the weather says of all targets of the origin, within reason, (horizon,)."""
        ahead = self._zone.history.series[ESTIMATE, at + 1 : at + 1 + len(self._horizon)]
        limit_kw = self._largest_ratio * self._zone.outlook.largest_kw or inf
        reasonable: Floats = np.minimum(np.maximum(ahead, -limit_kw), limit_kw)
        return reasonable
