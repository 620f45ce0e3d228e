"""The training reference of a zone: what its reports compare the stream with.

The trainer writes it beside the state, one row an hour of the training range; the monitor's reports read it. Besides
``time`` it has the weather and the load as on the wire, and for some lead times what had been forecast for that hour so
many steps before, over the last ``FORECAST_DAYS`` days.
"""

from __future__ import annotations

__all__ = ["FILE", "FORECAST_DAYS", "forecast_column", "leads", "load_column"]

FILE = "reference.parquet"
FORECAST_DAYS = 28

_LEADS = (6, 144)


def leads(steps_a_day: int) -> tuple[int, ...]:
    """Return the lead times that reports judge, in steps: those of the scores' groups 6 and 144 that a day holds."""
    return tuple(lead for lead in _LEADS if lead <= steps_a_day)


def load_column(zone: int) -> str:
    """Return the name of the column with the load of a zone, in kW."""
    return f"zone_{zone}_kw"


def forecast_column(lead: int) -> str:
    """Return the name of the column with the forecasts for each row that were made ``lead`` steps before, in kW."""
    return f"forecast_{lead}_kw"
