"""What follows from several parts of a zone's state."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from shared.forecasting.method import METHOD
from shared.forecasting.shift import Shift
from shared.forecasting.zone import Zone
from shared.sites.calendar import Calendar
from shared.sites.grid import Grid


@pytest.mark.parametrize(
    ("floor_kw", "below_zero", "least_kw"),
    [(None, False, 0.0), (None, True, -inf), (-5.0, False, -5.0), (3.0, True, 3.0)],
)
def test_no_forecast_is_below_what_a_load_can_be(floor_kw: float | None, *, below_zero: bool, least_kw: float) -> None:
    """The site's limit where there is one, else zero until a load below it was read."""
    zone = Zone(Calendar("MA"), Grid(60), 24, METHOD, 0, floor_kw)
    zone.outlook.below_zero = below_zero
    assert zone.floor_kw == least_kw


@pytest.mark.parametrize("horizon_steps", [0, 25])
def test_a_horizon_is_at_most_a_day(horizon_steps: int) -> None:
    """The message names the number and what to use."""
    with pytest.raises(ValueError, match=rf"horizon_steps is {horizon_steps}: use 1 to 24, a day at this step"):
        Zone(Calendar("MA"), Grid(60), horizon_steps, METHOD, 0)


def test_a_lasting_shift_moves_all_that_was_learned() -> None:
    """The past, its range, the usual loads and the usual errors are then those of the new level."""
    zone = Zone(Calendar("MA"), Grid(60), 24, METHOD, 0)
    for step in range(24):
        zone.history.append(step, np.array((10.0 + step,)), filled=False)
        zone.climatology.learn(zone.features.cells(np.array((zone.history.index(step),))), np.array((10.0 + step,)))
    zone.intervals.usual_error_kw = 2.0
    usual_kw = zone.climatology.usual_kw.copy()
    zone.move(Shift(onset_step=24, ratio=1.5, offset_kw=0.0), 23, 24)
    assert zone.outlook.range_kw == (0.0, 1.5 * 33.0)
    assert zone.intervals.usual_error_kw == 3.0
    np.testing.assert_array_equal(zone.climatology.usual_kw, 1.5 * usual_kw)
