"""Intervals from the forecaster's own past errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.features import interpolation
from shared.forecasting.intervals import COVERAGES, Intervals
from shared.forecasting.method import METHOD
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DAY, BLOCK = 24, 2
LEADS = np.array([1, 2, 6])
HORIZON = np.arange(1, 7)
ALL, EVERY = slice(0, 6), range(len(COVERAGES))
MEDIAN_KW = np.full((2, len(LEADS)), 1000.0)
NORMAL_QUANTILES = np.array([0.674, 1.282, 1.645, 1.960])  # of the absolute value, at the four coverages


@pytest.fixture
def intervals() -> Intervals:
    """Return hourly intervals of two levels and three leads of the grid."""
    return Intervals(Grid(60), 2, LEADS, interpolation(LEADS, len(HORIZON)), METHOD.intervals)


def width_kw(
    intervals: Intervals, level: int, slot: int, leads: slice, stale: int, rows: Sequence[int]
) -> NDArray[np.float64]:
    """Return half the width of the intervals from one origin, (rows, leads)."""
    half_kw: NDArray[np.float64] = intervals.half_width_kw(level, slot, 1, leads, stale, rows)[0]
    return half_kw


def stream(intervals: Intervals, days: int, size_kw: np.ndarray, issued_kw: np.ndarray = MEDIAN_KW) -> None:
    """Issue the same forecasts at every step and let the load be off by a normal error of the slot's size."""
    random = np.random.default_rng(3)
    for day in range(days):
        for slot in range(DAY):
            for level, forecast_kw in enumerate(issued_kw):
                intervals.issue(slot, level, forecast_kw[None])
            if slot % BLOCK == BLOCK - 1:
                block = slice(slot + 1 - BLOCK, slot + 1)
                intervals.learn(day, block.start, 1000.0 + random.normal(0.0, size_kw[block]), {})
        intervals.refresh(day)
        intervals.next_day()


def test_the_width_follows_the_size_of_the_errors_at_that_hour(intervals: Intervals) -> None:
    """Half the width tends to the normal quantiles of standard deviations that differ by the hour of the target."""
    size_kw = np.where(np.arange(DAY) < 12, 10.0, 50.0)
    stream(intervals, 120, size_kw)
    half_kw = width_kw(intervals, 0, 8, ALL, 0, EVERY)
    np.testing.assert_allclose(half_kw, NORMAL_QUANTILES[:, None] * size_kw[8 + HORIZON], rtol=0.25)


def test_the_intervals_of_one_forecast_never_cross(intervals: Intervals) -> None:
    """The wider the coverage, the wider the interval, at every lead and hour."""
    stream(intervals, 40, np.full(DAY, 10.0))
    assert len(COVERAGES) == 4
    for slot in range(DAY):
        half_kw = width_kw(intervals, 0, slot, ALL, 0, EVERY)
        assert (np.diff(half_kw, axis=0) >= 0.0).all()


def test_each_level_is_as_wide_as_its_own_errors(intervals: Intervals) -> None:
    """A level that is always off by 100 kW more is wider by that; one that never answers is never calibrated."""
    stream(intervals, 60, np.full(DAY, 1.0), np.array([[1000.0] * 3, [1100.0] * 3]))
    assert (width_kw(intervals, 0, 0, ALL, 0, EVERY) < 5.0).all()
    np.testing.assert_allclose(width_kw(intervals, 1, 0, ALL, 0, EVERY), 100.0, rtol=0.05)
    silent = Intervals(Grid(60), 2, LEADS, interpolation(LEADS, len(HORIZON)), METHOD.intervals)
    stream(silent, 10, np.full(DAY, 1.0), np.array([[1000.0] * 3, [np.nan] * 3]))
    assert silent.calibrated(0)
    assert not silent.calibrated(1)


def test_it_is_calibrated_after_two_days_of_scores(intervals: Intervals) -> None:
    """Three days give each hour a usual size, two more score twenty-four errors by it, one in two hours."""
    stream(intervals, 4, np.full(DAY, 10.0))
    assert not intervals.calibrated(0)
    stream(intervals, 2, np.full(DAY, 10.0))
    assert intervals.calibrated(0)


def test_a_restless_day_widens_what_follows(intervals: Intervals) -> None:
    """After a day with errors three times their usual size, the interval is wider at every hour."""
    stream(intervals, 60, np.full(DAY, 10.0))
    calm_kw = width_kw(intervals, 0, DAY - 1, ALL, 0, EVERY)
    stream(intervals, 1, np.full(DAY, 30.0))
    assert (width_kw(intervals, 0, DAY - 1, ALL, 0, EVERY) > 1.1 * calm_kw).all()


def test_beyond_the_horizon_it_grows_with_the_root_of_time(intervals: Intervals) -> None:
    """Four times the horizon after the last good reading it is twice as wide as at the horizon."""
    stream(intervals, 60, np.full(DAY, 10.0))
    last, four_times = (width_kw(intervals, 0, 0, slice(5, 6), stale, EVERY) for stale in (0, 18))
    np.testing.assert_allclose(four_times, 2.0 * last)


def test_only_the_wanted_coverages_are_worked_out(intervals: Intervals) -> None:
    """The rows stand in the order in which they were asked for."""
    stream(intervals, 40, np.full(DAY, 10.0))
    every = width_kw(intervals, 0, 0, ALL, 0, EVERY)
    np.testing.assert_array_equal(width_kw(intervals, 0, 0, slice(2, 5), 0, [3, 1]), every[[3, 1], 2:5])


def test_a_forecast_is_scored_at_its_own_target_only(intervals: Intervals) -> None:
    """What was issued for one step says nothing about another: without all leads there is no score."""
    intervals.issue(0, 0, MEDIAN_KW[:1])
    for slot in (0, 2, 6):
        assert np.isnan(intervals.learn(0, slot, np.full(BLOCK, 5000.0), {})).all()
    assert not intervals.updates.any()
    for slot in range(1, 6):
        intervals.issue(slot, 0, MEDIAN_KW[:1])
    error_kw = intervals.learn(0, 6, np.full(BLOCK, 5000.0), {})
    assert (error_kw[0] == 4000.0).all()
    assert np.isnan(error_kw[1]).all()


def test_a_level_that_says_the_same_at_all_leads_is_told_with_the_load(intervals: Intervals) -> None:
    """It needs no forecast issued, and is scored for every step that has a load."""
    error_kw = intervals.learn(0, 4, np.array([np.nan, 1000.0]), {1: np.array([900.0, 900.0])})
    assert np.isnan(error_kw).all()
    np.testing.assert_array_equal(intervals.scale_kw[1, 2], 100.0)
    assert intervals.updates.sum() == 1


def test_no_error_at_all_gives_no_width(intervals: Intervals) -> None:
    """A load that is always as forecast ends in an interval of width zero, not in a division by zero."""
    stream(intervals, 10, np.zeros(DAY))
    np.testing.assert_array_equal(width_kw(intervals, 0, 0, ALL, 0, EVERY), np.zeros((4, 6)))


def test_another_step_is_sampled_every_day(intervals: Intervals) -> None:
    """The score and the errors returned are those of another step of the block on the next day."""
    stream(intervals, 10, np.full(DAY, 10.0))
    before = intervals.scores[0, 0, : intervals.scored[0]].copy()
    for slot in range(8):
        intervals.issue(slot, 0, MEDIAN_KW[:1])
    error_kw = intervals.learn(11, 6, np.array([1010.0, 1500.0]), {})
    assert (error_kw[0] == 500.0).all()
    assert intervals.scores[0, 0, intervals.scored[0] - 1] > before.max()
    assert (intervals.learn(12, 6, np.array([1010.0, 1500.0]), {})[0] == 10.0).all()


def test_the_oldest_scores_are_overwritten(intervals: Intervals) -> None:
    """After more than eight weeks only the last eight count: a wild start is forgotten."""
    stream(intervals, 5, np.full(DAY, 1000.0))
    stream(intervals, 400, np.full(DAY, 10.0))
    half_kw = width_kw(intervals, 0, DAY - 1, ALL, 0, EVERY)
    np.testing.assert_allclose(half_kw[2], 16.45, rtol=0.25)


def test_origins_together_are_as_wide_as_alone(intervals: Intervals) -> None:
    """From neighbouring origins, each with the hours of its own targets."""
    stream(intervals, 10, 5.0 + np.arange(DAY))
    together = intervals.half_width_kw(0, 4, 3, ALL, 0, EVERY)
    alone = [width_kw(intervals, 0, slot, ALL, 0, EVERY) for slot in (4, 5, 6)]
    np.testing.assert_array_equal(together, alone)
    assert (together[0] != together[2]).any()
