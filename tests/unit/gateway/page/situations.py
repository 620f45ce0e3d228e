"""Situations of a zone that an operator meets, each as the history of some weeks that ends with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.contracts.messages import (
    CleanReading,
    DriftEvent,
    Flagged,
    Forecast,
    Interval,
    LevelSpan,
    ModelNames,
    Note,
    Score,
    Scores,
)
from shared.sites.site import Site
from shared.sites.table import Sites, known_sites
from tests.unit.gateway.told import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from services.gateway.database import Database
    from shared.contracts.messages import Message
    from shared.sites.grid import Grid

__all__ = ["SITES", "SITUATIONS", "Situation"]

MADRID = Site.model_validate(
    {
        "name": "alcala",
        "step_minutes": 15,
        "country": "ES",
        "time_zone": "Europe/Madrid",
        "time_column": "time",
        "columns": {"Load": "zone_1_kw"},
    }
)
SITES = Sites({**known_sites(), "alcala": MADRID})
WEATHER = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
TYPICAL_ERROR = 0.012


@dataclass(frozen=True)
class Situation:
    """How a history ends, and how much later somebody looks at it.

    Attributes
    ----------
    days, issued
        How long the history is, and for how long before its end every forecast is kept.
    silent
        How much later than the newest reading the page is looked at.
    without_load, without_weather
        For how long before the end the meter sends none.
    levelled
        By what the load is more since three hours before the end.
    """

    name: str
    site: Site = field(default_factory=lambda: known_sites()["tetouan"])
    zone: int = 2
    end: datetime = datetime(2017, 10, 19, 17, 20, tzinfo=UTC)
    days: int = 36
    issued: timedelta = timedelta(hours=26)
    silent: timedelta = timedelta(minutes=3)
    mean_kw: float = 17_000.0
    without_load: timedelta = timedelta(0)
    without_weather: timedelta = timedelta(0)
    levelled: float = 0.0
    coverage: float = 0.91
    mape: float = 0.021
    levels: tuple[LevelSpan, ...] = ()
    notes: tuple[Note, ...] = ()
    events: tuple[DriftEvent, ...] = ()

    @property
    def now(self) -> datetime:
        """When it is looked at."""
        return self.end + self.silent

    @cached_property
    def grid(self) -> Grid:
        """The steps of the site."""
        return self.site.grid

    @cached_property
    def _steps(self) -> NDArray[np.int64]:
        last = self.grid.step_of(self.end)
        return np.arange(last - self.days * self.grid.day, last + self.grid.day + 1)

    @cached_property
    def _load_kw(self) -> NDArray[np.float64]:
        """The load of all steps, a day beyond the end."""
        hours = self._steps * self.site.step_minutes / 60.0
        drawn = np.random.default_rng(len(self.name))
        daily = 0.22 * np.sin(2 * np.pi * (hours - 9) / 24) + 0.13 * np.sin(4 * np.pi * (hours - 7) / 24)
        weekly = np.where((hours // 24) % 7 >= 5, -0.06, 0.0)
        slow = 0.03 * np.cumsum(drawn.normal(0, 0.05, len(hours))) / np.sqrt(len(hours)) * 10
        shape = 1 + daily + weekly + slow + drawn.normal(0, 0.006, len(hours))
        since = self.grid.step_of(self.end) - 3 * self.grid.hour
        return np.asarray(self.mean_kw * shape * np.where(self._steps >= since, 1 + self.levelled, 1.0), np.float64)

    def messages(self) -> Iterator[Message]:
        """Yield what the services have published."""
        yield from self._readings()
        begin = self.grid.step_of(self.end - self.issued)
        for step in range(begin, self.grid.step_of(self.end) + 1):
            yield self.forecast(step)
        yield self.scores()
        yield from self.events

    def fill(self, database: Database) -> None:
        """Write all of it."""
        for offset, batch in enumerate(_by_kind(self.messages())):
            tell(database, batch, first_offset=10_000 * offset)

    def _readings(self) -> Iterator[CleanReading]:
        for n, step in enumerate(self._steps[: -self.grid.day].tolist()):
            yield self.reading(n, self.grid.time_of(step))

    def reading(self, n: int, time: datetime) -> CleanReading:
        """Return a reading of the history; beyond it that of its last day again."""
        values: dict[str, float | None] = {}
        flags = {}
        for name in self.site.fields:
            kw = float(self._load_kw[n]) if name == f"zone_{self.zone}_kw" else 20.0
            values[name] = round(kw, 1)
            gone = self.without_weather if name in WEATHER else self.without_load
            if self.end - gone < time <= self.end:
                values[name], flags[name] = None, Flagged(flag="missing")
        return CleanReading(
            site=self.site.name, time=time, step_minutes=self.site.step_minutes, values=values, flags=flags
        )

    def forecast(self, step: int) -> Forecast:
        """Return the forecast of an origin."""
        first = int(step - self._steps[0]) + 1
        last_day = self._load_kw[-self.grid.day :]
        truth = last_day[(np.arange(self.grid.day) + first - len(self._load_kw)) % self.grid.day]
        known = self._load_kw[first : first + self.grid.day]
        truth[: len(known)] = known
        leads = np.arange(1, self.grid.day + 1)
        spread = self.mean_kw * TYPICAL_ERROR * (1 + np.sqrt(24 * leads / self.grid.day) / 2)
        wave = np.sin(step * 0.7 + leads / 30) * spread * 0.8
        median = truth + wave
        half = 1.65 * spread
        intervals = [(0.5, 0.41 * half), (0.9, half)]
        last = self.grid.day
        weather = self.site.weather
        return Forecast(
            site=self.site.name,
            zone=self.zone,
            origin=self.grid.time_of(step),
            step_minutes=self.site.step_minutes,
            median_kw=_kw(median),
            intervals=tuple(
                Interval(coverage=coverage, low_kw=_kw(median - off), high_kw=_kw(median + off))
                for coverage, off in intervals
            ),
            levels=self.levels or (LevelSpan(from_lead=1, to_lead=last, level="adapted"),),
            weather_estimate_kw=float(truth[0]) if weather else None,
            weather_model_kw=float(truth[0]) if weather else None,
            notes=self.notes,
            models=ModelNames(demand=f"zone-demand-{self.site.name}-{self.zone}/3", weather=None),
        )

    def scores(self) -> Scores:
        """Return those of the last full hour."""
        hour = self.end.replace(minute=0)
        figures = [
            Score(
                lead_minutes=lead,
                scored_minutes=lead and self.grid.minutes(self.grid.covering(lead)),
                window_days=window,
                rmse_kw=self.mean_kw * self.mape * 1.3 * worse,
                mae_kw=self.mean_kw * self.mape * worse,
                mape=self.mape * worse,
                bias_kw=0.0,
                coverage=self.coverage,
                pinball_kw=50.0,
                skill_vs_same_time_yesterday=0.4,
            )
            for window in (1, 7, 28)
            for lead, worse in ((10, 0.4), (60, 0.7), (360, 1.0), (1440, 1.2), (None, 1.0))
        ]
        return Scores(site=self.site.name, zone=self.zone, time=hour, scores=tuple(figures))

    def event(self, kind: Any, severity: Any, hours_before: int, text: str, lasted: int | None = None) -> DriftEvent:
        """Return a drift event."""
        started = self.end - timedelta(hours=hours_before)
        return DriftEvent(
            id=f"{self.name}-{kind}-{hours_before}",
            site=self.site.name,
            zone=self.zone,
            kind=kind,
            feature=f"zone_{self.zone}_kw",
            detector="residual_6h",
            score=3.1,
            threshold=2.6,
            severity=severity,
            started=started,
            ended=None if lasted is None else started + timedelta(hours=lasted),
            report=None,
            text=text,
        )


def _kw(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(numbers, 1).tolist())


def _by_kind(messages: Iterator[Message]) -> list[list[Message]]:
    found: dict[type, list[Message]] = {}
    for message in messages:
        found.setdefault(type(message), []).append(message)
    return list(found.values())


def _levels(level: Any, reason: str) -> tuple[LevelSpan, ...]:
    return (LevelSpan(from_lead=1, to_lead=144, level=level, reason=reason),)


_NORMAL = Situation("normal")
_PAST = _NORMAL.event("data", "info", 30, "the temperature is further from usual than 99 of 100 days", lasted=9)
_SPAIN = Situation("quarter hours", site=MADRID, zone=1, end=datetime(2017, 7, 6, 10, 45, tzinfo=UTC), mean_kw=412_000)

SITUATIONS = {
    situation.name.replace(" ", "-"): situation
    for situation in (
        replace(_NORMAL, events=(_PAST,)),
        replace(_NORMAL, name="stale meter", silent=timedelta(minutes=52)),
        replace(_NORMAL, name="no load", without_load=timedelta(hours=4)),
        replace(
            _NORMAL,
            name="fallback",
            levels=_levels("frozen", "better lately: RMSE 412 against 655 kW of the adapted model"),
        ),
        replace(
            _NORMAL,
            name="shift",
            levelled=0.16,
            notes=(
                Note(
                    kind="shift",
                    text="the load has shifted for good by 2,700 kW",
                    since=_NORMAL.end - timedelta(hours=3),
                ),
            ),
            events=(_PAST, _NORMAL.event("model", "warning", 2, "the error of an hour ahead is above what it was")),
        ),
        replace(_NORMAL, name="coverage low", coverage=0.78, mape=0.134),
        replace(_NORMAL, name="no weather", without_weather=timedelta(hours=5)),
        replace(
            _NORMAL,
            name="cold site",
            days=4,
            coverage=0.93,
            levels=_levels("climatology", "the model has too little history: it answers after about two weeks"),
        ),
        _SPAIN,
        replace(_SPAIN, name="summer time", end=datetime(2017, 10, 29, 11, 45, tzinfo=UTC)),
    )
}
"""By name."""
