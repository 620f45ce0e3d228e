"""Records of ten-minute readings whose errors are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.accounting import Accounting
from backtest.result import Backtest
from backtest.transcript import Transcript
from shared.data.year import Year
from shared.sites.calendar import Calendar
from shared.sites.table import site

if TYPE_CHECKING:
    from shared.data.year import Source

DAY = 144
START = datetime(2017, 11, 29, tzinfo=UTC)  # a Wednesday
UTC_CALENDAR = Calendar("MA", "UTC")


def flat_transcript(days: float, *, start: datetime = START, error_kw: float = 10.0) -> Transcript:
    """Return readings of 20 MW and forecasts that are ``error_kw`` too high, with an interval of 50 kW to each side."""
    step = timedelta(minutes=10)
    transcript = Transcript(2, start, start + round(days * DAY) * step, 10, history_from=start - timedelta(days=8))
    transcript.demand_kw[:] = 20_000.0
    median_kw = 20_000.0 + error_kw
    transcript.issued_kw[:] = np.array([median_kw, median_kw - 50, median_kw + 50])[:, None]
    transcript.weather_estimate_kw[:] = 20_030.0
    return transcript


def shift_targets(transcript: Transcript, first: int, until: int, kw: float) -> None:
    """Let the readings of the test rows [first, until) be so much higher than the forecasts foresaw."""
    transcript.demand_kw[transcript.history + first : transcript.history + until] += kw


def year(*, label: str = "file year.csv", synthetic: bool = False) -> Year:
    """Return a year that only says where its readings come from."""
    source: Source = "synthetic" if synthetic else "file"
    return Year(site("tetouan"), pd.DataFrame(), pd.DatetimeIndex([], tz=UTC), "0" * 64, source, label)


def result_of(transcript: Transcript, of: Year | None = None) -> Backtest:
    """Return the result of a transcript for which the weather model alone says 100 kW too much."""
    uncorrected, accounting = (
        np.full(transcript.rows, 20_100.0),
        Accounting(transcript.demand_kw.size, 0, {"no_time": 2}, 0, 0, 0),
    )
    return Backtest.of(transcript, of or year(), uncorrected, seconds_per_forecast=0.0005, accounting=accounting)
