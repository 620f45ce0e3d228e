"""What passes for a lasting shift of the load."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting.history import Resolution
from shared.forecasting.shift import LevelShift

DAY = 144
FORECAST_KW = 20_000.0 + 3_000.0 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
USUAL_ERROR_KW = 150.0
FIVE_HOURS = 30


@pytest.fixture
def shift() -> LevelShift:
    """Return a watch at ten minutes that has seen nothing."""
    return LevelShift(Resolution(10), DAY)


def watched(shift: LevelShift, ratios: list[float], first: int = 1) -> list[tuple[int, float] | None]:
    """Let the load run beside the forecast, which is the same at every step, at these ratios."""
    return [
        shift.watch(first + n, ratio * FORECAST_KW[n], np.roll(FORECAST_KW, -n), USUAL_ERROR_KW)
        for n, ratio in enumerate(ratios)
    ]


def test_a_steady_jump_is_accepted_after_five_hours(shift: LevelShift) -> None:
    """The reading that completes five hours names the onset and the ratio, and none before it."""
    said = watched(shift, [1.0] * 5 + [1.2] * FIVE_HOURS)
    assert said[:-1] == [None] * (4 + FIVE_HOURS)
    assert said[-1] is not None
    onset, ratio = said[-1]
    assert onset == 6
    assert ratio == pytest.approx(1.2)


@pytest.mark.parametrize(
    "ratios",
    [
        [1.0] * 100,
        [1.2] * 20 + [1.0] * 60,  # it passes
        [1.05] * 60,  # too small
        [1.2 if n % 2 else 1.6 for n in range(60)],  # not steady
        [0.001] * 60,  # another unit
    ],
)
def test_what_is_no_lasting_shift(shift: LevelShift, ratios: list[float]) -> None:
    """Nothing is accepted."""
    assert watched(shift, ratios) == [None] * len(ratios)


def test_the_way_back_needs_half_an_hour(shift: LevelShift) -> None:
    """A jump to the level of before is believed after three readings, with exactly the inverse ratio, and only once."""
    up = watched(shift, [1.25] * FIVE_HOURS)[-1]
    assert up is not None
    down = watched(shift, [0.81, 0.79, 0.80], first=500)
    assert down[:2] == [None, None]
    assert down[2] == (500, 1.0 / up[1])
    assert watched(shift, [1.25] * 3, first=900) == [None] * 3
