"""The last days of load, and what they alone say about the next ones."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.same_time import same_time
from shared.forecasting.size import median_size_kw

if TYPE_CHECKING:
    from shared.forecasting.method import BlendConstants
    from shared.sites.calendar import Calendar
    from shared.sites.grid import Grid

__all__ = [
    "BLEND",
    "DAYS_AHEAD",
    "DAYS_BACK",
    "DEVIATION",
    "ESTIMATE",
    "LATE_MEAN",
    "LOAD",
    "MEAN",
    "DayWindow",
    "window_steps",
]

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

DAYS_BACK = 15  # a row of the day before looks back a fortnight
DAYS_AHEAD = 2  # the late mean is known two days ahead

LOAD, MEAN, LATE_MEAN, BLEND, DEVIATION, ESTIMATE = range(6)
_OUT, _OUT_FOR_DAYS = 1, 2  # the marks of outages of up to a day, and of longer ones
_WEEK = 7


def window_steps(grid: Grid) -> int:
    """Return the length of the window: the days back, today and the days ahead."""
    return (DAYS_BACK + 1 + DAYS_AHEAD) * grid.day


@dataclass
class DayWindow:
    """A window of whole days around today that moves on at midnight (UTC), so that a lag is a plain index.

    The same time of another day is that of the site's clock. As long as the clock is changed nowhere in the window, and
    ``same_time`` is None, that is a plain index as well.

    ``series`` has six rows over 15 days back, today and two days ahead:

    - ``LOAD``: the load in kW, up to the last reading;
    - ``MEAN``: the mean of the same time on the seven days before, known up to a day ahead;
    - ``LATE_MEAN``: the same without the last of them, known up to two days ahead;
    - ``BLEND``: shares of same time yesterday, same time last week, and ``MEAN``: the shape of the day to come;
    - ``DEVIATION``: the sum of all deviations from ``MEAN`` so far: the difference of two is a sum between them;
    - ``ESTIMATE``: what weather and calendar alone say, known up to a day ahead, NaN where there is none.

    In the first week the days that there are stand in for the seven; when it is over, it stands in for those before it.

    ``filled`` marks what is not a good reading: missing, refused, of an outage, or before the first one. ``out`` marks
    the hours of the outages that are over, those of a day or less apart from those of longer ones.
    """

    grid: Grid
    calendar: Calendar
    start: InitVar[int]
    blend: BlendConstants
    first_step: int = field(init=False)
    today: int = field(init=False)  # days since the epoch
    series: Floats = field(init=False)
    filled: NDArray[np.bool_] = field(init=False)
    out: NDArray[np.uint8] = field(init=False)

    def __post_init__(self, start: int) -> None:
        self.rewritten = 0  # how often the days before today have changed
        self.first_step, self.today = start, start // self.grid.day
        steps = window_steps(self.grid)
        self._week = -self.grid.day * np.arange(_WEEK - 1, -1, -1)[:, None]
        self.look_up_clock()
        self.series = np.zeros((6, steps))
        self.series[ESTIMATE] = np.nan
        self.filled = np.ones(steps, dtype=np.bool_)
        self.out = np.zeros(steps, dtype=np.uint8)

    def look_up_clock(self) -> None:
        """Look up whether and when the clock is changed in the window."""
        first_step = (self.today - DAYS_BACK) * self.grid.day
        self.same_time = same_time(self.calendar, self.grid, first_step, window_steps(self.grid))
        today = DAYS_BACK * self.grid.day
        self.clock_changes = self.same_time is not None and self.same_time.turned_from(today) > 0

    def index(self, step: int) -> int:
        """Return where the step stands in the window."""
        return step - (self.today - DAYS_BACK) * self.grid.day

    def has_day(self, step: int) -> bool:
        """Tell whether the step has a day before it, which the blend needs."""
        return step - self.first_step >= self.grid.day

    def has_week(self, step: int) -> bool:
        """Tell whether the step has a week before it, which the features need."""
        return step - self.first_step >= _WEEK * self.grid.day

    def load_kw(self, at: int) -> float:
        """Return the load there, zero before the first reading."""
        return float(self.series[LOAD, at])

    def range_kw(self, step: int) -> tuple[float, float]:
        """Return the lowest and the highest load up to the step; it is zero before the first reading."""
        past = self.series[LOAD, : self.index(step) + 1]
        return float(past.min()), float(past.max())

    def median_size_kw(self, step: int) -> float:
        """Return the median size of the good loads of the week up to the step, zero where there are none."""
        end = self.index(step) + 1
        week = slice(max(end - _WEEK * self.grid.day, self.index(self.first_step), 0), end)
        return median_size_kw(self.series[LOAD, week][self.good(week)])

    def next_day(self) -> None:
        """Move the window on by a day."""
        self.rewritten += 1
        day = self.grid.day
        self.today += 1
        self.series[:, :-day] = self.series[:, day:]
        self.series[:ESTIMATE, -day:] = 0.0
        self.series[ESTIMATE, -day:] = np.nan
        past = slice(DAYS_BACK * day)  # begun anew, that no sum grows for ever
        self.series[DEVIATION, past] = np.add.accumulate(self.series[LOAD, past] - self.series[MEAN, past])
        self.filled[:-day] = self.filled[day:]
        self.filled[-day:] = True
        self.out[:-day] = self.out[day:]
        self.out[-day:] = 0
        self.look_up_clock()

    def since_midnight(self) -> dict[str, NDArray[Any]]:
        """Return what readings of today change, by name: views of the arrays, from today on."""
        today = DAYS_BACK * self.grid.day
        return {"series": self.series[:, today:], "filled": self.filled[today:]}

    def append(self, step: int, loads_kw: Floats, *, filled: bool) -> None:
        """Take the loads from the step on, which lie within today, and write what they say about tomorrow.

        Of the first week and the reading after it, and where the clock is changed today or ahead, one at a time.
        """
        day, at, count = self.grid.day, self.index(step), len(loads_kw)
        now, load = slice(at, at + count), self.series[LOAD]
        load[now] = loads_kw
        changes = self.series[DEVIATION, at - 1 : at + count]
        changes[1:] = loads_kw - self.series[MEAN, now]
        np.add.accumulate(changes, out=changes)
        self.filled[now] = filled
        if self.same_time is None:
            self._anchor(step, at, loads_kw)
        else:
            if self.clock_changes:
                self._imagine_ahead(step, at)
                places = np.arange(at + 1, at + 2 * day + 1)
            else:
                places = np.add.outer((day, 2 * day), np.arange(at, at + count)).ravel()
            self._anchor_by_clock(places, step + count - 1)
        if step - self.first_step == _WEEK * day - 1:
            self._repeat_first_week(at)

    def _anchor(self, step: int, at: int, loads_kw: Floats) -> None:
        """Write what the loads from the step on say about the days after each of them."""
        day, count, load = self.grid.day, len(loads_kw), self.series[LOAD]
        days = min((step - self.first_step) // day + 1, _WEEK)
        week = load.take(self._week[-days:] + np.arange(at, at + count))
        # an accumulated sum adds in the same order, however many columns there are
        mean = np.add.accumulate(week)[-1] / days
        tomorrow = slice(at + day, at + day + count)
        self.series[MEAN, tomorrow] = mean
        late = np.add.accumulate(week[1:])[-1] / (days - 1) if days > 1 else mean
        self.series[LATE_MEAN, at + 2 * day : at + 2 * day + count] = late
        self.series[BLEND, tomorrow] = self._blended(loads_kw, week[0], mean)

    def _imagine_ahead(self, step: int, at: int) -> None:
        """Let the last load, moved along the shape, stand for the day ahead, of which it is what is known.

        Once the clock is put forward, the same time yesterday comes less than a day before.
        """
        now, ahead = self.series[:, at, None], self.series[:, at + 1 : at + 1 + self.grid.day]
        ahead[LOAD] = now[LOAD]
        if self.has_day(step):
            ahead[LOAD] += ahead[BLEND] - now[BLEND]
        ahead[DEVIATION] = now[DEVIATION] + np.add.accumulate(ahead[LOAD] - ahead[MEAN])

    def _anchor_by_clock(self, places: Steps, until: int) -> None:
        """Write what the loads up to the step ``until`` say about these places, each by the same time of the clock."""
        same_time, day = self.same_time, self.grid.day
        assert same_time is not None  # noqa: S101 - the caller has looked, tells the type checker
        begin = 0 if self.has_week(until) else self.index(self.first_step)
        days = np.arange(1, _WEEK + 1)[:, None]
        same = same_time.before(places, days)
        same = np.where(same < begin, places - day * days, same)
        known = same >= begin
        week = np.where(known, self.series[LOAD].take(same, mode="clip"), 0.0)
        sums, late_sums = (np.add.accumulate(loads)[-1] for loads in (week, week[1:]))
        count, late_count = known.sum(axis=0), known[1:].sum(axis=0)
        mean = sums / np.maximum(count, 1)
        first = week[np.maximum(count, 1) - 1, np.arange(len(places))]
        self.series[MEAN, places] = mean
        self.series[LATE_MEAN, places] = np.where(late_count > 0, late_sums / np.maximum(late_count, 1), mean)
        self.series[BLEND, places] = self._blended(week[0], first, mean)

    def day_before_kw(self, places: Steps) -> Floats:
        """Return the loads of the same time a day before these places, which may be a day ahead."""
        before = self.same_time.before(places, 1) if self.same_time else places - self.grid.day
        loads: Floats = self.series[LOAD].take(before)
        return loads

    def good(self, places: Steps | slice) -> NDArray[np.bool_]:
        """Tell where there are readings that teach something."""
        good: NDArray[np.bool_] = ~self.filled[places]
        return good

    def filled_steps(self, at: int, days: int) -> int:
        """Return how many of the readings of so many days up to there are none."""
        return int(np.count_nonzero(self.filled[at + 1 - days * self.grid.day : at + 1]))

    def foresee(self, step: int, weather_kw: float, count: int = 1) -> None:
        """Note what weather and calendar say of the time a day after the step, and of as many from there on."""
        tomorrow = self.index(step) + self.grid.day
        self.series[ESTIMATE, tomorrow : tomorrow + count] = weather_kw

    def foreseen_kw(self, step: int) -> float:
        """Return what weather and calendar say of the time a day after the step, NaN where nothing."""
        return float(self.series[ESTIMATE, self.index(step) + self.grid.day])

    def move(self, step: int, ratio: float, offset_kw: float, until: int) -> None:
        """Carry all before the step over to a new level of the load, ratio * load + offset.

        ``until`` is the last reading.
        """
        before = self.index(step)
        # what was foreseen since then was corrected by what had come
        for past in (self.series[LOAD, :before], self.series[ESTIMATE, : before + self.grid.day]):
            past[:] = ratio * past + offset_kw
        self._anchor_anew(self.index(until))

    def mark_out(self, onset_step: int, end: int) -> None:
        """Mark the steps before ``end`` as those of an outage."""
        kind = _OUT if end - onset_step <= self.grid.day else _OUT_FOR_DAYS
        self.out[max(self.index(onset_step), 0) : self.index(end)] = kind

    def share_out_before(self, onset_step: int, until: int) -> float:
        """Return of which share of the steps up to ``until`` the same time of one of the last seven days was out.

        An outage of more than a day tells its hours of the week alone, since it has all hours of the day.
        """
        hours = np.arange(self.index(onset_step), self.index(until) + 1)
        before = hours[:, None] - self.grid.day * np.arange(1, _WEEK + 1)
        kinds = np.where((before >= 0) & (before < hours[0]), self.out.take(before, mode="clip"), 0)
        was_out = (kinds == _OUT).any(axis=1) | (kinds[:, -1] == _OUT_FOR_DAYS)
        return float(was_out.mean())

    def mean_kw(self, first_step: int, until: int) -> float:
        """Return the mean load of the steps up to ``until``."""
        return float(self.series[LOAD, self.index(first_step) : self.index(until) + 1].mean())

    def risen_kw(self, onset_step: int, until: int) -> float:
        """Return how much higher the loads after a step, up to ``until``, are than those of the day before it."""
        return self.mean_kw(onset_step + 1, until) - self.mean_kw(onset_step - self.grid.day, onset_step - 1)

    def rewrite(self, first_step: int, loads_kw: Floats, until: int) -> None:
        """Let these readings stand in the window from a step on, but for NaN; ``until`` is the last reading."""
        first, known = self.index(first_step), ~np.isnan(loads_kw)
        places = slice(first, first + len(loads_kw))
        self.series[LOAD, places][known] = loads_kw[known]
        self.filled[places][known] = False
        self._anchor_anew(self.index(until))

    def _repeat_first_week(self, at: int) -> None:
        """Let the first week, which ends here, stand in for the days before it."""
        week = _WEEK * self.grid.day
        first = at + 1 - week
        earlier = np.arange(first)
        repeated = first + (earlier - first) % week
        if self.same_time is not None:
            same = self.same_time.after(earlier, repeated - earlier)
            repeated = np.where((same >= first) & (same <= at), same, repeated)
        self.series[LOAD, :first] = self.series[LOAD, repeated]
        self.filled[:first] = self.filled[repeated]
        self._anchor_anew(at)

    def _anchor_anew(self, at: int) -> None:
        """Write anew what the loads up to here say about the days after each of them."""
        self.rewritten += 1
        day, load = self.grid.day, self.series[LOAD]
        if self.same_time is None:
            self._anchor_all(at)
        else:
            step = at + (self.today - DAYS_BACK) * day
            self._anchor_by_clock(np.arange(_WEEK * day, at + 2 * day + 1), step)
        self.series[DEVIATION, : at + 1] = np.add.accumulate(load[: at + 1] - self.series[MEAN, : at + 1])

    def _anchor_all(self, at: int) -> None:
        """Write what the loads up to here say about the days after each of them."""
        day, load = self.grid.day, self.series[LOAD]
        first = (_WEEK - 1) * day
        count = at + 1 - first
        week = np.stack([load[days * day : days * day + count] for days in range(_WEEK)])
        mean, last = week.mean(axis=0), load[first : at + 1]
        self.series[MEAN, first + day : at + 1 + day] = mean
        self.series[LATE_MEAN, first + 2 * day : at + 1 + 2 * day] = week[1:].mean(axis=0)
        self.series[BLEND, first + day : at + 1 + day] = self._blended(last, week[0], mean)

    def _blended(self, day_kw: Floats, week_kw: Floats, mean_kw: Floats) -> Floats:
        """Return the shape a day after these loads, from those of six days before them and the mean of all seven."""
        blend = self.blend
        return blend.day * day_kw + blend.week * week_kw + blend.mean * mean_kw
