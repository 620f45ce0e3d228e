"""A forecast on its way out: rows of numbers, written to the wire without becoming Python's numbers on the way.

Making and validating a message of 720 numbers would cost more than all else around the model. What is written here is
a `Forecast`, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite, isnan
from typing import TYPE_CHECKING

import numpy as np
import orjson

from shared.contracts.messages import Forecast

if TYPE_CHECKING:
    from datetime import datetime

    from shared.contracts.messages import ModelNames
    from shared.forecasting.model import ZoneForecast

__all__ = ["Issue"]

_FORMAT = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


@dataclass(frozen=True)
class Issue:
    """One forecast for one zone, as its model gave it.

    Parameters
    ----------
    site, zone, origin, step_minutes
        What it is for; ``origin`` is aware and in UTC.
    forecast
        What the model says, with the intervals that the message carries.
    estimate_kw, weather_model_kw
        What weather and calendar alone say of the origin, corrected and not, NaN where nothing.
    models
        Their names in the registry.
    """

    site: str
    zone: int
    origin: datetime
    step_minutes: int
    forecast: ZoneForecast
    estimate_kw: float
    weather_model_kw: float
    models: ModelNames

    def to_bytes(self) -> bytes:
        """Return the wire form; raises ``ValueError`` where a number is not finite."""
        forecast = self.forecast
        rows_kw = forecast.resolution.rounded(np.vstack((forecast.median_kw, forecast.low_kw, forecast.high_kw)))
        if not isfinite(np.add.reduce(rows_kw, axis=None)):
            raise ValueError(
                f"zone {self.zone}, {self.origin.isoformat()}: a number of the forecast is not finite: "
                "start from models trained anew (tetouan train), and report the readings before it"
            )
        highs = 1 + len(forecast.coverages)
        intervals = zip(forecast.coverages, rows_kw[1:highs], rows_kw[highs:], strict=True)
        message = {
            "schema_version": 2,
            "site": self.site,
            "zone": self.zone,
            "origin": self.origin,
            "step_minutes": self.step_minutes,
            "median_kw": rows_kw[0],
            "intervals": [{"coverage": share, "low_kw": low, "high_kw": high} for share, low, high in intervals],
            "levels": [
                {"from_lead": first, "to_lead": last, "level": level, "reason": reason}
                for first, last, level, reason in forecast.answers
            ],
            "weather_estimate_kw": self._on_wire(self.estimate_kw),
            "weather_model_kw": self._on_wire(self.weather_model_kw),
            "notes": self._notes(),
            "moved": None,
            "models": {"demand": self.models.demand, "weather": self.models.weather},
        }
        return orjson.dumps(message, option=_FORMAT)

    def _on_wire(self, estimate_kw: float) -> float | None:
        return None if isnan(estimate_kw) else float(self.forecast.resolution.rounded(estimate_kw))

    def message(self) -> Forecast:
        """Return the message that a reader of the wire form gets."""
        return Forecast.from_bytes(self.to_bytes())

    def _notes(self) -> list[dict[str, object]]:
        return [
            {"kind": note.kind, "text": note.text, "since": self._time_of(note.since_step)}
            for note in self.forecast.notes
        ]

    def _time_of(self, step: int) -> datetime:
        return self.origin - (self.forecast.origin_step - step) * timedelta(minutes=self.step_minutes)
