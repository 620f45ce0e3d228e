"""The arithmetic of steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sites.grid import Grid
from shared.sites.site import STEPS_MINUTES

NOON = datetime(2017, 10, 19, 12, tzinfo=UTC)


@given(st.sampled_from(STEPS_MINUTES), st.datetimes(timezones=st.just(UTC)))
def test_a_step_holds_its_times(step_minutes: int, time: datetime) -> None:
    """It begins at or before each of them, the next one after; before 1970 too."""
    grid = Grid(step_minutes)
    step = grid.step_of(time)
    assert grid.time_of(step) <= time < grid.time_of(step) + grid.length
    assert (grid.time_of(step) == time) == grid.has(time)
    assert grid.first_from(time) == step + (not grid.has(time))


def test_a_time_is_of_the_same_step_on_every_clock() -> None:
    """Steps are counted in UTC."""
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert Grid(60).step_of(there) == Grid(60).step_of(NOON) == NOON.timestamp() // 3600


@pytest.mark.parametrize(("step_minutes", "hour", "day"), [(5, 12, 288), (10, 6, 144), (15, 4, 96), (60, 1, 24)])
def test_hours_and_days_have_so_many_steps(step_minutes: int, hour: int, day: int) -> None:
    """And a day tells the step."""
    grid = Grid(step_minutes)
    assert (grid.hour, grid.day, Grid.of_day(day)) == (hour, day, grid)
    assert grid.steps(1440, 60, 1, 1) == tuple(sorted({1, hour, day}))


def test_many_steps_begin_when_each_does() -> None:
    """The index holds the times of the steps."""
    grid = Grid(15)
    steps = np.arange(3) + grid.step_of(NOON)
    assert grid.times_of(steps).to_pydatetime().tolist() == [grid.time_of(step) for step in steps.tolist()]


@pytest.mark.parametrize("step_minutes", [0, -5, 7, 120])
def test_other_distances_are_refused(step_minutes: int) -> None:
    """A step divides the hour."""
    with pytest.raises(ValueError, match="use a divisor of 60"):
        Grid(step_minutes)
