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

from shared.contracts.messages import LARGEST_KW
from shared.forecasting import ladder
from shared.forecasting.climatology import Climatology
from shared.forecasting.combination import Combination
from shared.forecasting.digits import digits
from shared.forecasting.features import DayPlan, Features, grid_leads, interpolation
from shared.forecasting.guard import Guard
from shared.forecasting.history import LOAD, WEATHER, History
from shared.forecasting.intervals import BLOCK_MINUTES, COVERAGES, Intervals
from shared.forecasting.ladder import ADAPTED, ANALOGUE, CLIMATOLOGY, FROZEN, NAMES, Ladder, Span
from shared.forecasting.regression import LeadRegression
from shared.forecasting.resolution import FirstDay, Resolution
from shared.forecasting.shift import LevelShift
from shared.forecasting.size import size_kw, swing_kw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.forecasting.method import Method
    from shared.forecasting.prior import Prior
    from shared.forecasting.shift import Shift
    from shared.sites.calendar import Calendar
    from shared.sites.grid import Grid

__all__ = ["DemandFold", "Outlook"]

Floats = NDArray[np.float64]

_MODEL_DAYS = 2  # where more than half of them is filled, the model would forecast from its own forecasts


@dataclass
class Outlook:
    """What is expected now; ``median_kw`` and ``trusted_kw`` are (horizon,), NaN before the first good reading."""

    horizon_steps: int
    block_steps: int
    last_step: int = field(init=False, default=-1)
    good_step: int = field(init=False, default=-1)  # of the last good reading
    median_kw: Floats = field(init=False)  # from last_step
    carried_kw: Floats = field(init=False)  # the same with the level of the last load carried on: tells a shift
    trusted_step: int = field(init=False, default=-1)  # the last good origin, or a later one where that has run out
    trusted_kw: Floats = field(init=False)  # from trusted_step: fills what is missing
    weather_step: int = field(init=False, default=-1)  # of the last reading with weather
    lowest_kw: float = field(init=False, default=0.0)  # the lowest and the highest load in the history
    highest_kw: float = field(init=False, default=0.0)
    below_zero: bool = field(init=False, default=False)  # whether a load below zero was ever read
    dark_step: int = field(init=False, default=-1)  # of the last reading after which the weather says nothing
    usual_kw: Floats = field(init=False)  # (steps a block,): what the climatology said of this block before it came
    reason: str = field(init=False, default="")  # why the reading at last_step was filled, empty where it was not

    def __post_init__(self) -> None:
        self.median_kw = np.full(self.horizon_steps, np.nan)
        self.carried_kw = np.full(self.horizon_steps, np.nan)
        self.trusted_kw = np.full(self.horizon_steps, np.nan)
        self.usual_kw = np.full(self.block_steps, np.nan)

    def expected_kw(self, step: int) -> float | None:
        """Return what the last trusted forecast says of the step; None where it does not reach."""
        lead = step - self.trusted_step
        return float(self.trusted_kw[lead - 1]) if self.trusted_step >= 0 and lead <= self.horizon_steps else None

    @property
    def range_kw(self) -> tuple[float, float]:
        """The lowest and the highest load in the history."""
        return self.lowest_kw, self.highest_kw

    @property
    def largest_kw(self) -> float:
        """The largest size of a load in the history."""
        return max(self.highest_kw, -self.lowest_kw)

    @property
    def swing_kw(self) -> float:
        """How far the load in the history goes to the other side of zero."""
        return max(min(self.highest_kw, -self.lowest_kw), 0.0)


class DemandFold:
    """The state of one zone, from its first step on.

    ``floor_kw`` is what no load can be below; without it, it is zero as long as no load below zero has been read. The
    weights shrink towards those of a ``prior``; without one, towards zero.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    def __init__(
        self,
        calendar: Calendar,
        grid: Grid,
        horizon_steps: int,
        method: Method,
        first_step: int,
        floor_kw: float | None = None,
        prior: Prior | None = None,
    ) -> None:
        day = grid.day
        if not 1 <= horizon_steps <= day:
            raise ValueError(f"horizon_steps is {horizon_steps}: use 1 to {day}, a day at this step")
        self._floor_kw = floor_kw
        self._leads = grid_leads(grid, horizon_steps)
        self._places = self._leads - 1  # where they stand among all leads
        self._grid = grid
        self._horizon = np.arange(1, horizon_steps + 1)
        self._spread = interpolation(self._leads, horizon_steps)
        self._features = Features(calendar, grid, self._leads, horizon_steps)
        self._largest_ratio = method.ladder.largest_ratio
        self._lenient = grid.steps(method.ladder.lenient_minutes)[0]
        self._block = grid.steps(BLOCK_MINUTES)[0]
        self._weather_held = grid.steps(method.ladder.weather_held_minutes)[0]
        self.outlook = Outlook(horizon_steps, self._block)
        self.outlook.last_step = self.outlook.dark_step = first_step - 1
        self.first_day = FirstDay(day)
        self.guard = Guard(grid, method.guard)
        self.history = History(grid, calendar, first_step, method.blend)
        self.intervals = Intervals(grid, len(NAMES), self._leads, self._spread, method.intervals)
        self.ladder = Ladder(grid, self._leads, method.ladder, borrowed=None if prior is None else ADAPTED)
        self.climatology = Climatology(grid)
        self.combination = Combination(self._leads, day // self._block, method.combination)
        self.shift = LevelShift(grid, horizon_steps, method.shift)
        self.regression = LeadRegression(
            origin_width=self._features.origin_width,
            lead_width=self._features.lead_width,
            leads=len(self._leads),
            load_width=self._features.load_width,
            load_columns=self._features.load_columns,
            rows_a_day=day,
            constants=method.regression,
            prior=None if prior is None else prior.weights_for(grid, horizon_steps, method.regression, self._features),
        )
        self._features.turn_to(self.history)
        self._plan: DayPlan | None = None

    @property
    def parts(self) -> dict[str, object]:
        """What the state consists of, by name; all else follows from the parameters."""
        return {
            "climatology": self.climatology,
            "combination": self.combination,
            "first_day": self.first_day,
            "guard": self.guard,
            "history": self.history,
            "intervals": self.intervals,
            "ladder": self.ladder,
            "outlook": self.outlook,
            "regression": self.regression,
            "shift": self.shift,
        }

    @property
    def resolution(self) -> Resolution:
        """The smallest difference of the zone's load that counts, for good after its first day of load."""
        return self.first_day.resolution

    @property
    def floor_kw(self) -> float:
        """What no forecast is below."""
        if self._floor_kw is not None:
            return self._floor_kw
        return -inf if self.outlook.below_zero else 0.0

    @property
    def ready(self) -> bool:
        """Whether anything is known."""
        return self.outlook.good_step >= 0

    @property
    def adapted(self) -> bool:
        """Whether the model has learned a day and two days of its errors were scored."""
        return self.regression.learned and self.intervals.calibrated(ADAPTED)

    def take(self, step: int, loads_kw: Floats) -> Floats:
        """Take the reading of the next step, and those after it that can be answered along with it.

        Readings are answered together as long as nothing that they say changes how the next one is answered: within a
        block, while all of them are good and are forecast by the rungs that need nothing but loads. All arithmetic
        treats an origin alike, however many are answered with it.

        Parameters
        ----------
        loads_kw
            Readings of consecutive steps in kW, NaN where missing. One that no zone has, more than a million MW, counts
            as missing.

        Returns
        -------
        The forecasts of all leads, (readings taken, horizon), at least of one reading; NaN before the first good one.
        """
        day, outlook, history = self._grid.day, self.outlook, self.history
        if step // day > history.today:
            self._next_day()
        slot, at = step % day, history.index(step)
        loads_kw = loads_kw[: self._until_block(slot)]
        loads_kw = np.where(np.abs(loads_kw) <= LARGEST_KW, loads_kw, np.nan)
        outlook.usual_kw[slot % self._block] = self.climatology.usual_kw.item(self._features.cell(at))
        self._hold_weather(step, slot)
        if not self.ready and isnan(loads_kw[0]):
            history.first_step, outlook.last_step = step + 1, step  # the past begins with the first reading
            return outlook.median_kw[None]
        perhaps_kw = self._judge_and_learn(step, at, loads_kw[:1])
        if (slot + 1) % self._block == 0:
            self._score(slot, at)
        alike = self._alike(step, at, loads_kw[1:])
        median_kw = self._look_ahead(step, at, alike)
        if perhaps_kw is not None:
            median_kw = self._look_ahead_from(step, at, perhaps_kw)
        if slot + len(median_kw) == day:
            self._learn_day_before(at)
        return median_kw

    def foresee(self, step: int, weather_kw: float) -> None:
        """Note what weather and calendar say, at a step that was taken, of the same time tomorrow; NaN for nothing."""
        if abs(weather_kw) <= LARGEST_KW:
            self.outlook.weather_step = step
            self.history.foresee(step, max(weather_kw, self.floor_kw))
        elif step > self.outlook.dark_step:
            self.history.foresee(step, self.history.foreseen_kw(step - 1))

    def half_width_kw(self, median_kw: Floats, rows: Sequence[int]) -> Floats:
        """Return half the width of intervals around what was taken last, for these of ``COVERAGES``.

        Without a good reading for a while, a lead counts from the last one. A rung that is not calibrated yet is as
        uncertain as the load is large.

        Parameters
        ----------
        median_kw
            What :meth:`take` has returned, (origins, horizon).

        Returns
        -------
        Array in kW, (origins, rows, horizon).
        """
        count, stale = len(median_kw), self.outlook.last_step - self.outlook.good_step
        slot = (self.outlook.last_step + 1 - count) % self._grid.day
        half_kw = []
        for span in self.ladder.spans():
            leads, rung = slice(span.first - 1, span.last), self._known_errors(span.rung)
            if self.intervals.calibrated(rung):
                half_kw.append(self.intervals.half_width_kw(rung, slot, count, leads, stale, rows))
            else:
                shares = np.array([COVERAGES[row] for row in rows])
                half_kw.append(shares[:, None] * size_kw(median_kw[:, None, leads], self.outlook.swing_kw))
        return half_kw[0] if len(half_kw) == 1 else np.concatenate(half_kw, axis=2)

    def _known_errors(self, rung: int) -> int:
        """Return the rung whose errors make the intervals: those of the bare shape until borrowed weights have some."""
        return ANALOGUE if rung == ADAPTED and not self.intervals.calibrated(ADAPTED) else rung

    @property
    def _borrows(self) -> bool:
        """Whether there are weights to answer with before any were learned here."""
        return self.regression.prior is not None

    def said_of_next_kw(self) -> Floats:
        """Return what each rung has said of the next reading, (rungs, grid leads), NaN where nothing."""
        at, slot = self.history.index(self.outlook.last_step + 1), self.outlook.last_step % self._grid.day + 1
        said_kw: Floats = self.intervals.issued_for(np.array((slot,)))[0]
        said_kw[ladder.WEATHER] = self.history.series[WEATHER, at]
        said_kw[CLIMATOLOGY] = self.climatology.usual_kw.item(self._features.cell(at))
        return said_kw

    def why(self, span: Span, step: int) -> str | None:
        """Return why the best rung does not answer a span, and what it had to do without; None where all is well.

        The step is one of those that were taken last.
        """
        _, shifted = self.shifted(step) or (step, "")
        reasons = (self._why_lower(span) if span.rung != ADAPTED else shifted, self.outlook.reason)
        return "; ".join(reason for reason in reasons if reason) or None

    def shifted(self, step: int) -> tuple[int, str] | None:
        """Return the step at which the load has shifted, and that it has, for a day; else None."""
        onset = self.shift.last_onset
        if onset < 0 or step - onset >= self._grid.day:
            return None
        if self.shift.last_offset_kw:
            return onset, f"the load has shifted for good by {digits(self.shift.last_offset_kw)} kW"
        return onset, f"the load has shifted for good to {self.shift.last_ratio:.2f} of what it was"

    def _why_lower(self, span: Span) -> str:
        if not self.ladder.computable[ADAPTED]:
            if not self.adapted:
                weeks = "a week" if self._borrows else "two weeks"
                return f"the model has too little history: it answers after about {weeks}"
            return "most of the last two days is filled: the model would forecast from its own forecasts"
        ours, theirs = map(digits, self.ladder.lately_kw(span))
        return f"better lately: RMSE {ours} against {theirs} kW of the adapted model"

    def _next_day(self) -> None:
        self.history.next_day()
        self.intervals.next_day()
        self.climatology.refresh()
        self.combination.next_day(self.resolution.unit_kw)
        if self._borrows:
            self.regression.borrow(self.history.median_size_kw(self.outlook.last_step))
        self._features.turn_to(self.history)
        self._plan = None
        self._see_range(self.outlook.last_step)

    def _see_range(self, step: int) -> None:
        """Look up the range of the loads up to the step."""
        self.outlook.lowest_kw, self.outlook.highest_kw = self.history.range_kw(step)

    def resume(self) -> None:
        """Take up where a state that was restored left off."""
        self.history.look_up_clock()
        self._features.turn_to(self.history)

    def freeze(self) -> None:
        """Keep the weights as they are as those of the rung ``frozen``."""
        self.regression.freeze()
        self._plan = None

    def _until_block(self, slot: int) -> int:
        """Return how many steps there are before the next that ends a block, of which this one may be, or the day."""
        into_block = (slot + 1) % self._block
        return min(self._block - into_block, self._grid.day - slot)

    def _hold_weather(self, step: int, slot: int) -> None:
        """Let what the weather said last stand for the time a day after the step; after some hours, nothing does.

        Whether it is so is decided at the end of a block and holds for the next: until then nothing that a weather says
        changes which rungs can answer.
        """
        outlook = self.outlook
        if (slot + 1) % self._block == 0:
            dark = outlook.weather_step < 0 or step - outlook.weather_step > self._weather_held
        else:
            dark = outlook.dark_step == step - 1
        if dark:
            outlook.dark_step = step
        else:
            self.history.foresee(step, self.history.foreseen_kw(step - 1))

    def _judge_and_learn(self, step: int, at: int, load_kw: Floats) -> float | None:
        """Take a reading, (1,), into the history: itself, or what was expected where it is not believed.

        Returns what the load may be all the same, None where that needs no answer of its own.
        """
        outlook, history = self.outlook, self.history
        expected_kw = outlook.expected_kw(step)
        outlook.last_step = step
        outlook.reason, perhaps_kw = self._judge(load_kw.item(), expected_kw)
        if outlook.reason:
            filler_kw = history.load_kw(at - 1) if expected_kw is None else expected_kw
            history.append(step, np.array((filler_kw,)), filled=True)
        else:
            history.append(step, load_kw, filled=False)
            self.first_day.take(step, load_kw.item())
            outlook.below_zero |= load_kw.item() < 0.0
            self._learn(step, at, load_kw)
        taken_kw = history.load_kw(at)
        outlook.lowest_kw, outlook.highest_kw = min(outlook.lowest_kw, taken_kw), max(outlook.highest_kw, taken_kw)
        return perhaps_kw

    def _judge(self, load_kw: float, expected_kw: float | None) -> tuple[str, float | None]:
        """Return why the reading is not believed, empty where it is, and what the load may be all the same.

        Before the model answers, a forecast is no judge.
        """
        if isnan(load_kw):
            self.guard.wait()
            return "the reading is missing: filled with the forecast", None
        if expected_kw is None or not self.adapted:
            self.guard.trust()
            return "", None
        usual_kw, swing_kw = self.intervals.usual_error_kw, self.outlook.swing_kw
        verdict = self.guard.judge(load_kw, expected_kw, usual_kw, swing_kw)
        if verdict.believed:
            return "", None
        read, expected = digits(load_kw), digits(expected_kw)
        reason = f"the reading of {read} kW is too far from the forecast of {expected} kW"
        if verdict.perhaps_kw is None:
            return f"{reason}: filled with it", None
        return f"{reason}: {digits(verdict.perhaps_kw)} kW until the next one tells", verdict.perhaps_kw

    def _learn(self, step: int, at: int, load_kw: Floats) -> None:
        """Learn from a good reading, (1,), what can be learned at once."""
        self.climatology.learn(self._features.cells(np.array((at,))), load_kw)
        if not self.history.has_day(step):
            self.climatology.refresh()
        outlook, usual_kw = self.outlook, self.intervals.usual_error_kw
        if self.adapted and (
            shift := self.shift.watch(step, load_kw.item(), outlook.carried_kw, usual_kw, outlook.range_kw)
        ):
            self._accept(step, shift)
        self.outlook.good_step = step

    def _accept(self, step: int, shift: Shift) -> None:
        """Carry the state over to a load that has shifted for good."""
        self.history.move(shift.onset_step, shift.ratio, shift.offset_kw, step)
        self.intervals.rescale(shift.ratio)
        self.regression.rescale(shift.ratio)
        self.climatology.move(shift.ratio, shift.offset_kw)
        self.combination.rescale(shift.ratio)
        self._see_range(step)

    def _score(self, slot: int, at: int) -> None:
        """Score all rungs over the block that ends at the step."""
        block, slots = np.arange(at + 1 - self._block, at + 1), np.arange(slot + 1 - self._block, slot + 1)
        load_kw = np.where(self.history.filled[block], np.nan, self.history.series[LOAD, block])
        issued_kw = self.intervals.issued_for(slots)[:, ADAPTED]
        self.combination.learn(slots, issued_kw, self.history.day_before_kw(block), load_kw)
        told_kw = {ladder.WEATHER: self.history.series[WEATHER, block], CLIMATOLOGY: self.outlook.usual_kw}
        unit_kw = self.resolution.unit_kw
        self.ladder.learn(self.intervals.learn(self.history.today, int(slots[0]), load_kw, told_kw, unit_kw))

    def _learn_day_before(self, at: int) -> None:
        """Learn from the origins of yesterday, now that today ends and the loads of all their targets are known."""
        features, history, day = self._features, self.history, self._grid.day
        if history.has_week(self.outlook.last_step - day):
            origins = np.arange(at - 2 * day + 1, at - day + 1)
            self.regression.fold(
                features.origin_rows(history, origins, self.regression.limit),
                features.lead_rows(history, origins),
                features.labels(history, origins),
                features.untouched(history, origins),
                self._error_kw(origins),
                self.resolution.unit_kw,
                history.median_size_kw(self.outlook.last_step) if self._borrows else 0.0,
            )
        self.intervals.refresh(history.today)

    def _error_kw(self, origins: NDArray[np.int64]) -> Floats:
        """Return the mean error over the leads of what was forecast from yesterday's origins, NaN for nothing."""
        said_kw = self.intervals.issued_kw[: self._grid.day, ADAPTED].astype(np.float64)
        load_kw = self.history.series[LOAD].take(origins[:, None] + self._leads)
        error_kw: Floats = np.abs(load_kw - said_kw).mean(axis=1)
        return error_kw

    def _alike(self, step: int, at: int, loads_kw: Floats) -> Floats:
        """Return those of the following readings that may be answered along with the one at the step.

        They are written into the history at once: an origin does not see what lies after it, and whatever proves to be
        something else is written over when it has its turn.
        """
        outlook, calm = self.outlook, self.guard.calm and self.shift.onset_step < 0
        settled = self.adapted and not outlook.reason and self.first_day.fixed and not self.history.clock_changes
        if not (calm and settled and self._fits(step, at) and len(loads_kw)):
            return loads_kw[:0]
        alike_kw = loads_kw[: _run(loads_kw >= self.floor_kw)]  # none that is missing, or the first below zero
        self.history.append(step + 1, alike_kw, filled=False)
        return alike_kw

    def _look_ahead(self, step: int, at: int, alike_kw: Floats) -> Floats:
        """Forecast all leads by every rung, choose, and remember what each has said.

        From the step, and from those after it whose readings are as good as ``alike_kw`` supposes. Returns what the
        chosen rungs say of these origins, (origins, horizon).
        """
        outlook, count = self.outlook, 1 + len(alike_kw)
        base, rest = self._features.base(self.history, at, count), self._rest(step, at, count)
        grid_kw = base[:, self._places]
        combined = self._combined(at, grid_kw + rest[:, ADAPTED])
        rest[:, ADAPTED] += combined
        fitted_kw = np.maximum(rest + grid_kw[:, None], self.floor_kw)
        lowest_kw, highest_kw = self._ranges_kw(alike_kw)
        fits = self._within_reason(fitted_kw, np.maximum(highest_kw, -lowest_kw))
        self.ladder.choose(self._computable(step, *fits[0].tolist()), self.resolution.unit_kw)
        median_kw = self._chosen_kw(at, base, rest)
        if len(median_kw) > 1:
            carried_kw = median_kw[:-1, 0] - combined[: len(alike_kw), 0] * (self.ladder.chosen[0] == ADAPTED)
            swings_kw = swing_kw(lowest_kw[:-1], highest_kw[:-1])
            good = self._believed(alike_kw, median_kw[:-1, 0], carried_kw, swings_kw)
            count = 1 + _run(good & (fits[1:] == fits[0]).all(axis=1))
            self._learn_alike(step, at, alike_kw[: count - 1])
            outlook.lowest_kw, outlook.highest_kw = float(lowest_kw[count - 1]), float(highest_kw[count - 1])
            median_kw = median_kw[:count]
        self._issue(step, fitted_kw[: len(median_kw)], grid_kw[: len(median_kw)])
        outlook.median_kw = median_kw[-1].copy()  # what is returned is the caller's
        outlook.carried_kw = self._carried_kw(outlook.median_kw, combined[len(median_kw) - 1])
        if not outlook.reason or outlook.expected_kw(outlook.last_step + 1) is None:
            outlook.trusted_kw, outlook.trusted_step = outlook.median_kw, outlook.last_step
        return median_kw

    def _look_ahead_from(self, step: int, at: int, load_kw: float) -> Floats:
        """Forecast as if this were the load at the step, which no later origin is to see, (1, horizon)."""
        history, carried_kw = self.history, self.outlook.carried_kw
        expected_kw = history.series[LOAD, at : at + 1].copy()
        history.append(step, np.array((load_kw,)), filled=True)
        median_kw = self._look_ahead(step, at, expected_kw[:0])
        history.append(step, expected_kw, filled=True)
        self.outlook.carried_kw = carried_kw
        return median_kw

    def _ranges_kw(self, alike_kw: Floats) -> tuple[Floats, Floats]:
        """Return the lowest and the highest load in the history at each of the origins, (origins,)."""
        lowest_kw, highest_kw = np.empty(1 + len(alike_kw)), np.empty(1 + len(alike_kw))
        lowest_kw[0], highest_kw[0] = self.outlook.range_kw
        lowest_kw[1:] = highest_kw[1:] = alike_kw
        np.minimum.accumulate(lowest_kw, out=lowest_kw)
        np.maximum.accumulate(highest_kw, out=highest_kw)
        return lowest_kw, highest_kw

    def _issue(self, step: int, fitted_kw: Floats, grid_kw: Floats) -> None:
        """Remember what the rungs have said from the step on, to be scored; nothing where it was filled for long."""
        slot = step % self._grid.day
        if step - self.outlook.good_step <= self._lenient:
            self.intervals.issue(slot, ADAPTED, fitted_kw[:, ADAPTED])
            self.intervals.issue(slot, FROZEN, fitted_kw[:, FROZEN])
            if self.history.has_day(step):
                self.intervals.issue(slot, ANALOGUE, grid_kw)

    def _believed(
        self, loads_kw: Floats, expected_kw: Floats, carried_kw: Floats, swings_kw: Floats
    ) -> NDArray[np.bool_]:
        """Tell which loads, (n,), are believed after these forecasts, and may not begin a shift."""
        usual_kw = self.intervals.usual_error_kw
        near = self.guard.near(loads_kw, expected_kw, usual_kw, swings_kw)
        believed: NDArray[np.bool_] = near & ~self.shift.may_begin(loads_kw, carried_kw, usual_kw, swings_kw)
        return believed

    def _learn_alike(self, step: int, at: int, loads_kw: Floats) -> None:
        """Learn from the good readings after the one at the step what can be learned at once."""
        outlook, count, slot = self.outlook, len(loads_kw), step % self._grid.day + 1
        into_block, cells = slot % self._block, self._features.cells(at + 1 + np.arange(count))
        outlook.usual_kw[into_block : into_block + count] = self.climatology.said_kw(cells)
        self.climatology.learn(cells, loads_kw)
        if outlook.dark_step == step:
            outlook.dark_step += count
        else:
            self.history.foresee(step + 1, self.history.foreseen_kw(step), count)
        outlook.last_step = outlook.good_step = step + count

    def _fits(self, step: int, at: int) -> bool:
        """Tell whether the regression can answer: it has learned, and does not look at its own forecasts."""
        filled = self.history.filled_steps(at, _MODEL_DAYS)
        known = self.regression.learned and self.history.has_week(step)
        return known and 2 * filled <= _MODEL_DAYS * self._grid.day

    def _rest(self, step: int, at: int, count: int) -> Floats:
        """Return what the regression adds to the base, (origins, adapted and frozen, grid leads), NaN where nothing."""
        if not self._fits(step, at):
            return np.full((count, 2, len(self._leads)), np.nan)
        if self._plan is None:
            regression = self.regression
            self._plan = self._features.plan(regression.beta, regression.gamma, regression.limit)
        return self._features.answer(self._plan, self.history, at, count)

    def _combined(self, at: int, fitted_kw: Floats) -> Floats:
        """Return what the loads of the day before add to the regression's forecasts, (origins, grid leads)."""
        targets = np.arange(at, at + len(fitted_kw))[:, None] + self._leads
        added: Floats = self.combination.share[1] * (self.history.day_before_kw(targets) - fitted_kw)
        return added

    def _carried_kw(self, median_kw: Floats, combined: Floats) -> Floats:
        """Return the forecast of one origin, (horizon,), without what the day before has added, (grid leads,)."""
        carried_kw, added = median_kw.copy(), self._spread @ combined
        for span in self.ladder.spans():
            if span.rung == ADAPTED:
                carried_kw[span.first - 1 : span.last] -= added[span.first - 1 : span.last]
        return carried_kw

    def _within_reason(self, fitted_kw: Floats, largest_kw: Floats) -> NDArray[np.bool_]:
        """Tell what of the fitted rungs is within reason, (origins, adapted and frozen); NaN is below no limit."""
        limit_kw = np.where(largest_kw > 0.0, self._largest_ratio * largest_kw, inf)
        reasonable: NDArray[np.bool_] = np.maximum.reduce(np.abs(fitted_kw), axis=2) <= limit_kw[:, None]
        return reasonable

    def _computable(self, step: int, adapted: bool, frozen: bool) -> list[bool]:  # noqa: FBT001  # two of a list
        """Tell which rungs can answer: all leads, and what was fitted only with intervals and within reason."""
        calibrated = self.intervals.calibrated
        return [
            adapted and (calibrated(ADAPTED) or self._borrows),
            frozen and calibrated(FROZEN),
            step - self.outlook.dark_step > self._grid.day and calibrated(ladder.WEATHER),
            self.history.has_day(step),
            True,
        ]

    def _chosen_kw(self, at: int, base: Floats, rest: Floats) -> Floats:
        """Return what the chosen rungs say, (origins, horizon); of the first origin where one of them needs more."""
        spans = self.ladder.spans()
        if any(span.rung in (ladder.WEATHER, CLIMATOLOGY) for span in spans):
            base, rest = base[:1], rest[:1]
        curves = [self._curve_kw(span.rung, at, base, rest)[:, span.first - 1 : span.last] for span in spans]
        return np.maximum(curves[0] if len(curves) == 1 else np.concatenate(curves, axis=1), self.floor_kw)

    def _curve_kw(self, rung: int, at: int, base: Floats, rest: Floats) -> Floats:
        """Return what one rung says, (origins, horizon)."""
        if rung == ANALOGUE:
            return base
        if rung == CLIMATOLOGY:
            return self.climatology.said_kw(self._features.cells(at + self._horizon))[None]
        return self._weather_kw(at)[None] if rung == ladder.WEATHER else base + np.matvec(self._spread, rest[:, rung])

    def _weather_kw(self, at: int) -> Floats:
        """Return what the weather says of all targets of the origin, within reason, (horizon,)."""
        ahead = self.history.series[WEATHER, at + 1 : at + 1 + len(self._horizon)]
        limit_kw = self._largest_ratio * self.outlook.largest_kw or inf
        reasonable: Floats = np.minimum(np.maximum(ahead, -limit_kw), limit_kw)
        return reasonable


def _run(good: NDArray[np.bool_]) -> int:
    """Return how many are true before the first that is not."""
    return len(good) if good.all() else int(good.argmin())
