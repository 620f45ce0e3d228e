"""A synthetic load that behaves like one: a day, a week, a slow drift and noise, drawn from a fixed seed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.model import ZoneDemand
from shared.forecasting.prior import Prior, PriorSource
from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FIRST_STEP_MINUTE = 24_720_480  # 2017-01-01 00:00 UTC, in minutes since the epoch


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    """Return the calendar of Morocco on UTC clocks."""
    return Calendar("MA")


@pytest.fixture
def model(calendar: Calendar) -> ZoneDemand:
    """Return a forecaster of a day at half an hour, without readings."""
    return ZoneDemand(calendar=calendar, step_minutes=30, horizon_steps=48)


@pytest.fixture(scope="session")
def prior(calendar: Calendar, synthetic: Callable[..., tuple[int, NDArray[np.float64]]]) -> Prior:
    """Return what five weeks of the synthetic load, half an hour a step, have taught."""
    first_step, load_kw = synthetic(35)
    lesson = ZoneDemand(calendar=calendar, step_minutes=30, horizon_steps=48).fit(first_step, load_kw).lesson(load_kw)
    source = PriorSource("0" * 64, "there", (1,), datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 2, 5, tzinfo=UTC))
    return Prior.pooled([lesson], 30, 48, source)


@pytest.fixture(scope="session")
def synthetic() -> Callable[..., tuple[int, NDArray[np.float64]]]:
    """Return a function that gives the first step and so many days of load in kW, at a step of so many minutes."""

    def series(days: int, step_minutes: int = 30, noise_kw: float = 100.0) -> tuple[int, NDArray[np.float64]]:
        day = 1440 // step_minutes
        step = np.arange(days * day)
        angle = 2 * np.pi * step / day
        weekend = np.isin(step // day % 7, (0, 6))
        shape = 20_000 + 4_000 * np.sin(angle) + 1_500 * np.cos(2 * angle) - 1_500 * weekend
        noise = np.random.default_rng(7).normal(0, noise_kw, len(step))
        return FIRST_STEP_MINUTE // step_minutes, shape + 10.0 * step / day + noise

    return series
