"""The guard: which readings are believed, beside what had been forecast for them.

A meter that fails says anything: ten times the load, another unit, a value of last week. A load moves from one reading
to the next by no more than the forecast may err, but for three things. Load is switched for good, so that after an hour
of refusals the next reading is the new truth. Load is lost in an outage, within one reading: a drop is believed as soon
as a second reading agrees with it, and of the first one a part is, as it may be either. While an outage lasts
(:mod:`shared.forecasting.outage`), and for some days after a lasting shift, the load may come back at any moment. And
whatever had come between, a load comes
back to what is usual at this time of such a day: that, too, is believed as soon as a second reading agrees. Nothing
else makes a load rise like that.

What is believed although nothing foretold it is believed on for a day, in which the forecast may expect the load of
before.

Of a load that crosses zero a drop means nothing, and one that begins to feed in is not out: there the guard knows no
outage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.forecasting.size import Kw, within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.method import GuardConstants
    from shared.sites.grid import Grid

__all__ = ["ExpiringNumber", "Guard", "Verdict"]

_FEWEST_REFUSED = 2  # readings, however long a step is: a rise that is new needs a third one


class Verdict(NamedTuple):
    """Whether a reading is believed, and where it is not, whether it may be a drop, and which share of that is likely.

    ``lost`` tells that load was lost from one reading to the next.
    """

    believed: bool
    lost: bool = False
    low: bool = False
    belief: float = 0.0


@dataclass
class ExpiringNumber:
    """A number that counts for so many steps after it was noted."""

    lasting_steps: int
    value: float = field(init=False, default=np.nan)  # NaN: there is none
    steps: int = field(init=False, default=0)  # from when it was noted on; 0: there is none

    def note(self, value: float) -> None:
        """Let the number count from now on."""
        self.value, self.steps = value, 1

    def forget(self) -> None:
        """Let it count no longer."""
        self.value, self.steps = np.nan, 0

    def wait(self) -> None:
        """Let a step go by."""
        if self.steps > self.lasting_steps:
            self.forget()
        elif self.steps:
            self.steps += 1


@dataclass
class Guard:
    """What was refused last, and what was believed although nothing foretold it.

    Examples
    --------
    >>> from shared.forecasting.method import METHOD
    >>> from shared.sites.grid import Grid
    >>> guard = Guard(Grid(60), METHOD.guard)
    >>> expected = {"expected_kw": 100.0, "usual_kw": 100.0, "usual_error_kw": 5.0, "swing_kw": 0.0}
    >>> guard.judge(108.0, **expected).believed
    True
    >>> guard.judge(1000.0, **expected).believed
    False
    """

    grid: Grid
    constants: GuardConstants
    refused: int = field(init=False, default=0)  # readings in a row
    doubted_kw: float = field(init=False, default=np.nan)  # the last of them, where one that agrees would be believed

    def __post_init__(self) -> None:
        grid, constants = self.grid, self.constants
        self._most_refused = max(grid.steps(constants.refused_minutes)[0], _FEWEST_REFUSED)
        self._most_wild = max(grid.steps(constants.wild_minutes)[0], _FEWEST_REFUSED)
        self.unforeseen_kw = ExpiringNumber(grid.day)  # the last reading, after one that was believed all the same

    @property
    def calm(self) -> bool:
        """Whether what is believed depends on nothing but the forecast."""
        return self.refused == self.unforeseen_kw.steps == 0

    def near(self, load_kw: Kw, expected_kw: Kw, usual_error_kw: float, swing_kw: Kw) -> NDArray[np.bool_]:
        """Tell which loads are near what was expected, or no farther from it than the forecast itself may be off.

        The second matters for a load that comes close to zero, where any error is a large share.
        """
        near: NDArray[np.bool_] = within(load_kw, expected_kw, self.constants.ratio, swing_kw)
        near |= np.abs(load_kw - expected_kw) <= self.constants.errors * usual_error_kw
        return near

    def agree(self, load_kw: float, other_kw: float, swing_kw: float) -> bool:
        """Tell whether one reading is near enough to another to confirm it; NaN to none."""
        return bool(within(load_kw, other_kw, self.constants.ratio, swing_kw))

    def judge(
        self,
        load_kw: float,
        expected_kw: float,
        usual_kw: float,
        usual_error_kw: float,
        swing_kw: float,
        without_kw: float = nan,
        *,
        again: bool = False,
    ) -> Verdict:
        """Judge the next reading: what `near` says of it, in the light of those before it.

        Parameters
        ----------
        expected_kw
            What was forecast for it.
        usual_kw
            The usual load at this time of such a day, NaN where none is known.
        usual_error_kw
            The usual size of the forecast's error one step ahead.
        swing_kw
            How far the load goes to the other side of zero.
        without_kw
            What would be expected of it without the outage that lasts, or on the level of before a lasting shift, NaN
            where there is none.
        again
            Whether load was out at these hours of another day: then an hour of refusals is enough, however low it is.
        """
        constants = self.constants
        if self.near(load_kw, expected_kw, usual_error_kw, swing_kw) or self._back(load_kw, expected_kw, without_kw):
            return self._believe(load_kw)
        if self.near(load_kw, self.unforeseen_kw.value, usual_error_kw, swing_kw):
            return self._believe_all_the_same(load_kw)
        wild = not within(load_kw, expected_kw, constants.wild_ratio, swing_kw)
        less = swing_kw == 0.0 and abs(load_kw) < abs(expected_kw) and load_kw * expected_kw >= 0.0
        dropped = less and not wild
        lost = less and not self.unforeseen_kw.steps  # else what was believed all the same may just be over
        agrees = self.agree(load_kw, self.doubted_kw, swing_kw)
        usual = within(load_kw, usual_kw, constants.ratio, swing_kw)
        if dropped and agrees:
            return self._believe(load_kw, lost=lost)
        if usual and agrees:
            return self._believe_all_the_same(load_kw)
        if self.refused >= (self._most_wild if wild and not (less and again) else self._most_refused):
            return self._believe_all_the_same(load_kw, lost=lost)
        self.refused += 1
        self.doubted_kw = load_kw if dropped or usual else nan
        self.wait()
        return Verdict(believed=False, low=less, belief=constants.drop_share if dropped else 0.0)

    def wait(self) -> None:
        """Let a step go by, also one without a reading."""
        self.unforeseen_kw.wait()

    def trust(self) -> None:
        """Forget all that was doubted: there is no forecast to judge by, or the load is back to what was expected."""
        self.refused, self.doubted_kw = 0, nan
        self.unforeseen_kw.forget()

    def _back(self, load_kw: float, expected_kw: float, without_kw: float) -> bool:
        """Tell whether some of what was lost comes back, and no more than was lost."""
        rises = load_kw * without_kw > 0.0 and abs(load_kw) >= abs(expected_kw)
        return rises and abs(load_kw) <= self.constants.ratio * abs(without_kw)

    def _believe(self, load_kw: float, *, lost: bool = False) -> Verdict:
        self.refused, self.doubted_kw = 0, nan
        if self.unforeseen_kw.steps:
            self.unforeseen_kw.value = load_kw
        self.wait()
        return Verdict(believed=True, lost=lost)

    def _believe_all_the_same(self, load_kw: float, *, lost: bool = False) -> Verdict:
        self.unforeseen_kw.note(load_kw)
        return self._believe(load_kw, lost=lost)
