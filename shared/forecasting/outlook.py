"""What is expected of a zone now, and since when its readings, and its weather, are good."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outlook"]

Floats = NDArray[np.float64]


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

    def rescale(self, share: float) -> None:
        """Follow a load that has shifted for good."""
        self.median_kw, self.carried_kw = share * self.median_kw, share * self.carried_kw
        self.trusted_kw = share * self.trusted_kw

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
