"""All that is known of one zone: the parts of its state, and what follows from more than one of them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.forecasting.climatology import Climatology
from shared.forecasting.combination import Combination
from shared.forecasting.features import Features, grid_leads, interpolation
from shared.forecasting.guard import Guard
from shared.forecasting.history import LOAD, DayWindow
from shared.forecasting.intervals import BLOCK_MINUTES, Intervals
from shared.forecasting.ladder import ADAPTED, NAMES, Ladder
from shared.forecasting.outage import Fate, Outage
from shared.forecasting.outlook import Outlook
from shared.forecasting.regression import LeadRegression
from shared.forecasting.resolution import FirstDay, Resolution
from shared.forecasting.shift import LevelShift, Shift
from shared.forecasting.size import NEAR_ZERO, within
from shared.forecasting.state import below, joined, refuse_misfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.forecasting.method import Method
    from shared.forecasting.prior import Prior
    from shared.sites.calendar import Calendar
    from shared.sites.grid import Grid

__all__ = ["Zone"]


class Zone:
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
        self.grid, self.horizon_steps = grid, horizon_steps
        self.block_steps = grid.steps(BLOCK_MINUTES)[0]
        leads = grid_leads(grid, horizon_steps)
        self.features = Features(calendar, grid, leads, horizon_steps)
        self.outlook = Outlook(horizon_steps, self.block_steps)
        self.outlook.last_step = self.outlook.dark_step = first_step - 1
        self.first_day = FirstDay(day)
        self.guard = Guard(grid, method.guard)
        self.history = DayWindow(grid, calendar, first_step, method.blend)
        spread = interpolation(leads, horizon_steps)
        self.intervals = Intervals(grid, len(NAMES), leads, spread, method.intervals)
        self.ladder = Ladder(grid, leads, method.ladder, borrowed=None if prior is None else ADAPTED)
        self.climatology = Climatology(grid)
        self.combination = Combination(leads, day // self.block_steps, method.combination)
        self.shift = LevelShift(grid, horizon_steps, method.shift)
        self.outage = Outage(grid, method.outage)
        self.regression = LeadRegression(
            origin_width=self.features.origin_width,
            lead_width=self.features.lead_width,
            leads=len(leads),
            load_width=self.features.load_width,
            load_columns=self.features.load_columns,
            rows_a_day=day,
            constants=method.regression,
            prior=None if prior is None else prior.weights_for(grid, horizon_steps, method.regression, self.features),
            ahead_steps=self.features.ahead_steps,
        )
        self.features.turn_to(self.history)

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
            "outage": self.outage,
            "outlook": self.outlook,
            "regression": self.regression,
            "shift": self.shift,
            "unforeseen": self.guard.unforeseen_kw,
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

    @property
    def borrows(self) -> bool:
        """Whether there are weights to answer with before any were learned here."""
        return self.regression.prior is not None

    @property
    def days(self) -> int:
        """How often anything has changed of what is large, but for what `since_midnight` returns.

        That is at a day's end, when a shift is found, and when the weights are frozen.
        """
        return self.history.rewritten + self.regression.changes

    def since_midnight(self) -> dict[str, NDArray[Any]]:
        """Return what readings of today change of what is large, by part and name: as it is, no copies."""
        return joined({name: getattr(self, name).since_midnight() for name in ("history", "intervals")})

    def resume_since_midnight(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `since_midnight` returned, once all else is taken over.

        Raises ``ValueError`` that names what does not fit.
        """
        refuse_misfit(state, self.since_midnight())
        for name, array in self.history.since_midnight().items():
            array[...] = state[f"history.{name}"]
        self.intervals.resume_since_midnight(below(state, "intervals"))

    def next_day(self) -> None:
        """Move all parts on by a day."""
        self.history.next_day()
        self.intervals.next_day()
        self.climatology.refresh()
        self.combination.next_day(self.resolution.unit_kw)
        if self.borrows:
            self.regression.borrow(self.history.median_size_kw(self.outlook.last_step))
        self.features.turn_to(self.history)
        self._see_range(self.outlook.last_step)

    def move(self, shift: Shift, step: int, since_step: int) -> None:
        """Carry the state over to a load that has shifted for good; the step is that of the last reading.

        What comes or goes in an ordinary shift is another load, whose weekends nobody knows. One by more than the
        guard's ratio leaves a part of the load, or brings it back: that has the weekends of the whole, so much smaller.
        """
        self.shift.accept(shift, step, since_step)
        self.history.move(shift.onset_step, shift.ratio, shift.offset_kw, step)
        self.intervals.rescale(shift.ratio)
        self.regression.rescale(shift.ratio)
        if not within(shift.ratio, 1.0, self.guard.constants.ratio, 0.0):
            self.regression.resize(shift.ratio)
        self.climatology.move(shift.ratio, shift.offset_kw)
        self.combination.rescale(shift.ratio)
        self._see_range(step)

    def is_new(self, shift: Shift, step: int) -> bool:
        """Tell whether a shift up to the step is new: the load did not rise, or fall, like that a week before.

        With a history of less than eight days any shift is new.
        """
        history, onset, week = self.history, shift.onset_step, 7 * self.grid.day
        if onset - week - self.grid.day < history.first_step:
            return True
        risen_kw = history.risen_kw(onset, step) - history.risen_kw(onset - week, step - week)
        found_kw = shift.offset_kw or (1.0 - 1.0 / shift.ratio) * history.mean_kw(onset + 1, step)
        return risen_kw * found_kw >= self.shift.constants.new_share * found_kw**2

    def next_step(self, step: int) -> None:
        """Let a step begin: what is left of a load that has been out for too long is all of it from now on.

        A day of an outage in which next to nothing is left says nothing of that: it is not counted. A silent one is.
        """
        outage = self.outage
        outage.next_step()
        too_long = outage.too_long(step)
        if outage.lasts and (too_long or (step - outage.kept_step) % self.grid.day == 0):
            read_kw = outage.read_kw(step)[-self.grid.day :]
            ratio = self._ratio(read_kw, step)
            if ratio <= NEAR_ZERO and (too_long or not np.isnan(read_kw).all()):
                outage.keep_from(step)
            elif too_long:
                self._lose_for_good(step, ratio)
        elif too_long:
            outage.forget()

    def _lose_for_good(self, step: int, ratio: float) -> None:
        """Take an outage up to the step for a lasting shift to the ratio of the load that is left.

        What is kept may begin with the last hours in which nothing was left: they are not learned.
        """
        outage, read_kw = self.outage, self.outage.read_kw(step)
        nothing = int(np.argmax(np.abs(read_kw) > NEAR_ZERO * np.abs(self._stands_kw(step, len(read_kw)))))
        self.outlook.rescale(ratio)
        self.move(Shift(step, ratio, 0.0), step - 1, outage.onset_step)
        self.learn_as_read(outage.kept_step + nothing, read_kw[nothing:], step - 1)
        outage.end(step, Fate.FOR_GOOD)

    def _ratio(self, read_kw: NDArray[np.float64], step: int) -> float:
        """Return the ratio of what was read before the step, NaN where it was not, to what stands in the history."""
        known = ~np.isnan(read_kw)
        stands_kw = float(self._stands_kw(step, len(read_kw))[known].sum())
        return float(read_kw[known].sum()) / stands_kw if stands_kw else 0.0

    def _stands_kw(self, step: int, count: int) -> NDArray[np.float64]:
        """Return what stands in the history for so many steps before this one, a view."""
        at = self.history.index(step)
        return self.history.series[LOAD, at - count : at]

    def holds(self, load_kw: float, without_kw: float, usual_kw: float) -> bool:
        """Tell whether a reading may be of the same outage as those before it: no load comes back with it.

        What comes back little by little is seen beside the usual load, as the forecast follows it.
        """
        swing_kw, share = self.outlook.swing_kw, self.outage.share
        jump = self.shift.may_begin(load_kw, share * without_kw, self.intervals.usual_error_kw, swing_kw)
        return not jump and bool(within(load_kw, share * usual_kw, self.guard.constants.ratio, swing_kw))

    def settle(self, shift: Shift, step: int) -> None:
        """Learn from the outage that lasts, where what is left of the load has been steady since the shift."""
        outage = self.outage
        onset = max(shift.onset_step, outage.kept_step)  # what was read before it is of both levels
        loads_kw = outage.read_kw(step + 1)[onset - outage.kept_step :] / max(shift.ratio, NEAR_ZERO)
        known = ~np.isnan(loads_kw)
        stands_kw = self._stands_kw(step + 1, len(loads_kw))[known]
        if within(loads_kw[known], stands_kw, self.guard.constants.ratio, self.outlook.swing_kw).all():
            outage.settle(shift.ratio)
            self.history.rewrite(onset, loads_kw, step)
            self._see_range(step)

    def recover(self, step: int) -> None:
        """Let the outage that lasts be over, as the load is back at the step."""
        self.end_outage(step, Fate.BACK)
        self.shift.forget()
        self.guard.trust()

    def end_outage(self, step: int, fate: Fate) -> None:
        """Let an outage, or what was doubted to be one, be over with the step."""
        self.history.mark_out(self.outage.onset_step, step)
        self.outage.end(step, fate)

    def is_habit(self, step: int, shortest: int) -> bool:
        """Tell whether what is low, for so many steps before this one, is so at the hours of another outage.

        What has been low for more than a day is so at all hours, which says nothing.
        """
        onset, outage = self.outage.onset_step, self.outage
        if not shortest <= step - onset <= self.grid.day:
            return False
        return self.history.share_out_before(onset, step - 1) > outage.constants.same_hours_share

    def learn_habit(self, step: int) -> None:
        """Take an outage up to the step for the load itself, and the one before it, too."""
        outage = self.outage
        if before := outage.give_back():
            self.learn_as_read(*before, step - 1)
        self.learn_as_read(outage.kept_step, outage.read_kw(step), step - 1)
        self.end_outage(step, Fate.HABIT)

    def learn_as_read(self, first_step: int, loads_kw: NDArray[np.float64], until: int) -> None:
        """Let what was read from a step on stand in the history; ``until`` is the last step."""
        self.history.rewrite(first_step, loads_kw, until)
        self._see_range(until)

    def resume(self) -> None:
        """Take up where a state that was restored left off."""
        self.history.look_up_clock()
        self.features.turn_to(self.history)

    def _see_range(self, step: int) -> None:
        """Look up the range of the loads up to the step."""
        self.outlook.lowest_kw, self.outlook.highest_kw = self.history.range_kw(step)
