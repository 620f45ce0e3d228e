"""The corrections and the recent errors of the weather estimate of each zone, cached for `/predict`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from services.gateway.predicting import errors_of
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from services.gateway.predicting import Errors
    from services.gateway.queries import Estimates, History

__all__ = ["OfLate", "RecentErrors"]

RECENT = timedelta(days=28)
HOUR_S = 3600


@dataclass(frozen=True)
class OfLate:
    """What the forecasts of a zone up to the origin ``last`` say; the errors may be an hour older.

    Attributes
    ----------
    corrections_kw
        Corrected less uncorrected weather estimate, by step of the UTC day, from the newest forecast of that step.
    errors
        Bounds of the load less the corrected estimate over 28 days; None with less than a day of values.
    """

    last: datetime | None
    corrections_kw: Mapping[int, float]
    errors: Errors | None


NOTHING = OfLate(None, {}, None)


class RecentErrors:
    """Reads them from the history and caches them; thread-safe.

    Corrections are updated with every new forecast. Errors are computed again where event time enters a new hour.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[tuple[str, int], OfLate] = {}
        self._turns: dict[tuple[str, int], Lock] = {}

    def of(self, site: str, zone: int, step_minutes: int) -> OfLate:
        """Return those of a zone; they are read again where a newer forecast has come."""
        last = self._history.last_origin(site, zone)
        if last is None:
            return NOTHING
        with self._turns.setdefault((site, zone), Lock()):  # the zones do not wait for each other
            known = self._known.get((site, zone), NOTHING)
            if known.last != last:
                known = self._read(site, zone, Grid(step_minutes), known, last)
                self._known[site, zone] = known
        return known

    def _read(self, site: str, zone: int, grid: Grid, known: OfLate, last: datetime) -> OfLate:
        if known.last is not None and known.last < last and _hour(known.last) == _hour(last):
            newer = self._history.estimates(site, zone, known.last)
            return OfLate(last, {**known.corrections_kw, **_corrections_kw(newer, grid)}, known.errors)
        recent = self._history.estimates(site, zone, last - RECENT)
        errors = errors_of(recent.estimate_kw, recent.load_kw, fewest=grid.day)
        return OfLate(last, _corrections_kw(recent, grid), errors)


def _hour(time: datetime) -> float:
    return time.timestamp() // HOUR_S


def _corrections_kw(estimates: Estimates, grid: Grid) -> dict[int, float]:
    corrections_kw = estimates.estimate_kw - estimates.model_kw
    known = np.isfinite(corrections_kw)
    steps = estimates.time_s[known] // (60 * grid.step_minutes) % grid.day
    return dict(zip(steps.tolist(), corrections_kw[known].tolist(), strict=True))  # rows rise by time: the newest wins
