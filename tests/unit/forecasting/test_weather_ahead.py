"""How long what the weather said stands for the readings after it."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.method import METHOD
from shared.forecasting.weather_ahead import WeatherAhead
from shared.forecasting.zone import Zone
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid

FIRST_STEP = 412_008  # 2017-01-01 00:00 UTC, in hours since the epoch
HELD_MINUTES = 360


@pytest.fixture
def zone() -> Zone:
    """Return an hourly zone without readings."""
    return Zone(Calendar("MA"), Grid(60), 24, METHOD, FIRST_STEP)


def foreseen_kw(zone: Zone, hours: range) -> list[float]:
    """Return what stands a day after each of the hours."""
    return [zone.history.foreseen_kw(FIRST_STEP + hour) for hour in hours]


@pytest.mark.parametrize("asked", [False, True])
def test_it_stands_from_the_end_of_a_block_to_that_after_six_hours(zone: Zone, *, asked: bool) -> None:
    """What one reading said holds, once its block is over, and ends at the first block's end beyond."""
    weather = WeatherAhead(zone, HELD_MINUTES)
    for hour in range(12):
        weather.hold(FIRST_STEP + hour)
        if hour == 1:
            weather.foresee(FIRST_STEP + 1, 500.0)
        elif asked:
            weather.foresee(FIRST_STEP + hour, np.nan)
    assert foreseen_kw(zone, range(3, 9)) == [500.0] * 6
    assert np.isnan(foreseen_kw(zone, range(9, 12))).all()
    assert zone.outlook.dark_step == FIRST_STEP + 11


def test_many_readings_are_held_as_one_after_the_other(zone: Zone) -> None:
    """With weather before them it goes on, without it they are as dark as those before."""
    weather = WeatherAhead(zone, HELD_MINUTES)
    weather.hold_on(FIRST_STEP, 1)
    assert zone.outlook.dark_step == FIRST_STEP
    weather.foresee(FIRST_STEP, 500.0)
    zone.outlook.dark_step = FIRST_STEP - 1
    weather.hold_on(FIRST_STEP + 1, 3)
    assert foreseen_kw(zone, range(4)) == [500.0] * 4
    assert zone.outlook.dark_step == FIRST_STEP - 1


def test_no_weather_says_less_than_the_least_load(zone: Zone) -> None:
    """An estimate below what the load can be counts as that; one that no zone has says nothing."""
    weather = WeatherAhead(zone, HELD_MINUTES)
    weather.hold(FIRST_STEP)
    weather.foresee(FIRST_STEP, -20.0)
    assert foreseen_kw(zone, range(1)) == [0.0]
    weather.foresee(FIRST_STEP + 1, np.inf)
    assert zone.outlook.weather_step == FIRST_STEP
