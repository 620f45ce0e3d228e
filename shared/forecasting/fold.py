"""A forecaster's state as a fold over its readings: judge, remember, score, learn, look ahead, choose.

A reading is judged, taken into the history, and answered by every rung of the ladder; after every two hours the
forecasts that were made for them are scored. After the last reading of a day (UTC) the origins of the day before are
learned: by then the loads of all their targets are known, and none later than the reading is used. Each step is a
matrix-vector product and each day a block of one shape, so that the state is the same to the bit however the readings
arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isnan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.forecasting import ladder
from shared.forecasting.climatology import Climatology
from shared.forecasting.features import DayPlan, Features, grid_leads, interpolation
from shared.forecasting.history import LOAD, WEATHER, History, Resolution
from shared.forecasting.intervals import BLOCK_MINUTES, COVERAGES, Intervals
from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, FROZEN, NAMES, Ladder, Span
from shared.forecasting.regression import LeadRegression
from shared.forecasting.shift import LevelShift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.forecasting.calendar import Calendar

__all__ = ["DemandFold", "Outlook"]

Floats = NDArray[np.float64]

_GUARD_RATIO = 1.4
_GUARD_ERRORS = 10.0
_MOST_REFUSED = 6
_WILD_RATIO = 3.0  # a load so far from the forecast is more likely in another unit than true
_WILD_MINUTES = 360
_MODEL_DAYS = 2  # where more than half of them is filled, the model would forecast from its own forecasts
_LARGEST_KW = 1e9  # no load: what stands for none in some files, and would drown the sums
_WITHIN_REASON = 3.0  # times the largest load of the last days
_LENIENT_MINUTES = 60  # for so long a forecast from a filled reading is as good as any
_WEATHER_HELD_MINUTES = 360


@dataclass
class Outlook:
    """What is expected now; ``median_kw`` and ``trusted_kw`` are (horizon,), NaN before the first good reading."""

    horizon_steps: int
    block_steps: int
    last_step: int = field(init=False, default=-1)
    good_step: int = field(init=False, default=-1)  # of the last good reading
    median_kw: Floats = field(init=False)  # from last_step
    trusted_step: int = field(init=False, default=-1)  # the last good origin, or a later one where that has run out
    trusted_kw: Floats = field(init=False)  # from trusted_step: fills what is missing
    refused: int = field(init=False, default=0)  # readings in a row that were not believed
    weather_step: int = field(init=False, default=-1)  # of the last reading with weather
    largest_kw: float = field(init=False, default=0.0)  # the largest load in the history
    dark_step: int = field(init=False, default=-1)  # of the last reading after which the weather says nothing
    usual_kw: Floats = field(init=False)  # (steps a block,): what the climatology said of this block before it came
    reason: str = field(init=False, default="")  # why the reading at last_step was filled, empty where it was not

    def __post_init__(self) -> None:
        self.median_kw = np.full(self.horizon_steps, np.nan)
        self.trusted_kw = np.full(self.horizon_steps, np.nan)
        self.usual_kw = np.full(self.block_steps, np.nan)

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
        self,
        calendar: Calendar,
        resolution: Resolution,
        horizon_steps: int,
        half_lives_days: tuple[float, ...],
        first_step: int,
    ) -> None:
        day = resolution.day
        if not 1 <= horizon_steps <= day:
            raise ValueError(f"horizon_steps is {horizon_steps}: use 1 to {day}, a day at this step")
        if not half_lives_days or not all(days > 0 for days in half_lives_days):
            raise ValueError(f"half_lives_days is {half_lives_days}: use numbers above 0")
        self._leads = grid_leads(resolution, horizon_steps)
        self._grid = self._leads - 1  # where they stand among all leads
        self._resolution = resolution
        self._horizon = np.arange(1, horizon_steps + 1)
        self._spread = interpolation(self._leads, horizon_steps)
        self._features = Features(calendar, resolution, self._leads, horizon_steps)
        self._most_wild = resolution.steps(_WILD_MINUTES)[0]
        self._lenient = resolution.steps(_LENIENT_MINUTES)[0]
        self._block = resolution.steps(BLOCK_MINUTES)[0]
        self._weather_held = resolution.steps(_WEATHER_HELD_MINUTES)[0]
        self.outlook = Outlook(horizon_steps, self._block)
        self.outlook.last_step = self.outlook.dark_step = first_step - 1
        self.history = History(resolution, first_step)
        self.intervals = Intervals(resolution, len(NAMES), self._leads, self._spread)
        self.ladder = Ladder(resolution, self._leads)
        self.climatology = Climatology(resolution)
        self.shift = LevelShift(resolution, horizon_steps)
        self.regression = LeadRegression(
            origin_width=self._features.origin_width,
            lead_width=self._features.lead_width,
            leads=len(self._leads),
            load_width=self._features.load_width,
            rows_a_day=day,
            half_lives_days=half_lives_days,
        )
        self._features.turn_to(self.history.today)
        self._plan: DayPlan | None = None

    @property
    def parts(self) -> dict[str, object]:
        """What the state consists of, by name; all else follows from the parameters."""
        return {
            "climatology": self.climatology,
            "history": self.history,
            "intervals": self.intervals,
            "ladder": self.ladder,
            "outlook": self.outlook,
            "regression": self.regression,
            "shift": self.shift,
        }

    @property
    def ready(self) -> bool:
        """Whether anything is known."""
        return self.outlook.good_step >= 0

    @property
    def adapted(self) -> bool:
        """Whether the model has learned a day and two days of its errors were scored."""
        return self.regression.learned and self.intervals.calibrated(ADAPTED)

    def take(self, step: int, load_kw: float, weather_kw: float = np.nan) -> None:
        """Take the reading of the next step, and what its weather says of the same time tomorrow; NaN for missing.

        A load that no zone has, a million MW or more, counts as missing.
        """
        day, outlook, history = self._resolution.day, self.outlook, self.history
        if step // day > history.today:
            self._next_day()
        slot, at = step % day, history.index(step)
        history.foresee(step, self._held(step, at, weather_kw))
        outlook.usual_kw[slot % self._block] = self.climatology.usual_kw[self._features.kind(at), slot]
        load_kw = load_kw if abs(load_kw) < _LARGEST_KW else np.nan
        if not self.ready and isnan(load_kw):
            history.first_step, outlook.last_step = step + 1, step  # the past begins with the first reading
            return
        expected_kw = outlook.expected_kw(step)
        outlook.last_step, outlook.reason = step, self._judge(load_kw, expected_kw)
        if outlook.reason:
            history.append(step, history.load_kw(at - 1) if expected_kw is None else expected_kw, filled=True)
        else:
            history.append(step, load_kw, filled=False)
            self._learn(step, at, load_kw)
        outlook.largest_kw = max(outlook.largest_kw, history.load_kw(at))
        if (slot + 1) % self._block == 0:
            self._score(slot, at)
        self._look_ahead(step, at)
        if slot == day - 1:
            self._learn_day_before(at)

    def half_width_kw(self, rows: Sequence[int]) -> Floats:
        """Return half the width of intervals around the median, (rows, horizon), for these of ``COVERAGES``.

        Without a good reading for a while, a lead counts from the last one. A rung that is not calibrated yet is as
        uncertain as the load is large.
        """
        slot, stale = self.outlook.last_step % self._resolution.day, self.outlook.last_step - self.outlook.good_step
        half_kw = []
        for span in self.ladder.spans():
            leads = slice(span.first - 1, span.last)
            if self.intervals.calibrated(span.rung):
                half_kw.append(self.intervals.half_width_kw(span.rung, slot, leads, stale, rows))
            else:
                half_kw.append(np.outer([COVERAGES[row] for row in rows], self.outlook.median_kw[leads]))
        return half_kw[0] if len(half_kw) == 1 else np.concatenate(half_kw, axis=1)

    def said_of_next_kw(self) -> Floats:
        """Return what each rung has said of the next reading, (rungs, grid leads), NaN where nothing."""
        at, slot = self.history.index(self.outlook.last_step + 1), self.outlook.last_step % self._resolution.day + 1
        said_kw: Floats = self.intervals.issued_for(np.array((slot,)))[0]
        said_kw[ladder.WEATHER] = self.history.series[WEATHER, at]
        said_kw[CLIMATOLOGY] = self.climatology.usual_kw[self._features.kind(at), slot % self._resolution.day]
        return said_kw

    def why(self, span: Span) -> str | None:
        """Return why a span is not answered by the best rung, and what it had to do without; None where all is well."""
        reasons = (self._why_lower(span) if span.rung != ADAPTED else self._shifted(), self.outlook.reason)
        return "; ".join(reason for reason in reasons if reason) or None

    def _shifted(self) -> str:
        """Return that the load has shifted, for a day."""
        onset = self.shift.last_onset
        if onset < 0 or self.outlook.last_step - onset >= self._resolution.day:
            return ""
        return f"the load has shifted for good to {self.shift.last_ratio:.2f} of what it was"

    def _why_lower(self, span: Span) -> str:
        if not self.adapted:
            return "the model has too little history: it answers after about two weeks"
        if not self.ladder.computable[ADAPTED]:
            return "most of the last two days is filled: the model would forecast from its own forecasts"
        return "better lately: RMSE {:.0f} against {:.0f} kW of the adapted model".format(*self.ladder.lately_kw(span))

    def _next_day(self) -> None:
        self.history.next_day()
        self.intervals.next_day()
        self.climatology.refresh()
        self._features.turn_to(self.history.today)
        self._plan = None
        self.outlook.largest_kw = self.history.largest_kw(self.outlook.last_step)

    def resume(self) -> None:
        """Take up where a state that was restored left off."""
        self._features.turn_to(self.history.today)

    def freeze(self) -> None:
        """Keep the weights as they are as those of the rung ``frozen``."""
        self.regression.freeze()
        self._plan = None

    def _judge(self, load_kw: float, expected_kw: float | None) -> str:
        """Return why the reading is not believed, empty where it is.

        A reading far from the forecast neither teaches nor misleads; after six in a row the next is the new truth, and
        after six hours also one that is so far off as if it were in another unit.
        """
        if isnan(load_kw):
            return "the reading is missing: filled with the forecast"
        outlook = self.outlook
        if expected_kw is None or self._plausible(load_kw, expected_kw) or self._insists(load_kw, expected_kw):
            outlook.refused = 0
            return ""
        outlook.refused += 1
        return f"the reading of {load_kw:.1f} kW is too far from the forecast of {expected_kw:.1f} kW: filled with it"

    def _insists(self, load_kw: float, expected_kw: float) -> bool:
        """Tell whether so many readings have been refused before this one that it must be the new truth."""
        wild = not expected_kw / _WILD_RATIO <= load_kw <= expected_kw * _WILD_RATIO
        return self.outlook.refused >= (self._most_wild if wild else _MOST_REFUSED)

    def _plausible(self, load_kw: float, expected_kw: float) -> bool:
        """Tell whether the reading is near the forecast, or no farther than the forecast itself may be off.

        The second matters for a load that comes close to zero, where any error is a large share. Before the model
        answers, a forecast is no judge.
        """
        if expected_kw / _GUARD_RATIO <= load_kw <= expected_kw * _GUARD_RATIO or not self.adapted:
            return True
        return abs(load_kw - expected_kw) <= _GUARD_ERRORS * self.intervals.usual_error_kw

    def _learn(self, step: int, at: int, load_kw: float) -> None:
        """Learn from a good reading what can be learned at once."""
        slot, outlook = step % self._resolution.day, self.outlook
        self.climatology.learn(self._features.kind(at), slot, load_kw)
        if not self.history.has_day(step):
            self.climatology.refresh()
        if self.adapted and (
            shift := self.shift.watch(step, load_kw, outlook.median_kw, self.intervals.usual_error_kw)
        ):
            self._accept(step, *shift)
        outlook.good_step = step

    def _accept(self, step: int, onset: int, ratio: float) -> None:
        """Carry the state over to a load that has shifted for good."""
        self.history.rescale(onset, ratio, step)
        self.intervals.rescale(ratio)
        self.climatology.rescale(ratio)
        self.outlook.largest_kw = self.history.largest_kw(step)

    def _score(self, slot: int, at: int) -> None:
        """Score all rungs over the block that ends at the step."""
        block = slice(at + 1 - self._block, at + 1)
        load_kw = np.where(self.history.filled[block], np.nan, self.history.series[LOAD, block])
        told_kw = {ladder.WEATHER: self.history.series[WEATHER, block], CLIMATOLOGY: self.outlook.usual_kw}
        first = slot + 1 - self._block
        self.ladder.learn(self.intervals.learn(self.history.today, first, load_kw, told_kw))

    def _held(self, step: int, at: int, weather_kw: float) -> float:
        """Return what the weather says, or for some hours what it said last."""
        outlook = self.outlook
        if 0.0 <= weather_kw <= self._most_kw():
            outlook.weather_step = step
            return weather_kw
        if outlook.weather_step >= 0 and step - outlook.weather_step <= self._weather_held:
            return float(self.history.series[WEATHER, at + self._resolution.day - 1])
        outlook.dark_step = step
        return np.nan

    def _learn_day_before(self, at: int) -> None:
        """Learn from the origins of yesterday, now that today ends and the loads of all their targets are known."""
        features, history, day = self._features, self.history, self._resolution.day
        if history.has_week(self.outlook.last_step - day):
            origins = np.arange(at - 2 * day + 1, at - day + 1)
            self.regression.fold(
                features.origin_rows(history, origins, self.regression.limit),
                features.lead_rows(history, origins),
                features.labels(history, origins),
                features.untouched(history, origins),
            )
        self.intervals.refresh(history.today)

    def _look_ahead(self, step: int, at: int) -> None:
        """Forecast all leads from the step by every rung, choose, and remember what each has said."""
        outlook, slot = self.outlook, step % self._resolution.day
        base, rest = self._features.base(self.history, at), self._rest(step, at)
        grid_kw = base[self._grid]
        fitted_kw = np.maximum(rest + grid_kw, 0.0)
        self.ladder.choose(self._computable(step, fitted_kw))
        if step - outlook.good_step <= self._lenient:
            self.intervals.issue(slot, ADAPTED, fitted_kw[ADAPTED])
            self.intervals.issue(slot, FROZEN, fitted_kw[FROZEN])
            if self.history.has_day(step):
                self.intervals.issue(slot, ANALOGUE, grid_kw)
        outlook.median_kw = self._chosen_kw(step, at, base, rest)
        if not outlook.reason or outlook.expected_kw(step + 1) is None:
            outlook.trusted_kw, outlook.trusted_step = outlook.median_kw, step

    def _rest(self, step: int, at: int) -> Floats:
        """Return what the regression adds to the base, (adapted and frozen, grid leads); NaN where it cannot answer."""
        regression, history = self.regression, self.history
        filled = history.filled_steps(at, _MODEL_DAYS)
        if not regression.learned or not history.has_week(step) or 2 * filled > _MODEL_DAYS * self._resolution.day:
            return np.full((2, len(self._leads)), np.nan)
        if self._plan is None:
            self._plan = self._features.plan(regression.beta, regression.gamma, regression.limit)
        return self._features.answer(self._plan, history, at)

    def _computable(self, step: int, fitted_kw: Floats) -> list[bool]:
        """Tell which rungs can answer: all leads, and what was fitted only with intervals and within reason."""
        limit_kw, calibrated = self._most_kw(), self.intervals.calibrated
        adapted_kw, frozen_kw = np.maximum.reduce(fitted_kw, axis=1).tolist()
        return [  # NaN is below no limit
            adapted_kw <= limit_kw and calibrated(ADAPTED),
            frozen_kw <= limit_kw and calibrated(FROZEN),
            step - self.outlook.dark_step >= self._resolution.day and calibrated(ladder.WEATHER),
            self.history.has_day(step),
            True,
        ]

    def _most_kw(self) -> float:
        """Return what no forecast should exceed, from the loads of the last days."""
        return _WITHIN_REASON * self.outlook.largest_kw or inf

    def _chosen_kw(self, step: int, at: int, base: Floats, rest: Floats) -> Floats:
        """Return what the chosen rungs say, (horizon,)."""
        spans = self.ladder.spans()
        curves = [self._curve_kw(span.rung, step, at, base, rest)[span.first - 1 : span.last] for span in spans]
        return np.maximum(curves[0] if len(curves) == 1 else np.concatenate(curves), 0.0)

    def _curve_kw(self, rung: int, step: int, at: int, base: Floats, rest: Floats) -> Floats:
        """Return what one rung says, (horizon,)."""
        if rung == ANALOGUE:
            return base
        if rung == CLIMATOLOGY:
            return self._usual_kw(step, at)
        return self._weather_kw(at) if rung == ladder.WEATHER else base + self._spread.dot(rest[rung])

    def _weather_kw(self, at: int) -> Floats:
        """Return what the weather says of all targets of the origin, (horizon,)."""
        ahead: Floats = self.history.series[WEATHER, at + 1 : at + 1 + len(self._horizon)]
        return ahead

    def _usual_kw(self, step: int, at: int) -> Floats:
        """Return the climatology of all targets of the origin, (horizon,)."""
        slots = (step + self._horizon) % self._resolution.day
        usual: Floats = self.climatology.usual_kw[self._features.kinds(at + self._horizon), slots]
        return usual
