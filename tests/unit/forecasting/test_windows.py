"""How much of a step belongs to which time of day."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.windows import windows


@pytest.mark.parametrize(("day", "count"), [(144, 4), (144, 2), (96, 8), (24, 4), (24, 3)])
def test_the_shares_of_a_step_sum_to_one(day: int, count: int) -> None:
    """Every step is shared out whole, to two windows at most, smoothly from one step to the next."""
    share = windows(day, count).share
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert ((share > 1e-12).sum(axis=1) <= 2).all()
    assert np.abs(np.diff(np.vstack((share, share[:1])), axis=0)).max() < 2 * count / day


def test_a_window_is_its_own_at_its_centre() -> None:
    """The first is centred on midnight, the third of four on noon, and the row of each names the steps in it."""
    parts = windows(144, 4)
    assert parts.share[0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert parts.share[72, 2] == 1.0
    for window, steps in enumerate(parts.steps):
        outside = np.setdiff1d(np.arange(144), steps)
        np.testing.assert_allclose(parts.share[outside, window], 0.0, atol=1e-12)
        assert (np.diff(steps) > 0).all()


@pytest.mark.parametrize("ahead_steps", [-30, 0, 7, 54, 72])
def test_windows_go_by_the_clock_of_the_site(ahead_steps: int) -> None:
    """Where the clock is ahead, its midnight comes earlier in UTC; the steps still name all that have a share."""
    here, there = windows(144, 4), windows(144, 4, ahead_steps)
    np.testing.assert_array_equal(there.share, here.share[(np.arange(144) + ahead_steps) % 144])
    for window, steps in enumerate(there.steps):
        assert set(np.flatnonzero(there.share[:, window] > 1e-12)) <= set(steps.tolist())
        assert (np.diff(steps) > 0).all()


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_what_does_not_divide_a_day_is_refused(count: int) -> None:
    """The message names the number and what to use."""
    with pytest.raises(ValueError, match=rf"windows is {count}: use a divisor of 144, the steps of a day, from 2 on"):
        windows(144, count)
