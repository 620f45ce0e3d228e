"""How much of the day before is in a forecast follows what it has been worth."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.combination import Combination
from shared.forecasting.method import METHOD

LEADS = np.array((1, 24))
BLOCKS, BLOCK = 12, 2
DAY = BLOCKS * BLOCK
ALL = slice(None)

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def live(combination: Combination, days: int, helpful: Floats, *, unseen: slice = slice(0)) -> None:
    """Live through days in which the best share of the day before is ``helpful``, (leads,), in what is sent."""
    noise = np.random.default_rng(5)
    for _ in range(days):
        combination.next_day()
        for block in range(BLOCKS):
            slots = block * BLOCK + np.arange(BLOCK)
            fitted_kw, day_before_kw = noise.normal(100, 10, (BLOCK, len(LEADS))), noise.normal(100, 10, BLOCK)
            best_kw = fitted_kw + helpful * (day_before_kw[:, None] - fitted_kw)
            for lead in range(len(LEADS)):
                share = np.where(slots < LEADS[lead], combination.share[0, lead], combination.share[1, lead])
                issued_kw = np.full((BLOCK, len(LEADS)), np.nan)
                issued_kw[:, lead] = fitted_kw[:, lead] + share * (day_before_kw - fitted_kw[:, lead])
                issued_kw[unseen] = np.nan
                combination.learn(slots, issued_kw, day_before_kw, best_kw[:, lead])


def test_the_share_is_found_though_it_is_in_what_was_issued() -> None:
    """Of yesterday's and of today's share alike; as long as it is the best one, it stays."""
    combination = Combination(LEADS, BLOCKS, METHOD.combination)
    for days in (16, 4):
        live(combination, days, np.array((0.1, 0.4)))
        np.testing.assert_allclose(combination.share[1], (0.1, 0.4))


@pytest.mark.parametrize(("helpful", "share"), [(-0.3, 0.0), (0.9, 0.5)])
def test_the_share_is_within_its_limits(helpful: float, share: float) -> None:
    """None where the day before misleads, and never more than half."""
    combination = Combination(LEADS, BLOCKS, METHOD.combination)
    live(combination, 16, np.full(2, helpful))
    np.testing.assert_allclose(combination.share, share)


def test_there_is_no_share_before_two_weeks_are_known() -> None:
    """Nothing is combined on a handful of errors; what was not issued or not read teaches nothing."""
    combination = Combination(LEADS, BLOCKS, METHOD.combination)
    live(combination, 20, np.full(2, 0.4), unseen=ALL)
    assert combination.learned == 0
    assert not combination.gain_kw2.any()
    live(combination, 14 // len(LEADS), np.full(2, 0.4))  # in which each lead has blocks of its own
    np.testing.assert_array_equal(combination.share, 0.0)


def test_it_follows_within_some_weeks() -> None:
    """After two months the former best share is forgotten but for a twentieth; a new level of the load forgets none."""
    combination = Combination(LEADS, BLOCKS, METHOD.combination)
    live(combination, 60, np.full(2, 0.4))
    combination.rescale(3.0)
    combination.rescale(1.0 / 3.0)
    live(combination, 61, np.full(2, 0.1))
    np.testing.assert_allclose(combination.share[1], 0.1, atol=0.05)
    assert (combination.share[1] > 0.1).all()
