"""An outage: load that is lost from one reading to the next, and comes back.

While it lasts its readings are true, but say nothing of the days to come. So its hours count as missing from the first
one on: what is expected without the outage stands in for them, and the forecast is the one without the outage, of which
a share is left. How long an outage lasts nobody knows; by experience, as long again as it has lasted.

A part that is out for some hours on a steady level says how the load goes on: divided by the share that is left, its
readings are those without the outage. Then they are learned from, and no more is forecast to come back.

Two things are no outage. What is left of a load for some days has changed for good. And what is lost again at the hours
of another outage of the last seven days is a habit of the load, which the forecast is to learn: from the other one,
too, whose readings are kept for that. Of a load of which nothing is left there is nothing to learn: that lasts.

A drop that is refused may become one. Where it does not, it is told as readings that were not believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.size import NEAR_ZERO

if TYPE_CHECKING:
    from shared.forecasting.method import OutageConstants
    from shared.sites.grid import Grid

__all__ = ["Fate", "Left", "Outage"]

Floats = NDArray[np.float64]


class Fate(IntEnum):
    """What has become of an outage."""

    LASTS = 0
    BACK = 1
    DOUBTED = 2  # back before it was believed: it may have been the meter
    HABIT = 3
    FOR_GOOD = 4


class Left(NamedTuple):
    """Which shares of the load without the outage are to be expected, (leads,) each: at least, likely, at most."""

    least: Floats
    likely: Floats
    most: Floats


@dataclass
class Outage:
    """A drop that is doubted or an outage that lasts, where there is one, and the last one that is over."""

    grid: Grid
    constants: OutageConstants
    onset_step: int = field(init=False, default=-1)  # of the one that lasts or is doubted; -1: there is none
    belief: float = field(init=False, default=0.0)  # which share of the drop is believed; 1: the outage lasts
    first_share: float = field(init=False, default=1.0)  # of the load that was left when it was doubted or believed
    share: float = field(init=False, default=1.0)  # that is left now
    steady: bool = field(init=False, default=False)  # whether the share has held for hours
    kept_step: int = field(init=False, default=-1)  # its loads are kept from here on: the onset, or after a day of none
    loads_kw: Floats = field(init=False)  # (longest,): as they were read since then, NaN where not
    last_onset: int = field(init=False, default=-1)  # of the last one that is over
    last_end: int = field(init=False, default=-1)  # the first step after it
    last_fate: int = field(init=False, default=int(Fate.BACK))
    last_kw: Floats = field(init=False)  # (longest,): the last loads before that, NaN where they were not kept

    def __post_init__(self) -> None:
        self.loads_kw = np.full(self.grid.steps(self.constants.longest_minutes)[0], nan)
        self.last_kw = self.loads_kw.copy()

    @property
    def calm(self) -> bool:
        """Whether nothing is out, or doubted to be."""
        return self.onset_step < 0

    @property
    def lasts(self) -> bool:
        """Whether load is out."""
        return self.onset_step >= 0 and self.belief == 1.0

    @property
    def left_share(self) -> float:
        """Which share of the load without the outage is expected of the next reading."""
        return self.share if self.lasts else 1.0

    @property
    def lost_step(self) -> int:
        """From which step on what is out is lost for good, if something is left of the load."""
        return self.kept_step + len(self.loads_kw)

    def too_long(self, step: int) -> bool:
        """Tell whether what is out, or doubted to be, has been so for longer than loads are kept."""
        return not self.calm and step >= self.lost_step

    def keep_from(self, step: int) -> None:
        """Keep the loads from a step on, and none before it."""
        self.kept_step = step
        self.loads_kw.fill(nan)

    def next_step(self) -> None:
        """Let a step begin: of a drop that is only doubted, the reading before tells no more."""
        if not self.lasts:
            self.belief = 0.0

    def doubt(self, step: int, load_kw: float, without_kw: float, belief: float) -> None:
        """Take a drop that is refused, of which a share is believed until the next reading tells."""
        if not self.lasts:
            self._read(step, load_kw, without_kw)
            self.belief, self.first_share = belief, self.share

    def believe(self, step: int, load_kw: float, without_kw: float) -> None:
        """Let the outage last, from the first refused reading of the drop on."""
        self._read(step, load_kw, without_kw)
        self.belief, self.first_share = 1.0, self.share

    def go_on(self, step: int, load_kw: float, without_kw: float, *, holds: bool) -> None:
        """Take a reading of the outage that lasts; ``holds`` tells whether what is left may still be steady."""
        if self.steady and holds:
            self.loads_kw[step - self.kept_step] = load_kw
        else:
            self.steady = False
            self._read(step, load_kw, without_kw)

    def settle(self, share: float) -> None:
        """Take the share that is left for a steady one."""
        self.share, self.steady = share, True

    def stand_in_kw(self, load_kw: float, without_kw: float) -> tuple[float, bool]:
        """Return what stands in for a reading of the outage that lasts, and whether it is no more than expected."""
        return (load_kw / self.share, False) if self.steady else (without_kw, True)

    def is_over(self, load_kw: float, without_kw: float) -> bool:
        """Tell whether enough of what was lost is back with a load, or whether it has come to feed in."""
        if without_kw == 0.0:
            return False
        enough = self.first_share + self.constants.back_share * (1.0 - self.first_share)
        return load_kw / without_kw >= enough or load_kw / without_kw < -NEAR_ZERO

    def left(self, step: int, leads: int) -> Left:
        """Return what is left of the load without the outage at so many leads after a step.

        What has been out for a time is taken to be out for as long again, an hour at least: after h more of it, with a
        chance of T / (T + h), or a power of it.
        """
        now, all_of_it = np.full(leads, self.share), np.ones(leads)
        if not self.belief:
            return Left(all_of_it, all_of_it, all_of_it)
        if self.steady:
            return Left(now, now, now)
        so_far = max(step - self.onset_step + 1, self.grid.steps(self.constants.least_minutes)[0])
        still_out = (so_far / (so_far + np.arange(1.0, leads + 1.0))) ** self.constants.chance_power
        return Left(now, 1.0 - self.belief * (1.0 - self.share) * still_out, all_of_it)

    def end(self, step: int, fate: Fate) -> None:
        """Let it be over with the step."""
        self.last_onset, self.last_end, self.last_fate = self.onset_step, step, int(fate)
        self.last_kw.fill(nan)
        read_kw = self.read_kw(step)
        self.last_kw[len(self.last_kw) - len(read_kw) :] = read_kw
        self.forget()

    def forget(self) -> None:
        """Take what was out, or doubted to be, for the load itself."""
        self.onset_step, self.belief, self.share, self.steady = -1, 0.0, 1.0, False
        self.keep_from(-1)

    def read_kw(self, until: int) -> Floats:
        """Return the loads as they were read, from the first one kept to before a step, NaN where not, a view."""
        return self.loads_kw[: until - self.kept_step]

    def give_back(self) -> tuple[int, Floats] | None:
        """Return first step and loads of the last one that is over, NaN where not kept; None where that was learned."""
        if self.last_onset < 0 or self.last_fate not in {Fate.BACK, Fate.DOUBTED}:
            return None
        count = min(self.last_end - self.last_onset, len(self.last_kw))
        return self.last_end - count, self.last_kw[-count:]

    def _read(self, step: int, load_kw: float, without_kw: float) -> None:
        if self.calm:
            self.onset_step = self.kept_step = step
        self.loads_kw[step - self.kept_step] = load_kw
        if without_kw and not isnan(without_kw):
            self.share = min(max(load_kw / without_kw, 0.0), 1.0)
