"""Which readings are answered along with the one before them."""

from __future__ import annotations

import numpy as np
import pytest

from shared.forecasting import company
from shared.forecasting.outlook import Outlook


@pytest.mark.parametrize(
    ("good", "count"), [([], 0), ([False, True], 0), ([True, True, False, True], 2), ([True, True], 2)]
)
def test_a_run_ends_before_the_first_that_is_not_good(good: list[bool], count: int) -> None:
    """However many are good after it."""
    assert company.run(np.array(good, dtype=np.bool_)) == count


def test_each_origin_knows_the_range_up_to_itself() -> None:
    """The last origin that of the history, each after it also the loads up to its own."""
    outlook = Outlook(horizon_steps=4, block_steps=2)
    outlook.lowest_kw, outlook.highest_kw = 10.0, 20.0
    lowest_kw, highest_kw = company.ranges_kw(outlook, np.array((15.0, 25.0, 5.0, 22.0)))
    assert lowest_kw.tolist() == [10.0, 10.0, 10.0, 5.0, 5.0]
    assert highest_kw.tolist() == [20.0, 20.0, 25.0, 25.0, 25.0]
