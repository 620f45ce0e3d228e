"""Small fitted models of two zones, and readings that follow them."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.forecaster.issuing import ZoneModels
from shared.contracts.messages import CleanReading, Flagged, ModelNames
from shared.forecasting.boosting import Boosting
from shared.forecasting.method import WeatherMethod
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import COLUMNS
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid
from shared.sites.table import site

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2018, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
DAYS = 18


def load_kw(steps: np.ndarray) -> np.ndarray:
    """Return a load with a daily shape."""
    return np.asarray(20_000 + 5_000 * np.sin(2 * np.pi * steps / 144), dtype=np.float64)


def fitted(zone: int, until: int) -> ZoneModels:
    """Return models that have seen the readings before the step ``until``."""
    steps = np.arange(until - DAYS * 144, until)
    weather = np.column_stack([10 + np.sin(2 * np.pi * steps / 144 + k) for k in range(len(COLUMNS))])
    demand = ZoneDemand(calendar=Calendar("MA")).fit(int(steps[0]), load_kw(steps))
    boosted = Boosting(method=WeatherMethod(n_estimators=3)).fit(steps, weather, load_kw(steps))
    names = ModelNames(demand=f"zone-demand-tetouan-{zone}/1", weather=f"weather-demand-tetouan-{zone}/1")
    return ZoneModels(zone, demand, boosted, names)


@pytest.fixture(scope="session")
def fresh() -> tuple[ZoneModels, ZoneModels]:
    """The models of zones 1 and 2 up to the start; never moved on."""
    until = Grid(10).step_of(START)
    return fitted(1, until), fitted(2, until)


@pytest.fixture
def models(fresh: tuple[ZoneModels, ZoneModels]) -> tuple[ZoneModels, ZoneModels]:
    """The same models, to move on."""
    return deepcopy(fresh)


@pytest.fixture(scope="session")
def reading() -> Callable[..., CleanReading]:
    """Make the reading so many steps after the start; a keyword replaces a value, None is missing."""

    def make(n: int, **values: float | None) -> CleanReading:
        load = round(float(load_kw(np.array([Grid(10).step_of(START) + n]))[0]), 1)
        usual = {field: load if field.endswith("_kw") else 10.0 for field in site("tetouan").fields}
        cells: dict[str, float | None] = {**usual, **values}
        flags = {field: Flagged(flag="missing") for field, value in cells.items() if value is None}
        return CleanReading(site="tetouan", time=START + n * STEP, step_minutes=10, values=cells, flags=flags)

    return make
