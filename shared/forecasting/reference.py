"""The training reference of a zone: what its reports compare the stream with.

The trainer writes it beside the state, one row an hour of the training range; the monitor's reports read it. Besides
``time`` it has the weather and the load as on the wire, and for some lead groups what had been forecast for that hour
so many minutes before, over the last ``FORECAST_DAYS`` days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.forecasting.leads import lead_groups

if TYPE_CHECKING:
    from shared.forecasting.leads import LeadGroup

__all__ = ["FILE", "FORECAST_DAYS", "forecast_column", "judged_groups", "load_column"]

FILE = "reference.parquet"
FORECAST_DAYS = 28

_JUDGED_MINUTES = (60, 1440)


def judged_groups(step_minutes: int) -> tuple[LeadGroup, ...]:
    """Return the lead groups that reports judge: the next hour and the next day."""
    return tuple(group for group in lead_groups(step_minutes) if group.lead_minutes in _JUDGED_MINUTES)


def load_column(zone: int) -> str:
    """Return the name of the column with the load of a zone, in kW."""
    return f"zone_{zone}_kw"


def forecast_column(group: LeadGroup) -> str:
    """Return the name of the column with what was forecast for each row the lead of a group before, in kW."""
    return f"forecast_{group.scored_minutes}_min_kw"
