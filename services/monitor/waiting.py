"""The readings that wait for their forecasts: first in, first out, a few numbers each."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Waiting"]


class Waiting:
    """A queue of rows, each of a step and the numbers of its reading; 56 bytes a reading with five of weather.

    Parameters
    ----------
    width
        Numbers of a row, the step among them.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows = array("d")
        self._taken = 0  # numbers at the head that were handed out

    def __len__(self) -> int:
        return (len(self._rows) - self._taken) // self._width

    @property
    def first(self) -> int:
        """The step of the row that came first."""
        return int(self._rows[self._taken])

    @property
    def last(self) -> int:
        """The step of the row that came last."""
        return int(self._rows[-self._width])

    def put(self, step: int, numbers: Sequence[float]) -> None:
        """Add a row."""
        self._rows.append(step)
        self._rows.extend(numbers)

    def take(self) -> tuple[int, list[float]]:
        """Return the row that came first, step and numbers, and let it go."""
        step, *numbers = self._rows[self._taken : self._taken + self._width].tolist()
        self._taken += self._width
        if 2 * self._taken >= len(self._rows):
            del self._rows[: self._taken]
            self._taken = 0
        return int(step), numbers

    def state(self) -> NDArray[np.float64]:
        """Return a copy of the rows, (rows, width)."""
        return np.array(self._rows[self._taken :], np.float64).reshape(-1, self._width)

    def resume(self, rows: NDArray[np.float64]) -> None:
        """Go on from what :meth:`state` returned."""
        self._rows, self._taken = array("d", rows.ravel().tolist()), 0
