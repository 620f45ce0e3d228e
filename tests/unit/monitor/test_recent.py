"""The ring of recent readings that reports are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.monitor.recent import KEPT_DAYS, SLACK_DAYS, Recent
from services.monitor.verification import SiteScores
from shared.contracts.messages import Flagged, ModelNames
from shared.sites.grid import Grid
from tests.unit.monitor.places import place
from tests.unit.monitor.test_verification import (
    FORECASTS,
    READINGS,
    START,
    STEP,
    STEPS,
    feed,
    forecast,
    load_kw,
    reading,
)

if TYPE_CHECKING:
    from datetime import datetime

DAY = 24  # steps
HOURLY = Grid(60)
FIRST = 1000
SIZE = (KEPT_DAYS + SLACK_DAYS) * DAY


def filled(steps: int) -> Recent:
    """Return a ring that took so many rows, each holding its step and the negative of it."""
    recent = Recent(("step", "minus"), HOURLY)
    for step in range(FIRST, FIRST + steps):
        recent.append(step, (step, -step))
    return recent


@pytest.mark.parametrize("steps", [7 * DAY, 28 * DAY, 100 * DAY + 3])
def test_a_window_holds_its_days_up_to_its_end(steps: int) -> None:
    """The rows are those after the beginning of the window up to its end, however often the ring has turned."""
    until = FIRST + steps - 1
    window = filled(steps).window(until, 7)
    assert window[:, 0].tolist() == list(range(until - 7 * DAY + 1, until + 1))
    assert (window[:, 1] == -window[:, 0]).all()


def test_a_window_may_end_before_the_last_row() -> None:
    """Readings that were released past the end of a report do not enter it, and push nothing out for a day."""
    last = FIRST + 60 * DAY
    until = last - SLACK_DAYS * DAY
    window = filled(60 * DAY + 1).window(until, KEPT_DAYS)
    assert window[:, 0].tolist() == list(range(until - KEPT_DAYS * DAY + 1, until + 1))


def test_what_was_overwritten_is_missing_not_wrong() -> None:
    """A window that begins before the oldest row kept has NaN there, never the row that took its place."""
    last = FIRST + 60 * DAY
    window = filled(60 * DAY + 1).window(last - 5 * DAY, KEPT_DAYS)
    assert np.isnan(window[: 4 * DAY]).all()
    assert window[4 * DAY :, 0].tolist() == list(range(last - SIZE + 1, last - 5 * DAY + 1))


@pytest.mark.parametrize("gap", [3, SIZE, 5 * SIZE + 1])
def test_steps_without_a_reading_are_missing(gap: int) -> None:
    """Of a gap of any length nothing of what stood there before shows."""
    recent = filled(40 * DAY)
    step = FIRST + 40 * DAY + gap
    recent.append(step, (step, -step))
    window = recent.window(step, KEPT_DAYS)[:, 0]
    expected = np.arange(step - KEPT_DAYS * DAY + 1, step + 1, dtype=float)
    expected[(expected >= FIRST + 40 * DAY) & (expected < step)] = np.nan
    np.testing.assert_array_equal(window, expected)


def test_a_repeated_or_earlier_row_changes_nothing() -> None:
    """Only a row that is newer than the last is taken."""
    recent = filled(8 * DAY)
    last = FIRST + 8 * DAY - 1
    before = recent.window(last, 7)
    recent.append(last, (0.0, 0.0))
    recent.append(last - 3, (0.0, 0.0))
    np.testing.assert_array_equal(recent.window(last, 7), before)


def test_a_window_is_full_when_its_days_have_passed() -> None:
    """It is with the last step of the seventh day, not one before; nothing is full before the first row."""
    recent = filled(8 * DAY)
    assert not recent.reaches(FIRST + 7 * DAY - 2, 7)
    assert recent.reaches(FIRST + 7 * DAY - 1, 7)
    assert not Recent((), HOURLY).reaches(FIRST, 7)


def step_index(time: datetime) -> int:
    """Return the step that a time begins."""
    return int(time.timestamp()) // int(STEP.total_seconds())


def test_the_monitor_keeps_what_was_scored_and_what_had_been_forecast() -> None:
    """A row has the weather, the load and the forecast that was made for it; a flagged value, or none, is missing."""
    monitor = SiteScores(place(weather=("temperature_c", "humidity_pct")))
    readings = [
        one.model_copy(
            update={
                "values": {**one.values, "temperature_c": float(n), "humidity_pct": 50.0},
                "flags": {**one.flags, **({"humidity_pct": Flagged(flag="stuck")} if n == 8 else {})},
            }
        )
        for n, one in enumerate(READINGS)
    ]
    feed(monitor, [message for pair in zip(readings, FORECASTS, strict=True) for message in pair])
    recent = monitor.zones[2].recent
    forecasts = "forecast_60_min_kw", "forecast_1440_min_kw"
    assert recent.columns == ("temperature_c", "humidity_pct", "zone_2_kw", *forecasts)
    rows = recent.window(step_index(START) + 159, 28)[-160:]
    assert rows[STEPS, 0].tolist() == list(range(len(STEPS)))
    assert np.flatnonzero(np.isnan(rows[:, 1])).tolist() == [8, 50, 51, 52, 53, 90]
    assert np.flatnonzero(np.isnan(rows[:, 2])).tolist() == [20, 50, 51, 52, 53, 60, 90]
    # forecasts err by 1 + origin % 7, and there is none from an origin without a reading
    assert rows[40, 3] == load_kw(40) + 1 + 38 % 7
    assert np.isnan(rows[[1, 52, 92], 3]).all()


def test_the_model_is_that_of_the_last_forecast_that_names_one() -> None:
    """A forecast that no demand model answered does not hide which model the zone has."""
    monitor = SiteScores(place())
    named = ModelNames(demand="zone-demand-tetouan-2/3", weather=None)
    feed(monitor, [reading(0), forecast(0).model_copy(update={"models": named}), reading(1), forecast(1)])
    assert monitor.zones[2].recent.model == "zone-demand-tetouan-2/3"
