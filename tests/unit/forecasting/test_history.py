"""The window of load."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.history import BLEND, LATE_MEAN, LOAD, MEAN, History, Resolution

DAY = 24
START = 1000 * DAY


@pytest.fixture
def history() -> tuple[History, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return ten days of hourly load from midnight on, and the history that took them."""
    load = np.random.default_rng(1).uniform(100, 200, 10 * DAY)
    window = History(Resolution(60), START)
    for step, load_kw in enumerate(load.tolist(), START):
        if step // DAY > window.today:
            window.next_day()
        window.append(step, load_kw, filled=False)
    return window, load


def test_the_window_holds_the_last_days(
    history: tuple[History, np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    """Every load stands where its step says, and is known to be a good one."""
    window, load = history
    first = window.index(START)
    np.testing.assert_array_equal(window.series[LOAD, first : first + len(load)], load)
    assert not window.filled[first : first + len(load)].any()
    assert window.filled[:first].all()


def test_the_means_are_those_of_the_same_time_on_the_days_before(
    history: tuple[History, np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    """A day ahead the mean covers seven days, two days ahead the late mean six, and the blend weighs as documented."""
    window, load = history
    days = load.reshape(10, DAY)
    tomorrow = window.index(START + 10 * DAY)
    span = slice(tomorrow, tomorrow + DAY)
    mean = days[3:].mean(axis=0)
    np.testing.assert_allclose(window.series[MEAN, span], mean)
    np.testing.assert_allclose(window.series[LATE_MEAN, span], days[3:9].mean(axis=0))
    np.testing.assert_allclose(window.series[BLEND, span], 0.25 * days[9] + 0.25 * days[3] + 0.5 * mean)


def test_a_week_is_complete_after_seven_days() -> None:
    """The first step with a week before it is the first of the eighth day."""
    window = History(Resolution(60), START)
    assert not window.has_week(START + 7 * DAY - 1)
    assert window.has_week(START + 7 * DAY)


def test_lags_in_minutes_become_distinct_steps() -> None:
    """Lags below a step count as one step, and none occurs twice."""
    assert Resolution(10).steps(10, 20, 60) == (1, 2, 6)
    assert Resolution(60).steps(10, 20, 60, 120) == (1, 2)


@pytest.mark.parametrize("step_minutes", [0, -10, 7, 120])
def test_a_step_divides_an_hour(step_minutes: int) -> None:
    """Any other step is refused and named."""
    with pytest.raises(ValueError, match=f"step_minutes is {step_minutes}"):
        Resolution(step_minutes)
