"""Reads of forecasts and clean readings what scoring needs; what is not needed is passed over, and so not refused."""

from __future__ import annotations

import msgspec

from shared.contracts.decoding import ForecastFields, MessageReader, ReadingFields
from shared.contracts.messages import CleanReading, Forecast

__all__ = ["FORECASTS", "READINGS", "ScorableForecast"]


class _Models(msgspec.Struct):
    demand: str | None


class ScorableForecast(ForecastFields):
    """As much of a ``Forecast`` as is scored."""

    models: _Models


FORECASTS = MessageReader(ScorableForecast, Forecast)
READINGS = MessageReader(ReadingFields, CleanReading)
