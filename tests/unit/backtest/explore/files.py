"""Files of readings whose figures are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.explore.exploration import explored
from shared.data.hints import Hints
from shared.data.year import find_year

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from backtest.explore.exploration import Exploration

__all__ = ["load_kw", "look_at", "times"]

START = "2019-01-07"  # a Monday


def times(days: int, step_minutes: int = 60) -> pd.DatetimeIndex:
    """Return the times of so many days."""
    return pd.date_range(START, periods=days * 1440 // step_minutes, freq=f"{step_minutes}min")


def load_kw(at: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Return a load of 1,000 kW that is 300 kW higher at 18:00 than in the mean, and 100 kW lower on Sundays."""
    hour = at.hour + at.minute / 60
    return np.array(1000 + 300 * np.cos(2 * np.pi * (hour - 18) / 24) - 100 * (at.dayofweek == 6))


def look_at(folder: Path, at: pd.DatetimeIndex, asked: tuple[str, ...] = (), **columns: object) -> Exploration:
    """Write a file of these columns and look at it, its times in UTC, in Spain; ``asked`` names those of loads."""
    file = folder / "load.csv"
    pd.DataFrame({"time": at, **columns}).to_csv(file, index=False)
    hints = Hints(time_zone="UTC", country="ES", columns=asked)
    return explored(find_year(str(file), folder, hints=hints), lambda *_: None)
