"""Keeps one site's readings in event-time order: what was published lately, and which time may still come."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.forecasting.state import known, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Place", "Timeline"]

Place = Literal["next", "published", "late", "ahead"]

CONFIRMATIONS = 6


class Timeline:
    """The published times of one site, as steps (epoch seconds // seconds of a step), with their values.

    Parameters
    ----------
    window : int
        Steps remembered, back from the last one; what is older counts as late.
    max_gap : int
        Steps that the next reading may lie after the last one.
    fields : int
        Values of each reading.
    """

    def __init__(self, window: int, max_gap: int, fields: int = 0) -> None:
        self._window = window
        self._max_gap = max_gap
        self._last: int | None = None
        self._ahead: list[int] = []  # the steps refused in a row for lying too far ahead, the last ones
        self._published = 0  # bit i is set where the step last - i was published
        self._values = np.full((window, fields), np.nan)  # of step s in row s % window

    def place(self, step: int) -> Place:
        """Return how the step stands to what was published; the sixth in a row from beyond the gap is the next."""
        if self._last is None:
            return "next"
        if step > self._last:
            return "next" if step - self._last <= self._max_gap or self._confirms(step) else "ahead"
        behind = self._last - step
        if behind == 0:  # the meter stands where it was: what came from beyond the gap is not in a row
            self._ahead = []
        return "published" if self.is_published(step) else "late"

    def _confirms(self, step: int) -> bool:
        """Tell whether the step ends a run of refused ones that agree with each other."""
        agrees = bool(self._ahead) and 0 < step - self._ahead[-1] <= self._max_gap
        self._ahead = [*self._ahead, step][-CONFIRMATIONS:] if agrees else [step]
        return len(self._ahead) >= CONFIRMATIONS

    @property
    def last(self) -> int | None:
        """The last published step, None before the first."""
        return self._last

    def is_published(self, step: int) -> bool:
        """Tell whether the step was published lately."""
        behind = -1 if self._last is None else self._last - step
        return 0 <= behind < self._window and bool(self._published >> behind & 1)

    def gaps(self, count: int) -> list[int]:
        """Return the steps from each of the last published readings to the one before it, the newest gap first."""
        behind: list[int] = []
        bits = self._published
        while bits and len(behind) <= count:
            behind.append((bits & -bits).bit_length() - 1)
            bits &= bits - 1
        return [later - earlier for earlier, later in pairwise(behind)]

    def complete(self, step: int, values: Sequence[float | None]) -> None:
        """Remember the last values of a published step, each where none is known."""
        if not self.is_published(step):
            return
        known = self._values[step % self._window, self._values.shape[1] - len(values) :]
        known[:] = np.where(np.isnan(known), np.array(values, np.float64), known)

    def standing(self, step: int) -> list[float | None]:
        """Return the values of a step that :meth:`place` calls published, None where one is missing."""
        return [None if value != value else value for value in self._values[step % self._window].tolist()]  # noqa: PLR0124 - NaN alone differs from itself

    def remember(self, step: int, values: Sequence[float | None] = ()) -> None:
        """Take note that the step stands among the published ones; one that is not after the last is known."""
        if self._last is None or step > self._last:
            self._write(step, values)

    def publish(self, step: int, values: Sequence[float | None] = ()) -> None:
        """Remember that the step was published; raises ``ValueError`` where it is not after the last one."""
        if self._last is not None and step <= self._last:
            raise ValueError(f"step {step} is not after the last published step {self._last}")
        self._write(step, values)
        self._ahead = []

    def _write(self, step: int, values: Sequence[float | None]) -> None:
        advance = self._window if self._last is None else step - self._last
        if advance >= self._window:
            self._published = 1
            self._values[:] = np.nan
        else:
            self._published = (self._published << advance & (1 << self._window) - 1) | 1
            for skipped in range(step - advance + 1, step):
                self._values[skipped % self._window] = np.nan
        self._values[step % self._window] = values
        self._last = step

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that hold all that is known, by name.

        The last step; the published ones as bits back from it; the values by step modulo the window, NaN where there is
        none, (window, fields); the run of refused steps.
        """
        bits = self._published.to_bytes(-(-self._window // 8), "little")
        return {
            "last": whole_number(self._last),
            "published": np.frombuffer(bits, np.uint8),
            "values": self._values.copy(),
            "ahead": np.array(self._ahead, np.int64),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self._last = known(state["last"])
        self._published = int.from_bytes(state["published"].tobytes(), "little")
        self._values = state["values"].astype(np.float64)
        self._ahead = state["ahead"].tolist()
