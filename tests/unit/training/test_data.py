"""The grid of readings that the trainer fits on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from shared.data.hints import Hints
from shared.data.year import DataError, find_year
from shared.sites.site import Measure, Overrides
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.data.year import Year

START = datetime(2017, 3, 1, tzinfo=UTC)


def test_rows_before_until_are_seen(make_year: Callable[..., Year]) -> None:
    """The reading at ``until`` is the first that has not been seen; ``as_of`` is the one before it."""
    history = TrainingData.of(make_year(2, "a"), 2, START + timedelta(days=1))
    assert history.seen == 144
    assert history.as_of == START + timedelta(days=1, minutes=-10)
    assert history.time_of(history.first_step) == START
    assert len(history.demand_kw) == 288


def test_an_until_between_two_readings_sees_the_earlier(make_year: Callable[..., Year]) -> None:
    """A reading before ``until`` has been seen even where ``until`` is no time of a reading."""
    history = TrainingData.of(make_year(1, "a"), 2, START + timedelta(minutes=25))
    assert history.seen == 3
    assert history.as_of == START + timedelta(minutes=20)


def test_values_are_those_of_the_zone(make_year: Callable[..., Year]) -> None:
    """The load is that of the zone on the wire, the weather every digit of its five columns."""
    year = make_year(1, "a")
    history = TrainingData.of(year, 3, START + timedelta(hours=1))
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
    history = TrainingData.of(replace(year, rows=rows, times=pd.DatetimeIndex(times)), 2, START + timedelta(days=1))
    assert np.flatnonzero(np.isnan(history.weather).any(axis=1)).tolist() == [3, 6, 7]
    assert np.flatnonzero(np.isnan(history.demand_kw)).tolist() == [4, 6, 7]
    assert history.weather[5, 1] == float(rows["Humidity"].iloc[5])
    assert history.steps.tolist() == list(range(history.first_step, history.first_step + 144))


def test_nothing_before_until_is_refused(make_year: Callable[..., Year]) -> None:
    """The error names the time that was asked for and where the data begin."""
    with pytest.raises(DataError, match=r"no reading before 2017-03-01.*begin at 2017-03-01.*choose a later time"):
        TrainingData.of(make_year(1, "a"), 2, START)


@pytest.mark.parametrize(
    "changes",
    [
        {"measures": {"zone_1_kw": Measure(unit="W")}},
        {"columns": {"Other": "zone_1_kw"}},
        {"limits": {"zone_1_kw": (0.0, 1e5)}},
        {"country": "ES"},
        {"subdivision": "CT"},
        {"holidays": Overrides(add=(date(2017, 3, 1),))},
        {"time_zone": "Europe/Madrid"},
        {"step_minutes": 60},
        {"time_column": "Time"},
        {"day_first": True},
        {"time_format": "%Y-%m-%d %H:%M"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_table_of_the_site_is_another_identity(make_year: Callable[..., Year], changes: dict[str, Any]) -> None:
    """Whatever of it decides on the numbers, and on the calendar; the same table is the same identity."""
    year = make_year(1, "a")
    history = TrainingData.of(year, 1, START + timedelta(hours=1))
    other = replace(year, site=year.site.model_copy(update=changes))
    assert history.identity(other)["site_digest"] != history.identity(year)["site_digest"]
    alike = year.site.model_copy(update={"name": "other", "ignore": ("note",)})
    assert history.identity(replace(year, site=alike)) == history.identity(year)


def test_another_decimal_mark_is_another_identity(tmp_path: Path) -> None:
    """``1,234`` is a thousand or one, as the user says."""
    rows = [f'2025-06-0{day} {hour:02}:00;"1,{hour:03}"' for day in (1, 2) for hour in range(24)]
    (tmp_path / "load.csv").write_text("\n".join(["time;load", *rows, ""]))
    years = [find_year(str(tmp_path / "load.csv"), tmp_path, hints=Hints(decimal=mark)) for mark in (".", ",")]
    identities = [TrainingData.of(year, 1, year.span[1]).identity(year) for year in years]
    assert [float(year.demand(1)[1]) for year in years] == [1001.0, 1.001]
    assert identities[0]["site_digest"] != identities[1]["site_digest"]
