"""History through the code that serves the stream, with all, some or none of the weather."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from backtest.page import page_of
from backtest.run import backtest
from shared.data.year import Year
from shared.sites.site import WEATHER_FIELDS
from shared.sites.table import site
from tests.unit.backtest.transcripts import START

DAYS, TEST_DAYS = 17, 1
FROM, UNTIL = START + timedelta(days=DAYS - TEST_DAYS), START + timedelta(days=DAYS)


def year_of(*fields: str) -> Year:
    """Return a site's year with these fields, the same numbers whichever they are."""
    tetouan = site("tetouan")
    columns = {column: field for column, field in tetouan.columns.items() if field in fields}
    place = tetouan.model_copy(update={"columns": columns, "limits": {}})
    times = pd.date_range(START, periods=DAYS * 144, freq="10min", tz="UTC")
    wave = np.sin(2 * np.pi * np.arange(len(times)) / 144)
    noise = np.random.default_rng(5).normal(0, 1, (len(times), len(tetouan.fields)))
    cells = {
        column: 20_000 + 4_000 * wave + 100 * noise[:, n] if field.endswith("_kw") else 20 + 5 * wave + noise[:, n]
        for n, (column, field) in enumerate(tetouan.columns.items())
    }
    rows = pd.DataFrame({column: cells[column] for column in columns}).map(lambda value: f"{value:.2f}")
    rows.insert(0, place.time_column, times.strftime("%Y-%m-%dT%H:%M"))
    return Year(place, rows, times, "0" * 64, "file", "file readings.csv")


def told(year: Year) -> tuple[dict[str, object], str | None]:
    """Return the result for machines, and why there is no weather model."""
    result = backtest(year, 2, FROM, UNTIL, lambda *_: None)
    return result.to_json(), result.no_weather


@pytest.fixture(scope="module")
def whole() -> dict[str, object]:
    """What comes of the year with all its fields."""
    return told(year_of(*site("tetouan").fields))[0]


def test_load_alone_is_forecast_as_with_weather(whole: dict[str, object]) -> None:
    """Every figure of every lead is the same to the bit; there is no weather estimate, and a reason for it."""
    result, why = told(year_of("zone_2_kw"))
    assert result["leads"] == whole["leads"]
    assert (result["weather_estimate"], result["seed"], why) == (None, None, "no weather at this site")
    assert whole["weather_estimate"] is not None


def test_an_outage_in_the_window_is_named() -> None:
    """From its first reading on, which was doubted, to the first after it: for people, on the page and for machines."""
    year, onset = year_of("zone_2_kw"), (DAYS - TEST_DAYS) * 144 + 30
    column = next(name for name, field in year.site.columns.items() if field == "zone_2_kw")
    load_kw = year.rows[column].astype(float)
    load_kw.iloc[onset : onset + 12] *= 0.5
    out = replace(year, rows=year.rows.assign(**{column: load_kw.map(lambda value: f"{value:.2f}")}))
    result = backtest(out, 2, FROM, UNTIL, lambda *_: None)
    hours = f"{START + timedelta(days=DAYS - TEST_DAYS):%Y-%m-%d}"
    text = f"load was out from {hours} 05:00 to {hours} 07:00 UTC (12 readings)"
    assert str(result.outages) == text
    assert text in page_of(result)
    (one,) = result.to_json()["outages"]
    assert (one["readings"], one["back"]) == (12, True)
    assert backtest(year, 2, FROM, UNTIL, lambda *_: None).to_json()["outages"] == []


def test_readings_that_were_not_believed_are_counted() -> None:
    """Other than those of an outage: with the first of them and what to do, on the page and for machines."""
    year, first = year_of("zone_2_kw"), (DAYS - TEST_DAYS) * 144 + 30
    column = next(name for name, field in year.site.columns.items() if field == "zone_2_kw")
    load_kw = year.rows[column].astype(float)
    load_kw.iloc[[first, first + 40]] = 900_000.0
    load_kw.iloc[first + 80 : first + 92] *= 0.5
    odd = replace(year, rows=year.rows.assign(**{column: load_kw.map(lambda value: f"{value:.2f}")}))
    result = backtest(odd, 2, FROM, UNTIL, lambda *_: None)
    day = f"{START + timedelta(days=DAYS - TEST_DAYS):%Y-%m-%d}"
    text = f"to be believed, yet scored as a load: the first is 900,000 kW at {day}"
    assert str(result.unbelieved).startswith("2 readings are too far from the forecast")
    assert text in str(result.unbelieved)
    assert text in page_of(result)
    assert result.to_json()["unbelieved"]["readings"] == 2
    assert backtest(year, 2, FROM, UNTIL, lambda *_: None).to_json()["unbelieved"] is None


@pytest.mark.parametrize("field", [WEATHER_FIELDS[0], WEATHER_FIELDS[2]])
def test_one_field_of_the_weather_gives_an_estimate(field: str, whole: dict[str, object]) -> None:
    """Of its own, at each origin; the forecasts are the same."""
    result, why = told(year_of("zone_2_kw", field))
    assert (result["leads"], why) == (whole["leads"], None)
    estimate, other = result["weather_estimate"], whole["weather_estimate"]
    assert isinstance(estimate, dict)
    assert isinstance(estimate["rmse_kw"], float)
    assert estimate != other
