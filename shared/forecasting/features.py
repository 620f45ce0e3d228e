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
from shared.forecasting.history import BLEND, DAYS_BACK, LATE_MEAN, LOAD, MEAN, History, Resolution, window_steps

if TYPE_CHECKING:
    from shared.forecasting.calendar import Calendar

__all__ = ["Features", "grid_leads", "interpolation"]

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

_MONDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 4, 5, 6
_GRID_MINUTES = (10, 20, 30, 60, 90, 120, 180, 240, 360, 540, 720, 960, 1200, 1440)
_LAG_MINUTES = (10, 20, 30, 40, 60, 90, 120, 180, 360, 720)
_LAG_DAYS = (1, 2, 7, 14)
_DEVIATION_MINUTES = (10, 20, 30, 60, 120, 360)
_AVERAGE_MINUTES = (60, 360, 1440)
_ORIGIN_CALENDAR, _TARGET_CALENDAR = 33, 20  # columns of a day's table
_LEAD_LOADS = 16


def grid_leads(resolution: Resolution, horizon_steps: int) -> Steps:
    """Return the leads that have weights of their own: dense at first, the first and the last always among them."""
    steps = resolution.steps(*_GRID_MINUTES)
    return np.array(sorted({1, horizon_steps, *(lead for lead in steps if lead < horizon_steps)}), dtype=np.int64)


def interpolation(leads: Steps, horizon_steps: int) -> Floats:
    """Return the matrix, (horizon, grid leads), that spreads values on the grid linearly over all leads."""
    hats = [np.interp(np.arange(1, horizon_steps + 1), leads, hat) for hat in np.eye(len(leads))]
    return np.ascontiguousarray(np.stack(hats, axis=1))


class _DayTable(NamedTuple):
    """The calendar columns of one UTC day, a row a step."""

    origin: Floats  # (day, 33): 1, six daily harmonics, {Fri Sat Sun Mon} x (1, two harmonics)
    target: Floats  # (day, 20): Sat Sun Mon Fri, four holiday flags, {three holidays, Sat Sun Mon} x one harmonic
    harmonics: Floats  # (day, 4): sin, cos of once and twice a day
    hour: Steps  # (day,): local hour
    kind: Steps  # (day,): kind of day, as the climatology counts them


@lru_cache(maxsize=32)
def _day_table(calendar: Calendar, resolution: Resolution, day: int) -> _DayTable:
    """Return the calendar columns of a day, counted from the epoch."""
    steps, minutes = day * resolution.day + np.arange(resolution.day), resolution.step_minutes
    minute = calendar.minute_of_day(steps, minutes)
    angle = 2.0 * np.pi / 1440.0 * minute[:, None] * np.arange(1, 7)
    waves = np.stack((np.sin(angle), np.cos(angle)), axis=2).reshape(-1, 12)
    constant, twice = np.ones((resolution.day, 1)), waves[:, :4]
    kind = calendar.weekday(steps, minutes)
    weekday = kind[:, None]
    from_friday = (weekday == (_FRIDAY, _SATURDAY, _SUNDAY, _MONDAY)).astype(np.float64)
    weekend = (weekday == (_SATURDAY, _SUNDAY, _MONDAY, _FRIDAY)).astype(np.float64)
    holiday = np.stack([calendar.holiday(steps, minutes, days_later=days) for days in (0, -1, -7, 1)], axis=1) * 1.0
    special = np.hstack((holiday[:, :3], weekend[:, :3]))
    return _DayTable(
        origin=np.hstack((constant, waves, _products(from_friday, np.hstack((constant, twice))))),
        target=np.hstack((weekend, holiday, _products(special, waves[:, :2]))),
        harmonics=twice,
        hour=minute // 60,
        kind=np.where(holiday[:, 0] > 0.0, HOLIDAY, kind),
    )


def _products(left: Floats, right: Floats) -> Floats:
    """Return every column of ``left`` times every column of ``right``, in that order."""
    return (left[..., :, None] * right[..., None, :]).reshape(*left.shape[:-1], -1)


class Features:
    """Builds the rows of the regression from a window of load, for one origin or for a block of consecutive ones.

    The anchors of a time are what the past alone says about it: the load a day before, a week before, and the mean of
    the seven days before. A deviation is the load minus an anchor; an increment is how far an anchor moves from the
    origin t to the target t + h.

    Of an origin (``origin_width`` columns, 93 at ten minutes):

    - the load minus its lags from ten minutes to twelve hours, and of 1, 2, 7 and 14 days;
    - its deviation from the mean; all three deviations minus their own lags; averages of the first over up to a day;
    - the last changes and the deviations times two daily harmonics;
    - the calendar: a constant, six daily harmonics, the days around the weekend.

    Of a lead (``lead_width`` columns, 36), at its target:

    - the increments; that of the mean on the weekend; slope and curvature of the mean without yesterday;
    - those of the week and of the mean times two daily harmonics;
    - weekdays and holidays, alone and with a daily harmonic.
    """

    def __init__(self, calendar: Calendar, resolution: Resolution, leads: Steps, horizon_steps: int) -> None:
        self._calendar, self._resolution, self._leads, self._horizon = calendar, resolution, leads, horizon_steps
        day, row = resolution.day, window_steps(resolution)
        self._table_start = (DAYS_BACK - 1) * day
        lags = np.array((*resolution.steps(*_LAG_MINUTES), *(day * days for days in _LAG_DAYS)))
        deviation_lags = np.array((0, *resolution.steps(*_DEVIATION_MINUTES)))
        anchors = np.array((MEAN * row, LOAD * row - 7 * day, LOAD * row - day))
        half_hour, hour = resolution.steps(30)[0], resolution.steps(60)[0]
        around = LATE_MEAN * row + np.array((-hour, -half_hour, 0, half_hour, hour))

        # a tap is where a number stands in the flattened series, relative to the origin in the first row
        self._lags, self._deviation_lags = len(lags), len(deviation_lags)
        self._origin_taps = np.concatenate(
            (
                (LOAD * row,),
                LOAD * row - lags,
                LOAD * row - deviation_lags,
                np.subtract.outer(anchors, deviation_lags).flat,
            )
        )
        self._target_taps = np.concatenate(
            (np.add.outer(anchors, leads).flat, anchors, np.add.outer(around, leads).flat)
        )
        self._widths = np.array(resolution.steps(*_AVERAGE_MINUTES))
        self._reach = np.concatenate(((0,), leads))

        # columns of an origin's row: those that a harmonic multiplies, and where each group of columns ends
        mean, day_ago, week_ago = self._lags, self._lags - 4, self._lags - 2
        mean_hour_ago = mean + int(np.searchsorted(deviation_lags, hour))
        self._driving = np.array((0, mean, mean + 1, mean_hour_ago, day_ago, week_ago))
        self._deviations = mean + 1 + 3 * (self._deviation_lags - 1)
        self._averages = self._deviations + len(self._widths)
        self.load_width = self._averages + 4 * len(self._driving)
        self.origin_width = self.load_width + _ORIGIN_CALENDAR
        self.lead_width = _LEAD_LOADS + _TARGET_CALENDAR

    def turn_to(self, today: int) -> None:
        """Look up the calendar of the day (counted from the epoch), of the one before and of the one after."""
        days = [_day_table(self._calendar, self._resolution, day) for day in (today - 1, today, today + 1)]
        self._table = _DayTable(*(np.concatenate(columns) for columns in zip(*days, strict=True)))

    def hour(self, at: int) -> int:
        """Return the local hour of the day there."""
        return int(self._table.hour[at - self._table_start])

    def kind(self, at: int) -> int:
        """Return the kind of day there."""
        return int(self._table.kind[at - self._table_start])

    def kinds(self, at: Steps) -> Steps:
        """Return the kinds of day there."""
        kinds: Steps = self._table.kind[at - self._table_start]
        return kinds

    def target_hours(self, at: int) -> Steps:
        """Return the local hours of all targets of the origin, (horizon,)."""
        first = at - self._table_start + 1
        return self._table.hour[first : first + self._horizon]

    def base(self, history: History, at: int) -> Floats:
        """Return what the shape of the last days alone foretells for all leads of the origin, (horizon,)."""
        shape = history.series[BLEND]
        base: Floats = shape[at + 1 : at + 1 + self._horizon] + (history.series[LOAD, at] - shape[at])
        return base

    def labels(self, history: History, at: Steps) -> Floats:
        """Return what the base left unexplained at the targets of the origins, (origins, leads)."""
        load, shape = history.series[LOAD], history.series[BLEND]
        target, origin = at[:, None] + self._leads, at[:, None]
        labels: Floats = (load[target] - load[origin]) - (shape[target] - shape[origin])
        return labels

    def untouched(self, history: History, at: Steps) -> NDArray[np.bool_]:
        """Tell which origins and all their targets are good readings.

        What is filled among the lags was forecast from one step before, and does no harm.
        """
        good: NDArray[np.bool_] = np.logical_and.reduce(~history.filled[at[:, None] + self._reach], axis=1)
        return good

    def origin_rows(self, history: History, at: Steps) -> Floats:
        """Return one row for each of the consecutive origins ``at``, (origins, origin_width)."""
        taps = history.series.take(at[:, None] + self._origin_taps)
        first, last = 1 + self._lags, 1 + self._lags + self._deviation_lags
        deviations = taps[:, None, first:last] - taps[:, last:].reshape(len(at), 3, -1)
        now = deviations[:, 0, :1]
        calendar = self._table.origin[at[0] - self._table_start :][: len(at)]

        rows = np.empty((len(at), self.origin_width))
        np.subtract(taps[:, :1], taps[:, 1:first], out=rows[:, : self._lags])
        rows[:, self._lags] = now[:, 0]
        changes = rows[:, self._lags + 1 : self._deviations].reshape(len(at), 3, -1)
        np.subtract(deviations[:, :, :1], deviations[:, :, 1:], out=changes)
        np.subtract(self._recent_means(history, at), now, out=rows[:, self._deviations : self._averages])
        rows[:, self._averages : self.load_width] = _products(rows[:, self._driving], calendar[:, 1:5])
        rows[:, self.load_width :] = calendar
        return rows

    def _recent_means(self, history: History, at: Steps) -> Floats:
        """Return the means of the deviation from the mean over the last hour, six hours and day."""
        start = at[0] - self._resolution.day
        span = slice(start, at[-1] + 1)
        total = np.add.accumulate(history.series[LOAD, span] - history.series[MEAN, span])
        position = at[:, None] - start
        means: Floats = (total[position] - total[position - self._widths]) / self._widths
        return means

    def lead_rows(self, history: History, at: Steps) -> Floats:
        """Return one row for each lead of the consecutive origins ``at``, (origins, leads, lead_width)."""
        leads = len(self._leads)
        taps = history.series.take(at[:, None] + self._target_taps)
        then, now, around = taps[:, : 3 * leads], taps[:, 3 * leads : 3 * leads + 3], taps[:, 3 * leads + 3 :]
        increments = (then.reshape(len(at), 3, leads) - now[:, :, None]).swapaxes(1, 2)
        hour_before, before, middle, after, hour_after = around.reshape(len(at), 5, leads).swapaxes(0, 1)
        target = at[:, None] - self._table_start + self._leads
        calendar = self._table.target[target]

        rows = np.empty((len(at), leads, self.lead_width))
        rows[..., :3] = increments
        np.multiply(increments[..., :1], calendar[..., :3], out=rows[..., 3:6])
        np.subtract(after, before, out=rows[..., 6])
        rows[..., 7] = hour_after + hour_before - 2.0 * middle
        rows[..., 8:_LEAD_LOADS] = _products(increments[..., :2], self._table.harmonics[target])
        rows[..., _LEAD_LOADS:] = calendar
        return rows
