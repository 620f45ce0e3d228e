"""What a backtest comes to: the scores of every lead, where they come from, and what to compare them with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backtest.breakdown import by_group, by_lead
from backtest.extremes import days_ahead, worst_weeks
from backtest.monthly import by_month
from backtest.naive import naive_mae_kw
from backtest.tables import ScoreTable, estimate_figures, estimate_or_none
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from backtest.accounting import Accounting
    from backtest.extremes import DayAhead
    from backtest.outages import Outages
    from backtest.transcript import Transcript
    from backtest.unbelieved import Unbelieved
    from shared.data.year import Year
    from shared.sites.site import Site

__all__ = ["TABLES", "Backtest"]

TABLES = ("leads", "days", "hours", "weekdays", "seasons", "holidays", "months", "worst_weeks")

_FLOAT_FORMAT = "%.6g"  # a tenth of a kW of 10 MW, a milliwatt of 1 kW


@dataclass(frozen=True, eq=False)
class Backtest:
    """What the forecasts of one zone with an origin in [start, until) were worth.

    Attributes
    ----------
    label, synthetic
        What the readings are, and whether nobody measured them.
    table
        The figures of every lead.
    frames
        By the names of ``TABLES``: tidy, the names of their columns end in units.
    days_ahead
        The worst and the best day ahead, as far as there are any.
    weather_alone
        ``rmse_kw``, ``mae_kw``, ``mape``, ``r2`` of the weather model without its correction: what a frozen model of
        weather and calendar says of each origin. It never looks at the load, so they are the same for every lead.
    seconds_per_forecast
        CPU seconds of the pure step for one origin.
    accounting
        What became of the rows up to ``until``.
    no_weather
        Why there is no weather model; None where there is one.
    outages
        When load was out, as far as the forecasts knew it; None where that was not asked.
    untrained
        Why the models were not fitted on what came before ``start``; None where they were.
    data_sha256
        The checksum of the file of the readings.
    """

    site: Site
    label: str
    synthetic: bool
    start: datetime
    until: datetime
    table: ScoreTable
    frames: Mapping[str, pd.DataFrame]
    days_ahead: tuple[DayAhead, ...]
    weather_alone: Mapping[str, float]
    seconds_per_forecast: float
    accounting: Accounting
    no_weather: str | None = None
    outages: Outages | None = None
    unbelieved: Unbelieved | None = None
    untrained: str | None = None
    data_sha256: str = ""

    @classmethod
    def of(
        cls,
        transcript: Transcript,
        year: Year,
        uncorrected_kw: NDArray[np.float64],
        seconds_per_forecast: float,
        accounting: Accounting,
        no_weather: str | None = None,
    ) -> Backtest:
        """Score a transcript of the readings of a year.

        Parameters
        ----------
        uncorrected_kw
            What the weather model alone says at each origin, NaN where nothing, shape (rows,).
        """
        site, history = year.site, transcript.history
        calendar = site.calendar
        table = ScoreTable.of(
            transcript, naive_mae_kw(transcript.demand_kw[:history], transcript.steps_per_day, transcript.same_time(0))
        )
        return cls(
            site=site,
            label=year.label,
            synthetic=year.synthetic,
            start=transcript.test_from,
            until=transcript.test_from + transcript.rows * Grid(transcript.step_minutes).length,
            table=table,
            frames={
                "leads": by_lead(table, transcript.step_minutes),
                **by_group(transcript, calendar),
                "months": by_month(transcript, calendar),
                "worst_weeks": worst_weeks(transcript, calendar),
            },
            days_ahead=days_ahead(transcript, calendar),
            weather_alone=estimate_figures(transcript.demand_kw[history:], uncorrected_kw, transcript.resolution()),
            seconds_per_forecast=seconds_per_forecast,
            accounting=accounting,
            no_weather=no_weather,
            data_sha256=year.sha256,
        )

    def write_csv(self, folder: Path) -> None:
        """Write each frame to a file of its name in an existing folder, over the one that is there."""
        for name, frame in self.frames.items():
            frame.to_csv(folder / f"{name}.csv", index=False, float_format=_FLOAT_FORMAT)

    def to_json(self) -> dict[str, Any]:
        """Return the result for machines; what cannot be computed is None."""
        return {
            **self.table.to_json(),
            "seed": estimate_or_none(self.weather_alone),
            "worst_weeks": self.frames["worst_weeks"].to_dict("records"),
            "months": _records(self.frames["months"]),
            "seasons": _records(self.frames["seasons"]),
            "site": self.site.name,
            "until": self.until.isoformat().replace("+00:00", "Z"),
            "data": self.label,
            "data_sha256": self.data_sha256,
            "rows": self.accounting.to_json(),
            "outages": self.outages.to_json() if self.outages else [],
            "unbelieved": self.unbelieved.to_json() if self.unbelieved else None,
            "synthetic": self.synthetic,
            "trained": self.untrained is None,
            "seconds_per_forecast": self.seconds_per_forecast,
        }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON has them: what cannot be computed is None."""
    plain = frame.astype(object)
    return [
        {str(name): value for name, value in row.items()} for row in plain.where(frame.notna(), None).to_dict("records")
    ]
