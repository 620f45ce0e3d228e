"""Reads of forecasts and clean readings what scoring needs, in a third of the time that the whole messages take.

A forecast of a day is 6 kB of numbers, and comes with every reading. What is not needed to score is passed over, and
so not refused either. A message of another version, and one that is refused here, is read by its model, whose words
name field and value.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec looks at the annotations when it makes the decoder
from typing import Annotated, Literal

import msgspec

from shared.contracts.messages import CleanReading, Flag, Forecast, in_utc

__all__ = ["ScorableForecast", "ScorableReading", "read_forecast", "read_reading"]


class _Interval(msgspec.Struct):
    coverage: Annotated[float, msgspec.Meta(ge=0, le=1)]
    low_kw: list[float]
    high_kw: list[float]


class _Models(msgspec.Struct):
    demand: str | None


class ScorableForecast(msgspec.Struct):
    """As much of a ``Forecast`` as is scored; its fields are those of the same name there."""

    schema_version: Literal[2]
    site: str
    zone: Annotated[int, msgspec.Meta(ge=1)]
    origin: Annotated[datetime, msgspec.Meta(tz=True)]
    step_minutes: Annotated[int, msgspec.Meta(gt=0)]
    median_kw: list[float]
    intervals: list[_Interval]
    models: _Models

    def __post_init__(self) -> None:
        """Refuse an interval that has not one number a lead, and an origin that has no time in UTC."""
        self.origin = in_utc(self.origin)
        leads = len(self.median_kw)
        if any(len(one.low_kw) != leads or len(one.high_kw) != leads for one in self.intervals):
            raise ValueError("intervals: not one number a lead")


class _Flagged(msgspec.Struct):
    flag: Flag
    original: str | None = None


class ScorableReading(msgspec.Struct):
    """As much of a ``CleanReading`` as is scored; its fields are those of the same name there."""

    schema_version: Literal[1]
    site: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    step_minutes: Annotated[int, msgspec.Meta(gt=0)]
    values: dict[str, float | None]
    flags: dict[str, _Flagged] = {}
    revision: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Refuse a null without a flag, a flag without a value, and a time that is none in UTC."""
        self.time = in_utc(self.time)
        if None in self.values.values() and any(
            value is None and field not in self.flags for field, value in self.values.items()
        ):
            raise ValueError("values: a null without a flag")
        if not self.flags.keys() <= self.values.keys():
            raise ValueError("flags: one belongs to no value")


_UNREAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoders raise; the last one where JSON is nested too deep."""

_FORECASTS = msgspec.json.Decoder(ScorableForecast)
_READINGS = msgspec.json.Decoder(ScorableReading)


def read_reading(raw: bytes) -> ScorableReading | CleanReading:
    """Return the reading in a message of any version; raises ``ValidationError`` that names field and value."""
    try:
        return _READINGS.decode(raw)
    except _UNREAD:
        return CleanReading.from_bytes(raw)


def read_forecast(raw: bytes) -> ScorableForecast | Forecast:
    """Return the forecast in a message of any version; raises ``ValidationError`` that names field and value."""
    try:
        return _FORECASTS.decode(raw)
    except _UNREAD:
        return Forecast.from_bytes(raw)
