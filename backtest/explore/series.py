"""The clean readings of a file, laid out on the grid of their site: what every look at a file begins with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.data.errors import DataError
from shared.data.year import NO_STEP
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.data.year import Year
    from shared.sites.calendar import Clock
    from shared.sites.grid import Grid
    from shared.sites.site import Site

__all__ = ["CleanSeries", "Numbers", "day_means"]

Numbers = NDArray[np.float64]

ENOUGH = 0.8  # of the hours of a day: with fewer its mean may be that of the night alone


@dataclass(frozen=True, eq=False)
class CleanSeries:
    """Clean readings on the grid of their site, from the first to the last.

    Attributes
    ----------
    site
        Whose they are.
    first_step
        The step index of the first place.
    has_reading
        Whether there is a reading, shape (steps,).
    by_field
        The values of each field: NaN where there is no reading, or none of the field; shape (steps,).
    """

    site: Site
    first_step: int
    has_reading: NDArray[np.bool_]
    by_field: Mapping[str, Numbers]

    @classmethod
    def of(cls, year: Year, passed: NDArray[np.bool_]) -> Self:
        """Lay out the rows of a year that the ingestor has passed on, shape (rows,); rows far away are left out.

        Raises `DataError` where there is none.
        """
        steps = year.steps
        rows = np.flatnonzero(passed & year.together & (steps != NO_STEP))
        if not rows.size:
            raise DataError(f"{year.label}: no row is a reading: run `tetouan clean` on the file, which says why")
        first = int(steps[rows].min())
        places = steps[rows] - first
        has_reading = np.zeros(int(places.max()) + 1, np.bool_)
        has_reading[places] = True
        values = {}
        for field in year.site.fields:
            laid_out = np.full(has_reading.size, np.nan)
            laid_out[places] = year.values(field)[rows]
            values[field] = laid_out
        return cls(year.site, first, has_reading, values)

    @property
    def grid(self) -> Grid:
        """The arithmetic of the steps."""
        return self.site.grid

    @property
    def loads(self) -> dict[str, Numbers]:
        """The loads in kW by field, those without any value left out."""
        fields = map(load_field, self.site.load_zones)
        return {field: self.by_field[field] for field in fields if np.isfinite(self.by_field[field]).any()}

    @property
    def weather(self) -> dict[str, Numbers]:
        """The weather by field, that without any value left out."""
        return {field: self.by_field[field] for field in self.site.weather if np.isfinite(self.by_field[field]).any()}

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """The step index of each place."""
        return self.first_step + np.arange(self.has_reading.size)

    @cached_property
    def clock(self) -> Clock:
        """Date, minute and weekday of each place by the clock of the site."""
        return self.site.calendar.clock(self.steps, self.grid.step_minutes)

    @cached_property
    def local_times(self) -> pd.DatetimeIndex:
        """The time of each place, on the clock of the site with its offset."""
        return self.grid.times_of(self.steps).tz_convert(self.site.time_zone)

    @cached_property
    def dates(self) -> pd.DatetimeIndex:
        """The local dates that the readings cover, without a zone, by rising date."""
        return pd.DatetimeIndex(np.unique(self.clock.date).astype("datetime64[D]").astype("datetime64[s]"))

    @property
    def days(self) -> float:
        """How many days the readings cover."""
        return self.has_reading.size / self.grid.day

    def shown(self, place: int) -> str:
        """Return the time of a place as people read it, with the offset of the clock."""
        return f"{self.local_times[place]:%Y-%m-%d %H:%M %z}"


def day_means(series: CleanSeries, values: Numbers) -> Numbers:
    """Return the mean of the hours of each local date, NaN where fewer than 80 % have a value; (dates,)."""
    _, day = np.unique(series.clock.date, return_inverse=True)
    known, hour = np.isfinite(values), 24 * day + series.clock.minute // 60
    shape = len(series.dates), 24
    counts = np.bincount(hour[known], minlength=24 * shape[0]).reshape(shape)
    sums = np.bincount(hour[known], weights=values[known], minlength=24 * shape[0]).reshape(shape)
    hours = np.count_nonzero(counts, axis=1)
    means = (sums / np.maximum(counts, 1)).sum(axis=1) / np.maximum(hours, 1)
    return np.where(hours >= ENOUGH * 24, means, np.nan)
