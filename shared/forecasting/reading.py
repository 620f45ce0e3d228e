"""One reading of a zone: judged, and taken into the history as it is, or as what was expected of it."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.digits import digits
from shared.forecasting.guard import Verdict
from shared.forecasting.history import LOAD
from shared.forecasting.outage import Fate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.zone import Zone

__all__ = ["take"]


def take(zone: Zone, step: int, at: int, load_kw: NDArray[np.float64]) -> None:
    """Take a reading, (1,), into the history: itself, or what was expected where it is not believed or load is out."""
    outlook, history, outage = zone.outlook, zone.history, zone.outage
    zone.next_step(step)
    expected_kw = outlook.expected_kw(step)
    without_kw = nan if expected_kw is None else expected_kw
    filler_kw = history.load_kw(at - 1) if expected_kw is None else expected_kw
    outlook.last_step, doubted_kw = step, zone.guard.doubted_kw
    outlook.reason, verdict = _judge(zone, step, load_kw.item(), expected_kw)
    if outlook.reason:
        history.append(step, np.array((filler_kw,)), filled=True)
        if verdict.low:
            outage.doubt(step, load_kw.item(), without_kw, verdict.belief)
    else:
        was_out = outage.lasts
        _follow_outage(zone, step, load_kw.item(), without_kw, verdict)
        filled = False
        if outage.lasts:
            stands_kw, filled = outage.stand_in_kw(load_kw.item(), filler_kw)
            history.append(step, np.array((stands_kw,)), filled=filled)
        else:
            _confirm(zone, step, load_kw.item(), doubted_kw)
            history.append(step, load_kw, filled=False)
        zone.first_day.take(step, load_kw.item())
        outlook.below_zero |= load_kw.item() < 0.0
        _learn(zone, step, at, load_kw.item(), was_out=was_out)
    taken_kw = history.load_kw(at)
    outlook.lowest_kw, outlook.highest_kw = min(outlook.lowest_kw, taken_kw), max(outlook.highest_kw, taken_kw)


def _confirm(zone: Zone, step: int, load_kw: float, doubted_kw: float) -> None:
    """Let the reading before stand in the history where it was refused alone, and one that is believed agrees with it.

    Else the first hour of what happens every day would be refused on each of them, and never be forecast.
    """
    alone = zone.outlook.good_step == step - 2 and zone.outage.last_end != step
    if alone and zone.guard.agree(load_kw, doubted_kw, zone.outlook.swing_kw):
        zone.learn_as_read(step - 1, np.array((doubted_kw,)), step - 1)


def _judge(zone: Zone, step: int, load_kw: float, without_kw: float | None) -> tuple[str, Verdict]:
    """Return why the reading is not believed, empty where it is, and the verdict.

    Before the model answers, a forecast is no judge.
    """
    if isnan(load_kw):
        zone.guard.wait()
        return "the reading is missing: filled with the forecast", Verdict(believed=False)
    if without_kw is None or not zone.adapted:
        zone.guard.trust()
        return "", Verdict(believed=True)
    outage, outlook, usual_error_kw = zone.outage, zone.outlook, zone.intervals.usual_error_kw
    expected_kw = outage.left_share * without_kw
    most_kw = without_kw if outage.lasts else zone.shift.old_level_kw(step, expected_kw)
    usual_kw = outlook.usual_kw.item(step % zone.block_steps)
    again = not outage.calm and zone.is_habit(step, zone.grid.hour)
    verdict = zone.guard.judge(load_kw, expected_kw, usual_kw, usual_error_kw, outlook.swing_kw, most_kw, again=again)
    if verdict.believed:
        return "", verdict
    reason = f"the reading of {digits(load_kw)} kW is too far from the forecast of {digits(expected_kw)} kW"
    if not verdict.belief or outage.lasts:
        return f"{reason}: filled with it", verdict
    perhaps_kw = expected_kw + verdict.belief * (load_kw - expected_kw)
    return f"{reason}: {digits(perhaps_kw)} kW until the next one tells", verdict


def _follow_outage(zone: Zone, step: int, load_kw: float, without_kw: float, verdict: Verdict) -> None:
    """Take note of what a reading that is believed says of an outage: that there is one, goes on, or is over."""
    outage = zone.outage
    if outage.calm and not verdict.lost:
        return
    if outage.lasts:
        over = outage.is_over(load_kw, without_kw)
        if zone.is_habit(step, 1 if over else zone.grid.hour):
            zone.learn_habit(step)
        elif over:
            zone.recover(step)
        else:
            usual_kw = zone.outlook.usual_kw.item(step % zone.block_steps)
            outage.go_on(step, load_kw, without_kw, holds=zone.holds(load_kw, without_kw, usual_kw))
    elif verdict.lost:
        outage.believe(step, load_kw, without_kw)
    elif outage.is_over(load_kw, without_kw):
        zone.end_outage(step, Fate.DOUBTED)
    else:
        outage.forget()


def _learn(zone: Zone, step: int, at: int, load_kw: float, *, was_out: bool) -> None:
    """Learn from a good reading what can be learned at once; in an outage only whether the load has shifted.

    What was forecast when load ``was_out`` tells of no other shift than the one that may have begun with the outage.
    """
    outlook, history, outage = zone.outlook, zone.history, zone.outage
    good = not history.filled[at]
    if good:
        zone.climatology.learn(zone.features.cells(np.array((at,))), history.series[LOAD, at : at + 1])
        if not history.has_day(step):
            zone.climatology.refresh()
    if zone.adapted:
        shift = zone.shift.watch(
            step,
            load_kw,
            outlook.carried_kw,
            zone.intervals.usual_error_kw,
            outlook.range_kw,
            good_step=outlook.good_step,
            may_begin=not was_out,
        )
        if shift and outage.lasts:
            zone.settle(shift, step)
        elif shift and zone.shift.is_likely(shift) and zone.is_new(shift, step):
            zone.move(shift, step, zone.shift.since_step)
    if not history.filled[at]:
        outlook.good_step = step
