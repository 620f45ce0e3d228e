"""Readings of a load that behaves: short, so that a benchmark runs through it within seconds."""

from __future__ import annotations

import numpy as np

from shared.forecasting.weather import COLUMNS
from shared.sites.table import site
from shared.training.data import TrainingData

DAY = 144
FIRST_STEP = 2_472_048  # 2017-01-01 00:00 UTC


def history_of(days: int, *, seen_days: int, noise_kw: float = 100.0) -> TrainingData:
    """Return so many days of zone 2 from New Year on: a daily and a weekly pattern, a slow rise, and fixed noise."""
    step = np.arange(days * DAY)
    angle = 2 * np.pi * step / DAY
    shape_kw = 20_000 + 4_000 * np.sin(angle) + 1_500 * np.cos(2 * angle) - 1_500 * np.isin(step // DAY % 7, (0, 6))
    noise = np.random.default_rng(7).normal(0, noise_kw, len(step))
    load_kw = np.round(shape_kw + 10.0 * step / DAY + noise, 1)
    weather = np.full((len(step), len(COLUMNS)), np.nan)
    return TrainingData(site("tetouan"), 2, FIRST_STEP, seen_days * DAY, weather, load_kw)
