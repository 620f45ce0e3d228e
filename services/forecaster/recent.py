"""The last clean readings of a site: what a model that takes over folds, to be where the one before it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.forecasting.state import refuse_misfit
from shared.forecasting.weather import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading
    from shared.sites.grid import Grid
    from shared.sites.site import Site

__all__ = ["RecentReadings", "Rows"]

NONE = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Rows:
    """Clean readings of a site as arrays, one row a reading.

    Attributes
    ----------
    steps
        Of ``Grid.step_of``, shape (n,).
    weather
        The columns of ``shared.forecasting.weather.COLUMNS``, shape (n, 5); NaN where there is no value. Shape (n, 0)
        where the site has no weather.
    demand_kw
        The load of each zone, shape (n, zones); NaN where there is no value.
    """

    steps: NDArray[np.int64]
    weather: NDArray[np.float64]
    demand_kw: NDArray[np.float64]

    @classmethod
    def of(
        cls, grid: Grid, loads: Sequence[str], readings: Sequence[CleanReading], weather: Sequence[str] = COLUMNS
    ) -> Self:
        """Return the rows of readings, with these loads and weather fields: all of ``COLUMNS``, or none."""
        return cls(
            np.array([grid.step_of(reading.time) for reading in readings], dtype=np.int64),
            np.array([[_number(reading.values.get(field)) for field in weather] for reading in readings]),
            np.array([[_number(reading.values.get(field)) for field in loads] for reading in readings]),
        )

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Rows:
        return Rows(self.steps[which], self.weather[which], self.demand_kw[which])

    def of_zone(self, column: int) -> Rows:
        """Return the rows with the load of one zone, given by its column."""
        return Rows(self.steps, self.weather, self.demand_kw[:, column : column + 1])

    def parts(self, length: int) -> Iterator[Rows]:
        """Yield the rows in pieces of at most ``length``."""
        for first in range(0, len(self), length):
            yield self[first : first + length]


class RecentReadings:
    """A ring buffer of the last clean readings of a site; a model that takes over folds them to catch up.

    Parameters
    ----------
    site
        Of the readings. The ring holds the weather fields that it publishes, and the loads of the zones to forecast.
    span
        Time that the ring covers, back from the newest reading.
    """

    def __init__(self, site: Site, span: timedelta) -> None:
        self.length = span // site.grid.length
        self._day = min(site.grid.day, self.length)
        self.days = 0
        """Counts the UTC days of the readings that came; where it changes, `large_state` must be written again."""
        self._columns = [column for column, field in enumerate(COLUMNS) if field in site.weather]
        self._steps = np.full(self.length, NONE)
        self._weather = np.full((self.length, len(self._columns)), math.nan)
        self._demand_kw = np.full((self.length, len(site.zones)), math.nan)
        self._ends = np.array([NONE, NONE])  # the first and the last step that were ever added

    @property
    def last_step(self) -> int | None:
        """The step of the newest reading, None before the first."""
        return None if self._ends[1] == NONE else int(self._ends[1])

    def add(self, rows: Rows) -> None:
        """Add readings; one that is not newer than all before it is ignored, as the models do."""
        last = int(self._ends[1])
        steps = rows.steps.tolist()
        if not all(before < step for before, step in pairwise((last, *steps))):
            rows = rows[rows.steps > np.maximum.accumulate(np.concatenate((self._ends[1:], rows.steps[:-1])))]
            steps = rows.steps.tolist()
        if not steps:
            return
        self.days += steps[-1] // self._day != last // self._day
        if last == NONE:
            self._ends[0] = steps[0]
        self._ends[1] = steps[-1]
        if steps[-1] - steps[0] >= self.length:
            rows = rows[rows.steps > steps[-1] - self.length]
        self._hold(rows)

    def _hold(self, rows: Rows) -> None:
        """Store rows of rising steps; consecutive ones that do not wrap around are stored as one slice."""
        steps, first = rows.steps, int(rows.steps[0])
        begin, count = first % self.length, len(rows)
        is_slice = steps[-1] - first == count - 1 and begin + count <= self.length
        places = slice(begin, begin + count) if is_slice else steps % self.length
        self._steps[places] = steps
        self._demand_kw[places] = rows.demand_kw
        if self._columns:
            self._weather[places] = rows.weather[:, self._columns]

    def after(self, step: int) -> Rows:
        """Return the readings after a step in order of time."""
        held = np.flatnonzero(self._steps > max(step, int(self._ends[1]) - self.length))
        held = held[np.argsort(self._steps[held])]
        weather = np.full((len(held), len(COLUMNS)), math.nan)
        weather[:, self._columns] = self._weather[held]
        return Rows(self._steps[held], weather, self._demand_kw[held])

    def follows(self, step: int) -> bool:
        """Tell whether the ring has every reading after a step, the first of them within the span after it.

        An empty ring has.
        """
        first, last = (int(end) for end in self._ends)
        if first == NONE:
            return True
        forgets = first <= last - self.length
        return step >= (last if forgets else first) - self.length

    def large_state(self) -> dict[str, NDArray[Any]]:
        """Return the whole ring as arrays by name; no copies.

        A snapshot may hold an older one than its `moving_state`, where `days` was the same for both.
        """
        return {"steps": self._steps, "weather": self._weather, "demand_kw": self._demand_kw}

    def moving_state(self) -> dict[str, NDArray[Any]]:
        """Return as arrays by name what each reading of a day changes: the rows of the last day, and both end steps."""
        rows = {name: array[self._last_day] for name, array in self.large_state().items()}
        return {**rows, "ends": self._ends}

    @property
    def _last_day(self) -> NDArray[np.int64]:
        places: NDArray[np.int64] = (self._ends[1] - np.arange(self._day)) % self.length
        return places

    def resume(self, large: Mapping[str, NDArray[Any]], moving: Mapping[str, NDArray[Any]]) -> None:
        """Restore the ring; raises ``ValueError`` that names the array that does not fit."""
        refuse_misfit(large, self.large_state())
        refuse_misfit(moving, self.moving_state())
        self._ends[...] = moving["ends"]
        for name, array in self.large_state().items():
            array[...] = large[name]
            array[self._last_day] = moving[name]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
