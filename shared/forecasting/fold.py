"""A forecaster's state as a fold over its readings: judge, remember, score, learn, look ahead.

A reading is judged, taken into the history, used to score the forecasts that were made for it, and answered. At the
last reading of a day (UTC) the origins of the day before are learned: by then the loads of all their targets are known,
and none later than the reading is used. Each step is a matrix-vector product and each day a block of one shape, so
that the state is the same to the bit however the readings arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.features import Features, grid_leads, interpolation
from shared.forecasting.history import History, Resolution
from shared.forecasting.intervals import Intervals
from shared.forecasting.regression import LeadRegression

if TYPE_CHECKING:
    from shared.forecasting.calendar import Calendar

__all__ = ["DemandFold", "Outlook"]

Floats = NDArray[np.float64]

_GUARD_RATIO = 1.4
_GUARD_ERRORS = 10.0
_MOST_REFUSED = 6


@dataclass
class Outlook:
    """What is expected now; ``median_kw`` and ``trusted_kw`` are (horizon,), NaN while there is too little history."""

    horizon_steps: int
    last_step: int = field(init=False, default=-1)
    median_kw: Floats = field(init=False)  # from last_step
    trusted_step: int = field(init=False, default=-1)  # the last good origin, or a later one where that has run out
    trusted_kw: Floats = field(init=False)  # from trusted_step: fills what is missing
    refused: int = field(init=False, default=0)  # readings in a row that were not believed
    reason: str = field(init=False, default="")  # why the reading at last_step was filled, empty where it was not

    def __post_init__(self) -> None:
        self.median_kw = np.full(self.horizon_steps, np.nan)
        self.trusted_kw = np.full(self.horizon_steps, np.nan)

    def expected_kw(self, step: int) -> float | None:
        """Return what the last trusted forecast says of the step; None where it does not reach."""
        lead = step - self.trusted_step
        return float(self.trusted_kw[lead - 1]) if self.trusted_step >= 0 and lead <= self.horizon_steps else None


class DemandFold:
    """The state of one zone, from its first step on.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    def __init__(
        self, calendar: Calendar, resolution: Resolution, horizon_steps: int, half_life_days: float, first_step: int
    ) -> None:
        day = resolution.day
        if not 1 <= horizon_steps <= day:
            raise ValueError(f"horizon_steps is {horizon_steps}: use 1 to {day}, a day at this step")
        if not half_life_days > 0:
            raise ValueError(f"half_life_days is {half_life_days}: use a number above 0")
        leads = grid_leads(resolution, horizon_steps)
        self._resolution = resolution
        self._spread = interpolation(leads, horizon_steps)
        self._features = Features(calendar, resolution, leads, horizon_steps)
        self.outlook = Outlook(horizon_steps)
        self.outlook.last_step = first_step - 1
        self.history = History(resolution, first_step)
        self.intervals = Intervals(resolution, leads, self._spread)
        self.regression = LeadRegression(
            origin_width=self._features.origin_width,
            lead_width=self._features.lead_width,
            leads=len(leads),
            load_width=self._features.load_width,
            rows_a_day=day,
            half_life_days=half_life_days,
        )
        self._features.turn_to(self.history.today)

    @property
    def parts(self) -> dict[str, object]:
        """What the state consists of, by name; all else follows from the parameters."""
        return {
            "history": self.history,
            "intervals": self.intervals,
            "outlook": self.outlook,
            "regression": self.regression,
        }

    @property
    def ready(self) -> bool:
        """Whether a day was learned and a day of errors scored."""
        return self.regression.weight > 0.0 and self.intervals.ready

    def take(self, step: int, load_kw: float) -> None:
        """Take the reading of the next step, NaN where it is missing."""
        day, outlook, history = self._resolution.day, self.outlook, self.history
        if step // day > history.today:
            self._next_day()
        slot, at = step % day, history.index(step)
        expected_kw = outlook.expected_kw(step)
        outlook.last_step, outlook.reason = step, self._judge(load_kw, expected_kw)
        if outlook.reason:
            history.append(step, history.load_kw(at - 1) if expected_kw is None else expected_kw, filled=True)
        else:
            history.append(step, load_kw, filled=False)
            self.intervals.learn(slot, self._features.hour(at), load_kw)
        if slot == day - 1:
            self._learn_day_before(at)
        if history.has_week(step):
            self._look_ahead(step, at)

    def half_width_kw(self) -> Floats:
        """Return half the width of the interval around the median, (horizon,)."""
        at = self.history.index(self.outlook.last_step)
        return self.intervals.half_width_kw(self._features.target_hours(at))

    def _next_day(self) -> None:
        self.history.next_day()
        self.intervals.next_day()
        self._features.turn_to(self.history.today)

    def _judge(self, load_kw: float, expected_kw: float | None) -> str:
        """Return why the reading is not believed, empty where it is.

        A reading far from the forecast neither teaches nor misleads; after six in a row the next is the new truth.
        """
        if not isfinite(load_kw):
            return "the reading is missing: filled with the forecast"
        outlook = self.outlook
        if expected_kw is None or outlook.refused == _MOST_REFUSED or self._plausible(load_kw, expected_kw):
            outlook.refused = 0
            return ""
        outlook.refused += 1
        return f"the reading of {load_kw:.1f} kW is too far from the forecast of {expected_kw:.1f} kW: filled with it"

    def _plausible(self, load_kw: float, expected_kw: float) -> bool:
        """Tell whether the reading is near the forecast, or no farther than the forecast itself may be off.

        The second matters for a load that comes close to zero, where any error is a large share.
        """
        if expected_kw / _GUARD_RATIO <= load_kw <= expected_kw * _GUARD_RATIO or not self.ready:
            return True
        return abs(load_kw - expected_kw) <= _GUARD_ERRORS * self.intervals.usual_error_kw()

    def _learn_day_before(self, at: int) -> None:
        """Learn from the origins of yesterday, now that today ends and the loads of all their targets are known."""
        features, history, day = self._features, self.history, self._resolution.day
        origins = np.arange(at - 2 * day + 1, at - day + 1)
        self.regression.fold(
            features.origin_rows(history, origins),
            features.lead_rows(history, origins),
            features.labels(history, origins),
            features.untouched(history, origins),
        )
        self.intervals.refresh()

    def _look_ahead(self, step: int, at: int) -> None:
        """Forecast all leads from the step: the base, plus what the regression says that it leaves unexplained."""
        features, history, outlook = self._features, self.history, self.outlook
        origin = np.array((at,))
        rest = self.regression.predict(features.origin_rows(history, origin)[0], features.lead_rows(history, origin)[0])
        outlook.median_kw = np.maximum(features.base(history, at) + self._spread @ rest, 0.0)
        if not outlook.reason:
            self.intervals.issue(step % self._resolution.day, outlook.median_kw)
        if not outlook.reason or outlook.expected_kw(step + 1) is None:
            outlook.trusted_kw, outlook.trusted_step = outlook.median_kw, step
