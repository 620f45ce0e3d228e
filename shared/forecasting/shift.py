"""Tells a lasting shift of the load from a disturbance that passes.

Load is switched from one zone to another within minutes, and some of it stays there. A shift begins with a jump that no
ramp makes, and then runs beside the forecast of before at a constant ratio. When it has done so for some hours it is
the new truth: the past is rescaled to it, since every pattern in it (the shape of the day, what a deviation means)
holds on, only larger or smaller. To wait until the old level has left all lags would cost days (M. H. Pesaran and
A. Timmermann, Selection of estimation window in the presence of breaks, Journal of Econometrics 137, 2007, on what data
from before a break are worth). For some days, a jump back to the level of before needs less proof: that level is known.
Where it has come back, load is being switched to and fro, and no shift is believed for two weeks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.forecasting.grid import Grid

__all__ = ["LevelShift", "jumps"]

Floats = NDArray[np.float64]

_CONFIRM_MINUTES = 480
_RETURN_MINUTES = 30
_FEWEST_READINGS = 3
_SAME_LEVEL = 0.06
_KNOWN_DAYS = 7  # for so long the level before a shift may come back
_DISTRUST_DAYS = 14  # after it has come back: then shifts do not last here at present
_JUMP_ERRORS = 8.0  # of the usual size of the error one step ahead
_JUMP_SHARE = 0.05  # of the first reading, which may hold only a part of the shift
_SMALLEST_SHARE = 0.12
_STEADINESS = 0.35  # how far a ratio may lie from the mean one, as a share of the shift
_LARGEST_RATIO = 3.0  # beyond it, it is more likely another unit


def jumps(load_kw: Floats, expected_kw: Floats, usual_error_kw: float) -> NDArray[np.bool_]:
    """Tell of which loads that lie so far from what was expected that a shift may begin there."""
    off_kw = np.abs(load_kw - expected_kw)
    jump: NDArray[np.bool_] = (off_kw > _JUMP_SHARE * expected_kw) & (off_kw > _JUMP_ERRORS * usual_error_kw)
    return jump


@dataclass
class LevelShift:
    """A jump that may turn out to last."""

    grid: Grid
    horizon_steps: int
    onset_step: int = field(init=False, default=-1)
    last_onset: int = field(init=False, default=-1)  # of the shift that was accepted last
    last_ratio: float = field(init=False, default=1.0)  # of that
    returned_step: int = field(init=False, default=-1)  # when a load that had shifted was last back
    count: int = field(init=False, default=0)
    ratios: NDArray[np.float64] = field(init=False)  # of the load to the forecast, since the onset
    before_kw: NDArray[np.float64] = field(init=False)  # (horizon,): what was forecast when it had not begun

    def __post_init__(self) -> None:
        confirm, back = (self.grid.steps(minutes)[0] for minutes in (_CONFIRM_MINUTES, _RETURN_MINUTES))
        self._back = max(back, _FEWEST_READINGS)
        self.ratios = np.zeros(max(confirm, self._back))
        self.before_kw = np.zeros(self.horizon_steps)

    def watch(
        self, step: int, load_kw: float, forecast_kw: NDArray[np.float64], usual_error_kw: float
    ) -> tuple[int, float] | None:
        """Take a good reading and what was forecast from the step before it, (horizon,).

        Returns the onset of a shift and its ratio at the reading that confirms it, else None; always None where the
        horizon is too short to tell.
        """
        if self.horizon_steps <= len(self.ratios) or self._distrusted(step):
            return None
        if self.onset_step < 0:
            if not jumps(np.array(load_kw), forecast_kw[0], usual_error_kw):
                return None
            self.onset_step, self.count = step, 0
            self.before_kw[:] = forecast_kw
        return self._follow(step, load_kw)

    def _distrusted(self, step: int) -> bool:
        return 0 <= self.returned_step > step - _DISTRUST_DAYS * self.grid.day

    def _follow(self, step: int, load_kw: float) -> tuple[int, float] | None:
        since = step - self.onset_step
        if since >= self.horizon_steps or not self.before_kw[since] > 0.0:
            self.onset_step = -1
            return None
        self.ratios[self.count] = load_kw / self.before_kw[since]
        self.count += 1
        if self.count == 1:
            return None
        # the reading in which it begins is a mean of both levels
        ratios = self.ratios[1 : self.count]
        onset, ratio = self.onset_step, float(ratios.mean())
        shift = abs(ratio - 1.0)
        known = self.last_onset >= 0 and onset - self.last_onset <= _KNOWN_DAYS * self.grid.day
        returning = known and abs(ratio * self.last_ratio - 1.0) <= _SAME_LEVEL
        steady = bool((np.abs(ratios - ratio) <= _STEADINESS * shift).all())
        if steady and self.count < (self._back if returning else len(self.ratios)):
            return None
        self.onset_step = -1
        if not steady or shift < _SMALLEST_SHARE or not 1.0 / _LARGEST_RATIO <= ratio <= _LARGEST_RATIO:
            return None
        if returning:
            self.returned_step = step
        self.last_onset, self.last_ratio = onset, 1.0 / self.last_ratio if returning else ratio
        return onset, self.last_ratio
