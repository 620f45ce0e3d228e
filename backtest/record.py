"""What went over the wire for one zone, laid out by origin: what a score table is made from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.grid import Grid
from shared.forecasting.scores import ABSENT, actual_tenths, forecast_tenths, step_of, to_tenths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading, Forecast

__all__ = ["Record"]


class Record:
    """The readings of one zone in [history_from, until) and its forecasts with an origin in [test_from, until).

    Messages come one by one in any order; those of other times are passed over. The first forecast of an origin counts.

    Attributes
    ----------
    demand
        The load in tenths of kW, ``ABSENT`` where it was not read, null or flagged; int32, shape (history + rows,).
    issued
        Median, low and high end of the 90 % interval in tenths of kW; int32, shape (rows, 3, leads).
    weather_estimate
        In tenths of kW; int32, shape (rows,).
    duplicates
        How many forecasts repeated an origin.
    start_step
        The step index of ``test_from``.
    """

    def __init__(
        self, zone: int, test_from: datetime, until: datetime, step_minutes: int, history_from: datetime | None = None
    ) -> None:
        self.zone = zone
        self.test_from = test_from
        self.steps_per_day = Grid(step_minutes).day
        self.step_minutes = step_minutes
        self.start_step = step_of(test_from, step_minutes)
        first = test_from if history_from is None else min(test_from, history_from)
        self._first = step_of(first, step_minutes)
        self.rows = step_of(until, step_minutes) - self.start_step
        if self.rows < 1:
            raise ValueError(f"until: {until} is not after {test_from}; choose a later end")
        self.demand = np.full(self.start_step - self._first + self.rows, ABSENT, np.int32)
        self.issued = np.full((self.rows, 3, self.steps_per_day), ABSENT, np.int32)
        self.weather_estimate = np.full(self.rows, ABSENT, np.int32)
        self.duplicates = 0
        self._read = np.zeros(self.rows, np.bool_)

    def add_reading(self, reading: CleanReading) -> None:
        """Keep a reading; raises ``ValueError`` where it lacks the zone or has another ``step_minutes``."""
        step = self._step(reading.time, reading.step_minutes)
        if 0 <= step - self._first < self.demand.size:
            self.demand[step - self._first] = actual_tenths(reading, self.zone)
        if 0 <= step - self.start_step < self.rows:
            self._read[step - self.start_step] = True

    def add_forecast(self, forecast: Forecast) -> None:
        """Keep a forecast, or count it when its origin has one.

        Raises ``ValueError`` where it is of another zone or ``step_minutes``, or lacks a lead or the 90 % interval.
        """
        if forecast.zone != self.zone:
            raise ValueError(f"zone: a forecast of zone {forecast.zone} in the record of zone {self.zone}")
        row = self._step(forecast.origin, forecast.step_minutes) - self.start_step
        if not 0 <= row < self.rows:
            return
        if self.issued[row, 0, 0] != ABSENT:
            self.duplicates += 1
            return
        self.issued[row] = forecast_tenths(forecast)
        if forecast.weather_estimate_kw is not None:
            self.weather_estimate[row] = to_tenths(forecast.weather_estimate_kw)

    def pairs(self, lead: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the readings and the forecasts of a lead, shapes (pairs,) and (3, pairs), by rising target.

        The targets are the last ``rows`` - ``lead`` rows, so that origin and target both lie in [test_from, until).
        """
        origins = max(0, self.rows - lead)
        return self.demand[self.demand.size - origins :], self.issued[:origins, :, lead - 1].T

    @property
    def answered(self) -> int:
        """How many origins have a forecast."""
        return int(np.count_nonzero(self.issued[:, 0, 0] != ABSENT))

    @property
    def last_read(self) -> int:
        """The row of the newest reading, whatever its load; -1 before the first."""
        read = np.flatnonzero(self._read)
        return int(read[-1]) if read.size else -1

    def missing(self) -> list[datetime]:
        """Return the times in [test_from, until) that have a reading and no forecast."""
        rows = np.flatnonzero(self._read & (self.issued[:, 0, 0] == ABSENT))
        return [datetime.fromtimestamp((self.start_step + int(row)) * self.step_minutes * 60, UTC) for row in rows]

    def _step(self, time: datetime, step_minutes: int) -> int:
        if step_minutes != self.step_minutes:
            raise ValueError(f"step_minutes: {step_minutes} in a record of {self.step_minutes}; record it on its own")
        return step_of(time, step_minutes)
