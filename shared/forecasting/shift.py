"""Tells a lasting shift of the load from a disturbance that passes.

Load is switched from one zone to another within minutes, and some of it stays there. A shift begins with a jump that no
ramp makes, and then runs beside the forecast of before at a constant ratio. When it has done so for some hours it is
the new truth: the past is rescaled to it, since every pattern in it (the shape of the day, what a deviation means)
holds on, only larger or smaller. To wait until the old level has left all lags would cost days (M. H. Pesaran and
A. Timmermann, Selection of estimation window in the presence of breaks, Journal of Econometrics 137, 2007, on what data
from before a break are worth). For some days, a jump back to the level of before needs less proof: that level is known.
Where it has come back, load is being switched to and fro, and no shift is believed for two weeks.

Of a load that crosses zero a ratio means nothing: there the shift is a constant difference, as a share of the largest
load, and the past is moved by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.forecasting.size import Kw, size_kw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.method import ShiftConstants
    from shared.sites.grid import Grid

__all__ = ["LevelShift", "Shift"]

_FEWEST_READINGS = 3


class Shift(NamedTuple):
    """A load that was y is now ratio * y + offset, from its onset on."""

    onset_step: int
    ratio: float
    offset_kw: float


@dataclass
class LevelShift:
    """A jump that may turn out to last."""

    grid: Grid
    horizon_steps: int
    constants: ShiftConstants
    onset_step: int = field(init=False, default=-1)
    since_step: int = field(init=False, default=-1)  # of the first reading that was so far off, believed or not
    last_since: int = field(init=False, default=-1)  # the same of the shift that was accepted last
    last_onset: int = field(init=False, default=-1)  # of the shift that was accepted last
    last_ratio: float = field(init=False, default=1.0)  # of that
    last_offset_kw: float = field(init=False, default=0.0)
    returned_step: int = field(init=False, default=-1)  # when a load that had shifted was last back
    count: int = field(init=False, default=0)
    ratios: NDArray[np.float64] = field(init=False)  # of the load to the forecast, since the onset
    before_kw: NDArray[np.float64] = field(init=False)  # (horizon,): what was forecast when it had not begun
    scale_kw: float = field(init=False, default=0.0)  # a difference of so much counts as a ratio of 2; 0: true ratios

    def __post_init__(self) -> None:
        constants = self.constants
        minutes = (constants.return_minutes, constants.confirm_minutes, constants.again_minutes)
        self._proof = [max(self.grid.steps(each)[0], _FEWEST_READINGS) for each in minutes]
        self.ratios = np.zeros(max(self._proof))
        self.before_kw = np.zeros(self.horizon_steps)

    def may_begin(self, load_kw: Kw, expected_kw: Kw, usual_error_kw: float, swing_kw: Kw) -> NDArray[np.bool_]:
        """Tell of which loads that lie so far from what was expected that a shift may begin there."""
        off_kw = np.abs(load_kw - expected_kw)
        far = off_kw > self.constants.jump_share * size_kw(expected_kw, swing_kw)
        return np.asarray(far & (off_kw > self.constants.jump_errors * usual_error_kw))

    def watch(
        self,
        step: int,
        load_kw: float,
        forecast_kw: NDArray[np.float64],
        usual_error_kw: float,
        range_kw: tuple[float, float],
        *,
        good_step: int,
        may_begin: bool = True,
    ) -> Shift | None:
        """Take a good reading, what was forecast from the step before it, (horizon,), and the load's range before it.

        ``good_step`` is the step of the good reading before. Returns the shift at the reading that confirms it, else
        None; always None where the horizon is too short to tell, or where none that may be is under way and none
        ``may_begin``.
        """
        if self.horizon_steps <= len(self.ratios) or self._distrusted(step):
            return None
        if self.onset_step < 0:
            if not may_begin:
                return None
            lowest_kw, highest_kw = range_kw
            swing = max(min(highest_kw, -lowest_kw), 0.0)
            if not self.may_begin(load_kw, float(forecast_kw[0]), usual_error_kw, swing):
                return None
            self.onset_step, self.since_step, self.count = step, good_step + 1, 0
            self.before_kw[:] = forecast_kw
            largest_kw = max(highest_kw, -lowest_kw)
            self.scale_kw = largest_kw if swing > self.constants.crosses_zero * largest_kw else 0.0
        return self._follow(step, load_kw)

    def accept(self, shift: Shift, step: int, since_step: int) -> None:
        """Take note of a shift that is believed at a step, and that was first read, believed or not, at another."""
        if self._known(shift.onset_step) and self._undoes(shift):
            self.returned_step = step
        self.last_onset, self.last_ratio, self.last_offset_kw = shift
        self.last_since = since_step

    def is_likely(self, shift: Shift) -> bool:
        """Tell whether a shift is none to another unit: not too large, but for one that takes the last one back."""
        largest = self.constants.largest_ratio
        if self._undoes(shift):
            return True
        if shift.offset_kw:
            return abs(shift.offset_kw) <= (largest - 1.0) * self.scale_kw
        return 1.0 / largest <= shift.ratio <= largest

    def _undoes(self, shift: Shift) -> bool:
        """Tell whether a shift takes the last one back."""
        return shift.ratio == 1.0 / self.last_ratio and shift.offset_kw == -self.last_offset_kw

    def old_level_kw(self, step: int, expected_kw: float) -> float:
        """Return what would be expected of a step without the last shift, NaN where that is not known any more."""
        if self.last_offset_kw or not self._known(step):
            return nan
        return expected_kw / self.last_ratio

    def _known(self, step: int) -> bool:
        """Tell whether the level of before the last shift may come back at a step."""
        return self.last_onset >= 0 and step - self.last_onset <= self.constants.known_days * self.grid.day

    def forget(self) -> None:
        """Take a jump that may turn out to last for one that has passed."""
        self.onset_step = -1

    def _distrusted(self, step: int) -> bool:
        return 0 <= self.returned_step > step - self.constants.distrust_days * self.grid.day

    def _follow(self, step: int, load_kw: float) -> Shift | None:
        since = step - self.onset_step
        if since >= self.horizon_steps or not (self.scale_kw or abs(self.before_kw[since]) > 0.0):
            self.onset_step = -1
            return None
        self.ratios[self.count] = self._ratio(load_kw, float(self.before_kw[since]))
        self.count += 1
        if self.count == 1:
            return None
        # the reading in which it begins is a mean of both levels
        ratios = self.ratios[1 : self.count]
        ratio = float(ratios.mean())
        shift = abs(ratio - 1.0)
        known = self._known(self.onset_step)
        returning = known and self._returns(ratio)
        back, first, again = self._proof
        steady = bool((np.abs(ratios - ratio) <= self.constants.steadiness * shift).all())
        if steady and self.count < (back if returning else again if known else first):
            return None
        onset, self.onset_step = self.onset_step, -1
        if not steady or shift < self.constants.smallest_share:
            return None
        if self.scale_kw:
            return Shift(onset, 1.0, -self.last_offset_kw if returning else (ratio - 1.0) * self.scale_kw)
        return Shift(onset, 1.0 / self.last_ratio if returning else ratio, 0.0)

    def _ratio(self, load_kw: float, before_kw: float) -> float:
        return 1.0 + (load_kw - before_kw) / self.scale_kw if self.scale_kw else load_kw / before_kw

    def _returns(self, ratio: float) -> bool:
        """Tell whether the load is back on the level of before the last shift."""
        if bool(self.scale_kw) != bool(self.last_offset_kw):
            return False
        if self.scale_kw:
            shift = self.last_offset_kw / self.scale_kw
            return self._is_same(ratio - 1.0 + shift, shift)
        return self._is_same(ratio * self.last_ratio - 1.0, self.last_ratio - 1.0)

    def _is_same(self, away: float, shift: float) -> bool:
        """Tell whether levels that far from each other are the same, as shares of the load, beside the last shift.

        The level of before has moved on since that was first read.
        """
        days, constants = (self.onset_step - self.last_since) / self.grid.day, self.constants
        moved = min(days * constants.same_level, constants.same_share * abs(shift))
        return abs(away) <= max(constants.same_level, moved)
