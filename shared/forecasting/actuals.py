"""The loads of a zone over the last days, by step: in kW, and in multiples of the resolution that errors count in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.resolution import ABSENT
from shared.forecasting.size import keeps_clear, nears_zero

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.resolution import Resolution

__all__ = ["Actuals"]


class Actuals:
    """A ring of loads: that of a step is kept until another one comes to its place, or it is forgotten.

    Parameters
    ----------
    size
        Steps that are kept.

    Attributes
    ----------
    kw
        By step modulo the size, NaN where there is none, (size,).
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.kw = np.full(size, np.nan)
        self._multiples = np.full(size, ABSENT, np.int32)

    def put(self, step: int, load_kw: float, resolution: Resolution) -> None:
        """Keep the load of a step, NaN where there is none."""
        place = step % self.size
        self.kw[place] = load_kw
        self._multiples[place] = resolution.multiple(load_kw)

    def at(self, steps: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the loads of these steps in multiples of the resolution, or ``ABSENT``."""
        return self._multiples[steps % self.size]

    def one(self, step: int) -> int:
        """Return what `at` does of one step."""
        return int(self._multiples[step % self.size])

    def forget(self, first: int, end: int) -> None:
        """Forget the steps from ``first`` to before ``end``."""
        gone = np.arange(first, end) % self.size
        self.kw[gone] = np.nan
        self._multiples[gone] = ABSENT

    def clear(self) -> None:
        """Forget all."""
        self.kw.fill(np.nan)
        self._multiples.fill(ABSENT)

    def count_in(self, resolution: Resolution) -> None:
        """Count all loads in multiples of another resolution."""
        self._multiples[:] = resolution.multiples(self.kw)

    def near_zero(self, last: int, windows: NDArray[np.int64]) -> list[bool]:
        """Tell of each window of so many steps, the last of them ``last``, whether its loads come near zero."""
        if keeps_clear(self.kw):  # and so does every window: the older loads that are kept as well hardly ever matter
            return [False] * len(windows)
        newest = last % self.size + 1
        by_age = np.concatenate((self.kw[newest:], self.kw[:newest]))
        return [nears_zero(by_age[-steps:]) for steps in windows.tolist()]
