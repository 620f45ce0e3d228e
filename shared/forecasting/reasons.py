"""What a forecast says of itself: why the best level does not answer, and whether the load has shifted or is out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.forecasting.digits import digits
from shared.forecasting.ladder import ADAPTED

if TYPE_CHECKING:
    from shared.forecasting.ladder import Span
    from shared.forecasting.zone import Zone

__all__ = ["Out", "out", "shifted", "why"]


class Out(NamedTuple):
    """An outage that lasts, or that is over for less than a day: its first step, the first one after it, and words."""

    since_step: int
    until_step: int | None  # None: it lasts
    text: str


def why(zone: Zone, span: Span, step: int) -> str | None:
    """Return why the best level does not answer a span, and what it had to do without; None where all is well.

    The step is one of those that were taken last.
    """
    _, moved = shifted(zone, step) or (step, "")
    outage = out(zone, step)
    is_out = outage.text if outage and outage.until_step is None else ""
    reasons = (_why_lower(zone, span) if span.rung != ADAPTED else moved, is_out, zone.outlook.reason)
    return "; ".join(reason for reason in reasons if reason) or None


def shifted(zone: Zone, step: int) -> tuple[int, str] | None:
    """Return the step at which the load has shifted, and that it has, for a day; else None."""
    onset = zone.shift.last_onset
    if onset < 0 or step - onset >= zone.grid.day:
        return None
    if zone.shift.last_offset_kw:
        return onset, f"the load has shifted for good by {digits(zone.shift.last_offset_kw)} kW"
    return onset, f"the load has shifted for good to {zone.shift.last_ratio:.2f} of what it was"


def out(zone: Zone, step: int) -> Out | None:
    """Return the outage that lasts at the step, or that is over for less than a day; else None.

    The step is one of those that were taken last.
    """
    outage = zone.outage
    if outage.lasts:
        load_kw, without_kw = zone.history.load_kw(zone.history.index(step)), outage.without_kw(step)
        text = f"load is out: {digits(load_kw)} kW where {digits(without_kw)} kW are expected without the outage"
        return Out(outage.onset_step, None, text)
    if outage.last_end < 0 or step - outage.last_end >= zone.grid.day:
        return None
    began, ended = (f"{zone.grid.time_of(at):%Y-%m-%d %H:%M}" for at in (outage.last_onset, outage.last_end))
    text = f"load was out from {began} to {ended} UTC: what was expected stands in for these hours"
    return Out(outage.last_onset, outage.last_end, text)


def _why_lower(zone: Zone, span: Span) -> str:
    if not zone.ladder.computable[ADAPTED]:
        if not zone.adapted:
            weeks = "a week" if zone.borrows else "two weeks"
            return f"the model has too little history: it answers after about {weeks}"
        return "most of the last two days is filled: the model would forecast from its own forecasts"
    ours, theirs = map(digits, zone.ladder.lately_kw(span))
    return f"better lately: RMSE {ours} against {theirs} kW of the adapted model"
