"""The readings that the guard did not believe: the forecast went on without them, and was scored against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.outages import Outages
from shared.forecasting.digits import digits
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from backtest.transcript import Transcript
    from shared.forecasting.model import ZoneForecast

__all__ = ["Seen", "Unbelieved"]


@dataclass(frozen=True)
class Unbelieved:
    """How many readings were not believed, other than those of an outage, and the first of them."""

    count: int
    first: datetime
    first_kw: float

    @classmethod
    def of(cls, steps: Sequence[int], transcript: Transcript) -> Unbelieved | None:
        """Return those of the steps of which the transcript has a load; None where there are none."""
        first_step, load_kw = transcript.start_step - transcript.history, transcript.demand_kw
        places = np.array(steps, np.int64) - first_step
        places = places[(places >= 0) & (places < load_kw.size)]
        read = places[~np.isnan(load_kw[places])]
        if not read.size:
            return None
        first = int(read[0])
        return cls(int(read.size), Grid(transcript.step_minutes).time_of(first_step + first), float(load_kw[first]))

    def __str__(self) -> str:
        """Say it in one line, with what to do."""
        what = "1 reading is" if self.count == 1 else f"{self.count:,} readings are"
        return (
            f"{what} too far from the forecast to be believed, yet scored as a load: the first is "
            f"{digits(self.first_kw)} kW at {self.first:%Y-%m-%d %H:%M} UTC. Set `limits` in the table of the site to "
            "leave out what no load can be"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return {"readings": self.count, "first": self.first.isoformat(), "first_kw": self.first_kw}


class Seen:
    """What the forecasts of one zone have said of outages, and from which origins a load was not believed."""

    def __init__(self, grid: Grid) -> None:
        self.outages = Outages(grid)
        self._steps: list[int] = []

    def add(self, forecast: ZoneForecast) -> None:
        """Take note of what a forecast says; they come by rising origin."""
        self.outages.add(forecast)
        if forecast.reason is not None:
            self._steps.append(forecast.origin_step)

    def unbelieved(self, transcript: Transcript) -> Unbelieved | None:
        """Return the readings that were not believed. Those of an outage are left out: `Outages` counts them."""
        return Unbelieved.of([step for step in self._steps if not self.outages.hold(step)], transcript)
