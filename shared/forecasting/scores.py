"""What a forecast was worth: exact sums of its errors, the figures drawn from them, and their rolling windows.

Every reading and every forecast is counted in whole multiples of the zone's resolution, so that every error is an
integer. All sums here are 64-bit integers of such terms: they are exact in any order, a window that adds and subtracts
does not drift, and the stream and the backtest come to the same figures to the last bit. What may be too large for that
is summed in two halves, so that no sum overflows, however large or long.

The one term that is no integer by nature, the absolute percentage error of a pair, is rounded to 1e-8 before it is
summed. The interval enters by its interval score (Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction,
and estimation", eq. 43), which for a central 90 % interval is 40 times the mean of the pinball losses at its two ends.
"""

from __future__ import annotations

import math
import struct
from enum import IntEnum
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from shared.contracts.messages import LARGEST_KW, Score
from shared.forecasting.issued import IssuedByTarget
from shared.forecasting.leads import MEAN, lead_groups
from shared.forecasting.resolution import ABSENT, FirstDay, Resolution
from shared.forecasting.same_time import SameTime, same_time
from shared.forecasting.size import nears_zero
from shared.forecasting.state import below, fields_of, give, joined, known, whole_number
from shared.sites.grid import Grid, grid_of
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading, Forecast
    from shared.sites.calendar import Calendar

    Numbers = NDArray[np.float64] | NDArray[np.int64]

__all__ = [
    "WINDOWS_DAYS",
    "RollingScores",
    "Term",
    "exactly",
    "figures_of",
    "grouped",
    "issued_kw",
    "load_kw",
    "pair_terms",
    "r2_of",
    "skill_of",
    "step_of",
    "versus_terms",
    "whole",
]

WINDOWS_DAYS = (1, 7, 28)

_PERCENTAGE_UNITS = 10**8
_HALF_BITS = 31  # of the terms that are summed in two halves
_LOW = 2**_HALF_BITS - 1


class Term(IntEnum):
    """The summed terms of a pair, in the order of the rows of every array of sums; units are powers of the resolution.

    A term whose name goes on with ``_HIGH`` in the next row is the lower half of what it counts: `whole` joins them.
    """

    PAIRS = 0
    ERROR = 1
    ABSOLUTE = 2
    SQUARED = 3
    SQUARED_HIGH = 4
    PERCENTAGE = 5
    PERCENTAGE_HIGH = 6
    COVERED = 7
    INTERVAL = 8
    NAIVE_SQUARED = 9
    NAIVE_SQUARED_HIGH = 10
    VERSUS_NAIVE_SQUARED = 11
    VERSUS_NAIVE_SQUARED_HIGH = 12


_FORECAST_TERMS = Term.INTERVAL + 1
_RATIO_DECIMALS = 4
_SUM_ERROR = 1e-12  # of a sum of at most 1440 numbers of 53 bits, relative to that of their sizes; many times more
_SCORES = TypeAdapter(tuple[Score, ...])


def step_of(time: datetime, step_minutes: int) -> int:
    """Return the index of the step that holds an aware ``time``, counted from 1970 in UTC."""
    return grid_of(step_minutes).step_of(time)


def load_kw(reading: CleanReading, zone: int) -> float:
    """Return the load of ``zone`` in kW, NaN where it is null, carries any flag, or is so large that no zone has it.

    Raises ``ValueError`` where the site does not publish that zone.
    """
    field = load_field(zone)
    if field not in reading.values:
        raise ValueError(f"values: no {field} at site {reading.site!r}, only {', '.join(reading.values)}; check ZONES")
    demand_kw = reading.values[field]
    if demand_kw is None or field in reading.flags or abs(demand_kw) > LARGEST_KW:
        return math.nan
    return demand_kw


def issued_kw(forecast: Forecast) -> NDArray[np.float64]:
    """Return median, low and high end of the 90 % interval in kW, shape (3, leads).

    Raises ``ValueError`` where the forecast has no 90 % interval or does not reach exactly 24 hours ahead.
    """
    interval = next((interval for interval in forecast.intervals if interval.coverage == 0.9), None)
    if interval is None:
        found = [interval.coverage for interval in forecast.intervals]
        raise ValueError(f"intervals: coverages {found} without 0.9; publish the 90 % interval to be scored")
    leads = Grid(forecast.step_minutes).day
    if len(forecast.median_kw) != leads:
        raise ValueError(f"median_kw: {len(forecast.median_kw)} numbers instead of {leads}; publish every lead to 24 h")
    numbers = (*forecast.median_kw, *interval.low_kw, *interval.high_kw)
    # a third of the time that an array of tuples takes; every forecast comes this way
    return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers)).reshape(3, leads)


def pair_terms(
    actual: NDArray[np.integer], issued: NDArray[np.integer], out: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the terms ``PAIRS`` to ``INTERVAL`` of each pair, zero where the reading or the forecast is ``ABSENT``.

    Parameters
    ----------
    actual
        Readings in multiples of the resolution, of a shape that broadcasts with that of ``issued[0]``.
    issued
        Median, low and high end of the 90 % interval in multiples of the resolution, shape (3, ...).
    out
        Where to put them.

    Notes
    -----
    The error is forecast - actual. The percentage error of an actual below the resolution is taken of the resolution.
    """
    known = np.asarray(actual, np.int64)
    median, low, high = issued.astype(np.int64)
    error = median - known
    absolute = np.abs(error)
    size = np.maximum(np.abs(known), 1)
    below, above = low - known, known - high
    terms = np.empty((_FORECAST_TERMS, *error.shape), np.int64) if out is None else out
    terms[Term.PAIRS] = 1
    terms[Term.ERROR] = error
    terms[Term.ABSOLUTE] = absolute
    terms[Term.SQUARED] = error * error
    terms[Term.PERCENTAGE] = (absolute * _PERCENTAGE_UNITS + size // 2) // size
    for term in (Term.SQUARED, Term.PERCENTAGE):
        _halve(terms, term)
    terms[Term.COVERED] = (below <= 0) & (above <= 0)
    terms[Term.INTERVAL] = high - low + 20 * (np.maximum(below, 0) + np.maximum(above, 0))
    both = (known != ABSENT) & (median != ABSENT)
    if not both.all():
        terms *= both
    return terms


def versus_terms(
    actual: NDArray[np.integer],
    median: NDArray[np.integer],
    naive: NDArray[np.integer],
    out: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Return the squared errors of the naive forecast and of ours where all three values are known.

    The rows are ``NAIVE_SQUARED`` to ``VERSUS_NAIVE_SQUARED_HIGH``, shape (4, ...); ``naive`` may be one number for all
    leads of a target. ``out`` is where to put them.
    """
    known, ours, theirs = np.asarray(actual, np.int64), median.astype(np.int64), naive.astype(np.int64)
    shape = np.broadcast_shapes(known.shape, ours.shape, theirs.shape)
    squares = np.empty((4, *shape), np.int64) if out is None else out
    all_known = (known != ABSENT) & (ours != ABSENT) & (theirs != ABSENT)
    for row, forecast in ((0, theirs), (2, ours)):
        error = forecast - known if all_known.all() else (forecast - known) * all_known
        squares[row] = error * error
        _halve(squares, row)
    return squares


def _halve(terms: NDArray[np.int64], row: int) -> None:
    """Leave the lower half of a row in it, and put the upper one into the next."""
    terms[row + 1] = terms[row] >> _HALF_BITS
    terms[row] &= _LOW


def whole(sums: NDArray[np.int64], row: int) -> NDArray[np.float64]:
    """Return the sums of which a row holds the lower half, and the next the upper one."""
    joined: NDArray[np.float64] = sums[row + 1] * 2.0**_HALF_BITS + sums[row]
    return joined


def exactly(sums: NDArray[np.int64], row: int) -> int:
    """Return the one sum of which a row holds the lower half, and the next the upper one."""
    return (int(sums[row + 1]) << _HALF_BITS) + int(sums[row])


def _ratio(sums: Numbers, counts: Numbers) -> NDArray[np.float64]:
    """Return sums / counts, NaN where nothing was counted."""
    ratio = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=ratio, where=counts > 0)
    return ratio


def figures_of(sums: NDArray[np.int64], resolution: Resolution) -> dict[str, NDArray[np.float64]]:
    """Return each figure of the sums of ``pair_terms``, NaN where there is no pair; shapes are those of one term."""
    pairs = sums[Term.PAIRS]
    totals = (
        whole(sums, Term.SQUARED),
        sums[Term.ABSOLUTE],
        sums[Term.ERROR],
        sums[Term.INTERVAL],
        whole(sums, Term.PERCENTAGE),
        sums[Term.COVERED],
    )
    counts = (pairs, pairs, pairs, 40 * pairs, _PERCENTAGE_UNITS * pairs, pairs)
    ratios = _ratio(np.stack(totals), np.stack(counts))
    ratios[0] = np.sqrt(ratios[0])
    rmse_kw, mae_kw, bias_kw, pinball_kw = resolution.to_kw(ratios[:4])
    return {
        "rmse_kw": rmse_kw,
        "mae_kw": mae_kw,
        "mape": ratios[4],
        "bias_kw": bias_kw,
        "coverage": ratios[5],
        "pinball_kw": pinball_kw,
    }


def skill_of(squared: NDArray[np.float64], naive_squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - RMSE / RMSE of the naive forecast over the same pairs, NaN where the latter is zero."""
    return 1 - np.sqrt(_ratio(squared, naive_squared))


def r2_of(squared: int, actual: NDArray[np.integer]) -> float:
    """Return 1 - ``squared`` / sum of squares about the mean of the ``actual`` of the same pairs, NaN where it is 0.

    The sum about the mean is taken in whole numbers, n * sum(y * y) - sum(y) ** 2.
    """
    known = np.asarray(actual, np.int64)
    squares = np.empty((2, known.size), np.int64)
    squares[0] = known * known
    _halve(squares, 0)
    pairs, total = known.size, int(known.sum())
    about_mean = pairs * exactly(squares.sum(axis=1), 0) - total * total
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
    origin waits for it. A repeated reading or forecast changes nothing.

    The forecast "same time yesterday" of a pair is the reading at the same time by the clock of the site whole days
    before the target, the fewest that are known at the origin; ``skill_vs_same_time_yesterday`` compares over the pairs
    where it exists.

    Forecasts are kept by target for the longest window, packed: about 1.6 MB at 144 steps a day. They are counted in
    multiples of the zone's resolution, that of its first day of load: until then what has come is kept in kW as well,
    and counted anew where a larger load makes the resolution coarser. So does, later, a forecast that has outgrown it
    by far; one wild reading only counts as the largest number that can be counted.

    The steps of an hour are settled together: what has come due enters the sums, and what has left a window leaves
    them, when somebody asks for the sums, or the next hour begins.

    Attributes
    ----------
    clock
        The step of the last reading, None before the first.
    """

    def __init__(
        self,
        leads: int,
        steps_a_day: int,
        windows_days: tuple[int, ...] = WINDOWS_DAYS,
        calendar: Calendar | None = None,
    ) -> None:
        self.clock: int | None = None
        self._settled = 0  # the step up to which the sums are right, from the first reading on
        self._hour = max(1, steps_a_day // 24)
        self._leads = leads
        self._figures = _Figures(leads, 24 * 60 // steps_a_day, windows_days)
        self._step_minutes = 24 * 60 // steps_a_day
        self._windows = np.array(windows_days) * steps_a_day
        self._longest = max(windows_days) * steps_a_day
        self._calendar, self._day = calendar, steps_a_day
        self._all_leads = np.arange(1, leads + 1)
        # where the clock is put forward, the same time of the fewest days before may not be known yet
        self._reach = (-(-leads // steps_a_day) + 1) * steps_a_day
        self._today: int | None = None
        self._first_step = 0
        self._same_time: SameTime | None = None
        self._first_day = FirstDay(steps_a_day)
        self.resolution = self._first_day.resolution
        self._issued = IssuedByTarget(leads, steps_a_day, self._hour)
        self._loads_kw = np.full(self._longest + self._reach + self._hour, np.nan)
        self._actuals = np.full(self._loads_kw.size, ABSENT, np.int32)
        self._sums = np.zeros((len(Term), len(windows_days), leads), np.int64)
        self._ahead: dict[int, NDArray[np.float64]] = {}  # by origin: forecasts whose origin has no reading yet
        self._early: dict[int, NDArray[np.float64]] = {}  # and those that have come before the resolution was fixed

    def on_reading(self, step: int, demand_kw: float) -> bool:
        """Move the clock to ``step``, whose reading is ``demand_kw``, NaN where there is none.

        Returns whether it is newer than the last one.
        """
        if self.clock is not None and step <= self.clock:
            return False
        self.advance(step - 1)
        if not self._first_day.fixed:
            self._learn_resolution(step, demand_kw)
        self._tick(step, demand_kw)
        return True

    def advance(self, step: int) -> None:
        """Move the clock to ``step`` if it is behind; the steps it passes have no reading."""
        if self.clock is None:
            self._begin(step)
        elif step - self.clock > self._longest + self._reach:
            # nothing that is kept reaches so far: emptying is what the ticks would come to, in bounded time
            self._loads_kw.fill(np.nan)
            self._actuals.fill(ABSENT)
            self._sums.fill(0)
            self._begin(step)
        for passed in range((self.clock or 0) + 1, step + 1):
            self._tick(passed, math.nan)

    def on_forecast(self, origin: int, issued_kw: NDArray[np.float64]) -> bool:
        """Take the forecast of step ``origin``: median, low, high in kW, shape (3, leads).

        Returns False where it had come before.
        """
        if self.clock is not None and origin <= self.clock:
            return self._place(origin, issued_kw, self.clock)
        if origin in self._ahead:
            return False
        self._ahead[origin] = issued_kw
        return True

    @property
    def sums(self) -> NDArray[np.int64]:
        """The sums of each ``Term`` over the pairs of each window, (terms, windows, leads)."""
        self._settle()
        return self._sums

    @property
    def actual(self) -> int:
        """The load at the clock in multiples of the resolution, or ``ABSENT``."""
        return int(self._actuals[(self.clock or 0) % self._actuals.size])

    def issued_for(self, step: int, lead: int) -> NDArray[np.int32]:
        """Return median, low and high that were issued for a target ``lead`` steps before it, (3,).

        They are multiples of the resolution, ``ABSENT`` where none came; the target is the clock, or so much before it
        as the longest window.
        """
        return self._issued.of(step, lead)

    def scores(self) -> tuple[Score, ...]:
        """Return the figures of every lead group and window as they go on the wire: multiples of the resolution.

        Ratios have four decimals.

        A figure is None where it cannot be computed yet; the mean needs every lead. There is no MAPE of a window in
        which the load comes near zero.
        """
        self._settle()
        newest = (self.clock or 0) % self._loads_kw.size + 1
        by_age = np.concatenate((self._loads_kw[newest:], self._loads_kw[:newest]))
        near = [nears_zero(by_age[-steps:]) for steps in self._windows.tolist()]
        return self._figures.of(self._sums, self.resolution, near)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name.

        A forecast whose origin has no reading yet is a row of ``ahead``: origin, medians, low ends, high ends; one that
        came before the resolution was fixed is a row of ``early``.
        """
        self._settle()
        return {
            "clock": whole_number(self.clock),
            "exponent": np.array(self.resolution.exponent),
            "loads_kw": self._loads_kw.copy(),
            "sums": self._sums.copy(),
            "ahead": self._rows(self._ahead),
            "early": self._rows(self._early),
            **joined({"first_day": fields_of(self._first_day), "issued": self._issued.state()}),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.clock = known(state["clock"])
        self._settled = self.clock or 0
        self.resolution = Resolution(int(state["exponent"]))
        give(self._first_day, below(state, "first_day"))
        self._issued.resume(below(state, "issued"))
        self._loads_kw[:] = state["loads_kw"]
        self._actuals[:] = self.resolution.multiples(self._loads_kw)
        self._sums[:] = state["sums"]
        self._ahead, self._early = (
            {int(row[0]): row[1:].reshape(3, -1) for row in state[name]} for name in ("ahead", "early")
        )

    def _rows(self, forecasts: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
        rows = [[origin, *issued_kw.ravel().tolist()] for origin, issued_kw in sorted(forecasts.items())]
        return np.array(rows, np.float64).reshape(-1, 1 + 3 * self._leads)

    def _begin(self, step: int) -> None:
        """Let the clock be at ``step``, before which nothing is known."""
        self.clock = self._settled = step
        self._issued.clear(step + 1)
        self._admit_waiting(step)

    def _learn_resolution(self, step: int, demand_kw: float) -> None:
        """Let the reading say how large the loads of the zone are, as long as its first day of load is not over."""
        self._first_day.take(step, demand_kw)
        if self._first_day.fixed:
            self._early.clear()
        elif self._first_day.first_step < 0:  # what lies a day before the first load may be rounded twice
            past = step - self._leads
            self._early = {origin: kw for origin, kw in self._early.items() if origin > past}
        elif self._first_day.resolution.exponent != self.resolution.exponent:
            self._count_in(self._first_day.resolution)

    def _make_room_for(self, largest_kw: float) -> None:
        resolution = self.resolution.covering(largest_kw)
        if resolution is not self.resolution:
            self._count_in(resolution)

    def _count_in(self, resolution: Resolution) -> None:
        """Count all that is kept in multiples of another resolution."""
        clock = self.clock or 0
        oldest = self._issued.oldest
        kept_kw = self.resolution.to_kw(self._issued.rows(oldest, clock + 1 + self._leads))
        for origin, issued_kw in self._early.items():
            first, targets = self._kept(origin, clock)
            inside = targets >= oldest
            kept_kw[targets[inside] - oldest, :, np.arange(first, self._leads)[inside]] = issued_kw[:, first:].T[inside]
        largest_kw = np.abs(kept_kw).max(initial=0.0, where=~np.isnan(kept_kw))
        self.resolution = resolution.covering(float(largest_kw))
        self._issued.replace(oldest, self.resolution.multiples(kept_kw))
        self._actuals[:] = self.resolution.multiples(self._loads_kw)
        self._sums[:] = self._counted()

    def _counted(self) -> NDArray[np.int64]:
        """Return the sums of what is kept, counted afresh."""
        sums = np.zeros_like(self._sums)
        begin = max(self._settled - self._longest + 1, self._issued.oldest)
        for target in range(begin, self._settled + 1):
            inside = target > self._settled - self._windows
            sums += self._sums_of([np.array([target])])[0][:, None] * inside[:, None]
        return sums

    def _kept(self, origin: int, clock: int) -> tuple[int, NDArray[np.int64]]:
        """Return how many of the first leads of a forecast are too old to be kept, and the targets of the others."""
        first = max(0, clock - self._longest - origin)
        return first, np.arange(origin + 1 + first, origin + 1 + self._leads)

    def _tick(self, step: int, demand_kw: float) -> None:
        """Move the clock by one."""
        if step - self._settled > self._hour:
            self._settle()
        place = step % self._loads_kw.size
        self._loads_kw[place] = demand_kw
        self._actuals[place] = self.resolution.multiple(demand_kw)
        self.clock = step
        if self._ahead:
            self._admit_waiting(step)

    def _settle(self) -> None:
        """Let the targets up to the clock enter every window, and those leave each that it does not cover any more."""
        clock = self.clock
        if clock is None or clock == self._settled:
            return
        due = np.arange(self._settled + 1, clock + 1)
        entering, *leaving = self._sums_of([due, *(due - steps for steps in self._windows)])
        self._sums += entering[:, None]
        for window, left in enumerate(leaving):
            self._sums[:, window] -= left
        self._settled = clock
        self._issued.settle(clock, clock - self._longest + 1)
        size = self._loads_kw.size
        gone = np.arange(clock - size + 1, clock - self._longest - self._reach) % size
        self._loads_kw[gone] = np.nan
        self._actuals[gone] = ABSENT

    def _admit_waiting(self, clock: int) -> None:
        for origin in [origin for origin in self._ahead if origin <= clock]:
            self._place(origin, self._ahead.pop(origin), clock)

    def _place(self, origin: int, issued_kw: NDArray[np.float64], clock: int) -> bool:
        """Keep the forecast by target, and add the pairs whose readings have been settled; False for a repeated one."""
        first, targets = self._kept(origin, clock)
        if not targets.size:
            return True
        if self._issued.of(int(targets[-1]), self._leads)[0] != ABSENT:
            return False
        self._make_room_for(float(np.abs(issued_kw).max()))
        if not self._first_day.fixed:
            self._early[origin] = issued_kw
        issued = self.resolution.multiples(issued_kw)
        self._issued.place(origin, first, issued)
        due = min(self._leads, self._settled - origin)
        if due > first:
            self._add_late(origin, targets[: due - first], issued[:, first:due], self._all_leads[first:due])
        return True

    def _add_late(
        self, origin: int, targets: NDArray[np.int64], issued: NDArray[np.int32], leads: NDArray[np.int64]
    ) -> None:
        """Add the pairs of a forecast that came after the readings of its targets."""
        terms = self._terms(targets, issued, leads)
        first, due = int(leads[0]) - 1, int(leads[-1])
        for window, steps in enumerate(self._windows):
            inside = max(first, self._settled - int(steps) - origin)
            self._sums[:, window, inside:due] += terms[:, inside - first :]

    def _sums_of(self, runs: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return the sums of all terms of the pairs of each run of consecutive targets, (runs, terms, leads).

        The runs are of one length.
        """
        issued = np.concatenate([self._issued.rows(int(run[0]), int(run[-1]) + 1) for run in runs])
        terms = self._terms(np.concatenate(runs)[:, None], issued.swapaxes(0, 1), self._all_leads)
        sums: NDArray[np.int64] = terms.reshape(len(Term), len(runs), -1, self._leads).sum(axis=2).swapaxes(0, 1)
        return sums

    def _terms(
        self, targets: NDArray[np.int64], issued: NDArray[np.int32], leads: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return all terms of the pairs; ``targets`` and ``leads`` broadcast to the shape of ``issued[0]``."""
        actual = self._actuals[targets % self._actuals.size]
        yesterday = self._actuals[self._yesterday(targets, leads) % self._actuals.size]
        terms = np.empty((len(Term), *issued.shape[1:]), np.int64)
        pair_terms(actual, issued, terms[:_FORECAST_TERMS])
        versus_terms(actual, issued[0], yesterday, terms[_FORECAST_TERMS:])
        return terms

    def _look_up_clock(self) -> None:
        """Look up whether and when the clock of the site is changed in what is kept, once a day."""
        today, day = (self.clock or 0) // self._day, self._day
        if self._calendar is None or today == self._today:
            return
        self._today, days = today, (self._longest + self._reach) // day + 1
        self._first_step = (today - days) * day
        self._same_time = same_time(self._calendar, Grid(self._step_minutes), self._first_step, (days + 2) * day)

    def _yesterday(self, targets: NDArray[np.int64], leads: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the steps of the same time, the fewest days before the targets that are known at the origins."""
        self._look_up_clock()
        day, days = self._day, -(-leads // self._day)
        if self._same_time is None:
            return targets - (day if self._leads <= day else days * day)  # one reading for all leads of a target
        places = targets - self._first_step
        same = self._same_time.before(places, days)
        known = np.where(same <= places - leads, same, self._same_time.before(places, days + 1))
        steps: NDArray[np.int64] = self._first_step + known
        return steps


class _Figures:
    """Draws the figures that go on the wire from the sums of a zone.

    Parameters
    ----------
    leads, step_minutes
        How many there are, and how far they lie apart.
    windows_days
        The lengths of the windows.
    """

    def __init__(self, leads: int, step_minutes: int, windows_days: tuple[int, ...]) -> None:
        groups = [group for group in lead_groups(step_minutes) if group.steps <= leads]
        self._columns = np.array([group.steps - 1 for group in groups], np.int64)
        named = [(group.lead_minutes, group.scored_minutes) for group in groups]
        self._labels = [
            {"lead_minutes": lead_minutes, "scored_minutes": scored_minutes, "window_days": days}
            for lead_minutes, scored_minutes in [*named, (None, None)]
            for days in windows_days
        ]

    def of(self, sums: NDArray[np.int64], resolution: Resolution, near_zero: Sequence[bool]) -> tuple[Score, ...]:
        """Return the scores; ``near_zero``: in which windows errors as shares of the load say nothing."""
        per_lead = figures_of(sums, resolution)
        per_lead["mape"][np.flatnonzero(near_zero)] = np.nan
        per_lead["skill_vs_same_time_yesterday"] = skill_of(
            whole(sums, Term.VERSUS_NAIVE_SQUARED), whole(sums, Term.NAIVE_SQUARED)
        )
        in_kw = [name.endswith("_kw") for name in per_lead]
        decimals = np.where(in_kw, -resolution.exponent, _RATIO_DECIMALS)
        figures = self._grouped(np.stack(list(per_lead.values())), decimals)
        figures[in_kw] = resolution.rounded(figures[in_kw])
        on_wire = [
            [
                None if isnan(figure) else figure if kw else round(figure, _RATIO_DECIMALS) + 0.0 for figure in of_one
            ]  # no -0.0
            for of_one, kw in zip(figures.tolist(), in_kw, strict=True)
        ]
        return _SCORES.validate_python(
            [
                label | dict(zip(per_lead, row, strict=True))
                for label, row in zip(self._labels, zip(*on_wire, strict=True), strict=True)
            ]
        )

    def _grouped(self, per_lead: NDArray[np.float64], decimals: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return figures of each lead, (figures, windows, leads), by group and then by window, (figures, scores).

        The mean over all leads is the last group. The figures are to be rounded to so many ``decimals``.
        """
        groups = np.concatenate((per_lead[:, :, self._columns], _means(per_lead, decimals)[:, :, None]), axis=2)
        return groups.swapaxes(1, 2).reshape(len(per_lead), -1)


def _means(per_lead: NDArray[np.float64], decimals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return means over the leads, (figures, windows), that round to so many decimals as the exact ones do.

    Exact sums take eight times as long: they are taken where the last digit may hang on them.
    """
    means: NDArray[np.float64] = per_lead.mean(axis=2)
    sizes = np.abs(per_lead).mean(axis=2)
    units = 10.0 ** decimals[:, None]
    # how far the mean is from where it is rounded the other way, and how far it may be off
    away = np.abs(np.abs(means * units) % 1.0 - 0.5)
    for place in np.argwhere(away <= _SUM_ERROR * sizes * units):
        figures = per_lead[tuple(place)].tolist()
        means[tuple(place)] = math.fsum(figures) / len(figures)
    return means
