"""Intervals from the forecaster's own past errors."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.features import interpolation
from shared.forecasting.history import Resolution
from shared.forecasting.intervals import Intervals

DAY = 24
LEADS = np.array([1, 2, 6])
HORIZON = 6
MEDIAN_KW = np.full(HORIZON, 1000.0)


@pytest.fixture
def intervals() -> Intervals:
    """Return hourly intervals of three leads of the grid."""
    return Intervals(Resolution(60), LEADS, interpolation(LEADS, HORIZON))


def stream(intervals: Intervals, days: int, size_kw: np.ndarray) -> None:
    """Issue the same forecast at every step and let the load be off by a normal error of the slot's size."""
    random = np.random.default_rng(3)
    for _ in range(days):
        for slot in range(DAY):
            intervals.learn(slot, slot, 1000.0 + float(random.normal(0.0, size_kw[slot])))
            intervals.issue(slot, MEDIAN_KW)
        intervals.refresh()
        intervals.next_day()


def test_the_width_follows_the_size_of_the_errors_at_that_hour(intervals: Intervals) -> None:
    """Half the width tends to 1.64 standard deviations, which differ by the hour of the target."""
    size_kw = np.where(np.arange(DAY) < 12, 10.0, 50.0)
    stream(intervals, 120, size_kw)
    hours = np.array([3, 4, 5, 12, 13, 14])
    np.testing.assert_allclose(intervals.half_width_kw(hours), 1.645 * size_kw[hours], rtol=0.25)


def test_it_is_ready_after_a_day_of_scores(intervals: Intervals) -> None:
    """Two days score less than twenty-four errors with a known size, three days do."""
    stream(intervals, 2, np.full(DAY, 10.0))
    assert not intervals.ready
    stream(intervals, 1, np.full(DAY, 10.0))
    assert intervals.ready


def test_a_forecast_is_scored_at_its_own_target_only(intervals: Intervals) -> None:
    """What was issued for one step says nothing about another: without all leads there is no score."""
    intervals.issue(0, MEDIAN_KW)
    for slot in (1, 2, 6):
        intervals.learn(slot, slot, 5000.0)
    assert not intervals.updates.any()


def test_no_error_at_all_gives_no_width(intervals: Intervals) -> None:
    """A load that is always as forecast ends in an interval of width zero, not in a division by zero."""
    stream(intervals, 10, np.zeros(DAY))
    np.testing.assert_array_equal(intervals.half_width_kw(np.arange(HORIZON)), np.zeros(HORIZON))


def test_the_oldest_scores_are_overwritten(intervals: Intervals) -> None:
    """After more than eight weeks only the last eight count: a wild start is forgotten."""
    stream(intervals, 5, np.full(DAY, 1000.0))
    stream(intervals, 400, np.full(DAY, 10.0))
    np.testing.assert_allclose(intervals.half_width_kw(np.arange(HORIZON)), 16.45, rtol=0.25)
