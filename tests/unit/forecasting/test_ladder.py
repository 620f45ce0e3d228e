"""Which level answers which leads."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, FROZEN, WEATHER, Ladder, LeadSpan
from shared.forecasting.method import METHOD
from shared.sites.grid import Grid

LEADS = np.array([1, 3, 6, 12, 24])
ALL = [True] * 5


@pytest.fixture
def ladder() -> Ladder:
    """Return the ladder of an hourly day."""
    return Ladder(Grid(60), LEADS, METHOD.ladder)


def learn(ladder: Ladder, blocks: int, *size_kw: float) -> None:
    """Let every level err by its size at all leads, NaN where it does not answer."""
    for _ in range(blocks):
        ladder.learn(np.repeat(np.array(size_kw)[:, None], len(LEADS), axis=1))


def test_the_highest_level_that_can_be_computed_answers(ladder: Ladder) -> None:
    """Also where a lower one has been somewhat better: the order of the ladder weighs more than a few errors."""
    learn(ladder, 48, 100.0, 90.0, 300.0, 300.0, 300.0)
    for computable, level in (
        (ALL, ADAPTED),
        ([False, True, True, True, True], FROZEN),
        ([False, False, True, True, True], WEATHER),
        ([False, False, False, True, True], ANALOGUE),
        ([False, False, False, False, True], CLIMATOLOGY),
    ):
        ladder.choose(computable)
        assert ladder.spans() == [LeadSpan(1, 24, level)]


def test_a_fitted_level_must_have_shown_its_worth(ladder: Ladder) -> None:
    """Until two days of its errors are known a rule answers in its place."""
    learn(ladder, 48, np.nan, np.nan, np.nan, 200.0, 300.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, ANALOGUE)]
    learn(ladder, 24, 100.0, np.nan, np.nan, 200.0, 300.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, ADAPTED)]


def test_what_is_clearly_better_takes_over_and_gives_back(ladder: Ladder) -> None:
    """Below seven tenths of the error it takes over; it stays as long as it is better at all, and no longer."""
    learn(ladder, 240, 100.0, 60.0, 300.0, 300.0, 300.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, FROZEN)]
    learn(ladder, 1000, 100.0, 90.0, 300.0, 300.0, 300.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, FROZEN)]
    learn(ladder, 1000, 100.0, 110.0, 300.0, 300.0, 300.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, ADAPTED)]


def test_the_choice_is_made_for_each_group_of_leads(ladder: Ladder) -> None:
    """A level that is better beyond six hours answers those leads alone."""
    for _ in range(48):
        error_kw = np.full((5, len(LEADS)), 100.0)
        error_kw[ANALOGUE, 3:] = 10.0
        ladder.learn(error_kw)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 6, ADAPTED), LeadSpan(7, 24, ANALOGUE)]
    assert ladder.lately_kw(LeadSpan(7, 24, ANALOGUE)) == pytest.approx((10.0, 100.0))


def test_levels_are_compared_over_the_same_targets(ladder: Ladder) -> None:
    """A level that only came when the wild days were over is not better for it."""
    learn(ladder, 240, 1000.0, np.nan, np.nan, 1000.0, 1000.0)
    learn(ladder, 48, 100.0, 100.0, np.nan, 100.0, 100.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, ADAPTED)]


def test_errors_of_nothing_decide_nothing(ladder: Ladder) -> None:
    """Where all are right within a kW, the highest level answers."""
    learn(ladder, 48, 0.1, 0.0, 0.0, 0.0, 0.0)
    ladder.choose(ALL)
    assert ladder.spans() == [LeadSpan(1, 24, ADAPTED)]
