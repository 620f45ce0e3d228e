"""Forecast verification: joins forecasts with the readings that come due, and says every hour what they were worth."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.contracts.messages import CleanReading, Forecast, Scores
from shared.forecasting.history import Resolution
from shared.forecasting.scores import (
    WINDOWS_DAYS,
    RollingScores,
    actual_tenths,
    forecast_tenths,
    step_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Monitor"]


class Monitor:
    """The rolling scores of every site's zones, fed by two topics that race each other.

    A reading is scored once a forecast of the step before it, or a later one, has been seen: every pair with that
    target is there by then. So what is emitted for an hour depends on the two topics alone, not on how they were
    interleaved. The message for hour T covers the pairs whose target, and therefore whose origin, is not after T. It is
    emitted when the reading at T is scored; where readings are missing around T, when the next one is, and of several
    hours that such a gap spans only the last has a message.

    A reading waits for ``patience`` of event time, and longer as long as forecasts keep coming: a stream that is
    replayed as fast as it goes shows readings weeks ahead of the forecasts that answer them. So when forecasts cease
    the scores go on, that far behind the readings, over the pairs that still come due, and end as nulls; forecasts that
    come after all show in the hours emitted from then on.

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
    """

    def __init__(
        self,
        zones: tuple[int, ...],
        windows_days: tuple[int, ...] = WINDOWS_DAYS,
        patience: timedelta = timedelta(days=2),
        silence_s: float = 0.0,
        now_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._zones = zones
        self._windows_days = windows_days
        self._patience = patience
        self._silence = _Silence(silence_s, now_s)
        self._scored: dict[tuple[str, int], _ZoneScores] = {}

    @property
    def repeated_forecasts(self) -> int:
        """Forecasts whose (site, zone, origin) had come before."""
        return sum(zone.rolling.repeated_forecasts for zone in self._scored.values())

    @property
    def repeated_readings(self) -> int:
        """Readings, counted once a zone, that were not newer than the last one."""
        return sum(zone.rolling.repeated_readings for zone in self._scored.values())

    @property
    def waiting_readings(self) -> int:
        """Readings, counted once a zone, whose forecasts have not been seen yet."""
        return sum(len(zone.waiting) for zone in self._scored.values())

    def on_reading(self, reading: CleanReading) -> list[Scores]:
        """Take a reading and return the messages that it completes.

        Raises ``ValueError`` where the site lacks one of the zones or changes its ``step_minutes``.
        """
        step = step_of(reading.time, reading.step_minutes)
        due = [(self._zone(reading, number), actual_tenths(reading, number)) for number in self._zones]
        return [scores for zone, actual in due for scores in zone.on_reading(step, actual)]

    def on_forecast(self, forecast: Forecast) -> list[Scores]:
        """Take a forecast and return the messages that it completes.

        Raises ``ValueError`` where it lacks the 90 % interval or a lead, or changes the site's ``step_minutes``.
        """
        if forecast.zone not in self._zones:
            return []
        zone = self._zone(forecast, forecast.zone)
        return zone.on_forecast(step_of(forecast.origin, forecast.step_minutes), forecast_tenths(forecast))

    def _zone(self, message: CleanReading | Forecast, number: int) -> _ZoneScores:
        key = message.site, number
        if key not in self._scored:
            self._scored[key] = _ZoneScores(
                *key, message.step_minutes, self._windows_days, self._patience, self._silence
            )
        zone = self._scored[key]
        if message.step_minutes != zone.step_minutes:
            raise ValueError(
                f"step_minutes: {message.step_minutes} at site {message.site!r}, {zone.step_minutes} before;"
                " give the changed meter a site name of its own"
            )
        return zone


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
        site: str,
        zone: int,
        step_minutes: int,
        windows_days: tuple[int, ...],
        patience: timedelta,
        silence: _Silence,
    ) -> None:
        steps_a_day = Resolution(step_minutes).day
        self.step_minutes = step_minutes
        self.rolling = RollingScores(steps_a_day, steps_a_day, windows_days)
        self.waiting: deque[tuple[int, int]] = deque()
        self._site = site
        self._zone = zone
        self._steps_an_hour = 60 // step_minutes
        self._patience_steps = patience // timedelta(minutes=step_minutes)
        self._silence = silence
        self._last_origin = -1

    def on_reading(self, step: int, actual: int) -> list[Scores]:
        self.waiting.append((step, actual))
        return self._release()

    def on_forecast(self, origin: int, issued: NDArray[np.int32]) -> list[Scores]:
        self._silence.broken()
        self.rolling.on_forecast(origin, issued)
        self._last_origin = max(self._last_origin, origin)
        return self._release()

    def _release(self) -> list[Scores]:
        released: list[Scores] = []
        while self.waiting and self._is_complete(self.waiting[0][0]):
            released += self._score(*self.waiting.popleft())
        return released

    def _is_complete(self, step: int) -> bool:
        """Tell whether all forecasts of a target have been seen, or must not be waited for any longer."""
        if step <= self._last_origin + 1:
            return True
        return self.waiting[-1][0] - step >= self._patience_steps and self._silence.lasts()

    def _score(self, step: int, actual: int) -> list[Scores]:
        """Score a reading; return the message of the last full hour that the clock reaches by it, if any."""
        hour, clock = step - step % self._steps_an_hour, self.rolling.clock
        emitted: list[Scores] = []
        if clock is not None and clock < hour < step:
            self.rolling.advance(hour)
            emitted.append(self._scores(hour))
        self.rolling.on_reading(step, actual)
        if hour == step and (clock is None or clock < step):
            emitted.append(self._scores(step))
        return emitted

    def _scores(self, step: int) -> Scores:
        time = datetime.fromtimestamp(step * self.step_minutes * 60, UTC)
        return Scores(site=self._site, zone=self._zone, time=time, scores=self.rolling.scores())
