"""What is expected of a reading."""

from __future__ import annotations

import numpy as np

from shared.forecasting.outlook import Outlook


def test_a_trusted_forecast_reaches_as_far_as_its_horizon() -> None:
    """Before there is one, and beyond its last lead, nothing is expected."""
    outlook = Outlook(horizon_steps=3, block_steps=2)
    assert outlook.expected_kw(1) is None
    outlook.trusted_step, outlook.trusted_kw = 10, np.array((1.0, 2.0, 3.0))
    assert [outlook.expected_kw(step) for step in range(11, 15)] == [1.0, 2.0, 3.0, None]


def test_a_load_swings_as_far_as_it_goes_to_the_other_side_of_zero() -> None:
    """A load that stays on one side does not swing, whichever side that is."""
    outlook = Outlook(horizon_steps=1, block_steps=1)
    for range_kw, largest_kw, swing_kw in (((2.0, 9.0), 9.0, 0.0), ((-9.0, -2.0), 9.0, 0.0), ((-4.0, 9.0), 9.0, 4.0)):
        outlook.lowest_kw, outlook.highest_kw = range_kw
        assert (outlook.largest_kw, outlook.swing_kw) == (largest_kw, swing_kw)
