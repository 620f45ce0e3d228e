"""The guard: which readings are believed, beside what had been forecast for them.

A meter that fails says anything: ten times the load, another unit, a value of last week. A load moves from one reading
to the next by no more than the forecast may err, but for two things. Load is switched for good, so that after some
refusals in a row the next reading is the new truth. And load is lost in an outage, within one reading: a drop is
believed as soon as a second reading agrees with it, and of the first one a part is, as it may be either. For some
hours after it the load may come back at any moment. Nothing else makes a load rise like that.

What is believed as it insists is believed on for a day, in which the forecast may expect the load of before.

Of a load that crosses zero a drop means nothing: there the guard knows no outage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.forecasting.size import Kw, within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.method import GuardConstants
    from shared.sites.grid import Grid

__all__ = ["Guard", "Verdict"]


class Verdict(NamedTuple):
    """Whether a reading is believed, and where it is not, what the load may be as far as it goes."""

    believed: bool
    perhaps_kw: float | None = None


_BELIEVED = Verdict(believed=True)


@dataclass
class Guard:
    """What was refused last, and what was lost."""

    grid: Grid
    constants: GuardConstants
    refused: int = field(init=False, default=0)  # readings in a row
    dropped_kw: float = field(init=False, default=np.nan)  # the last of them, where it was a drop
    insisted_kw: float = field(init=False, default=np.nan)  # the last reading, where one was believed that insisted
    insisted_steps: int = field(init=False, default=0)  # from when one was on; 0: there is none
    lost_ratio: float = field(init=False, default=1.0)  # the load of before an outage, as times the one in it
    lost_steps: int = field(init=False, default=0)  # from when the outage was believed on; 0: there is none

    def __post_init__(self) -> None:
        self._most_wild = self.grid.steps(self.constants.wild_minutes)[0]

    @property
    def calm(self) -> bool:
        """Whether what is believed depends on nothing but the forecast."""
        return self.refused == self.lost_steps == self.insisted_steps == 0

    def near(self, load_kw: Kw, expected_kw: Kw, usual_error_kw: float, swing_kw: Kw) -> NDArray[np.bool_]:
        """Tell which loads are near what was expected, or no farther from it than the forecast itself may be off.

        The second matters for a load that comes close to zero, where any error is a large share.
        """
        near: NDArray[np.bool_] = within(load_kw, expected_kw, self.constants.ratio, swing_kw)
        near |= np.abs(load_kw - expected_kw) <= self.constants.errors * usual_error_kw
        return near

    def judge(self, load_kw: float, expected_kw: float, usual_error_kw: float, swing_kw: float) -> Verdict:
        """Judge the next reading: what `near` says of it, in the light of those before it."""
        constants = self.constants
        if self.near(load_kw, expected_kw, usual_error_kw, swing_kw) or self._back(load_kw, expected_kw):
            return self._believe(load_kw, expected_kw)
        if self.near(load_kw, self.insisted_kw, usual_error_kw, swing_kw):
            return self._insist(load_kw, expected_kw)
        wild = not within(load_kw, expected_kw, constants.wild_ratio, swing_kw)
        dropped = not wild and swing_kw == 0.0 and abs(load_kw) < abs(expected_kw)
        if dropped and within(load_kw, self.dropped_kw, constants.ratio, swing_kw):
            self.lost_steps = 1
            return self._believe(load_kw, expected_kw)
        if self.refused >= (self._most_wild if wild else constants.most_refused):
            return self._insist(load_kw, expected_kw)
        self.refused += 1
        self.dropped_kw = load_kw if dropped else np.nan
        self.wait()
        share = constants.drop_share if dropped else 0.0
        return Verdict(believed=False, perhaps_kw=expected_kw + share * (load_kw - expected_kw) if share else None)

    def wait(self) -> None:
        """Let a step go by, also one without a reading: after a while nothing counts that was lost, or has insisted."""
        if self.lost_steps:
            over = self.lost_steps > self._most_wild or not 1.0 < self.lost_ratio < inf
            self.lost_ratio, self.lost_steps = (1.0, 0) if over else (self.lost_ratio, self.lost_steps + 1)
        if self.insisted_steps:
            over = self.insisted_steps > self.grid.day
            self.insisted_kw, self.insisted_steps = (np.nan, 0) if over else (self.insisted_kw, self.insisted_steps + 1)

    def _back(self, load_kw: float, expected_kw: float) -> bool:
        """Tell whether the load comes back from an outage."""
        if not self.lost_steps or abs(load_kw) < abs(expected_kw):
            return False
        return bool(within(load_kw, expected_kw, self.constants.ratio * self.lost_ratio, 0.0))

    def _believe(self, load_kw: float, expected_kw: float) -> Verdict:
        self.refused, self.dropped_kw = 0, np.nan
        if self.lost_steps:  # where nothing is left, no ratio tells what was lost
            self.lost_ratio *= expected_kw / load_kw if load_kw else inf
        if self.insisted_steps:
            self.insisted_kw = load_kw
        self.wait()
        return _BELIEVED

    def _insist(self, load_kw: float, expected_kw: float) -> Verdict:
        self.insisted_steps = 1
        return self._believe(load_kw, expected_kw)

    def trust(self) -> None:
        """Believe whatever comes, as long as there is no forecast to judge it by."""
        self.refused, self.dropped_kw = 0, np.nan
        self.lost_ratio, self.lost_steps = 1.0, 0
        self.insisted_kw, self.insisted_steps = np.nan, 0
