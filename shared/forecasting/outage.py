"""An outage: load that is lost from one reading to the next, and comes back.

While it lasts its readings are true, and the forecast follows them. But nothing is learned from them, as from readings
that are missing. When the load is back where it was expected without the outage, its hours say nothing of the days to
come: they count as missing, and what was expected stands in for them.

Two things are no outage. A load that does not come back within some days has changed for good. And what is lost again
at the hours of another outage of the last seven days is a habit of the load, which the forecast is to learn: from the
other one, too, whose readings are kept for that.

What is expected without the outage is what was forecast before it; beyond the horizon of that forecast it moves on as
the usual load does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.method import OutageConstants
    from shared.sites.grid import Grid

__all__ = ["Outage"]


@dataclass
class Outage:
    """The outage that lasts, where there is one, and the hours of the last one that is over."""

    grid: Grid
    constants: OutageConstants
    onset_step: int = field(init=False, default=-1)  # of the one that lasts; -1: there is none
    left_share: float = field(init=False, default=0.0)  # of the load, when the outage was believed
    known_steps: int = field(init=False, default=0)  # from the onset on, for which is known what is expected
    expected_kw: NDArray[np.float64] = field(init=False)  # (longest,): without the outage, from its onset on
    last_onset: int = field(init=False, default=-1)  # of the last one that is over
    last_end: int = field(init=False, default=-1)  # the first step at which the load was back
    last_kw: NDArray[np.float64] = field(init=False)  # (longest,): the loads in between

    def __post_init__(self) -> None:
        self.expected_kw = np.zeros(self.grid.steps(self.constants.longest_minutes)[0])
        self.last_kw = np.zeros_like(self.expected_kw)

    @property
    def lasts(self) -> bool:
        """Whether load is out."""
        return self.onset_step >= 0

    def begin(self, onset_step: int, expected_kw: NDArray[np.float64], left_share: float) -> None:
        """Begin at a step, with what was forecast from there on before it, (steps,), and the share of it that is left.

        The share is that of the reading with which the outage was believed.
        """
        self.known_steps = min(len(expected_kw), len(self.expected_kw))
        self.expected_kw[: self.known_steps] = expected_kw[: self.known_steps]
        self.onset_step, self.left_share = onset_step, left_share

    def follow(self, step: int, usual_change_kw: float) -> None:
        """Take note of the next step, and by how much the usual load changes there; it may be one too many."""
        since = step - self.onset_step
        if not self.lasts or since < self.known_steps:
            return
        if since == len(self.expected_kw):
            self.forget()
        else:
            self.expected_kw[since] = self.expected_kw[since - 1] + usual_change_kw
            self.known_steps = since + 1

    def without_kw(self, step: int) -> float:
        """Return what is expected of a step without the outage that lasts; NaN where none does."""
        return float(self.expected_kw[step - self.onset_step]) if self.lasts else nan

    def is_over(self, step: int, load_kw: float) -> bool:
        """Tell whether enough of what was lost is back with a load."""
        without_kw = self.without_kw(step)
        enough = self.left_share + self.constants.back_share * (1.0 - self.left_share)
        return load_kw * without_kw > 0.0 and load_kw / without_kw >= enough

    def end(self, loads_kw: NDArray[np.float64]) -> None:
        """Let it be over after these loads, (steps,)."""
        self.last_onset, self.last_end = self.onset_step, self.onset_step + len(loads_kw)
        self.last_kw[: len(loads_kw)] = loads_kw
        self.forget()

    def forget(self) -> None:
        """Take what has lasted so far for the load itself."""
        self.onset_step, self.known_steps = -1, 0

    def give_back(self) -> tuple[int, NDArray[np.float64]] | None:
        """Return the onset and the loads, (steps,), of the last one that is over, once; None where there is none."""
        if self.last_onset < 0:
            return None
        onset, count = self.last_onset, self.last_end - self.last_onset
        self.last_onset = self.last_end = -1
        return onset, self.last_kw[:count]
