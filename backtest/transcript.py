"""What went over the wire for one zone, laid out by origin: what a score table is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backtest.roomy import RoomyArray
from shared.forecasting.resolution import Resolution
from shared.forecasting.same_time import SameTime, same_time
from shared.forecasting.scores import issued_kw, load_kw
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading, Forecast
    from shared.sites.calendar import Calendar

__all__ = ["Transcript"]

LET_GO_ROWS = 4096


class Transcript:
    """The readings of one zone in [history_from, until) and its forecasts with an origin in [test_from, until).

    Messages come one by one in any order; those of other times are passed over. The first forecast of an origin counts.

    Attributes
    ----------
    demand_kw
        The load, NaN where it was not read, null or flagged; shape (history + rows,).
    issued_kw
        Median, low and high end of the 90 % interval, NaN where there is none; shape (rows, 3, leads). The rows of one
        lead lie together, as scores are by lead, and those of a long file lie on the disk.
    weather_estimate_kw
        NaN where there is none; shape (rows,).
    duplicates
        How many forecasts repeated an origin.
    start_step
        The step index of ``test_from``.
    """

    def __init__(
        self,
        zone: int,
        test_from: datetime,
        until: datetime,
        step_minutes: int,
        history_from: datetime | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self.zone = zone
        self._calendar = calendar
        self.test_from = test_from
        grid = self._grid = Grid(step_minutes)
        self.steps_per_day = grid.day
        self.step_minutes = step_minutes
        self.start_step = grid.step_of(test_from)
        first = test_from if history_from is None else min(test_from, history_from)
        self._first = grid.step_of(first)
        self.rows = grid.step_of(until) - self.start_step
        if self.rows < 1:
            raise ValueError(f"until: {until} is not after {test_from}; choose a later end")
        self.demand_kw = np.full(self.start_step - self._first + self.rows, np.nan)
        self._issued = RoomyArray((3, self.steps_per_day, self.rows))
        self.issued_kw = self._issued.values.transpose(2, 0, 1)
        self._largest_issued_kw = 0.0
        self.weather_estimate_kw = np.full(self.rows, np.nan)
        self.duplicates = 0
        self._read = np.zeros(self.rows, np.bool_)

    def add_reading(self, reading: CleanReading) -> None:
        """Keep a reading; raises ``ValueError`` where it lacks the zone or has another ``step_minutes``."""
        step = self._step(reading.time, reading.step_minutes)
        if 0 <= step - self._first < self.demand_kw.size:
            self.demand_kw[step - self._first] = load_kw(reading, self.zone)
        if 0 <= step - self.start_step < self.rows:
            self._read[step - self.start_step] = True

    def add_forecast(self, forecast: Forecast) -> None:
        """Keep a forecast, or count it when its origin has one.

        Raises ``ValueError`` where it is of another zone or ``step_minutes``, or lacks a lead or the 90 % interval.
        """
        if forecast.zone != self.zone:
            raise ValueError(f"zone: a forecast of zone {forecast.zone} in the transcript of zone {self.zone}")
        row = self._step(forecast.origin, forecast.step_minutes) - self.start_step
        if not 0 <= row < self.rows:
            return
        if not np.isnan(self.issued_kw[row, 0, 0]):
            self.duplicates += 1
            return
        issued = issued_kw(forecast)
        self.issued_kw[row] = issued
        self._largest_issued_kw = max(self._largest_issued_kw, float(np.abs(issued).max()))
        if row % LET_GO_ROWS == 0:
            self._issued.let_go()
        if forecast.weather_estimate_kw is not None:
            self.weather_estimate_kw[row] = forecast.weather_estimate_kw

    @property
    def history(self) -> int:
        """How many rows lie before ``test_from``."""
        return self.demand_kw.size - self.rows

    @property
    def has_forecast(self) -> NDArray[np.bool_]:
        """Which origins have a forecast, (rows,)."""
        has: NDArray[np.bool_] = ~np.isnan(self.issued_kw[:, 0, 0])
        return has

    def same_time(self, first_row: int) -> SameTime | None:
        """Return which times from a row on are the same by the clock of the site, None where it is not changed."""
        if self._calendar is None:
            return None
        count = self.demand_kw.size - first_row + self.steps_per_day
        return same_time(self._calendar, self._grid, self._first + first_row, count)

    def resolution(self) -> Resolution:
        """Return the resolution in which the forecasts are scored: as on the stream, that of the first day of load."""
        found = Resolution.of_first_day(self.demand_kw[self.history :], self.steps_per_day)
        return found.covering(self._largest_issued_kw)

    def pairs(self, lead: int, resolution: Resolution) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the readings and the forecasts of a lead, shapes (pairs,) and (3, pairs), by rising target.

        They are multiples of the resolution, ``ABSENT`` where there is none. The targets are the last ``rows`` -
        ``lead`` rows, so that origin and target both lie in [test_from, until).
        """
        origins = max(0, self.rows - lead)
        actual_kw, issued_kw = self.demand_kw[self.demand_kw.size - origins :], self.issued_kw[:origins, :, lead - 1].T
        pairs = resolution.multiples(actual_kw), resolution.multiples(issued_kw)
        self._issued.let_go()
        return pairs

    @property
    def answered(self) -> int:
        """How many origins have a forecast."""
        return int(np.count_nonzero(self.has_forecast))

    @property
    def last_read(self) -> int:
        """The row of the newest reading, whatever its load; -1 before the first."""
        read = np.flatnonzero(self._read)
        return int(read[-1]) if read.size else -1

    def missing(self) -> list[datetime]:
        """Return the times in [test_from, until) that have a reading and no forecast."""
        rows = np.flatnonzero(self._read & ~self.has_forecast)
        return [self._grid.time_of(self.start_step + int(row)) for row in rows]

    def _step(self, time: datetime, step_minutes: int) -> int:
        if step_minutes != self.step_minutes:
            raise ValueError(f"step_minutes: {step_minutes} in a transcript of {self.step_minutes}; keep it on its own")
        return self._grid.step_of(time)
