"""Watches the error of the 1-hour forecast for a change of its mean.

The forecast's own interval says how large its error usually is, so that the error in units of that is comparable over
hours, seasons and zones, and needs no reference from training: the events follow from the two topics alone. It is the
signal closest to what an operator suffers from. A load that really rose, a meter that stands still and one that changed
its unit all show in it within hours, while weather that merely looks unusual does not.
"""

from __future__ import annotations

from math import isnan, nan
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.drift.episodes import Episodes, Subject
from shared.forecasting.resolution import ABSENT
from shared.forecasting.state import known, resume_parts, states_of, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.contracts.messages import DriftEvent
    from shared.drift.detectors import Detector
    from shared.sites.grid import Grid

__all__ = ["ErrorWatch", "standardised_error"]

_LIMIT = 10.0  # beyond it an error says no more than that it is huge, and would drown all that follow
_FOUND = (
    "the forecast of zone {zone} one hour ahead errs otherwise than it did: check the meter; if the load has really "
    "changed, the forecast adapts: follow its scores"
)
_SIGMAS = 2 * NormalDist().inv_cdf(0.95)  # what a 90 % interval spans, were the errors normal


def standardised_error(actual: int, issued: NDArray[np.int32]) -> float:
    """Return the error of a forecast in units of its own standard deviation, positive where the load was higher.

    Parameters
    ----------
    actual
        The load in multiples of the zone's resolution, or ``ABSENT``.
    issued
        Median, low and high end of the 90 % interval in the same multiples, (3,), or ``ABSENT``.

    Returns
    -------
    float
        NaN where either is absent. An interval narrower than the resolution counts as so wide.
    """
    median, low, high = issued.tolist()
    if ABSENT in (actual, median):
        return nan
    return float(_SIGMAS * (actual - median) / max(high - low, 1))


class ErrorWatch:
    """The drift events of one zone: a fold over its errors, in the order of their targets.

    An hour (T - 1 h, T] counts by the mean of its standardised errors, clipped to +/-10; it is passed over where fewer
    than half of them are there.

    A finding is a warning: that the forecast errs otherwise than it did is an impact, and whether the data have drifted
    as well, which would make it critical, is for other detectors to say.

    Attributes
    ----------
    error
        The mean of the last complete hour, in standard deviations; NaN where it was passed over.
    """

    def __init__(self, site: str, zone: int, grid: Grid, detectors: Mapping[str, Detector]) -> None:
        self.site = site
        self.zone = zone
        self.error = nan
        self.detectors = detectors
        self.episodes = {
            name: Episodes(Subject(site, zone, "model", f"zone_{zone}_kw", name, "warning", _FOUND.format(zone=zone)))
            for name in detectors
        }
        self._grid = grid
        self._hour_end: int | None = None  # of the hour whose errors are being gathered
        self._errors: list[float] = []

    def take(self, step: int, error: float) -> None:
        """Take the error of the next target, NaN where it is not known; the hours before its own are complete."""
        self._hour_end = -(-step // self._grid.hour) * self._grid.hour
        if not isnan(error):
            self._errors.append(error)

    def complete(self, step: int) -> list[DriftEvent]:
        """Close the hour at hand where the clock, at ``step``, has reached its end; return what is found in it."""
        if self._hour_end is None or step < self._hour_end:
            return []
        time = self._grid.time_of(self._hour_end)
        enough = 2 * len(self._errors) >= self._grid.hour
        self.error = max(-_LIMIT, min(fmean(self._errors), _LIMIT)) if enough else nan
        self._hour_end = None
        self._errors.clear()
        return [event for name, detector in self.detectors.items() for event in self._watch(name, detector, time)]

    def _watch(self, name: str, detector: Detector, time: datetime) -> list[DriftEvent]:
        episodes = self.episodes[name]
        if detector.update(self.error):
            return episodes.found(time, detector.score, detector.threshold)
        return episodes.pass_to(time)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        return {
            "error": np.array(self.error),
            "hour_end": whole_number(self._hour_end),
            "errors": np.array(self._errors, np.float64),
            **states_of(self.detectors),
            **states_of(self.episodes),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.error = float(state["error"])
        self._hour_end = known(state["hour_end"])
        self._errors = state["errors"].tolist()
        resume_parts(self.detectors, state)
        resume_parts(self.episodes, state)
