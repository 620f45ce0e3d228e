"""Forecast verification: joins forecasts with the readings that come due, and says every hour what they were worth.

What changes in their error becomes a drift event.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.forecast_error import ErrorWatch, standardised_error
from services.monitor.recent import Recent
from shared.contracts.messages import CleanReading, DriftEvent, Forecast, Scores
from shared.drift.detectors import forecast_error_detectors
from shared.forecasting.reference import forecast_column, judged_groups, load_column
from shared.forecasting.scores import (
    WINDOWS_DAYS,
    RollingScores,
    issued_kw,
    load_kw,
    step_of,
)
from shared.forecasting.state import resume_parts, states_of
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from shared.drift.detectors import Detector
    from shared.forecasting.state import Part
    from shared.sites.calendar import Calendar

__all__ = ["Finding", "Monitor"]

Finding = Scores | DriftEvent


class Monitor:
    """The rolling scores and drift events of every site's zones, fed by two topics that race each other.

    A reading is scored once a forecast of the step before it, or a later one, has been seen: every pair with that
    target is there by then. So what is emitted for an hour depends on the two topics alone, not on how they were
    interleaved. The message for hour T covers the pairs whose target, and therefore whose origin, is not after T. It is
    emitted when the reading at T is scored; where readings are missing around T, when the next one is, and of several
    hours that such a gap spans only the last has a message.

    A reading waits for ``patience`` of event time, and longer as long as forecasts keep coming: a stream that is
    replayed as fast as it goes shows readings weeks ahead of the forecasts that answer them. So when forecasts cease
    the scores go on, that far behind the readings, over the pairs that still come due, and end as nulls; forecasts that
    come after all show in the hours emitted from then on; the drift detectors, whose time goes one way, pass them over.

    The drift events of an hour follow its scores.

    Parameters
    ----------
    zones
        The zones to score at every site; forecasts of others are passed over.
    windows_days
        The lengths of the rolling windows.
    patience
        How far readings may run ahead of the forecasts in event time.
    silence_s
        How long no forecast must have come before patience ends, in seconds of ``now_s``.
    now_s
        A clock that never goes back.
    detectors
        Makes the detectors of a zone's forecast error, by name.
    weather
        The fields of a reading that are kept for reports, beside the load and its forecasts.
    """

    def __init__(
        self,
        zones: tuple[int, ...],
        windows_days: tuple[int, ...] = WINDOWS_DAYS,
        patience: timedelta = timedelta(days=2),
        silence_s: float = 0.0,
        now_s: Callable[[], float] = lambda: 0.0,
        *,
        detectors: Callable[[], Mapping[str, Detector]] = forecast_error_detectors,
        weather: tuple[str, ...] = (),
    ) -> None:
        self._detectors = detectors
        self._calendars: dict[str, Calendar | None] = {}
        self.weather = weather
        self.zones = zones
        self._windows_days = windows_days
        self._patience = patience
        self._silence = _Silence(silence_s, now_s)
        self._scored: dict[tuple[str, int], _ZoneScores] = {}

    @property
    def repeated_forecasts(self) -> int:
        """Forecasts whose (site, zone, origin) had come before."""
        return sum(zone.repeated_forecasts for zone in self._scored.values())

    @property
    def repeated_readings(self) -> int:
        """Readings, counted once a zone, that were not newer than the last one."""
        return sum(zone.repeated_readings for zone in self._scored.values())

    @property
    def waiting_readings(self) -> int:
        """Readings, counted once a zone, whose forecasts have not been seen yet."""
        return sum(len(zone.waiting) for zone in self._scored.values())

    @property
    def watches(self) -> list[ErrorWatch]:
        """What watches the forecast error of each zone."""
        return [zone.watch for zone in self._scored.values()]

    def be_patient(self) -> None:
        """Begin the silence anew: how fast a past is read again says nothing about who is silent."""
        self._silence.broken()

    def recent(self, site: str, zone: int) -> Recent:
        """Return the last weeks of a zone's scored readings; raises ``KeyError`` where none has come."""
        return self._scored[site, zone].recent

    def on_reading(self, reading: CleanReading) -> list[Finding]:
        """Take a reading and return the messages that it completes.

        Raises ``ValueError`` where the site lacks one of the zones or changes its ``step_minutes``.
        """
        step = step_of(reading.time, reading.step_minutes)
        weather = tuple(_value(reading, field) for field in self.weather)
        due = [(self._zone(reading, number), load_kw(reading, number)) for number in self.zones]
        return [finding for zone, demand_kw in due for finding in zone.on_reading(step, demand_kw, weather)]

    def on_forecast(self, forecast: Forecast) -> list[Finding]:
        """Take a forecast and return the messages that it completes.

        Raises ``ValueError`` where it lacks the 90 % interval or a lead, or changes the site's ``step_minutes``.
        """
        if forecast.zone not in self.zones:
            return []
        issued, zone = issued_kw(forecast), self._zone(forecast, forecast.zone)
        return zone.on_forecast(step_of(forecast.origin, forecast.step_minutes), issued, forecast.models.demand)

    def expect(self, site: str, step_minutes: int, calendar: Calendar | None = None) -> None:
        """Begin the zones of a site, as its first message would: so its state has all arrays from the start.

        By the clock of the calendar goes "same time yesterday"; without one it is that of UTC.
        """
        self._calendars[site] = calendar
        for number in self.zones:
            self._scored.setdefault((site, number), self._begun(site, number, step_minutes))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by ``SITE.zoneN.`` and their own names."""
        return states_of({_name(*key): zone for key, zone in self._scored.items()})

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned, of the zones that have begun; silence begins anew.

        Where it raises nothing has changed.
        """
        zones = {key: self._begun(*key, zone.step_minutes) for key, zone in self._scored.items()}
        resume_parts({_name(*key): zone for key, zone in zones.items()}, state)
        self._scored = zones
        self.be_patient()

    def _zone(self, message: CleanReading | Forecast, number: int) -> _ZoneScores:
        key = message.site, number
        if key not in self._scored:
            self._scored[key] = self._begun(*key, message.step_minutes)
        zone = self._scored[key]
        if message.step_minutes != zone.step_minutes:
            raise ValueError(
                f"step_minutes: {message.step_minutes} at site {message.site!r}, {zone.step_minutes} before;"
                " give the changed meter a site name of its own"
            )
        return zone

    def _begun(self, site: str, number: int, step_minutes: int) -> _ZoneScores:
        watch = ErrorWatch(site, number, step_minutes, self._detectors())
        day = Grid(step_minutes).day
        forecasts = map(forecast_column, judged_groups(step_minutes))
        recent = Recent((*self.weather, load_column(number), *forecasts), day)
        windows, calendar = self._windows_days, self._calendars.get(site)
        return _ZoneScores(watch, recent, step_minutes, windows, calendar, self._patience, self._silence)


def _name(site: str, number: int) -> str:
    return f"{site}.zone{number}"


def _value(reading: CleanReading, field: str) -> float:
    """Return a value, NaN where it is null or carries any flag."""
    value = None if field in reading.flags else reading.values.get(field)
    return nan if value is None else value


class _Silence:
    """How long no forecast of any zone has come."""

    def __init__(self, enough_s: float, now_s: Callable[[], float]) -> None:
        self._enough_s = enough_s
        self._now_s = now_s
        self._since_s = now_s()

    def broken(self) -> None:
        self._since_s = self._now_s()

    def lasts(self) -> bool:
        return self._now_s() - self._since_s >= self._enough_s


class _ZoneScores:
    """One zone: the readings that wait for their forecasts, and the scores of those that do not any more."""

    def __init__(
        self,
        watch: ErrorWatch,
        recent: Recent,
        step_minutes: int,
        windows_days: tuple[int, ...],
        calendar: Calendar | None,
        patience: timedelta,
        silence: _Silence,
    ) -> None:
        steps_a_day = Grid(step_minutes).day
        self.step_minutes = step_minutes
        self.repeated_forecasts = self.repeated_readings = 0
        self.rolling = RollingScores(steps_a_day, steps_a_day, windows_days, calendar)
        self.waiting: deque[tuple[int, float, tuple[float, ...]]] = deque()
        self.watch = watch
        self.recent = recent
        self._leads = [group.steps for group in judged_groups(step_minutes)]
        self._steps_an_hour = 60 // step_minutes
        self._patience_steps = patience // timedelta(minutes=step_minutes)
        self._silence = silence
        self._last_origin = -1
        self._parts: dict[str, Part] = {"scores": self.rolling, "recent": self.recent, "errors": self.watch}
        self._weather_fields = len(recent.columns) - 1 - len(self._leads)  # beside the load and its forecasts

    def on_reading(self, step: int, demand_kw: float, weather: tuple[float, ...]) -> list[Finding]:
        newest = self.waiting[-1][0] if self.waiting else self.rolling.clock
        if newest is not None and step <= newest:
            self.repeated_readings += 1
            return self._release()
        if not self.waiting:  # until then nobody was due to say anything
            self._silence.broken()
        self.waiting.append((step, demand_kw, weather))
        return self._release()

    def on_forecast(self, origin: int, issued: NDArray[np.float64], model: str | None) -> list[Finding]:
        self._silence.broken()
        self.repeated_forecasts += not self.rolling.on_forecast(origin, issued)
        if origin > self._last_origin:
            self._last_origin = origin
            self.recent.model = model or self.recent.model
        return self._release()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays by name; a waiting reading is a row: step, load in kW, weather."""
        waiting = [(step, demand_kw, *weather) for step, demand_kw, weather in self.waiting]
        return {
            "waiting": np.array(waiting, np.float64).reshape(-1, 2 + self._weather_fields),
            "last_origin": np.array(self._last_origin),
            **states_of(self._parts),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.waiting.extend((int(step), demand_kw, tuple(rest)) for step, demand_kw, *rest in state["waiting"].tolist())
        self._last_origin = int(state["last_origin"])
        resume_parts(self._parts, state)

    def _release(self) -> list[Finding]:
        released: list[Finding] = []
        while self.waiting and self._is_complete(self.waiting[0][0]):
            released += self._score(*self.waiting.popleft())
        return released

    def _is_complete(self, step: int) -> bool:
        """Tell whether all forecasts of a target have been seen, or must not be waited for any longer."""
        if step <= self._last_origin + 1:
            return True
        return self.waiting[-1][0] - step >= self._patience_steps and self._silence.lasts()

    def _score(self, step: int, demand_kw: float, weather: tuple[float, ...]) -> list[Finding]:
        """Score a reading; return what is found in the hours that the clock reaches by it.

        Of these the last full one has scores.
        """
        hour, clock = step - step % self._steps_an_hour, self.rolling.clock
        emitted: list[Finding] = []
        if clock is not None and clock < hour < step:
            self.rolling.advance(hour)
            emitted.append(self._scores(hour))
        emitted += self.watch.complete(step - 1)
        self.rolling.on_reading(step, demand_kw)
        if clock is None or clock < step:
            issued = self.rolling.issued_for(step, self._steps_an_hour)
            self.watch.take(step, standardised_error(self.rolling.actual, issued))
            self._keep(step, demand_kw, weather)
            if hour == step:
                emitted.append(self._scores(step))
        return emitted + self.watch.complete(step)

    def _keep(self, step: int, demand_kw: float, weather: tuple[float, ...]) -> None:
        medians = [self.rolling.issued_for(step, lead)[0] for lead in self._leads]
        self.recent.append(step, (*weather, demand_kw, *self.rolling.resolution.to_kw(medians)))

    def _scores(self, step: int) -> Scores:
        time = datetime.fromtimestamp(step * self.step_minutes * 60, UTC)
        return Scores(site=self.watch.site, zone=self.watch.zone, time=time, scores=self.rolling.scores())
