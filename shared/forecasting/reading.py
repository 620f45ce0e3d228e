"""One reading of a zone: judged, and taken into the history as it is, or as what was expected of it."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.digits import digits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.zone import Zone

__all__ = ["take"]


def take(zone: Zone, step: int, at: int, load_kw: NDArray[np.float64]) -> float | None:
    """Take a reading, (1,), into the history: itself, or what was expected where it is not believed.

    Returns what the load may be all the same, None where that needs no answer of its own.
    """
    outlook, history = zone.outlook, zone.history
    expected_kw = outlook.expected_kw(step)
    outlook.last_step = step
    outlook.reason, perhaps_kw = _judge(zone, step, load_kw.item(), expected_kw)
    if outlook.reason:
        filler_kw = history.load_kw(at - 1) if expected_kw is None else expected_kw
        history.append(step, np.array((filler_kw,)), filled=True)
    else:
        history.append(step, load_kw, filled=False)
        zone.first_day.take(step, load_kw.item())
        outlook.below_zero |= load_kw.item() < 0.0
        _learn(zone, step, at, load_kw)
    taken_kw = history.load_kw(at)
    outlook.lowest_kw, outlook.highest_kw = min(outlook.lowest_kw, taken_kw), max(outlook.highest_kw, taken_kw)
    return perhaps_kw


def _judge(zone: Zone, step: int, load_kw: float, expected_kw: float | None) -> tuple[str, float | None]:
    """Return why the reading is not believed, empty where it is, and what the load may be all the same.

    Before the model answers, a forecast is no judge.
    """
    if isnan(load_kw):
        zone.guard.wait()
        return "the reading is missing: filled with the forecast", None
    if expected_kw is None or not zone.adapted:
        zone.guard.trust()
        return "", None
    usual_kw, usual_error_kw = zone.outlook.usual_kw.item(step % zone.block_steps), zone.intervals.usual_error_kw
    verdict = zone.guard.judge(load_kw, expected_kw, usual_kw, usual_error_kw, zone.outlook.swing_kw)
    if verdict.believed:
        return "", None
    read, expected = digits(load_kw), digits(expected_kw)
    reason = f"the reading of {read} kW is too far from the forecast of {expected} kW"
    if verdict.perhaps_kw is None:
        return f"{reason}: filled with it", None
    return f"{reason}: {digits(verdict.perhaps_kw)} kW until the next one tells", verdict.perhaps_kw


def _learn(zone: Zone, step: int, at: int, load_kw: NDArray[np.float64]) -> None:
    """Learn from a good reading, (1,), what can be learned at once."""
    outlook = zone.outlook
    zone.climatology.learn(zone.features.cells(np.array((at,))), load_kw)
    if not zone.history.has_day(step):
        zone.climatology.refresh()
    if zone.adapted:
        usual_kw = zone.intervals.usual_error_kw
        shift = zone.shift.watch(step, load_kw.item(), outlook.carried_kw, usual_kw, outlook.range_kw)
        if shift:
            zone.move(shift, step)
    outlook.good_step = step
