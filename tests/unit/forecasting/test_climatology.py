"""The usual load of a kind of day and a time of day."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.climatology import HOLIDAY, Climatology
from shared.sites.grid import Grid

MONDAY, SUNDAY, DAY = 0, 6, 24


def learn(climatology: Climatology, kind: int, slot: int, load_kw: float) -> None:
    """Take one reading."""
    climatology.learn(np.array((kind * DAY + slot,)), np.array((load_kw,)))


@pytest.fixture
def climatology() -> Climatology:
    """Return an hourly climatology that has seen nothing."""
    return Climatology(Grid(60))


def test_what_was_never_seen_borrows(climatology: Climatology) -> None:
    """From other kinds of day at that time, and where there is none, from the mean of all."""
    learn(climatology, MONDAY, 8, 100.0)
    learn(climatology, SUNDAY, 8, 60.0)
    learn(climatology, MONDAY, 9, 140.0)
    climatology.refresh()
    assert climatology.usual_kw[MONDAY, 8] == 100.0
    assert climatology.usual_kw[HOLIDAY, 8] == 80.0
    assert climatology.usual_kw[SUNDAY, 9] == 140.0
    assert climatology.usual_kw[HOLIDAY, 0] == 100.0


def test_it_follows_in_about_six_days_of_a_kind(climatology: Climatology) -> None:
    """A new level is nearly reached after twelve days of its kind, and other kinds do not move."""
    for _ in range(12):
        learn(climatology, MONDAY, 8, 100.0)
        learn(climatology, SUNDAY, 8, 60.0)
    for _ in range(12):
        learn(climatology, MONDAY, 8, 200.0)
    assert 180.0 < climatology.mean_kw[MONDAY, 8] < 200.0
    assert climatology.mean_kw[SUNDAY, 8] == 60.0


def test_before_the_first_reading_nothing_is_usual(climatology: Climatology) -> None:
    """There is nothing to borrow from."""
    climatology.refresh()
    assert np.isnan(climatology.usual_kw).all()


def test_a_lasting_shift_moves_all_of_it(climatology: Climatology) -> None:
    """Every cell, also a borrowed one, is larger by the ratio, and by the difference."""
    learn(climatology, MONDAY, 8, 100.0)
    climatology.refresh()
    climatology.move(1.2, -5.0)
    np.testing.assert_allclose(climatology.usual_kw, 115.0)


def test_readings_of_different_times_are_learned_together_as_alone(climatology: Climatology) -> None:
    """The same means to the bit, whether each was known before or not."""
    alone = Climatology(climatology.grid)
    cells = np.array((MONDAY * DAY + 8, MONDAY * DAY + 9, SUNDAY * DAY + 9))
    for loads_kw in np.random.default_rng(1).uniform(100.0, 200.0, (4, 3)):
        climatology.learn(cells, loads_kw)
        for cell, load_kw in zip(cells.tolist(), loads_kw.tolist(), strict=True):
            alone.learn(np.array((cell,)), np.array((load_kw,)))
    np.testing.assert_array_equal(climatology.usual_kw, alone.usual_kw)
    assert climatology.days[SUNDAY, 9] == 4
