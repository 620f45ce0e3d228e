"""The same time of the clock on other days."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from shared.forecasting.same_time import SameTime, same_time
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid

HOURLY = Grid(60)
MADRID = Calendar(None, "Europe/Madrid")
DAYS = 6


def around(change: datetime, calendar: Calendar = MADRID) -> tuple[SameTime, int]:
    """Return the same times in six days of hours, and the place of a change in the middle of them."""
    first_step = int(change.timestamp()) // 3600 - 24 * DAYS // 2
    same = same_time(calendar, HOURLY, first_step, 24 * DAYS)
    assert same is not None
    return same, 24 * DAYS // 2


@pytest.mark.parametrize(("change", "hours"), [("2025-03-30T01:00", 23), ("2025-10-26T01:00", 25)])
def test_a_day_is_as_long_as_the_clock_says(change: str, hours: int) -> None:
    """Across the change the same time a day before is 23 hours back in spring, and 25 in autumn; else 24."""
    same, at = around(datetime.fromisoformat(change).replace(tzinfo=UTC))
    places = np.array((at - 1, at, at + 12, at + hours + 1, at + 36))
    assert (places - same.before(places, 1)).tolist() == [24, hours, hours, 24, 24]
    assert (places[1:3] - same.before(places[1:3], 2)).tolist() == [24 + hours] * 2


def test_a_time_that_was_skipped_is_that_of_24_hours_before() -> None:
    """On 30 March 2025 nothing was measured from 2:00 to 3:00 in Madrid."""
    same, at = around(datetime(2025, 3, 30, 1, tzinfo=UTC))
    half_past_two = np.array((at + 23,))
    assert (half_past_two - same.before(half_past_two, 1)).tolist() == [24]


def test_of_a_time_that_came_twice_it_is_the_second() -> None:
    """On 27 October 2025 the load of 2:00 on the day before is that from which on the clock shows winter time."""
    same, at = around(datetime(2025, 10, 26, 1, tzinfo=UTC))
    assert same.before(np.array((at + 24,)), 1).tolist() == [at]
    assert same.before(np.array((at - 1, at)), 1).tolist() == [at - 25, at - 25]


def test_a_clock_that_nobody_changes_needs_nothing() -> None:
    """In UTC, and in Madrid in a week of July, a day before is 24 hours back."""
    july = int(datetime(2025, 7, 1, tzinfo=UTC).timestamp()) // 3600
    assert same_time(Calendar(None), HOURLY, july, 24 * 365) is None
    assert same_time(MADRID, HOURLY, july, 24 * 7) is None


def test_a_change_of_half_an_hour_is_one_of_half_hours() -> None:
    """On Lord Howe Island the clock goes forward by half an hour."""
    change = int(datetime(2025, 10, 4, 15, 30, tzinfo=UTC).timestamp()) // 1800
    same = same_time(Calendar(None, "Australia/Lord_Howe"), Grid(30), change - 96, 192)
    assert same is not None
    assert (96 - same.before(np.array((96,)), 1)).tolist() == [47]
    assert same.turned_between(np.array((95,)), np.array((96,))).tolist() == [1]


def test_what_lies_before_the_window_is_a_plain_lag() -> None:
    """Nothing is said of days that the window does not hold."""
    same, _ = around(datetime(2025, 10, 26, 1, tzinfo=UTC))
    assert same.before(np.array((3,)), 1).tolist() == [-21]


def test_where_the_clock_is_steady_the_same_time_is_a_plain_lag() -> None:
    """Steady means that no change lies in between: just before the change, at it, and as long after it as is asked."""
    same, at = around(datetime(2025, 3, 30, 1, tzinfo=UTC))
    assert same.is_steady(np.array((30, at - 1)), 30)
    assert not same.is_steady(np.array((30, at)), 30)
    assert not same.is_steady(np.array((at + 29,)), 30)
    assert same.is_steady(np.array((at + 30,)), 30)
    steady = np.array((30, at - 1, at + 30))
    assert (steady - same.before(steady, 1)).tolist() == [24] * 3
