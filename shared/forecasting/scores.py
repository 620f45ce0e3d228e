"""What a forecast was worth: exact sums of its errors, the figures drawn from them, and their rolling windows.

Demand on the wire has one decimal, so in tenths of kW every reading, every forecast and every error is an integer. All
sums here are 64-bit integers of such terms: they are exact in any order, a window that adds and subtracts does not
drift, and the stream and the backtest come to the same figures to the last bit.

The one term that is no integer by nature, the absolute percentage error of a pair, is rounded to 1e-8 before it is
summed. The interval enters by its interval score (Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction,
and estimation", eq. 43), which for a central 90 % interval is 40 times the mean of the pinball losses at its two ends.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.contracts.messages import Score
from shared.forecasting.grid import Grid
from shared.forecasting.leads import MEAN, lead_groups
from shared.forecasting.state import known, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import ArrayLike, NDArray

    from shared.contracts.messages import CleanReading, Forecast

__all__ = [
    "ABSENT",
    "WINDOWS_DAYS",
    "RollingScores",
    "Term",
    "actual_tenths",
    "figures_of",
    "forecast_tenths",
    "grouped",
    "pair_terms",
    "r2_of",
    "skill_of",
    "step_of",
    "to_kw",
    "to_tenths",
    "versus_terms",
]

ABSENT = -(2**31)
"""Stands in an int32 array of tenths of kW where there is no value."""

WINDOWS_DAYS = (1, 7, 28)

_LIMIT_KW = 1e6  # the square of an error of that size still sums over a year of pairs in 64 bits
_PERCENTAGE_UNITS = 10**8


class Term(IntEnum):
    """The summed terms of a pair, in the order of the rows of every array of sums; units are powers of 0.1 kW."""

    PAIRS = 0
    ERROR = 1
    ABSOLUTE = 2
    SQUARED = 3
    PERCENTAGE = 4
    COVERED = 5
    INTERVAL = 6
    NAIVE_SQUARED = 7
    VERSUS_NAIVE_SQUARED = 8


_FORECAST_TERMS = Term.INTERVAL + 1


def step_of(time: datetime, step_minutes: int) -> int:
    """Return the index of the step that holds an aware ``time``, counted from 1970 in UTC."""
    return int(time.timestamp()) // (60 * step_minutes)


def to_tenths(demand_kw: ArrayLike) -> NDArray[np.int32]:
    """Return demand in tenths of kW; NaN becomes ``ABSENT``, what lies beyond +/-1 GW counts as 1 GW."""
    tenths = np.rint(10 * np.clip(np.asarray(demand_kw, np.float64), -_LIMIT_KW, _LIMIT_KW))
    return np.where(np.isnan(tenths), ABSENT, tenths).astype(np.int32)


def to_kw(tenths: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return demand in kW, NaN where it is ``ABSENT``."""
    return np.where(tenths == ABSENT, np.nan, tenths / 10)


def actual_tenths(reading: CleanReading, zone: int) -> int:
    """Return the load of ``zone`` in tenths of kW, or ``ABSENT`` where it is null or carries any flag.

    Raises ``ValueError`` where the site does not publish that zone.
    """
    field = f"zone_{zone}_kw"
    if field not in reading.values:
        raise ValueError(f"values: no {field} at site {reading.site!r}, only {', '.join(reading.values)}; check ZONES")
    demand_kw = reading.values[field]
    return ABSENT if demand_kw is None or field in reading.flags else int(to_tenths(demand_kw))


def forecast_tenths(forecast: Forecast) -> NDArray[np.int32]:
    """Return median, low and high end of the 90 % interval in tenths of kW, shape (3, leads).

    Raises ``ValueError`` where the forecast has no 90 % interval or does not reach exactly 24 hours ahead.
    """
    interval = next((interval for interval in forecast.intervals if interval.coverage == 0.9), None)
    if interval is None:
        found = [interval.coverage for interval in forecast.intervals]
        raise ValueError(f"intervals: coverages {found} without 0.9; publish the 90 % interval to be scored")
    leads = Grid(forecast.step_minutes).day
    if len(forecast.median_kw) != leads:
        raise ValueError(f"median_kw: {len(forecast.median_kw)} numbers instead of {leads}; publish every lead to 24 h")
    return to_tenths((forecast.median_kw, interval.low_kw, interval.high_kw))


def pair_terms(actual: NDArray[np.integer], issued: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the terms ``PAIRS`` to ``INTERVAL`` of each pair, zero where the reading or the forecast is ``ABSENT``.

    Parameters
    ----------
    actual
        Readings in tenths of kW, of a shape that broadcasts with that of ``issued[0]``.
    issued
        Median, low and high end of the 90 % interval in tenths of kW, shape (3, ...).

    Notes
    -----
    The error is forecast - actual. The percentage error of an actual below 0.1 kW is taken of 0.1 kW.
    """
    known = np.asarray(actual, np.int64)
    median, low, high = issued.astype(np.int64)
    error = median - known
    absolute = np.abs(error)
    size = np.maximum(np.abs(known), 1)
    below, above = low - known, known - high
    terms = np.empty((_FORECAST_TERMS, *error.shape), np.int64)
    terms[Term.PAIRS] = 1
    terms[Term.ERROR] = error
    terms[Term.ABSOLUTE] = absolute
    terms[Term.SQUARED] = error * error
    terms[Term.PERCENTAGE] = (absolute * _PERCENTAGE_UNITS + size // 2) // size
    terms[Term.COVERED] = (below <= 0) & (above <= 0)
    terms[Term.INTERVAL] = high - low + 20 * (np.maximum(below, 0) + np.maximum(above, 0))
    terms *= (known != ABSENT) & (median != ABSENT)
    return terms


def versus_terms(
    actual: NDArray[np.integer], median: NDArray[np.integer], naive: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return the squared errors of the naive forecast and of ours, shape (2, ...), where all three values are known."""
    known, ours, theirs = np.asarray(actual, np.int64), median.astype(np.int64), naive.astype(np.int64)
    both_known = (known != ABSENT) & (ours != ABSENT) & (theirs != ABSENT)
    errors = np.empty((2, *both_known.shape), np.int64)
    errors[0] = theirs - known
    errors[1] = ours - known
    errors *= both_known
    errors *= errors
    return errors


def _ratio(sums: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return sums / counts, NaN where nothing was counted."""
    ratio = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=ratio, where=counts > 0)
    return ratio


def figures_of(sums: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return each figure of the sums of ``pair_terms``, NaN where there is no pair; shapes are those of one term."""
    pairs = sums[Term.PAIRS]
    return {
        "rmse_kw": np.sqrt(_ratio(sums[Term.SQUARED], 100 * pairs)),
        "mae_kw": _ratio(sums[Term.ABSOLUTE], 10 * pairs),
        "mape": _ratio(sums[Term.PERCENTAGE], _PERCENTAGE_UNITS * pairs),
        "bias_kw": _ratio(sums[Term.ERROR], 10 * pairs),
        "coverage": _ratio(sums[Term.COVERED], pairs),
        "pinball_kw": _ratio(sums[Term.INTERVAL], 400 * pairs),
    }


def skill_of(squared: NDArray[np.int64], naive_squared: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 - RMSE / RMSE of the naive forecast over the same pairs, NaN where the latter is zero."""
    return 1 - np.sqrt(_ratio(squared, naive_squared))


def r2_of(squared: int, actual: NDArray[np.integer]) -> float:
    """Return 1 - ``squared`` / sum of squares about the mean of the ``actual`` of the same pairs, NaN where it is 0.

    The sum about the mean is taken in whole numbers, n * sum(y * y) - sum(y) ** 2.
    """
    known = np.asarray(actual, np.int64)
    pairs, total = known.size, int(known.sum())
    about_mean = pairs * int(known @ known) - total * total
    return 1 - pairs * squared / about_mean if about_mean else math.nan


def grouped(per_lead: NDArray[np.float64], step_minutes: int) -> dict[str, float | None]:
    """Return a figure of each lead group by its minutes, as far as there are leads, and the ``mean`` over all leads.

    None for NaN.
    """
    groups = [group for group in lead_groups(step_minutes) if group.steps <= per_lead.size]
    figures = {group.key: float(per_lead[group.steps - 1]) for group in groups}
    figures[MEAN] = math.fsum(per_lead) / per_lead.size
    return {group: None if math.isnan(figure) else figure for group, figure in figures.items()}


class RollingScores:
    """The scores of one zone over the last 1, 7 and 28 days of event time, per lead.

    A pair (origin, lead) enters when its forecast and the reading of its target are both there, whichever came first;
    a window of W days covers the targets in (clock - W, clock], the clock being the last reading's step. Whatever the
    order in which the two topics were interleaved, the sums are the same once both have been read to the same point:
    a forecast that comes late enters the windows that still cover its targets, one that comes before the reading at its
    origin waits for it. A repeated reading or forecast changes nothing and is counted.

    The forecast "same time yesterday" of a pair is the reading of whole days before the target, the fewest that are
    known at the origin; ``skill_vs_same_time_yesterday`` compares over the pairs where it exists.

    Forecasts are kept by target for the longest window, about 7 MB at 144 steps a day.

    Attributes
    ----------
    clock
        The step of the last reading, None before the first.
    sums
        The sums of each ``Term`` over the pairs of each window; int64, shape (terms, windows, leads).
    repeated_forecasts, repeated_readings
        How many came again; a reading that is not newer than the last one counts among them.
    """

    def __init__(self, leads: int, steps_a_day: int, windows_days: tuple[int, ...] = WINDOWS_DAYS) -> None:
        self.clock: int | None = None
        self.repeated_forecasts = 0
        self.repeated_readings = 0
        self._leads = leads
        self._step_minutes = 24 * 60 // steps_a_day
        self._windows_days = windows_days
        self._windows = np.array(windows_days) * steps_a_day
        self._longest = max(windows_days) * steps_a_day
        self._days_back = -(-np.arange(1, leads + 1) // steps_a_day) * steps_a_day
        self._reach = int(self._days_back[-1])
        self._by_target = np.full((self._longest + leads, 3, leads), ABSENT, np.int32)
        self._actuals = np.full(self._longest + self._reach + 1, ABSENT, np.int64)
        self.sums = np.zeros((len(Term), len(windows_days), leads), np.int64)
        self._ahead: dict[int, NDArray[np.int32]] = {}

    def on_reading(self, step: int, actual: int) -> None:
        """Move the clock to ``step``, whose reading is ``actual`` tenths of kW or ``ABSENT``."""
        if self.clock is not None and step <= self.clock:
            self.repeated_readings += 1
            return
        self.advance(step - 1)
        self._tick(step, actual)

    def advance(self, step: int) -> None:
        """Move the clock to ``step`` if it is behind; the steps it passes have no reading."""
        if self.clock is None:
            self.clock = step
        if step - self.clock > self._longest + self._reach:
            # nothing that is kept reaches so far: emptying is what the ticks would come to, in bounded time
            self._by_target.fill(ABSENT)
            self._actuals.fill(ABSENT)
            self.sums.fill(0)
            self.clock = step
            self._admit_waiting(step)
        for passed in range(self.clock + 1, step + 1):
            self._tick(passed, ABSENT)

    def on_forecast(self, origin: int, issued: NDArray[np.int32]) -> None:
        """Take the forecast of step ``origin``: median, low, high in tenths of kW, shape (3, leads)."""
        if self.clock is not None and origin <= self.clock:
            self._place(origin, issued, self.clock)
        elif origin in self._ahead:
            self.repeated_forecasts += 1
        else:
            self._ahead[origin] = issued

    def issued_for(self, step: int, lead: int) -> NDArray[np.int32]:
        """Return median, low and high that were issued for a target ``lead`` steps before it, in tenths of kW, (3,).

        They are ``ABSENT`` where none came; the target is the clock, or so much before it as the longest window.
        """
        issued: NDArray[np.int32] = self._by_target[step % len(self._by_target), :, lead - 1]
        return issued

    def scores(self) -> tuple[Score, ...]:
        """Return the figures of every lead group and window as they go on the wire: kW with 1 decimal, ratios with 4.

        A figure is None where it cannot be computed yet; the mean needs every lead.
        """
        per_lead = figures_of(self.sums)
        per_lead["skill_vs_same_time_yesterday"] = skill_of(
            self.sums[Term.VERSUS_NAIVE_SQUARED], self.sums[Term.NAIVE_SQUARED]
        )
        figures = {
            name: [grouped(figure, self._step_minutes) for figure in by_window] for name, by_window in per_lead.items()
        }
        groups = {group.key: group for group in lead_groups(self._step_minutes)}
        return tuple(
            Score(
                lead_minutes=None if key == MEAN else groups[key].lead_minutes,
                scored_minutes=None if key == MEAN else groups[key].scored_minutes,
                window_days=days,
                **{name: _on_wire(name, by_window[window][key]) for name, by_window in figures.items()},
            )
            for key in figures["rmse_kw"][0]
            for window, days in enumerate(self._windows_days)
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name.

        A forecast whose origin has no reading yet is a row of ``ahead``: origin, medians, low ends, high ends.
        """
        ahead = [[origin, *issued.ravel().tolist()] for origin, issued in sorted(self._ahead.items())]
        return {
            "clock": whole_number(self.clock),
            "repeated_forecasts": np.array(self.repeated_forecasts),
            "repeated_readings": np.array(self.repeated_readings),
            "by_target": self._by_target.copy(),
            "actuals": self._actuals.copy(),
            "sums": self.sums.copy(),
            "ahead": np.array(ahead, np.int64).reshape(-1, 1 + 3 * self._leads),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.clock = known(state["clock"])
        self.repeated_forecasts = int(state["repeated_forecasts"])
        self.repeated_readings = int(state["repeated_readings"])
        self._by_target[:] = state["by_target"]
        self._actuals[:] = state["actuals"]
        self.sums[:] = state["sums"]
        self._ahead = {int(row[0]): row[1:].reshape(3, -1).astype(np.int32) for row in state["ahead"]}

    def _tick(self, step: int, actual: int) -> None:
        """Move the clock by one: the targets of ``step`` enter every window, one target leaves each."""
        self._actuals[step % self._actuals.size] = actual
        targets = np.concatenate(([step], step - self._windows))
        rows = targets % len(self._by_target)
        terms = self._terms(targets[:, None], self._by_target[rows].swapaxes(0, 1), self._days_back)
        self.sums += terms[:, :1] - terms[:, 1:]
        self._by_target[(step - self._longest) % len(self._by_target)] = ABSENT
        self.clock = step
        self._admit_waiting(step)

    def _admit_waiting(self, clock: int) -> None:
        for origin in [origin for origin in self._ahead if origin <= clock]:
            self._place(origin, self._ahead.pop(origin), clock)

    def _place(self, origin: int, issued: NDArray[np.int32], clock: int) -> None:
        """Keep the forecast by target, and add the pairs whose readings have been seen."""
        first = max(0, clock - self._longest - origin)
        targets = np.arange(origin + 1 + first, origin + 1 + self._leads)
        rows = targets % len(self._by_target)
        if not rows.size:
            return
        if self._by_target[rows[-1], 0, -1] != ABSENT:
            self.repeated_forecasts += 1
            return
        self._by_target[rows, :, np.arange(first, self._leads)] = issued[:, first:].T
        due = min(self._leads, clock - origin)
        if due <= first:
            return
        matured = slice(first, due)
        terms = self._terms(targets[: due - first], issued[:, matured], self._days_back[matured])
        for window, steps in enumerate(self._windows):
            inside = max(first, clock - steps - origin)
            self.sums[:, window, inside:due] += terms[:, inside - first :]

    def _terms(
        self, targets: NDArray[np.int64], issued: NDArray[np.int32], days_back: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return all terms of the pairs; ``targets`` and ``days_back`` broadcast to the shape of ``issued[0]``."""
        actual = self._actuals[targets % self._actuals.size]
        yesterday = self._actuals[(targets - days_back) % self._actuals.size]
        return np.concatenate((pair_terms(actual, issued), versus_terms(actual, issued[0], yesterday)))


def _on_wire(name: str, figure: float | None) -> float | None:
    # adding zero turns -0.0 into 0.0
    return None if figure is None else round(figure, 1 if name.endswith("_kw") else 4) + 0.0
