"""Reports as the monitor requests them from the process that makes them, and what that process answers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation at run time
from typing import TYPE_CHECKING

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from services.monitor.recent import Recent
    from services.monitor.verification import ScoredHour

__all__ = [
    "WINDOWS_DAYS",
    "Figures",
    "ForecastQuality",
    "Report",
    "ReportRequest",
    "ReportResult",
    "ReportSchedule",
    "change",
]

WINDOWS_DAYS = (7, 28)


class Figures(BaseModel):
    """The error of the forecasts of one lead time; or the change of each relative to the reference, as a ratio."""

    model_config = ConfigDict(frozen=True)
    rmse: float | None
    mae: float | None
    r2: float | None


class ForecastQuality(BaseModel):
    """The forecasts of one lead group in the window and in the reference; RMSE and MAE in kW.

    ``change`` is current / reference - 1. ``passed`` tells whether RMSE and MAE rose by at most 10 %, and R2 fell by at
    most 5 %.
    """

    model_config = ConfigDict(frozen=True)
    lead_minutes: int
    pairs: int
    reference_pairs: int
    current: Figures
    reference: Figures
    change: Figures
    passed: bool


class Report(BaseModel):
    """The figures of one report: the window (``since``, ``until``] of a zone against the training of ``model``.

    ``drift`` is the score of each column that has enough values; those that have not are in ``insufficient``, and so
    are the forecasts of which too few have come due.
    """

    model_config = ConfigDict(frozen=True)
    site: str
    zone: int
    window_days: int
    since: AwareDatetime
    until: AwareDatetime
    model: str
    drift_method: str
    drift_threshold: float
    drift: dict[str, float]
    drift_share: float | None
    quality: tuple[ForecastQuality, ...]
    insufficient: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name of the folder with the reports of this zone."""
        return f"{self.site}-{self.zone}"

    @property
    def stem(self) -> str:
        """The name of the report's files without what they end with."""
        return f"{self.until:%Y-%m-%dT%H%MZ}-{self.window_days}d"


class ReportRequest(BaseModel):
    """What a report is made of: ``rows`` holds float64, one row a step up to ``until``, NaN where there is no value."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")
    site: str
    zone: int
    window_days: int
    until: AwareDatetime
    step_minutes: int
    model: str
    columns: tuple[str, ...]
    rows: bytes = Field(repr=False)
    registry_uri: str = Field(repr=False)
    artifact_root: Path | None
    report_dir: Path
    kept: int

    @property
    def since(self) -> datetime:
        """Where the window begins; the reading at that time is not in it."""
        return self.until - timedelta(days=self.window_days)

    @property
    def table(self) -> NDArray[np.float64]:
        """The rows, (steps, columns)."""
        return np.frombuffer(self.rows).reshape(-1, len(self.columns))


class ReportResult(BaseModel):
    """What has come of a request: the report that was written, or one line with the reason and what to do."""

    model_config = ConfigDict(frozen=True)
    report: Report | None = None
    error: str | None = None


class ReportSchedule:
    """When reports are due: each as soon as its window is full, then once a period of event time, such as a day (UTC).

    Parameters
    ----------
    every_hours
        The length of a period; 0: nothing is ever due.
    """

    def __init__(self, every_hours: int) -> None:
        self._period_s = 3600 * every_hours
        self._made: dict[tuple[str, int, int], int] = {}

    def is_due(self, site: str, zone: int, window_days: int, time: datetime) -> bool:
        """Tell whether the full window that ends at ``time`` is the first of its period; it counts as made then."""
        if not self._period_s:
            return False
        key, period = (site, zone, window_days), int(time.timestamp()) // self._period_s
        if period <= self._made.get(key, -1):
            return False
        self._made[key] = period
        return True

    def due(self, hour: ScoredHour, until: int, recent: Recent) -> list[int]:
        """Return the windows in days that are due at an hour, which is step ``until``."""
        return [
            days
            for days in WINDOWS_DAYS
            if recent.model is not None
            and recent.reaches(until, days)
            and self.is_due(hour.site, hour.zone, days, hour.time)
        ]

    def made_s(self, site: str, zones: Sequence[int]) -> NDArray[np.int64]:
        """Return when the periods of the last reports began, in seconds since 1970, (zones, windows); -1 where none.

        They are times, so that what they say outlives a period of another length.
        """
        made = [[self._made.get((site, zone, days)) for days in WINDOWS_DAYS] for zone in zones]
        return np.array([[-1 if one is None else one * self._period_s for one in row] for row in made], np.int64)

    def resume(self, made_s: NDArray[np.int64], site: str, zones: Sequence[int]) -> None:
        """Go on with a site from what :meth:`made_s` returned."""
        self._made |= {
            (site, zone, days): began_s // self._period_s
            for zone, row in zip(zones, made_s.tolist(), strict=True)
            for days, began_s in zip(WINDOWS_DAYS, row, strict=True)
            if self._period_s and began_s >= 0
        }


def change(current: Figures, reference: Figures) -> Figures:
    """Return current / reference - 1 of each figure, None where the reference is not above zero."""
    return Figures(
        **{
            name: now / before - 1 if now is not None and before is not None and before > 0 else None
            for name, now, before in (
                (name, getattr(current, name), getattr(reference, name)) for name in Figures.model_fields
            )
        }
    )
