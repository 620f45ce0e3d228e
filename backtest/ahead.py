"""The 24 hours after the end of a file: the fold over all its readings, and what its forecasts were worth lately."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from backtest.run import account_for, answer, fitted, judged
from backtest.tables import NO_MAPE, ScoreTable
from backtest.transcript import Transcript
from backtest.unbelieved import Seen
from services.forecaster.issuing import ZoneModels
from shared.data.errors import DataError
from shared.data.toml import as_toml

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from backtest.accounting import Accounting
    from backtest.run import Progress
    from backtest.unbelieved import Unbelieved
    from backtest.units import LoadUnit
    from shared.contracts.messages import CleanReading, Forecast
    from shared.data.year import Year
    from shared.forecasting.prior import Prior
    from shared.sites.site import Site

__all__ = ["Ahead", "look_ahead"]

LATELY, PARTS = timedelta(days=28), 4  # the last of so many parts of the file at the most: the rest is to fit on
SHOWN = 0.9
SETTLED_DAYS = 60
"""How long an interval needs to learn how far off its forecast may be: docs/accuracy.md has what it covers before."""


@dataclass(frozen=True, eq=False)
class Ahead:
    """The forecast with the last load of a file as its origin.

    Attributes
    ----------
    transcript
        The loads and forecasts of the last quarter of the file, and of no more than 28 days.
    lately
        What those forecasts were worth.
    trained
        Whether there were readings enough for models; without, the lower levels answer.
    unjudged
        Why nothing is said of what the forecasts were worth; None where it is said.
    accounting
        What became of the rows.
    days
        From the first load to the last.
    """

    site: Site
    label: str
    synthetic: bool
    assumed: tuple[str, ...]
    forecast: Forecast
    transcript: Transcript
    lately: ScoreTable
    trained: bool
    accounting: Accounting
    days: int
    unjudged: str | None = None
    unbelieved: Unbelieved | None = None

    @property
    def unit(self) -> LoadUnit:
        """In which people are shown all of it."""
        return self.lately.unit

    @property
    def frame(self) -> pd.DataFrame:
        """One row a lead: time in UTC and on the clock of the site, median, 90 % interval, level that answers."""
        forecast, zone = self.forecast, ZoneInfo(self.site.time_zone)
        (interval,) = (interval for interval in forecast.intervals if interval.coverage == SHOWN)
        leads = np.arange(1, len(forecast.median_kw) + 1)
        times = [forecast.origin + timedelta(minutes=int(lead) * forecast.step_minutes) for lead in leads]
        spans = {lead: span for span in forecast.levels for lead in range(span.from_lead, span.to_lead + 1)}
        return pd.DataFrame(
            {
                "time": [f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in times],
                "local_time": [f"{time.astimezone(zone):%Y-%m-%d %H:%M}" for time in times],
                "lead_minutes": leads * forecast.step_minutes,
                "median_kw": forecast.median_kw,
                "low_kw": interval.low_kw,
                "high_kw": interval.high_kw,
                "level": [spans[int(lead)].level for lead in leads],
            }
        )

    @property
    def curves(self) -> pd.DataFrame:
        """The load of the 24 hours up to the origin, and the forecast of the 24 hours after it, by local time."""
        leads, zone, step = len(self.forecast.median_kw), ZoneInfo(self.site.time_zone), self.transcript.step_minutes
        loads_kw = self.transcript.demand_kw[-leads:]
        ago = range(1 - len(loads_kw), 1)
        times = [self.forecast.origin.astimezone(zone) + timedelta(minutes=n * step) for n in ago]
        past = pd.DataFrame({"local_time": [f"{time:%Y-%m-%d %H:%M}" for time in times], "actual_kw": loads_kw})
        return pd.concat([past, self.frame[["local_time", "median_kw", "low_kw", "high_kw"]]], ignore_index=True)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not the best level that answers, one line each; what a note says already is left out."""
        noted = " ".join(note.text for note in self.forecast.notes)
        reasons = (
            (span.level, [each for each in (span.reason or "").split("; ") if each and each not in noted])
            for span in self.forecast.levels
        )
        return tuple(f"{level}: {'; '.join(left)}" for level, left in reasons if left)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the message says of the load, one line each, times on the clock of the site."""
        return tuple(f"{note.kind} since {self._local(note.since)}: {note.text}" for note in self.forecast.notes)

    @property
    def local_origin(self) -> datetime:
        """When the last load was measured, on the clock of the site."""
        return self.forecast.origin.astimezone(ZoneInfo(self.site.time_zone))

    def _local(self, time: datetime) -> str:
        return f"{time.astimezone(ZoneInfo(self.site.time_zone)):%Y-%m-%d %H:%M}"

    @property
    def goodness(self) -> str:
        """What the forecasts were worth lately, in one line."""
        if self.unjudged:
            return f"how good it is cannot be said: {self.unjudged}"
        figures, hour = self.lately.per_lead, self.site.grid.hour - 1
        if np.isnan(figures["rmse_kw"]).all():
            return "how good it is cannot be said yet: no forecast has come due"
        rmse_kw, shares = figures["rmse_kw"], {name: _mean(figures[name]) for name in ("mape", "coverage")}
        errors_kw = {"an hour ahead": rmse_kw[hour], "a day ahead": rmse_kw[-1]}
        off = [f"{self.unit.shown(kw)} {self.unit.name} {ahead}" for ahead, kw in errors_kw.items() if not np.isnan(kw)]
        share = "" if np.isnan(shares["mape"]) else f", MAPE {shares['mape']:.1%}"
        held = f"{shares['coverage']:.0%} of the loads lay in the 90 % interval"
        said = f"it was off by {' and '.join(off)} (RMSE){share}; {held}"
        return f"since {self.transcript.test_from:%Y-%m-%d} {said}" + (f"; {NO_MAPE}" if self.lately.nears_zero else "")

    @property
    def unsettled(self) -> str | None:
        """What to know of the interval of a short file; None where it has had the time to settle."""
        if self.days >= SETTLED_DAYS:
            return None
        return (
            f"the file holds {self.days} of the {SETTLED_DAYS} days of load that an interval needs to settle: it may "
            "cover much less than it says"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result for machines; what cannot be computed is None."""
        leads = self.lately.leads()
        if self.unjudged:
            leads = {
                key: dict.fromkeys(figures) | {"scored_minutes": figures["scored_minutes"]}
                for key, figures in leads.items()
            }
        return {
            "site": self.site.name,
            "zone": self.forecast.zone,
            "origin": self.forecast.origin.isoformat(),
            "step_minutes": self.forecast.step_minutes,
            "forecast": self.frame.to_dict("records"),
            "reasons": list(self.reasons),
            "notes": [note.model_dump(mode="json") for note in self.forecast.notes],
            "lately": {"from": self.transcript.test_from.isoformat(), "leads": leads, "unjudged": self.unjudged},
            "trained": self.trained,
            "days": self.days,
            "unsettled": self.unsettled,
            "data": self.label,
            "synthetic": self.synthetic,
            "assumed": list(self.assumed),
            "site_table": as_toml(self.site),
            "rows": self.accounting.to_json(),
            "unbelieved": self.unbelieved.to_json() if self.unbelieved else None,
        }


def _mean(per_lead: NDArray[np.float64]) -> float:
    known = per_lead[np.isfinite(per_lead)]
    return float(known.mean()) if known.size else math.nan


def look_ahead(
    year: Year, zone: int, progress: Progress, *, accept_refused: bool = False, prior: Prior | None = None
) -> Ahead:
    """Fit on the readings but those of the last quarter, or 28 days, then answer and learn from each of these.

    Where the readings are too few to fit on, the fold begins with the first of them.

    Parameters
    ----------
    prior
        What other zones have taught, to begin with.
    progress
        Told what is being done and the share of it that is, 0..1.
    accept_refused
        Whether to go on where many rows are no readings.

    Raises
    ------
    DataError
        If the file holds no load of the zone, or many of its rows are no readings.

    Returns
    -------
    Ahead
        With the last answer.
    """
    year = year.only(zone)
    step = year.site.grid.length
    known = year.times[np.isfinite(year.demand(zone)) & year.together]
    if known.empty:
        raise DataError(f"{year.label}: zone {zone} has no load: mend its column, or choose another zone")
    first, until = known.min().to_pydatetime(), known.max().to_pydatetime() + step
    steps = (until - first) // step
    start = until - max(1, min(LATELY // step, steps // PARTS)) * step
    readings: list[CleanReading] = []
    accounting = account_for(year, zone, until, progress, lambda reading: _keep(reading, start, readings))
    if not accept_refused:
        accounting.require_few_refused(year.label)
    models = _models(year, zone, start, progress, prior)
    if models is None:
        readings = judged(year, first, until)
    transcript = Transcript(zone, start, until, year.site.step_minutes, calendar=year.site.calendar)
    for reading in readings:
        transcript.add_reading(reading)
    seen = Seen(year.site.grid)
    begun = models or ZoneModels.begun_cold(year.site, zone, prior)
    last = answer(year, begun, readings, transcript, progress, seen.add)
    if last is None:
        raise DataError(f"{year.label}: no row of zone {zone} is a reading ({accounting}): mend the file")
    return Ahead(
        site=year.site,
        label=year.label,
        synthetic=year.synthetic,
        assumed=year.assumed,
        forecast=last,
        transcript=transcript,
        lately=ScoreTable.of(transcript),
        trained=models is not None,
        accounting=accounting,
        days=(until - first) // timedelta(days=1),
        unjudged=None if prior is None else _unjudged(year, zone, start, prior),
        unbelieved=seen.unbelieved(transcript),
    )


def _models(year: Year, zone: int, start: datetime, progress: Progress, prior: Prior | None) -> ZoneModels | None:
    """Return models fitted on the readings before the start, None where they are too few."""
    try:
        return fitted(year, zone, start, progress, prior)
    except DataError:
        return None


def _unjudged(year: Year, zone: int, start: datetime, prior: Prior) -> str | None:
    """Return why the forecasts from a time on must not be scored; None where they may be."""
    if prior.source.may_judge(year.sha256, zone, start):
        return None
    return f"the prior was trained on {prior.source}, of these same data, which it would be scored on"


def _keep(reading: CleanReading, start: datetime, readings: list[CleanReading]) -> None:
    if reading.time >= start:
        readings.append(reading)
