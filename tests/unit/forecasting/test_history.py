"""The window of load."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.history import BLEND, LATE_MEAN, LOAD, MEAN, DayWindow
from shared.forecasting.method import METHOD
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid

DAY = 24
START = 1000 * DAY


def taken(days: int) -> tuple[DayWindow, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return so many days of hourly load from midnight on, and the history that took them."""
    load = np.random.default_rng(1).uniform(100, 200, days * DAY)
    window = DayWindow(Grid(60), Calendar(None), START, METHOD.blend)
    for step, load_kw in enumerate(load.tolist(), START):
        if step // DAY > window.today:
            window.next_day()
        window.append(step, np.array((load_kw,)), filled=False)
    return window, load


@pytest.fixture
def history() -> tuple[DayWindow, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return ten days of load, and the history that took them."""
    return taken(10)


def test_the_window_holds_the_last_days(
    history: tuple[DayWindow, np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    """Every load stands where its step says, and is known to be a good one; the first week is repeated before it."""
    window, load = history
    first = window.index(START)
    np.testing.assert_array_equal(window.series[LOAD, first : first + len(load)], load)
    assert not window.filled[first : first + len(load)].any()
    np.testing.assert_array_equal(window.series[LOAD, :first], load[7 * DAY - first : 7 * DAY])


def test_the_means_are_those_of_the_same_time_on_the_days_before(
    history: tuple[DayWindow, np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    """A day ahead the mean covers seven days, two days ahead the late mean six, and the blend weighs as documented."""
    window, load = history
    days = load.reshape(10, DAY)
    tomorrow = window.index(START + 10 * DAY)
    span = slice(tomorrow, tomorrow + DAY)
    mean = days[3:].mean(axis=0)
    np.testing.assert_allclose(window.series[MEAN, span], mean)
    np.testing.assert_allclose(window.series[LATE_MEAN, span], days[3:9].mean(axis=0))
    np.testing.assert_allclose(window.series[BLEND, span], 0.3 * days[9] + 0.1 * days[3] + 0.6 * mean)
    np.testing.assert_allclose(window.day_before_kw(np.arange(span.start, span.stop)), days[9])


def test_in_the_first_week_the_days_that_there_are_make_the_mean() -> None:
    """After three days the mean of tomorrow is that of three."""
    window, load = taken(3)
    tomorrow = window.index(START + 3 * DAY)
    np.testing.assert_allclose(window.series[MEAN, tomorrow : tomorrow + DAY], load.reshape(3, DAY).mean(axis=0))
    assert window.has_day(START + DAY)
    assert not window.has_day(START + DAY - 1)


def test_a_rescaled_past_is_what_the_load_would_have_been(
    history: tuple[DayWindow, np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    """All that the loads before the onset say about later days is larger by the ratio; loads from it on are as read."""
    window, load = history
    onset = START + 10 * DAY - 3
    before = window.series.copy()
    window.move(onset, 1.5, 0.0, START + 10 * DAY - 1)
    first, at = window.index(START), window.index(onset)
    np.testing.assert_allclose(window.series[LOAD, first:at], 1.5 * load[:-3])
    np.testing.assert_array_equal(window.series[LOAD, at : at + 3], load[-3:])
    np.testing.assert_allclose(window.series[MEAN, first + 7 * DAY : at], 1.5 * before[MEAN, first + 7 * DAY : at])
    np.testing.assert_allclose(window.series[BLEND, at : at + DAY], 1.5 * before[BLEND, at : at + DAY])


def test_a_week_is_complete_after_seven_days() -> None:
    """The first step with a week before it is the first of the eighth day."""
    window = DayWindow(Grid(60), Calendar(None), START, METHOD.blend)
    assert not window.has_week(START + 7 * DAY - 1)
    assert window.has_week(START + 7 * DAY)


def test_lags_in_minutes_become_distinct_steps() -> None:
    """Lags below a step count as one step, and none occurs twice."""
    assert Grid(10).steps(10, 20, 60) == (1, 2, 6)
    assert Grid(60).steps(10, 20, 60, 120) == (1, 2)


@pytest.mark.parametrize("step_minutes", [0, -10, 7, 120])
def test_a_step_divides_an_hour(step_minutes: int) -> None:
    """Any other step is refused and named."""
    with pytest.raises(ValueError, match=f"step_minutes is {step_minutes}"):
        Grid(step_minutes)


def test_loads_taken_together_leave_the_same_history() -> None:
    """After the first week, any number of loads of a day at once, to the bit."""
    window, load = taken(12)
    together, _ = taken(10)
    for first, count in ((0, 1), (1, 11), (12, 12), (24, 5), (29, 19)):
        step = START + 10 * DAY + first
        if step // DAY > together.today:
            together.next_day()
        together.append(step, load[10 * DAY + first :][:count], filled=False)
    np.testing.assert_array_equal(together.series, window.series)
    np.testing.assert_array_equal(together.filled, window.filled)
