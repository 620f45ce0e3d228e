"""Change detectors on an hourly figure, fed one number at a time."""

from __future__ import annotations

from array import array
from dataclasses import astuple, dataclass
from math import inf, isfinite, log
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from river._river_rust.drift import AdaptiveWindowing  # `river.drift` itself imports scikit-learn, SciPy and pandas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["AdaptiveWindow", "Detector", "MeanShift", "forecast_error_detectors"]

_SHORTEST_PART, _SILENT_AT_FIRST = 5, 10
"""Of a window, in numbers: River's defaults."""


class Detector(Protocol):
    """A fold over numbers that tells when their mean has changed, upwards or downwards.

    Every detector keeps these laws: what is not finite changes nothing, for a single NaN would blind River's detectors
    for good; a detection's score is not below the threshold; after a detection it starts anew from the next number.
    """

    @property
    def threshold(self) -> float:
        """The score from which a change is detected."""

    @property
    def score(self) -> float:
        """How strongly the numbers up to the last one speak for a change, on the scale of the threshold."""

    def update(self, value: float) -> bool:
        """Take the next number; tell whether a change is detected at it."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all it knows, by name."""

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""


@dataclass(slots=True)
class _Sums:
    """The sums of the test since it began, in units of the numbers."""

    count: float = 0.0
    mean: float = 0.0
    increase: float = 0.0
    decrease: float = 0.0
    lowest_increase: float = inf
    highest_decrease: float = -1.0  # as in River, whose results these are to the bit


class MeanShift:
    """The Page-Hinkley test, in both directions, on numbers whose standard deviation is about 1.

    The sums are those of River's ``PageHinkley`` to the bit, whose state has no form but pickle. Its default forgets a
    ten-thousandth of the sums at every number, which eats up half of ``delta`` in a quiet year; here nothing is
    forgotten, so that the test is as sharp after a year as after a month.

    Parameters
    ----------
    delta
        The change of the mean that is tolerated.
    threshold
        The sum of deviations beyond it that counts as a change.
    min_instances
        No change is detected before so many numbers.
    alpha
        What is kept of the sums at every number.

    References
    ----------
    E. S. Page, Continuous Inspection Schemes, Biometrika 41, 1954.

    Examples
    --------
    >>> detector = MeanShift()
    >>> [hour for hour in range(60) if detector.update(3.0 if hour >= 48 else 0.0)]
    [53]
    """

    def __init__(
        self, delta: float = 0.5, threshold: float = 12.0, min_instances: int = 12, alpha: float = 1.0
    ) -> None:
        self.threshold = threshold
        self._delta = delta
        self._min_instances = min_instances
        self._alpha = alpha
        self._sums = _Sums()

    @property
    def score(self) -> float:
        """The larger of the sums of deviations in the two directions, in units of the numbers."""
        sums = self._sums
        if not sums.count:
            return 0.0
        return max(sums.increase - sums.lowest_increase, sums.highest_decrease - sums.decrease)

    def update(self, value: float) -> bool:
        """Take the next number; tell whether a change is detected at it."""
        if not isfinite(value):
            return False
        if self._detected:
            self._sums = _Sums()
        sums = self._sums
        sums.count += 1
        sums.mean += 1 / sums.count * (value - sums.mean)  # a quotient first: River's order, and its last bit
        deviation = value - sums.mean
        sums.increase = self._alpha * sums.increase + deviation - self._delta
        sums.decrease = self._alpha * sums.decrease + deviation + self._delta
        sums.lowest_increase = min(sums.lowest_increase, sums.increase)
        sums.highest_decrease = max(sums.highest_decrease, sums.decrease)
        return self._detected

    @property
    def _detected(self) -> bool:
        return self._sums.count >= self._min_instances and self.score > self.threshold

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the sums: count, mean, and those of the two directions with their extremes, (6,)."""
        return {"sums": np.array(astuple(self._sums))}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self._sums = _Sums(*state["sums"].tolist())


class AdaptiveWindow:
    """ADWIN: the numbers since the last change, cut where the means of the two parts differ too much.

    Parameters
    ----------
    delta
        The significance of a cut.
    clock
        Cuts are looked for at every so many numbers.

    References
    ----------
    A. Bifet, R. Gavalda, Learning from Time-Changing Data with Adaptive Windowing, SDM 2007; ``river.drift.ADWIN``.

    Examples
    --------
    >>> detector = AdaptiveWindow()
    >>> [hour for hour in range(90) if detector.update(float(hour >= 48))]
    [62]
    """

    threshold = 1.0

    def __init__(self, delta: float = 0.02, clock: int = 1) -> None:
        self._delta = delta
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        self._adwin = AdaptiveWindowing(
            self._delta, self._clock, min_window_length=_SHORTEST_PART, grace_period=_SILENT_AT_FIRST
        )
        self._detected = False
        self._values = array("d")  # 70 kB a year without a detection

    @property
    def score(self) -> float:
        """The largest difference of the means of two parts of the window, as a multiple of what chance allows.

        This looks at every cut and River only at some, so the score can reach 1 before a change is detected.
        """
        # a copy: an array that somebody looks into cannot grow, and metrics are drawn in a thread of their own
        values, shortest = np.frombuffer(self._values.tobytes()), _SHORTEST_PART
        count = values.size
        if count <= max(_SILENT_AT_FIRST, 2 * shortest):
            return 0.0
        older = np.arange(shortest, count - shortest + 1)
        newer = count - older
        sums = values.cumsum()
        difference = np.abs(sums[older - 1] / older - (sums[-1] - sums[older - 1]) / newer)
        # the bound of the paper, section 4.1, with the sizes of the parts as River counts them
        size = 1 / (older - shortest + 1) + 1 / (newer - shortest + 1)
        confidence = log(2 * log(count) / self._delta)
        bound = np.sqrt(2 * size * values.var() * confidence) + 2 / 3 * confidence * size
        return float(np.max(difference / bound))

    def update(self, value: float) -> bool:
        """Take the next number; tell whether a change is detected at it."""
        if not isfinite(value):
            return False
        if self._detected:
            self._begin()
        self._values.append(value)
        self._detected = self._adwin.update(value)
        return self._detected

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the numbers since the last change, (n,)."""
        return {"values": np.array(self._values)}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned: River's window has no form but pickle, so it is fed them again."""
        self._begin()
        for value in state["values"].tolist():
            self.update(value)


def forecast_error_detectors() -> dict[str, Detector]:
    """Return the detectors of a change in the hourly standardised forecast error, by name.

    Their defaults were chosen for zone 2 on March to 18 October 2017, before the last 20 % of the year: with at most
    1.3 events in 30 days, and a threshold that no single hour reaches (an hour counts 10 at most), they are those that
    find most of a lasting +15 % within a day. Benchmark ``drift`` shows what they do on the rest of the year.
    """
    return {"page_hinkley_1h": MeanShift(), "adwin_1h": AdaptiveWindow()}
