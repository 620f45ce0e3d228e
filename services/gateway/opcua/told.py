"""What messages tell of sites and zones, as far as tags are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from shared.contracts.decoding import ForecastFields, MessageReader, ReadingFields
from shared.contracts.messages import CleanReading, DriftEvent, Forecast, Level, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["COVERAGE", "WINDOW_DAYS", "DriftTold", "ForecastTold", "ReadingTold", "ScoresTold", "Told", "told_by"]

COVERAGE = 0.9
WINDOW_DAYS = 7


@dataclass(frozen=True)
class ReadingTold:
    """The values of a reading, and by field the flag of those that are not as they came."""

    site: str
    time: datetime
    step_minutes: int
    revision: int
    values: Mapping[str, float | None]
    flags: Mapping[str, str]


@dataclass(frozen=True)
class ForecastTold:
    """A forecast: ``median_kw``, ``low_kw`` and ``high_kw`` by lead in steps, the bounds of 90 % where there are any.

    ``levels`` holds first lead, last lead and level of each span.
    """

    site: str
    zone: int
    origin: datetime
    step_minutes: int
    median_kw: Mapping[int, float]
    low_kw: Mapping[int, float]
    high_kw: Mapping[int, float]
    levels: Sequence[tuple[int, int, str]]


@dataclass(frozen=True)
class ScoresTold:
    """The scores of an hour: of seven days, the mean over all leads; None where they cannot be computed yet."""

    site: str
    zone: int
    time: datetime
    rmse_kw: float | None
    coverage: float | None


@dataclass(frozen=True)
class DriftTold:
    """A drift event; ``zone`` is None where it is about the whole site, ``ended`` while it lasts."""

    id: str
    site: str
    zone: int | None
    severity: str
    text: str
    started: datetime
    ended: datetime | None


Told = ReadingTold | ForecastTold | ScoresTold | DriftTold


class _Span(msgspec.Struct):
    from_lead: int
    to_lead: int
    level: Level


class _Forecast(ForecastFields):
    levels: list[_Span]


_READINGS = MessageReader(ReadingFields, CleanReading)
_FORECASTS = MessageReader(_Forecast, Forecast)


def told_by(kind: str, raw: bytes) -> Told:
    """Return what a message of an event of this kind tells; raises ``ValueError`` where it is none."""
    match kind:
        case "readings":
            return _reading(raw)
        case "forecasts":
            return _forecast(raw)
        case "scores":
            return _scores(raw)
        case "drift":
            return _drift(raw)
        case _:
            raise ValueError(f"{kind}: no tag is made of such messages")


def _reading(raw: bytes) -> ReadingTold:
    reading = _READINGS.read(raw)
    flags = {field: flagged.flag for field, flagged in reading.flags.items()}
    return ReadingTold(reading.site, reading.time, reading.step_minutes, reading.revision, reading.values, flags)


def _forecast(raw: bytes) -> ForecastTold:
    forecast = _FORECASTS.read(raw)
    interval = next((one for one in forecast.intervals if one.coverage == COVERAGE), None)
    return ForecastTold(
        forecast.site,
        forecast.zone,
        forecast.origin,
        forecast.step_minutes,
        dict(enumerate(forecast.median_kw, start=1)),
        dict(enumerate(interval.low_kw, start=1)) if interval else {},
        dict(enumerate(interval.high_kw, start=1)) if interval else {},
        [(span.from_lead, span.to_lead, span.level) for span in forecast.levels],
    )


def _scores(raw: bytes) -> ScoresTold:
    scores = Scores.from_bytes(raw)
    mean = next((one for one in scores.scores if (one.lead_minutes, one.window_days) == (None, WINDOW_DAYS)), None)
    figures = (None, None) if mean is None else (mean.rmse_kw, mean.coverage)
    return ScoresTold(scores.site, scores.zone, scores.time, *figures)


def _drift(raw: bytes) -> DriftTold:
    event = DriftEvent.from_bytes(raw)
    return DriftTold(event.id, event.site, event.zone, event.severity, event.text, event.started, event.ended)
