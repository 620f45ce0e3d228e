"""The last four weeks of scored readings of a zone, with what had been forecast for them: what reports look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.forecasting.state import known, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from shared.sites.grid import Grid

__all__ = ["Recent"]

KEPT_DAYS = 28
SLACK_DAYS = 1  # readings that are released in one go run past the hour that a report ends at


class Recent:
    """A ring of rows, one a step.

    Parameters
    ----------
    columns
        What each value of a row is.
    grid
        How far the rows lie apart.

    Attributes
    ----------
    model
        ``name/version`` of the model of the newest forecast, None before the first. A version that takes over shows
        here as soon as its first forecast is seen, which may be minutes before the reading at that origin is scored.
    """

    def __init__(self, columns: tuple[str, ...], grid: Grid) -> None:
        self.columns = columns
        self.grid = grid
        self.model: str | None = None
        self._rows = np.full(((KEPT_DAYS + SLACK_DAYS) * grid.day, len(columns)), np.nan)
        self._first: int | None = None
        self._last = -1

    def append(self, step: int, values: ArrayLike) -> None:
        """Take the row of a step, NaN where a value is missing; one that is not after the last changes nothing."""
        if step <= self._last:
            return
        if self._first is None:
            self._first = step
        elif step > self._last + 1:
            passed = np.arange(max(self._last, step - len(self._rows)) + 1, step)
            self._rows[passed % len(self._rows)] = np.nan
        self._rows[step % len(self._rows)] = values
        self._last = step

    def reaches(self, until: int, days: int) -> bool:
        """Tell whether the first row ever taken is so many days old at step ``until``."""
        return self._first is not None and until - self._first + 1 >= days * self.grid.day

    def window(self, until: int, days: int) -> NDArray[np.float64]:
        """Return the rows of the ``days`` that end with step ``until``, NaN where there is none, (steps, columns)."""
        steps = np.arange(until - days * self.grid.day, until) + 1
        rows = self._rows[steps % len(self._rows)]
        rows[(steps > self._last) | (steps <= self._last - len(self._rows))] = np.nan
        return rows

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        return {
            "model": np.array(self.model or ""),
            "rows": self._rows.copy(),
            "first": whole_number(self._first),
            "last": np.array(self._last),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.model = str(state["model"]) or None
        self._rows[:] = state["rows"]
        self._first = known(state["first"])
        self._last = int(state["last"])
