"""What a forecast says of itself: why the best level does not answer, and whether the load has shifted or is out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.forecasting.digits import digits
from shared.forecasting.ladder import ADAPTED
from shared.forecasting.outage import Fate
from shared.forecasting.size import NEAR_ZERO

if TYPE_CHECKING:
    from shared.forecasting.ladder import LeadSpan
    from shared.forecasting.zone import Zone

__all__ = ["Out", "Told", "out", "told", "why"]


class Out(NamedTuple):
    """An outage that lasts, or that is over for less than a day: its first step, the first after it, and its fate."""

    since_step: int
    until_step: int | None  # None: it lasts
    fate: Fate


class Told(NamedTuple):
    """What an operator should know of the load: a kind of note, the step since when, and words."""

    kind: str
    since_step: int
    text: str


def why(zone: Zone, span: LeadSpan, step: int) -> str | None:
    """Return why the best level does not answer a span, and what it had to do without; None where all is well.

    The step is one of those that were taken last.
    """
    lower = _why_lower(zone, span) if span.level != ADAPTED else ""
    is_out = _is_out(zone, step) if zone.outage.lasts else ""
    return "; ".join(reason for reason in (lower, is_out, zone.outlook.reason) if reason) or None


def told(zone: Zone, step: int) -> tuple[Told, ...]:
    """Return the notes of a forecast: a shift of the last day, and an outage that lasts or is over for less than a day.

    The step is one of those that were taken last.
    """
    outage = out(zone, step)
    found = (_of_shift(zone, step), None if outage is None else _of_outage(zone, step, outage))
    return tuple(note for note in found if note is not None)


def out(zone: Zone, step: int) -> Out | None:
    """Return the outage that lasts at the step, or that is over for less than a day; else None.

    The step is one of those that were taken last.
    """
    outage = zone.outage
    if outage.lasts:
        return Out(outage.onset_step, None, Fate.LASTS)
    if outage.last_end < 0 or step - outage.last_end >= zone.grid.day:
        return None
    return Out(outage.last_onset, outage.last_end, Fate(outage.last_fate))


def _of_shift(zone: Zone, step: int) -> Told | None:
    shift = zone.shift
    if shift.last_onset < 0 or step - shift.last_onset >= zone.grid.day:
        return None
    how = (
        f"by {digits(shift.last_offset_kw)} kW" if shift.last_offset_kw else f"to {shift.last_ratio:.2f} of what it was"
    )
    back = "back, " if shift.returned_step >= shift.last_onset else "for good "
    return Told("shift", shift.last_since, f"the load has shifted {back}{how}")


def _of_outage(zone: Zone, step: int, outage: Out) -> Told | None:
    since, until, fate = outage
    began, ended = (_time(zone, at) for at in (since, step if until is None else until))
    match fate:
        case Fate.LASTS:
            steady = "has been steady for hours, and is forecast to stay so"
            left = steady if zone.outage.steady else "is forecast to become more little by little"
            lost = f"what is not back by {_time(zone, zone.outage.lost_step)} UTC is lost for good"
            ends = lost if zone.outage.share > NEAR_ZERO else "as long as nothing is left, the outage lasts"
            text = f"{_is_out(zone, step)}; what is left {left}; {ends}"
        case Fate.BACK:
            text = f"load was out from {began} to {ended} UTC: what was expected stands in for these hours"
        case Fate.DOUBTED:
            low_kw = digits(float(np.nanmin(np.abs(zone.outage.last_kw))))
            text = (
                f"readings down to {low_kw} kW from {began} to {ended} UTC were not believed, load was out or the "
                "meter failed: what was expected stands in for these hours"
            )
        case Fate.HABIT:
            text = f"load is out at these hours again: learned as a habit since {ended} UTC, it is forecast for them"
        case Fate.FOR_GOOD:
            return None  # told as a shift
    return Told("outage", since, text)


def _is_out(zone: Zone, step: int) -> str:
    without_kw = zone.history.load_kw(zone.history.index(step))
    read, expected = digits(zone.outage.share * without_kw), digits(without_kw)
    return f"load is out: {read} kW where {expected} kW are expected without the outage"


def _time(zone: Zone, step: int) -> str:
    return f"{zone.grid.time_of(step):%Y-%m-%d %H:%M}"


def _why_lower(zone: Zone, span: LeadSpan) -> str:
    if not zone.ladder.computable[ADAPTED]:
        if not zone.adapted:
            weeks = "a week" if zone.borrows else "two weeks"
            return f"the model has too little history: it answers after about {weeks}"
        return "most of the last two days is filled: the model would forecast from its own forecasts"
    ours, theirs = map(digits, zone.ladder.lately_kw(span))
    return f"better lately: RMSE {ours} against {theirs} kW of the adapted model"
