"""A site of another country, with 15-minute readings and a clock that changes, from its first reading on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import pi, sin
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.forecaster.issuing import Issuer, ZoneModels
from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Accepted
from shared.data.year import find_year
from shared.forecasting.model import ZoneDemand
from shared.sites.table import site

if TYPE_CHECKING:
    from pathlib import Path

    from shared.contracts.messages import CleanReading, Forecast
    from shared.sites.site import Site

SITES = """
[alcala]
step_minutes = 15
country = "ES"
subdivision = "MD"
time_zone = "Europe/Madrid"
time_column = "time"
columns = {"Load" = "zone_1_kw"}
"""
MADRID = ZoneInfo("Europe/Madrid")
START = datetime(2019, 10, 5, tzinfo=UTC)
DAYS, DAY = 26, 96
STEP = timedelta(minutes=15)
CLOCKS_BACK = datetime(2019, 10, 27, 1, tzinfo=UTC)  # 3:00 is 2:00 again


def load_kw(time: datetime) -> float:
    """Return a load that follows the clock on the wall: it drops by a tenth at the weekend and on Spain's holiday."""
    local = time.astimezone(MADRID)
    rest = local.weekday() >= 5 or (local.month, local.day) == (10, 12)
    return 20_000 * (0.9 if rest else 1.0) * (1 + 0.2 * sin(2 * pi * (local.hour + local.minute / 60 - 9) / 24))


def measured_kw() -> list[float]:
    """Return the load of each step with disturbances that fade within hours, about 2 % of it."""
    kicks_kw = np.random.default_rng(27).normal(0.0, 150.0, DAYS * DAY).tolist()
    off_kw = accumulate(kicks_kw, lambda off, kick: 0.93 * off + kick)
    return [load_kw(START + n * STEP) + off for n, off in enumerate(off_kw)]


@pytest.fixture(scope="module")
def alcala(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site as a file describes it."""
    path = tmp_path_factory.mktemp("sites") / "sites.toml"
    path.write_text(SITES, encoding="utf-8")
    return site("alcala", path)


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> list[CleanReading]:
    """What the ingestor makes of a file whose times are those of the wall clock, with their offsets."""
    folder = tmp_path_factory.mktemp("readings")
    (folder / "sites.toml").write_text(SITES, encoding="utf-8")
    times = [START + n * STEP for n in range(DAYS * DAY)]
    rows = (f"{t.astimezone(MADRID).isoformat()},{kw:.1f}\n" for t, kw in zip(times, measured_kw(), strict=True))
    (folder / "load.csv").write_text("time,Load\n" + "".join(rows), encoding="utf-8")
    year = find_year(str(folder / "load.csv"), folder, site=site("alcala", folder / "sites.toml"))
    ingestor = Ingestor([year.site], timedelta(days=1))
    outcomes = [ingestor.judge(raw, times[-1]) for _, raw in year.raw_messages(times[0], times[-1] + STEP)]
    return [outcome.reading for outcome in outcomes if isinstance(outcome, Accepted)]


@pytest.fixture(scope="module")
def issues(alcala: Site, readings: list[CleanReading]) -> list[Forecast]:
    """The forecasts that answer the readings."""
    return [issue.message() for issue in Issuer(alcala, (ZoneModels.begun_cold(alcala, 1),)).answer(readings)]


def test_the_hour_that_comes_twice_is_read_twice(readings: list[CleanReading]) -> None:
    """Every reading is accepted at its own time in UTC."""
    assert [reading.time for reading in readings] == [START + n * STEP for n in range(DAYS * DAY)]
    assert all(reading.flags == {} for reading in readings)


def test_every_reading_is_answered_a_day_ahead(readings: list[CleanReading], issues: list[Forecast]) -> None:
    """There are 96 leads of 15 minutes from the first reading on, and the model answers the next from day 16 on."""
    assert [issue.origin for issue in issues] == [reading.time for reading in readings]
    assert {(issue.step_minutes, len(issue.median_kw)) for issue in issues} == {(15, DAY)}
    assert issues[0].levels[0].level == "climatology"
    assert {issue.levels[0].level for issue in issues[16 * DAY :]} == {"adapted"}


def test_the_forecast_gets_over_the_change_of_the_clocks(readings: list[CleanReading], issues: list[Forecast]) -> None:
    """From that night on the error is below 1/2 of that of "same time yesterday" at an hour, 2/3 in the mean."""
    actual_kw = np.array([reading.values["zone_1_kw"] for reading in readings], dtype=np.float64)
    since = [n for n, issue in enumerate(issues[:-DAY]) if issue.origin >= CLOCKS_BACK]
    due_kw = np.stack([actual_kw[n + 1 : n + 1 + DAY] for n in since])
    yesterday_kw = np.stack([actual_kw[n + 1 - DAY : n + 1] for n in since])
    forecast_kw = np.array([issues[n].median_kw for n in since])
    ours, naive = (np.sqrt(np.mean((kw - due_kw) ** 2, axis=0)) for kw in (forecast_kw, yesterday_kw))
    assert ours[3] < naive[3] / 2
    assert ours.mean() < naive.mean() * 2 / 3


def test_the_state_goes_on_from_its_file(
    alcala: Site, readings: list[CleanReading], issues: list[Forecast], tmp_path: Path
) -> None:
    """Saved while the clocks change and read again, it says the same to the byte; step and calendar are in the file."""
    middle = readings.index(next(reading for reading in readings if reading.time == CLOCKS_BACK))
    cold = ZoneModels.begun_cold(alcala, 1)
    Issuer(alcala, (cold,)).answer(readings[:middle])
    cold.demand.save(tmp_path / "state.npz")
    loaded = ZoneModels(1, ZoneDemand.load(tmp_path / "state.npz"), None, cold.names)
    assert loaded.demand.calendar == cold.demand.calendar
    rest = Issuer(alcala, (loaded,)).answer(readings[middle:])
    assert [issue.to_bytes() for issue in rest] == [issue.to_bytes() for issue in issues[middle:]]
