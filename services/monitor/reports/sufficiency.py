"""What has enough values to be compared: one empty column would lose the whole report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sufficient_columns", "sufficient_pairs"]

_HOURS = 24


def sufficient_columns(current: pd.DataFrame, hours: pd.DataFrame, steps_a_day: int) -> list[str]:
    """Return the columns with a day of values on both sides that vary in the reference: its spread is the unit."""
    return [
        column
        for column in map(str, current)
        if current[column].count() >= steps_a_day and hours[column].count() >= _HOURS and hours[column].std() > 0
    ]


def sufficient_pairs(current: pd.DataFrame, hours: pd.DataFrame, steps_a_day: int) -> bool:
    """Tell whether load (first column) and forecast are there for a day on both sides, and the load varies.

    Of a load that stands still R2 means nothing, and Evidently fails where it stands at zero.
    """
    return (
        len(current) >= steps_a_day
        and len(hours) >= _HOURS
        and bool((current.iloc[:, 0].std() > 0) and (hours.iloc[:, 0].std() > 0))
    )
