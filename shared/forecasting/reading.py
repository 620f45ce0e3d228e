"""One reading of a zone: judged, and taken into the history as it is, or as what was expected of it."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.digits import digits
from shared.forecasting.guard import Verdict

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
    without_kw = zone.follow_outage(step, at)
    outlook.reason, verdict = _judge(zone, step, load_kw.item(), expected_kw, without_kw)
    if outlook.reason:
        filler_kw = history.load_kw(at - 1) if expected_kw is None else expected_kw
        history.append(step, np.array((filler_kw,)), filled=True)
    else:
        was_out = zone.outage.lasts
        over = was_out and zone.outage.is_over(step, load_kw.item())
        if was_out and zone.is_habit(step, 1 if over else zone.grid.hour):
            zone.learn_habit(step)
        elif over:
            zone.recover(step)
        elif verdict.lost and not was_out:
            zone.lose(step, load_kw.item())
        history.append(step, load_kw, filled=False)
        zone.first_day.take(step, load_kw.item())
        outlook.below_zero |= load_kw.item() < 0.0
        _learn(zone, step, at, load_kw, was_out=was_out)
    taken_kw = history.load_kw(at)
    outlook.lowest_kw, outlook.highest_kw = min(outlook.lowest_kw, taken_kw), max(outlook.highest_kw, taken_kw)
    return verdict.perhaps_kw


def _judge(zone: Zone, step: int, load_kw: float, expected_kw: float | None, without_kw: float) -> tuple[str, Verdict]:
    """Return why the reading is not believed, empty where it is, and the verdict.

    Before the model answers, a forecast is no judge.
    """
    if isnan(load_kw):
        zone.guard.wait()
        return "the reading is missing: filled with the forecast", Verdict(believed=False)
    if expected_kw is None or not zone.adapted:
        zone.guard.trust()
        return "", Verdict(believed=True)
    if isnan(without_kw):
        without_kw = zone.shift.old_level_kw(step, expected_kw)
    usual_kw, usual_error_kw = zone.outlook.usual_kw.item(step % zone.block_steps), zone.intervals.usual_error_kw
    verdict = zone.guard.judge(load_kw, expected_kw, usual_kw, usual_error_kw, zone.outlook.swing_kw, without_kw)
    if verdict.believed:
        return "", verdict
    read, expected = digits(load_kw), digits(expected_kw)
    reason = f"the reading of {read} kW is too far from the forecast of {expected} kW"
    if verdict.perhaps_kw is None:
        return f"{reason}: filled with it", verdict
    return f"{reason}: {digits(verdict.perhaps_kw)} kW until the next one tells", verdict


def _learn(zone: Zone, step: int, at: int, load_kw: NDArray[np.float64], *, was_out: bool) -> None:
    """Learn from a good reading, (1,), what can be learned at once; in an outage only whether the load has shifted.

    What was forecast when load ``was_out`` tells of no other shift than the one that may have begun with the outage.
    """
    outlook = zone.outlook
    if not zone.outage.lasts:
        zone.climatology.learn(zone.features.cells(np.array((at,))), load_kw)
        if not zone.history.has_day(step):
            zone.climatology.refresh()
    if zone.adapted:
        usual_kw = zone.intervals.usual_error_kw
        carried_kw, range_kw = outlook.carried_kw, outlook.range_kw
        shift = zone.shift.watch(step, load_kw.item(), carried_kw, usual_kw, range_kw, may_begin=not was_out)
        if shift:
            zone.move(shift, step)
    if not zone.outage.lasts:
        outlook.good_step = step
