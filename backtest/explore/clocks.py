"""Whether the load, or the times of its readings, follow a clock that is put forward and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backtest.explore.series import CleanSeries, Numbers

__all__ = ["ClockChange", "clock_changes"]

DAYS = 7
FARTHEST_MINUTES = 120
ENOUGH = 0.5  # of the times of the day must be known on both sides


@dataclass(frozen=True)
class ClockChange:
    """A change of a clock, and by how much the course of the day of a load has moved with it in UTC.

    Attributes
    ----------
    time_zone
        Whose clock it is.
    when
        UTC, as people read it.
    turned_minutes
        By how much the clock was put forward; less than 0 where back. A load that follows it moves by as much the
        other way.
    moved_minutes
        By how much the mean course of the 7 days after is later than that of the 7 days before, in whole steps, by
        field.
    """

    time_zone: str
    when: str
    turned_minutes: int
    moved_minutes: Mapping[str, int]

    @property
    def followed(self) -> Mapping[str, bool]:
        """Whether each load has moved as one does that follows the clock rather than UTC."""
        return {field: abs(moved + self.turned_minutes) < abs(moved) for field, moved in self.moved_minutes.items()}


def clock_changes(series: CleanSeries) -> list[ClockChange]:
    """Return the changes of the clock of the site; where it has none, of the clock of its country."""
    for time_zone in (series.site.time_zone, *_zones_of(series.site.country)):
        turned = Calendar(None, time_zone).turned(series.steps, series.grid.step_minutes)
        places = np.flatnonzero(np.diff(turned)) + 1
        if places.size:
            return [_change(series, time_zone, int(place), int(turned[place] - turned[place - 1])) for place in places]
    return []


def _change(series: CleanSeries, time_zone: str, place: int, turned_steps: int) -> ClockChange:
    moved = {field: _moved(series, load_kw, place) for field, load_kw in series.loads.items()}
    return ClockChange(
        time_zone,
        f"{series.grid.time_of(series.first_step + place):%Y-%m-%d %H:%M} UTC",
        series.grid.minutes(turned_steps),
        {field: series.grid.minutes(steps) for field, steps in moved.items() if steps is not None},
    )


def _moved(series: CleanSeries, load_kw: Numbers, place: int) -> int | None:
    """Return by how many steps the day has moved at a place; None where too little of it is known."""
    day = series.grid.day
    before = _course(load_kw[max(0, place - DAYS * day) : place], series.first_step + max(0, place - DAYS * day), day)
    after = _course(load_kw[place : place + DAYS * day], series.first_step + place, day)
    if before is None or after is None:
        return None
    farthest = FARTHEST_MINUTES // series.grid.step_minutes
    moves = sorted(range(-farthest, farthest + 1), key=abs)  # of equal ones the smallest
    return min(moves, key=lambda steps: float(np.nansum((np.roll(before, steps) - after) ** 2)))


def _course(load_kw: Numbers, first_step: int, day: int) -> Numbers | None:
    """Return the mean load of each time of the day in UTC, less its mean and in units of its deviation, (day,)."""
    known, times = np.isfinite(load_kw), (first_step + np.arange(load_kw.size)) % day
    counts = np.bincount(times[known], minlength=day)
    if np.count_nonzero(counts) < ENOUGH * day:
        return None
    course = np.full(day, np.nan)
    np.divide(np.bincount(times[known], load_kw[known], minlength=day), counts, out=course, where=counts > 0)
    deviation = np.nanstd(course)
    return (course - np.nanmean(course)) / deviation if deviation > 0 else None


@cache
def _zones_of(country: str | None) -> tuple[str, ...]:
    """Return the time zones of a country, by the table of the IANA."""
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return tuple(cells[2] for cells in rows if cells[0] == country)
