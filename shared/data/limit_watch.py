"""Watches how much of a field its limits refuse: where it is most, the limits may be wrong, or the meter is."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.data.load_watch import Doubt
from shared.sites.grid import grid_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LimitWatch"]

PARTS_OF_A_DAY = 4  # the share is that of about the last quarter of a day
MOST, FEW = 0.5, 0.05
NEVER = -1.0


@dataclass(slots=True)
class LimitWatch:
    """Watches one field in the order of its readings; these numbers are its whole state.

    Attributes
    ----------
    share
        How much was refused of late, 0..1: an exponential mean.
    since
        The step of the first value that was refused since few were, ``NEVER`` where few are.
    """

    share: float = 0.0
    since: float = NEVER

    def add(self, step: int, step_minutes: int, *, is_refused: bool) -> Doubt | None:
        """Fold a value; return the doubt that the limits fit while most of late are refused."""
        self.share += (is_refused - self.share) * PARTS_OF_A_DAY / grid_of(step_minutes).day
        if is_refused:
            self.since = step if self.since == NEVER else self.since
        elif self.share < FEW:
            self.share, self.since = 0.0, NEVER
        return Doubt("limits", int(self.since)) if self.share > MOST else None

    def state(self) -> NDArray[np.float64]:
        """Return the numbers, as :meth:`of` takes them."""
        return np.array(astuple(self), np.float64)

    @classmethod
    def of(cls, state: NDArray[np.float64]) -> LimitWatch:
        """Return a watch that goes on from a state."""
        share, since = state.tolist()
        return cls(share, since)
