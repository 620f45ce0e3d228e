"""The grid of readings that the trainer fits on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from services.trainer.history import History
from shared.data.year import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.data.year import Year

START = datetime(2017, 3, 1, tzinfo=UTC)


def test_rows_before_until_are_seen(make_year: Callable[..., Year]) -> None:
    """The reading at ``until`` is the first that has not been seen; ``as_of`` is the one before it."""
    history = History.of(make_year(2, "a"), 2, START + timedelta(days=1))
    assert history.seen == 144
    assert history.as_of == START + timedelta(days=1, minutes=-10)
    assert history.time_of(history.first_step) == START
    assert len(history.demand_kw) == 288


def test_an_until_between_two_readings_sees_the_earlier(make_year: Callable[..., Year]) -> None:
    """A reading before ``until`` has been seen even where ``until`` is no time of a reading."""
    history = History.of(make_year(1, "a"), 2, START + timedelta(minutes=25))
    assert history.seen == 3
    assert history.as_of == START + timedelta(minutes=20)


def test_values_are_those_of_the_zone(make_year: Callable[..., Year]) -> None:
    """The load is that of the zone on the wire, the weather every digit of its five columns."""
    year = make_year(1, "a")
    history = History.of(year, 3, START + timedelta(hours=1))
    assert (history.demand_kw == year.demand(3)).all()
    assert history.weather[7].tolist() == year.rows.iloc[7, 1:6].astype(float).tolist()


def test_the_grid_is_regular_whatever_came(make_year: Callable[..., Year]) -> None:
    """A missing row and unreadable cells become NaN; of two rows at one time the first counts; off the grid none."""
    year = make_year(1, "a")
    rows, times = year.rows.copy(), year.times.to_series().reset_index(drop=True)
    rows.loc[3, "Humidity"] = " nan"
    rows.loc[4, "Zone 2  Power Consumption"] = "unknown"
    rows.loc[6, "Humidity"] = "1"
    times[6] = times[5]
    times[7] += timedelta(minutes=1)
    history = History.of(replace(year, rows=rows, times=pd.DatetimeIndex(times)), 2, START + timedelta(days=1))
    assert np.flatnonzero(np.isnan(history.weather).any(axis=1)).tolist() == [3, 6, 7]
    assert np.flatnonzero(np.isnan(history.demand_kw)).tolist() == [4, 6, 7]
    assert history.weather[5, 1] == float(rows["Humidity"].iloc[5])
    assert history.steps.tolist() == list(range(history.first_step, history.first_step + 144))


def test_nothing_before_until_is_refused(make_year: Callable[..., Year]) -> None:
    """The error names the time that was asked for and where the data begin."""
    with pytest.raises(DataError, match=r"no reading before 2017-03-01.*begin at 2017-03-01.*choose a later time"):
        History.of(make_year(1, "a"), 2, START)
