"""A load that steps with the day of the week has not shifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.model import ZoneDemand
from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY, DAYS = 24, 42
MONDAY = 17_168 * DAY  # 2 January 2017
OF_WEEKDAYS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.93, 0.85])


@pytest.fixture
def calendar() -> Calendar:
    """Return one without holidays, whose clock is UTC."""
    return Calendar(None)


def weeks_kw() -> NDArray[np.float64]:
    """Return hourly loads of weeks from a Monday on: each day has its level from its first hour on."""
    hours = np.arange(DAYS * DAY)
    shape_kw = 10_000.0 + 2_000.0 * np.sin(2 * np.pi * (hours - 8) / DAY)
    noise_kw = np.random.default_rng(1).normal(0.0, 40.0, len(hours))
    loads_kw: NDArray[np.float64] = shape_kw * OF_WEEKDAYS[hours // DAY % 7] + noise_kw
    return loads_kw


def shifts_in(loads_kw: NDArray[np.float64], calendar: Calendar) -> list[tuple[int, float]]:
    """Return when, in hours after the first, a shift began that was believed, and its ratio."""
    model = ZoneDemand(calendar=calendar, step_minutes=60, horizon_steps=DAY)
    found: list[tuple[int, float]] = []
    for n, load_kw in enumerate(loads_kw):
        model.partial_fit(MONDAY + n, load_kw)
        assert model.fold is not None
        shift = model.fold.zone.shift
        if shift.last_onset >= 0 and (shift.last_onset - MONDAY) not in dict(found):
            found.append((shift.last_onset - MONDAY, shift.last_ratio))
    return found


def test_the_step_into_each_week_is_no_shift(calendar: Calendar) -> None:
    """The load has risen so a week before: the regression is to learn it."""
    assert shifts_in(weeks_kw(), calendar) == []


def test_a_shift_that_begins_with_a_week_is_one(calendar: Calendar) -> None:
    """A third more on top of the usual step is found, with its size."""
    loads_kw, onset = weeks_kw(), 35 * DAY
    loads_kw[onset:] *= 1.33
    ((found, ratio),) = shifts_in(loads_kw, calendar)
    assert found == onset
    assert ratio == pytest.approx(1.33 / 0.85, rel=0.2)
