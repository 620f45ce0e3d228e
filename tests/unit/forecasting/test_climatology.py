"""The usual load of a kind of day and a time of day."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.climatology import HOLIDAY, Climatology
from shared.forecasting.history import Resolution

MONDAY, SUNDAY, DAY = 0, 6, 24


@pytest.fixture
def climatology() -> Climatology:
    """Return an hourly climatology that has seen nothing."""
    return Climatology(Resolution(60))


def test_what_was_never_seen_borrows(climatology: Climatology) -> None:
    """From other kinds of day at that time, and where there is none, from the mean of all."""
    climatology.learn(MONDAY, 8, 100.0)
    climatology.learn(SUNDAY, 8, 60.0)
    climatology.learn(MONDAY, 9, 140.0)
    climatology.refresh()
    assert climatology.usual_kw[MONDAY, 8] == 100.0
    assert climatology.usual_kw[HOLIDAY, 8] == 80.0
    assert climatology.usual_kw[SUNDAY, 9] == 140.0
    assert climatology.usual_kw[HOLIDAY, 0] == 100.0


def test_it_follows_in_about_six_days_of_a_kind(climatology: Climatology) -> None:
    """A new level is nearly reached after twelve days of its kind, and other kinds do not move."""
    for _ in range(12):
        climatology.learn(MONDAY, 8, 100.0)
        climatology.learn(SUNDAY, 8, 60.0)
    for _ in range(12):
        climatology.learn(MONDAY, 8, 200.0)
    assert 180.0 < climatology.mean_kw[MONDAY, 8] < 200.0
    assert climatology.mean_kw[SUNDAY, 8] == 60.0


def test_before_the_first_reading_nothing_is_usual(climatology: Climatology) -> None:
    """There is nothing to borrow from."""
    climatology.refresh()
    assert np.isnan(climatology.usual_kw).all()


def test_a_lasting_shift_moves_all_of_it(climatology: Climatology) -> None:
    """Every cell, also a borrowed one, is larger by the ratio."""
    climatology.learn(MONDAY, 8, 100.0)
    climatology.refresh()
    climatology.rescale(1.2)
    np.testing.assert_allclose(climatology.usual_kw, 120.0)
