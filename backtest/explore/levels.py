"""Where the level of a load changes: the change detector of the stream, on the means of days."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.explore.series import day_means
from shared.drift.detectors import MeanShift

if TYPE_CHECKING:
    from backtest.explore.series import CleanSeries, Numbers

__all__ = ["FEWEST_DAYS", "level_of", "shifts"]

FEWEST_DAYS = 42
WEEKS, FEWEST_WEEKS = 4, 2
SIDE_DAYS = 14
MAD_OF_NORMAL = 1.4826  # the standard deviation of normal numbers in units of their median absolute deviation


def shifts(series: CleanSeries) -> pd.DataFrame:
    """Return when the level of each load was found changed, one row a change; none of fewer than 42 days.

    The number that is watched is how far the mean of a day is from that of the same weekday in the four weeks before,
    as a share, in units of its usual size (the median absolute deviation). ``before_kw`` and ``after_kw`` are the means
    of the 14 days on either side of the date.
    """
    rows, dates = [], series.dates
    for field, load_kw in series.loads.items():
        mean_kw = day_means(series, load_kw)
        for day in _found(mean_kw) if len(dates) >= FEWEST_DAYS else ():
            before_kw, after_kw = _mean(mean_kw[max(0, day - SIDE_DAYS) : day]), _mean(mean_kw[day : day + SIDE_DAYS])
            change = after_kw / before_kw - 1 if before_kw else np.nan
            rows.append(
                {
                    "field": field,
                    "local_date": f"{dates[day]:%Y-%m-%d}",
                    "before_kw": before_kw,
                    "after_kw": after_kw,
                    "change_ratio": change,
                }
            )
    return pd.DataFrame(rows, columns=["field", "local_date", "before_kw", "after_kw", "change_ratio"])


def level_of(series: CleanSeries, field: str, dates: pd.Series[str]) -> Numbers:
    """Return for each local date the mean load between the changes beside it, which begin on ``dates``, (dates,)."""
    mean_kw = day_means(series, series.by_field[field])
    edges = [0, *series.dates.searchsorted(pd.to_datetime(dates)).tolist(), len(mean_kw)]
    levels = [np.full(end - begin, _mean(mean_kw[begin:end])) for begin, end in pairwise(edges)]
    return np.concatenate(levels)


def _found(mean_kw: Numbers) -> list[int]:
    """Return the days on which a change is found."""
    apart = mean_kw / _usual(mean_kw) - 1
    known = apart[np.isfinite(apart)]
    scale = MAD_OF_NORMAL * float(np.median(np.abs(known - np.median(known)))) if known.size else 0.0
    if not scale > 0:
        return []
    detector = MeanShift()
    return [day for day, value in enumerate((apart / scale).tolist()) if detector.update(value)]


def _usual(mean_kw: Numbers) -> Numbers:
    """Return the mean of the same weekday in the four weeks before; NaN where fewer than two of them are known."""
    weeks = [
        np.concatenate([np.full(min(7 * week, mean_kw.size), np.nan), mean_kw[: -7 * week]])
        for week in range(1, WEEKS + 1)
    ]
    before = np.stack(weeks)
    counts = np.isfinite(before).sum(axis=0)
    usual = np.where(counts >= FEWEST_WEEKS, np.nansum(before, axis=0) / np.maximum(counts, 1), np.nan)
    return np.where(usual == 0, np.nan, usual)


def _mean(values: Numbers) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan
