"""What the regression sees: one row for an origin, shared by all leads, and one for each of its leads.

Every load column is a difference, so that the level of the load, which moves for good when load is switched from
one zone to another, never enters.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.climatology import HOLIDAY
from shared.forecasting.history import (
    BLEND,
    DAYS_BACK,
    DEVIATION,
    LATE_MEAN,
    LOAD,
    MEAN,
    DayWindow,
    window_steps,
)
from shared.forecasting.windows import windows

if TYPE_CHECKING:
    from shared.sites.calendar import Calendar
    from shared.sites.grid import Grid

__all__ = ["LEAD_WIDTHS", "DayPlan", "Features", "grid_leads", "interpolation"]

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

_MONDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 4, 5, 6
_GRID_MINUTES = (10, 20, 30, 60, 90, 120, 180, 240, 360, 540, 720, 960, 1200, 1440)
_LAG_MINUTES = (10, 20, 30, 40, 60, 90, 120, 180, 360, 720)
_LAG_DAYS = (1, 2, 7, 14)
_DEVIATION_MINUTES = (10, 20, 30, 60, 120, 360)
_AVERAGE_MINUTES = (60, 360, 1440)
_ORIGIN_CALENDAR, _TARGET_CALENDAR, _TURNS = 33, 20, 6  # columns of a day's table
_HARMONICS = 4
_LEAD_LOADS = 16
LEAD_WIDTHS = _LEAD_LOADS + _TARGET_CALENDAR, _LEAD_LOADS + _TARGET_CALENDAR + _TURNS
"""Columns of a lead's row: without those of Ramadan, which are the last, and with them."""
_AROUND = 5  # times around a target at which the late mean is looked up


def grid_leads(grid: Grid, horizon_steps: int) -> Steps:
    """Return the leads that have weights of their own: dense at first, the first and the last always among them."""
    steps = grid.steps(*_GRID_MINUTES)
    return np.array(sorted({1, horizon_steps, *(lead for lead in steps if lead < horizon_steps)}), dtype=np.int64)


def interpolation(leads: Steps, horizon_steps: int) -> Floats:
    """Return the matrix, (horizon, grid leads), that spreads values on the grid linearly over all leads."""
    hats = [np.interp(np.arange(1, horizon_steps + 1), leads, hat) for hat in np.eye(len(leads))]
    return np.ascontiguousarray(np.stack(hats, axis=1))


class _DayTable(NamedTuple):
    """The calendar columns of one UTC day, a row a step."""

    origin: Floats  # (day, 33): 1, six daily harmonics, {Fri Sat Sun Mon} x (1, two harmonics)
    target: Floats  # (day, 20): Sat Sun Mon Fri, four holiday flags, {three holidays, Sat Sun Mon} x one harmonic
    #                 or (day, 26), with the turns of Ramadan: of a day and of a week, each x (1, one harmonic)
    harmonics: Floats  # (day, 4): sin, cos of once and twice a day
    cell: Steps  # (day,): kind of day and step of the day on the clock, as the climatology counts them


@lru_cache(maxsize=32)
def _day_table(calendar: Calendar, grid: Grid, day: int) -> _DayTable:
    """Return the calendar columns of a day, counted from the epoch."""
    steps = day * grid.day + np.arange(grid.day)
    clock = calendar.clock(steps, grid.step_minutes)
    slot = (steps + calendar.turned(steps, grid.step_minutes)) % grid.day
    angle = 2.0 * np.pi / 1440.0 * clock.minute[:, None] * np.arange(1, 7)
    waves = np.stack((np.sin(angle), np.cos(angle)), axis=2).reshape(-1, 12)
    constant, once, twice = np.ones((grid.day, 1)), waves[:, :2], waves[:, :_HARMONICS]
    weekday = clock.weekday[:, None]
    from_friday = (weekday == (_FRIDAY, _SATURDAY, _SUNDAY, _MONDAY)).astype(np.float64)
    weekend = (weekday == (_SATURDAY, _SUNDAY, _MONDAY, _FRIDAY)).astype(np.float64)
    holiday = np.stack([calendar.holiday(clock.date + days) for days in (0, -1, -7, 1)], axis=1) * 1.0
    special = np.hstack((holiday[:, :3], weekend[:, :3]))
    return _DayTable(
        origin=np.hstack((constant, waves, _products(from_friday, np.hstack((constant, twice))))),
        target=np.hstack((weekend, holiday, _products(special, once), _turns(calendar, clock.date, once))),
        harmonics=twice,
        cell=np.where(holiday[:, 0] > 0.0, HOLIDAY, clock.weekday) * grid.day + slot,
    )


def _turns(calendar: Calendar, dates: Steps, harmonic: Floats) -> Floats:
    """Return how far the days before a date, of which its shape is made, lie on the other side of an end of Ramadan.

    Of the day before and of the mean of the week, each alone and with a harmonic; no column where there is no Ramadan.
    """
    if not calendar.ramadan:
        return np.empty((len(dates), 0))
    days = np.array([calendar.fasting(dates - days) for days in range(8)], dtype=np.float64)
    turns = np.stack((days[0] - days[1], days[0] - days[1:].mean(axis=0)), axis=1)
    return np.hstack((turns, _products(turns, harmonic)))


def _products(left: Floats, right: Floats) -> Floats:
    """Return every column of ``left`` times every column of ``right``, in that order."""
    return (left[..., :, None] * right[..., None, :]).reshape(*left.shape[:-1], -1)


class DayPlan(NamedTuple):
    """What weights make of the calendar of a day: an origin of that day needs nothing but its loads any more.

    ``weights`` stands for any number of regressions that are answered together. Where the clock is changed, the day has
    as many steps more at both ends.
    """

    of_loads: Floats  # (weights * leads, windows * (loads and their products with harmonics))
    of_taps: Floats  # (day, weights, leads, 8): of three increments, and of the late mean around the target
    constant: Floats  # (day, weights, leads): of the calendar alone
    low: Floats  # (load_width,): where a difference of loads is clipped
    high: Floats
    share: Floats  # (day, windows, 1): how much of a step belongs to each window


class Features:
    """Builds the rows of the regression from a window of load, for one origin or for a block of consecutive ones.

    The anchors of a time are what the past alone says about it: the load at the same time a day before, a week before,
    and the mean of the seven days before. A deviation is the load minus an anchor; an increment is how far an anchor
    moves from the origin t to the target t + h.

    Of an origin (``origin_width`` columns, 93 at ten minutes):

    - the load minus its lags from ten minutes to twelve hours, and of 1, 2, 7 and 14 days;
    - its deviation from the mean; all three deviations minus their own lags; averages of the first over up to a day;
    - the last changes and the deviations times two daily harmonics;
    - the calendar: a constant, six daily harmonics, the days around the weekend.

    The first ``load_width`` of them are differences of loads; one that lies beyond its limit is clipped, since a wild
    load should not count in proportion.

    Of a lead (``lead_width`` columns, 36), at its target:

    - the increments; that of the mean on the weekend; slope and curvature of the mean without yesterday;
    - those of the week and of the mean times two daily harmonics;
    - weekdays and holidays, alone and with a daily harmonic.
    """

    def __init__(self, calendar: Calendar, grid: Grid, leads: Steps, horizon_steps: int) -> None:
        self._calendar, self._grid, self._leads = calendar, grid, leads
        self._ahead = np.arange(1, horizon_steps + 1)
        self.ahead_steps = round(calendar.ahead_minutes / grid.step_minutes)
        day, row = grid.day, window_steps(grid)
        self._table_start = (DAYS_BACK - 1) * day
        self._today = DAYS_BACK * day
        lags = np.array((*grid.steps(*_LAG_MINUTES), *(day * days for days in _LAG_DAYS)))
        deviation_lags = np.array((0, *grid.steps(*_DEVIATION_MINUTES)))
        anchors = np.array((MEAN * row, LOAD * row - 7 * day, LOAD * row - day))
        half_hour, hour = grid.steps(30)[0], grid.steps(60)[0]
        widths = grid.steps(*_AVERAGE_MINUTES)
        around = LATE_MEAN * row + np.array((-hour, -half_hour, 0, half_hour, hour))

        # a tap is where a number stands in the flattened series, relative to the origin in the first row
        origin_taps = (
            (LOAD * row,),
            LOAD * row - lags,
            LOAD * row - deviation_lags,
            np.subtract.outer(anchors, deviation_lags).ravel(),
            DEVIATION * row - np.array((0, *widths)),
        )
        target_taps = np.add.outer(leads, np.concatenate((anchors, around))).ravel()
        self._origin_taps = np.concatenate(origin_taps)
        self._target_taps = np.concatenate((target_taps, anchors))
        self._taps = np.concatenate((self._origin_taps, self._target_taps))

        # where the clock is changed it matters which lead's target a tap belongs to (0: the origin), and how many days
        # before that it stands, in the first row alone
        self._lead_of = np.zeros(len(self._taps), dtype=np.int64)
        self._lead_of[len(self._origin_taps) : -len(anchors)] = 1 + np.repeat(np.arange(len(leads)), 3 + _AROUND)
        days = np.maximum(np.concatenate(((0,), leads))[self._lead_of] - self._taps, 0) // day
        self._dated = np.flatnonzero(days)
        self._days = days[self._dated]
        self._differences = _differences(len(lags), len(deviation_lags), widths)

        # columns of an origin's row: those that a harmonic multiplies, and where each group of columns ends
        mean, day_ago, week_ago = len(lags), len(lags) - 4, len(lags) - 2
        mean_hour_ago = mean + int(np.searchsorted(deviation_lags, hour))
        self._driving = np.array((0, mean, mean + 1, mean_hour_ago, day_ago, week_ago))
        self.load_width = len(self._differences)
        self._products_end = self.load_width + _HARMONICS * len(self._driving)
        self.origin_width = self._products_end + _ORIGIN_CALENDAR
        self.lead_width = LEAD_WIDTHS[bool(calendar.ramadan)]
        self.load_columns = (self._products_end, _LEAD_LOADS)

    def turn_to(self, history: DayWindow) -> None:
        """Look up the calendar of the history's today, of the day before and of the two days after."""
        self._same_time = history.same_time
        self._beyond = 0 if self._same_time is None else self._same_time.turned_from(self._today)
        days = range(history.today - 1, history.today + 3)
        tables = [_day_table(self._calendar, self._grid, day) for day in days]
        self._table = _DayTable(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))

    def cell(self, at: int) -> int:
        """Return the cell of the climatology there."""
        return int(self._table.cell[at - self._table_start])

    def cells(self, at: Steps) -> Steps:
        """Return the cells of the climatology there."""
        cells: Steps = self._table.cell[at - self._table_start]
        return cells

    def base(self, history: DayWindow, at: int, count: int) -> Floats:
        """Return what the shape of the last days alone foretells for all leads of the origins, (count, horizon).

        They are the origin at ``at`` and those that follow it.
        """
        shape, load = history.series[BLEND], history.series[LOAD]
        base: Floats = shape.take(np.arange(at, at + count)[:, None] + self._ahead)
        base += (load[at : at + count] - shape[at : at + count])[:, None]
        return base

    def labels(self, history: DayWindow, at: Steps) -> Floats:
        """Return what the base left unexplained at the targets of the origins, (origins, leads)."""
        load, shape = history.series[LOAD], history.series[BLEND]
        target, origin = self._targets(at), at[:, None]
        labels: Floats = (load[target] - load[origin]) - (shape[target] - shape[origin])
        return labels

    def untouched(self, history: DayWindow, at: Steps) -> NDArray[np.bool_]:
        """Tell which origins and all their targets are good readings.

        What is filled among the lags was forecast from one step before, and does no harm.
        """
        good: NDArray[np.bool_] = np.logical_and.reduce(history.good(self._targets(at)), axis=1)
        return good & history.good(at)

    def origin_rows(self, history: DayWindow, at: Steps, limit: Floats) -> Floats:
        """Return one row for each of the consecutive origins ``at``, (origins, origin_width).

        ``limit``, (load_width,), bounds the size of each difference of loads.
        """
        calendar = self._table.origin[at[0] - self._table_start :][: len(at)]
        taps = self._tapped(at)[:, : len(self._origin_taps)]
        loads = history.series.take(taps) @ self._differences.T
        np.minimum(np.maximum(loads, -limit, out=loads), limit, out=loads)
        return np.hstack((loads, _products(loads[:, self._driving], calendar[:, 1 : 1 + _HARMONICS]), calendar))

    def lead_rows(self, history: DayWindow, at: Steps) -> Floats:
        """Return one row for each lead of the consecutive origins ``at``, (origins, leads, lead_width)."""
        leads = len(self._leads)
        taps = history.series.take(self._tapped(at)[:, len(self._origin_taps) :])
        then, now = taps[:, :-3].reshape(len(at), leads, -1), taps[:, None, -3:]
        increments = then[..., :3] - now
        hour_before, before, middle, after, hour_after = np.moveaxis(then[..., 3:], 2, 0)
        target = self._targets(at) - self._table_start
        calendar = self._table.target[target]

        rows = np.empty((len(at), leads, self.lead_width))
        rows[..., :3] = increments
        np.multiply(increments[..., :1], calendar[..., :3], out=rows[..., 3:6])
        np.subtract(after, before, out=rows[..., 6])
        rows[..., 7] = hour_after + hour_before - 2.0 * middle
        rows[..., 8:_LEAD_LOADS] = _products(increments[..., :2], self._table.harmonics[target])
        rows[..., _LEAD_LOADS:] = calendar
        return rows

    def plan(self, beta: Floats, gamma: Floats, limit: Floats) -> DayPlan:
        """Return what the weights make of today's calendar.

        Parameters
        ----------
        beta, gamma
            The weights of an origin's row and of its leads', (weights, windows, leads, origin_width) and
            (weights, windows, leads, lead_width).
        limit
            The largest size of each difference of loads, (load_width,).
        """
        day, (weights, count, leads, _) = self._grid.day, beta.shape
        slots = np.arange(day - self._beyond, 2 * day + self._beyond)
        share = windows(day, count, self.ahead_steps).share[slots % day]
        of_loads = beta[..., : self._products_end].swapaxes(1, 2).reshape(weights * leads, -1)
        of_calendar = _blended(share, beta[..., self._products_end :])
        gamma = _blended(share, gamma)
        target = self._targets(slots + self._table_start) - self._table_start
        calendar, harmonics = self._table.target[target][:, None], self._table.harmonics[target][:, None]
        slope, curvature = gamma[..., 6], gamma[..., 7]

        of_taps = np.empty((len(slots), weights, leads, 3 + _AROUND))
        of_taps[..., 0] = gamma[..., 0] + np.vecdot(calendar[..., :3], gamma[..., 3:6])
        of_taps[..., 0] += np.vecdot(harmonics, gamma[..., 8:12])
        of_taps[..., 1] = gamma[..., 1] + np.vecdot(harmonics, gamma[..., 12:_LEAD_LOADS])
        of_taps[..., 2] = gamma[..., 2]
        of_taps[..., 3:] = np.stack((curvature, -slope, -2.0 * curvature, slope, curvature), axis=-1)
        constant = np.vecdot(self._table.origin[slots, None, None], of_calendar)
        return DayPlan(
            of_loads=of_loads,
            of_taps=of_taps,
            constant=constant + np.vecdot(calendar, gamma[..., _LEAD_LOADS:]),
            low=-limit,
            high=limit.copy(),
            share=share[..., None],
        )

    def answer(self, plan: DayPlan, history: DayWindow, at: int, count: int) -> Floats:
        """Return what the weights of the plan say of origins of its day, (count, weights, leads): x' beta + z' gamma.

        The rows x and z are those of :meth:`origin_rows` and :meth:`lead_rows`, never written out. An origin's numbers
        do not depend on how many are answered with it.

        Where the clock is changed before a target, the weights see the load from the other side of the change, an hour
        later or earlier: from there the clock goes to the target as it does on an ordinary day.
        """
        answer = self._answered(plan, history, at, count)
        if self._same_time is not None and self._beyond:
            turned = self._same_time.turned_between(np.array((at,)), at + self._leads)
            for steps in set(turned.tolist()) - {0}:
                answer[:, :, turned == steps] = self._answered(plan, history, at + steps, 1)[:, :, turned == steps]
        return answer

    def _answered(self, plan: DayPlan, history: DayWindow, at: int, count: int) -> Floats:
        slot, origin_taps = at - self._today + self._beyond, len(self._origin_taps)
        now = slice(slot, slot + count)
        taps = history.series.take(self._tapped(np.arange(at, at + count)))
        row = np.empty((count, self._products_end))
        loads, products = row[:, : self.load_width], row[:, self.load_width :]
        np.matvec(self._differences, taps[:, :origin_taps], out=loads)
        np.minimum(np.maximum(loads, plan.low, out=loads), plan.high, out=loads)
        harmonics = self._table.harmonics[self._grid.day - self._beyond :][now]
        products[:] = _products(loads.take(self._driving, axis=1), harmonics)
        around = taps[:, origin_taps:-3].reshape(count, 1, len(self._leads), -1)
        around[..., :3] -= taps[:, None, None, -3:]
        by_window = (plan.share[now] * row[:, None]).reshape(count, -1)
        answer: Floats = np.matvec(plan.of_loads, by_window).reshape(count, *plan.constant.shape[1:])
        answer += np.vecdot(plan.of_taps[now], around)
        answer += plan.constant[now]
        return answer

    def _targets(self, at: Steps) -> Steps:
        """Return the places of the targets that the rows of these origins describe, (origins, leads).

        Weights know the clock as it goes on an ordinary day: those of a lead belong to the time that it shows so much
        later.
        """
        if self._same_time is None:
            return at[:, None] + self._leads
        return self._same_time.after(at[:, None], self._leads)

    def _tapped(self, at: Steps) -> Steps:
        """Return where the numbers stand in the flattened series that the rows of these origins are made of."""
        taps: Steps = at[:, None] + self._taps
        if self._same_time is not None:
            moved = np.zeros((len(at), 1 + len(self._leads)), dtype=np.int64)
            moved[:, 1:] = self._targets(at) - (at[:, None] + self._leads)
            taps += moved[:, self._lead_of]
            of_time = taps[:, self._dated] + self._grid.day * self._days
            same = self._same_time.before(of_time, self._days)
            taps[:, self._dated] = np.minimum(same, at[:, None])  # of a time shown twice, not what is yet to come
        return taps


def _blended(share: Floats, weights: Floats) -> Floats:
    """Return the weights of each step of a day, (day, weights, ...), from those of windows, (weights, windows, ...)."""
    by_window = weights.swapaxes(0, 1)
    blended: Floats = share @ by_window.reshape(len(by_window), -1)
    return blended.reshape(len(share), *by_window.shape[1:])


def _differences(lags: int, deviation_lags: int, widths: tuple[int, ...]) -> Floats:
    """Return the matrix that makes differences of loads from the taps of an origin.

    The taps are the load, its lags, the load and its three anchors at each lag of a deviation (the first is 0), and the
    sums of deviations up to now and up to as many steps ago as each average is wide.
    """
    taps = np.eye(1 + lags + 4 * deviation_lags + 1 + len(widths))
    load, lagged, rest = taps[:1], taps[1 : 1 + lags], taps[1 + lags :]
    levels, sums = rest[: 4 * deviation_lags].reshape(4, deviation_lags, -1), rest[4 * deviation_lags :]
    deviations = levels[0] - levels[1:]
    changes = deviations[:, :1] - deviations[:, 1:]
    averages = (sums[:1] - sums[1:]) / np.array(widths)[:, None] - deviations[0, :1]
    return np.concatenate((load - lagged, deviations[0, :1], changes.reshape(-1, len(taps)), averages))
