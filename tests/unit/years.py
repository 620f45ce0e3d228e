"""Small years of readings with a daily swing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from shared.data.year import Year
from shared.sites.table import site

__all__ = ["small_year"]


def small_year(days: int, sha256: str) -> Year:
    """Return a year of so many days from 2017-03-01 on, under an identity of its own."""
    place = site("tetouan")
    times = pd.date_range("2017-03-01", periods=days * 144, freq="10min", tz="UTC")
    hours = np.arange(len(times)) / 6
    noise = np.random.default_rng(0).normal(0, 1, (len(times), 8))
    weather = 15 + 5 * np.sin(2 * np.pi * hours / 24)[:, None] + noise[:, :5]
    load = 20_000 + 4_000 * np.sin(2 * np.pi * hours / 24)[:, None] + 100 * noise[:, 5:]
    cells = pd.DataFrame(np.column_stack((weather, load)), columns=list(place.columns)).map(lambda x: f"{x:.3f}")
    cells.insert(0, place.time_column, times.strftime("%m/%d/%Y %H:%M"))
    return Year(place, cells, times, sha256, "file", "file small.csv")
