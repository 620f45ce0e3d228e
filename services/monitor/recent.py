"""The last four weeks of scored readings of a zone, with what had been forecast for them: what reports look at."""

from __future__ import annotations

import zlib
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
LEVEL = 1  # of zlib


class Recent:
    """Rows, one a step, of the last days; those of the days before the last one are packed, as few look at them.

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
        self._rows = np.full((grid.day, len(columns)), np.nan)  # of the day of the last row
        self._packed: dict[int, bytes] = {}  # by day, counted from 1970: those before it
        self._first: int | None = None
        self._last = -1

    def append(self, step: int, values: ArrayLike) -> None:
        """Take the row of a step, NaN where a value is missing; one that is not after the last changes nothing."""
        if step <= self._last:
            return
        day, row = divmod(step, self.grid.day)
        if self._first is None:
            self._first = step
        elif day > self._last // self.grid.day:
            self._pack()
            for old in [old for old in self._packed if old < day - KEPT_DAYS - SLACK_DAYS]:
                del self._packed[old]
        self._rows[row] = values
        self._last = step

    def reaches(self, until: int, days: int) -> bool:
        """Tell whether the first row ever taken is so many days old at step ``until``."""
        return self._first is not None and until - self._first + 1 >= days * self.grid.day

    def window(self, until: int, days: int) -> NDArray[np.float64]:
        """Return the rows of the ``days`` that end with step ``until``, NaN where there is none, (steps, columns)."""
        day = self.grid.day
        begin = until - days * day + 1
        rows = np.concatenate([self._rows_of(number) for number in range(begin // day, until // day + 1)])
        rows = rows[begin % day :][: until - begin + 1]
        steps = np.arange(begin, until + 1)
        rows[(steps > self._last) | (steps <= self._last - (KEPT_DAYS + SLACK_DAYS) * day)] = np.nan
        return rows

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        return {
            "model": np.array(self.model or ""),
            "rows": self._rows.copy(),
            "packed_days": np.array(list(self._packed), np.int64),
            "packed_bytes": np.array([len(raw) for raw in self._packed.values()], np.int64),
            "packed": np.frombuffer(b"".join(self._packed.values()), np.uint8),
            "first": whole_number(self._first),
            "last": np.array(self._last),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.model = str(state["model"]) or None
        self._rows[:] = state["rows"]
        ends = np.cumsum(state["packed_bytes"]).tolist()
        spans = zip(state["packed_days"].tolist(), [0, *ends], ends, strict=False)
        self._packed = {day: state["packed"][start:end].tobytes() for day, start, end in spans}
        self._first = known(state["first"])
        self._last = int(state["last"])

    def _pack(self) -> None:
        """Put away the day of the last row."""
        # bytes of the same place in each number, column by column: they are alike from row to row
        planes = np.ascontiguousarray(self._rows.T).view(np.uint8).reshape(-1, 8).T
        self._packed[self._last // self.grid.day] = zlib.compress(planes.tobytes(), LEVEL)
        self._rows.fill(np.nan)

    def _rows_of(self, day: int) -> NDArray[np.float64]:
        if day == self._last // self.grid.day:
            return self._rows
        if day not in self._packed:
            return np.full_like(self._rows, np.nan)
        planes = np.frombuffer(zlib.decompress(self._packed[day]), np.uint8).reshape(8, -1)
        columns = np.ascontiguousarray(planes.T).view(np.float64).reshape(len(self.columns), -1)
        return columns.T
