"""What a forecast says of itself: why the best level does not answer, and how the load has shifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.forecasting.digits import digits
from shared.forecasting.ladder import ADAPTED

if TYPE_CHECKING:
    from shared.forecasting.ladder import Span
    from shared.forecasting.zone import Zone

__all__ = ["shifted", "why"]


def why(zone: Zone, span: Span, step: int) -> str | None:
    """Return why the best level does not answer a span, and what it had to do without; None where all is well.

    The step is one of those that were taken last.
    """
    _, moved = shifted(zone, step) or (step, "")
    reasons = (_why_lower(zone, span) if span.rung != ADAPTED else moved, zone.outlook.reason)
    return "; ".join(reason for reason in reasons if reason) or None


def shifted(zone: Zone, step: int) -> tuple[int, str] | None:
    """Return the step at which the load has shifted, and that it has, for a day; else None."""
    onset = zone.shift.last_onset
    if onset < 0 or step - onset >= zone.grid.day:
        return None
    if zone.shift.last_offset_kw:
        return onset, f"the load has shifted for good by {digits(zone.shift.last_offset_kw)} kW"
    return onset, f"the load has shifted for good to {zone.shift.last_ratio:.2f} of what it was"


def _why_lower(zone: Zone, span: Span) -> str:
    if not zone.ladder.computable[ADAPTED]:
        if not zone.adapted:
            weeks = "a week" if zone.borrows else "two weeks"
            return f"the model has too little history: it answers after about {weeks}"
        return "most of the last two days is filled: the model would forecast from its own forecasts"
    ours, theirs = map(digits, zone.ladder.lately_kw(span))
    return f"better lately: RMSE {ours} against {theirs} kW of the adapted model"
