"""Readings that come together and are answered together, each as it would be alone.

They lie within a block, all of them good, and are forecast by levels that need nothing but loads: then nothing that one
of them says changes how the next one is answered. They are written into the history before anything is known of them,
since an origin does not see what lies after it; whatever proves to be something else is written over when it has its
turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.size import swing_kw

if TYPE_CHECKING:
    from shared.forecasting.outlook import Outlook
    from shared.forecasting.zone import Zone

__all__ = ["believed", "learn", "ranges_kw", "run", "supposed"]

Floats = NDArray[np.float64]


def supposed(zone: Zone, step: int, loads_kw: Floats) -> Floats:
    """Return which readings after the one at the step may be answered along with it, written into the history."""
    calm = zone.guard.calm and zone.shift.onset_step < 0 and zone.outage.calm and not zone.outlook.reason
    settled = zone.adapted and zone.first_day.fixed and not zone.history.clock_changes
    if not (calm and settled and len(loads_kw)):
        return loads_kw[:0]
    good_kw = loads_kw[: run(loads_kw >= zone.floor_kw)]  # none that is missing, or the first below zero
    zone.history.append(step + 1, good_kw, filled=False)
    return good_kw


def ranges_kw(outlook: Outlook, loads_kw: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest load in the history at the last origin and after each of the loads."""
    lowest_kw, highest_kw = np.empty(1 + len(loads_kw)), np.empty(1 + len(loads_kw))
    lowest_kw[0], highest_kw[0] = outlook.range_kw
    lowest_kw[1:] = highest_kw[1:] = loads_kw
    np.minimum.accumulate(lowest_kw, out=lowest_kw)
    np.maximum.accumulate(highest_kw, out=highest_kw)
    return lowest_kw, highest_kw


def believed(
    zone: Zone, loads_kw: Floats, expected_kw: Floats, carried_kw: Floats, before_kw: tuple[Floats, Floats]
) -> NDArray[np.bool_]:
    """Tell which loads, (n,), are believed, and may not begin a shift.

    That is beside what was forecast for each, with and without what the day before had added, and the lowest and the
    highest load before it.
    """
    usual_kw, swings_kw = zone.intervals.usual_error_kw, swing_kw(*before_kw)
    near = zone.guard.near(loads_kw, expected_kw, usual_kw, swings_kw)
    good: NDArray[np.bool_] = near & ~zone.shift.may_begin(loads_kw, carried_kw, usual_kw, swings_kw)
    return good


def learn(zone: Zone, step: int, at: int, loads_kw: Floats) -> None:
    """Learn from the good readings after the one at the step what can be learned at once."""
    outlook, count = zone.outlook, len(loads_kw)
    into_block = (step + 1) % zone.block_steps
    cells = zone.features.cells(at + 1 + np.arange(count))
    outlook.usual_kw[into_block : into_block + count] = zone.climatology.said_kw(cells)
    zone.climatology.learn(cells, loads_kw)
    outlook.last_step = outlook.good_step = step + count


def run(good: NDArray[np.bool_]) -> int:
    """Return how many are true before the first that is not."""
    return len(good) if good.all() else int(good.argmin())
