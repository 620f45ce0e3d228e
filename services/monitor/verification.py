"""Forecast verification: joins forecasts with the readings that come due, and says every hour what they were worth.

What changes in their error becomes a drift event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from services.monitor.forecast_error import ErrorWatch, standardised_error
from services.monitor.recent import Recent
from services.monitor.waiting import Waiting
from shared.contracts.messages import DriftEvent
from shared.drift.detectors import forecast_error_detectors
from shared.forecasting.figures import scores_of
from shared.forecasting.reference import forecast_column, judged_groups, load_column
from shared.forecasting.scores import WINDOWS_DAYS, RollingScores, issued_kw, load_kw
from shared.forecasting.state import resume_parts, states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from services.monitor.decoding import ScorableForecast
    from shared.contracts.decoding import ReadingFields
    from shared.contracts.messages import CleanReading, Forecast
    from shared.drift.detectors import Detector
    from shared.forecasting.figures import ScoreRow, Standing
    from shared.forecasting.state import StatePart
    from shared.sites.site import Site

__all__ = [
    "PATIENCE",
    "DrawnScores",
    "Finding",
    "Repeats",
    "ScoredHour",
    "SiteScores",
    "ZoneScores",
    "messages_of",
    "weather_of",
]


@dataclass(frozen=True)
class ScoredHour:
    """An hour whose scores are to be drawn: see `messages_of`."""

    site: str
    zone: int
    time: datetime
    standing: Standing


Finding = ScoredHour | DriftEvent


@dataclass(frozen=True)
class DrawnScores:
    """The scores of an hour: each has the fields of a ``Score``."""

    site: str
    zone: int
    time: datetime
    scores: list[ScoreRow]

    def to_bytes(self) -> bytes:
        """Return the wire form, that of ``Scores``: every zone writes it every hour."""
        message = {"schema_version": 2, "site": self.site, "zone": self.zone, "time": self.time, "scores": self.scores}
        return orjson.dumps(message, option=orjson.OPT_UTC_Z)


def messages_of(findings: Sequence[Finding]) -> list[DrawnScores | DriftEvent]:
    """Return the message of each finding; the scores of all hours among them are drawn together."""
    hours = [finding for finding in findings if isinstance(finding, ScoredHour)]
    drawn = iter(scores_of([hour.standing for hour in hours]))
    return [
        DrawnScores(finding.site, finding.zone, finding.time, next(drawn))
        if isinstance(finding, ScoredHour)
        else finding
        for finding in findings
    ]


PATIENCE = timedelta(days=35)
"""Longer than the topic of forecasts keeps them, and the day that they reach ahead."""


@dataclass
class Repeats:
    """What came again since an object was made: forecasts of the same origin, and readings not newer than the last.

    A reading counts once a zone. They are no part of the state.
    """

    forecasts: int = 0
    readings: int = 0


class SiteScores:
    """The rolling scores and drift events of one site's zones, fed by two topics that race each other.

    A reading is scored once a forecast of the step before it, or a later one, has been seen: every pair with that
    target is there by then. So what is emitted for an hour depends on the two topics alone, not on how they were
    interleaved. The message for hour T covers the pairs whose target, and therefore whose origin, is not after T. It is
    emitted when the reading at T is scored; where readings are missing around T, when the next one is, and of several
    hours that such a gap spans only the last has a message.

    When forecasts cease, readings wait until others are there that are ``patience`` newer; then the scores go on, that
    far behind the readings, over the pairs that still come due, and end as nulls. Forecasts that come after all show in
    the hours emitted from then on; the drift detectors, whose time goes one way, pass them over.

    So the interleaving shows where readings are read more than ``patience`` ahead of the forecasts that answer them,
    and nowhere else: no clock is looked at. Without a bound it would never show, but nothing on the topics tells
    forecasts that have ceased from those that are late, so readings would wait for ever, and all be kept. A patience
    longer than forecasts are kept waits for every one that can still be read, also where all readings are read before
    the first forecast: when a state is rebuilt, or history is replayed as fast as it goes.

    The drift events of an hour follow its scores.

    Parameters
    ----------
    site
        The site; its ``zones`` are scored, and forecasts of others passed over.
    windows_days
        The lengths of the rolling windows.
    patience
        How far readings may run ahead of the forecasts in event time.
    detectors
        Makes the detectors of a zone's forecast error, by name.

    Attributes
    ----------
    zones
        By number.
    repeats
        What came again.
    """

    def __init__(
        self,
        site: Site,
        windows_days: tuple[int, ...] = WINDOWS_DAYS,
        patience: timedelta = PATIENCE,
        *,
        detectors: Callable[[], Mapping[str, Detector]] = forecast_error_detectors,
    ) -> None:
        self.site = site
        self.repeats = Repeats()
        self._grid = site.grid
        self._weather = weather_of(site)
        self.zones = {
            number: ZoneScores(site, number, self.repeats, windows_days, patience, detectors()) for number in site.zones
        }

    @property
    def waiting_readings(self) -> int:
        """Readings, counted once a zone, whose forecasts have not been seen yet."""
        return sum(len(zone.waiting) for zone in self.zones.values())

    def on_reading(self, reading: CleanReading | ReadingFields) -> list[Finding]:
        """Take a reading and return what it completes.

        Raises ``ValueError`` where it lacks one of the zones or has another step than the site.
        """
        step = self._step(reading.time, reading.step_minutes)
        weather = [_value(reading, field) for field in self._weather]
        loads_kw = [load_kw(reading, number) for number in self.zones]
        return [
            finding
            for zone, demand_kw in zip(self.zones.values(), loads_kw, strict=True)
            for finding in zone.on_reading(step, demand_kw, weather)
        ]

    def on_forecast(self, forecast: Forecast | ScorableForecast) -> list[Finding]:
        """Take a forecast and return what it completes.

        Raises ``ValueError`` where it lacks the 90 % interval or a lead, or has another step than the site.
        """
        origin = self._step(forecast.origin, forecast.step_minutes)
        if forecast.zone not in self.zones:
            return []
        return self.zones[forecast.zone].on_forecast(origin, issued_kw(forecast), forecast.models.demand)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by ``zoneN.`` and their own names."""
        return states_of({f"zone{number}": zone for number, zone in self.zones.items()})

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned; only of a site of which nothing has come."""
        resume_parts({f"zone{number}": zone for number, zone in self.zones.items()}, state)

    def _step(self, time: datetime, step_minutes: int) -> int:
        if step_minutes != self._grid.step_minutes:
            raise ValueError(f"step_minutes: {step_minutes}, the site has {self._grid.step_minutes}")
        return self._grid.step_of(time)


def weather_of(site: Site) -> tuple[str, ...]:
    """Return the fields of a reading that are kept for reports, beside the load and its forecasts."""
    return tuple(field for field in site.fields if not field.startswith("zone_"))


def _value(reading: CleanReading | ReadingFields, field: str) -> float:
    """Return a value, NaN where it is null or carries any flag."""
    value = None if field in reading.flags else reading.values.get(field)
    return nan if value is None else value


class ZoneScores:
    """One zone: the readings that wait for their forecasts, and the scores of those that do not any more."""

    def __init__(
        self,
        site: Site,
        number: int,
        repeats: Repeats,
        windows_days: tuple[int, ...],
        patience: timedelta,
        detectors: Mapping[str, Detector],
    ) -> None:
        grid, weather = site.grid, weather_of(site)
        groups = judged_groups(site.step_minutes)
        self._repeats = repeats
        self.rolling = RollingScores(grid.day, grid.day, windows_days, site.calendar)
        self.waiting = Waiting(2 + len(weather))
        self.watch = ErrorWatch(site.name, number, grid, detectors)
        self.recent = Recent((*weather, load_column(number), *map(forecast_column, groups)), grid)
        self._grid = grid
        self._leads = [group.steps for group in groups]
        self._patience_steps = patience // grid.length
        self._last_origin = -1
        self._parts: dict[str, StatePart] = {"scores": self.rolling, "recent": self.recent, "errors": self.watch}

    def on_reading(self, step: int, demand_kw: float, weather: list[float]) -> list[Finding]:
        """Take the reading of a step: its load in kW, NaN where there is none, and the weather."""
        newest = self.waiting.last if self.waiting else self.rolling.clock
        if newest is not None and step <= newest:
            self._repeats.readings += 1
            return []
        self.waiting.put(step, [demand_kw, *weather])
        return self._release()

    def on_forecast(self, origin: int, issued_kw: NDArray[np.float64], model: str | None) -> list[Finding]:
        """Take a forecast: median, low and high end of the 90 % interval, (3, leads), and the model's name/version."""
        if not self.rolling.on_forecast(origin, issued_kw):
            self._repeats.forecasts += 1
        if origin > self._last_origin:
            self._last_origin = origin
            self.recent.model = model or self.recent.model
        return self._release()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays by name; a waiting reading is a row: step, load in kW, weather."""
        return {
            "waiting": self.waiting.state(),
            "last_origin": np.array(self._last_origin),
            **states_of(self._parts),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.waiting.resume(state["waiting"])
        self._last_origin = int(state["last_origin"])
        resume_parts(self._parts, state)

    def _release(self) -> list[Finding]:
        released: list[Finding] = []
        while self.waiting and self._is_complete(self.waiting.first):
            step, (demand_kw, *weather) = self.waiting.take()
            released += self._score(step, demand_kw, weather)
        return released

    def _is_complete(self, step: int) -> bool:
        """Tell whether all forecasts of a target have been seen, or must not be waited for any longer."""
        return step <= self._last_origin + 1 or self.waiting.last - step >= self._patience_steps

    def _score(self, step: int, demand_kw: float, weather: list[float]) -> list[Finding]:
        """Score a reading; return what is found in the hours that the clock reaches by it.

        Of these the last full one has scores.
        """
        hour, clock = step - step % self._grid.hour, self.rolling.clock
        emitted: list[Finding] = []
        if clock is not None and clock < hour < step:
            self.rolling.advance(hour)
            emitted.append(self._scores(hour))
        emitted += self.watch.complete(step - 1)
        if self.rolling.on_reading(step, demand_kw):
            issued = self.rolling.issued_for(step)
            self.watch.take(step, standardised_error(self.rolling.actual, issued[:, self._grid.hour - 1]))
            self._keep(step, demand_kw, weather, issued[0])
            if hour == step:
                emitted.append(self._scores(step))
        return emitted + self.watch.complete(step)

    def _keep(self, step: int, demand_kw: float, weather: list[float], medians: NDArray[np.int32]) -> None:
        kw_of = self.rolling.resolution.kw_of
        forecasts_kw = [kw_of(medians.item(lead - 1)) for lead in self._leads]
        self.recent.append(step, (*weather, demand_kw, *forecasts_kw))

    def _scores(self, step: int) -> ScoredHour:
        return ScoredHour(self.watch.site, self.watch.zone, self._grid.time_of(step), self.rolling.standing())
