"""Keeps one site's readings in event-time order: which times were published, which may still come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.forecasting.state import known, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Place", "Timeline"]

Place = Literal["next", "published", "late", "ahead"]

CONFIRMATIONS = 6


class Timeline:
    """The published times of one site, as steps (epoch seconds // seconds of a step).

    Parameters
    ----------
    window : int
        Steps remembered, back from the last one; what is older counts as late.
    max_gap : int
        Steps that the next reading may lie after the last one.
    """

    def __init__(self, window: int, max_gap: int) -> None:
        self._window = window
        self._max_gap = max_gap
        self._last: int | None = None
        self._ahead: list[int] = []  # the steps refused in a row for lying too far ahead
        self._published = 0  # bit i is set where the step last - i was published

    def place(self, step: int) -> Place:
        """Return how the step stands to what was published; the sixth in a row from beyond the gap is the next."""
        if self._last is None:
            return "next"
        if step > self._last:
            return "next" if step - self._last <= self._max_gap or self._confirms(step) else "ahead"
        behind = self._last - step
        return "published" if behind < self._window and self._published >> behind & 1 else "late"

    def _confirms(self, step: int) -> bool:
        """Tell whether the step ends a run of refused ones that agree with each other."""
        agrees = bool(self._ahead) and 0 < step - self._ahead[-1] <= self._max_gap
        self._ahead = [*self._ahead, step] if agrees else [step]
        return len(self._ahead) >= CONFIRMATIONS

    def remember(self, step: int) -> None:
        """Take note that the step stands among the published ones; one that is not after the last is known."""
        if self._last is None or step > self._last:
            self.publish(step)

    def publish(self, step: int) -> None:
        """Remember that the step was published; raises ``ValueError`` where it is not after the last one."""
        advance = self._window if self._last is None else step - self._last
        if advance <= 0:
            raise ValueError(f"step {step} is not after the last published step {self._last}")
        kept = self._published << advance & (1 << self._window) - 1 if advance < self._window else 0
        self._published = kept | 1
        self._last = step
        self._ahead = []

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the last step, the published ones as bits back from it, and the run of refused ones, by name."""
        bits = self._published.to_bytes(-(-self._window // 8), "little")
        return {
            "last": whole_number(self._last),
            "published": np.frombuffer(bits, np.uint8),
            "ahead": np.array(self._ahead, np.int64),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self._last = known(state["last"])
        self._published = int.from_bytes(state["published"].tobytes(), "little")
        self._ahead = state["ahead"].tolist()
