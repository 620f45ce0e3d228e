"""Each column by itself: what it holds, what is missing, what is unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.data.year import NO_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backtest.cleaning import Cleaned
    from backtest.explore.series import CleanSeries, Numbers
    from shared.data.year import Year

__all__ = ["gaps", "histograms", "jumps", "present_by_day", "profiles", "times", "unusual"]

FENCE = 3.0  # quartile ranges beyond the quartiles: Tukey (1977), "Exploratory Data Analysis", calls that far out
NARROWEST = 0.01  # of the median: a quartile range of next to nothing would make every load unusual
MOST = 10
BINS = 40


def profiles(series: CleanSeries, cleaned: Cleaned) -> pd.DataFrame:
    """Return one row a column of the file: the cells as they are written, and the figures of the clean values.

    ``mean``, ``deviation``, ``lowest``, ``median`` and ``highest`` are in the unit that ends the name of the field,
    ``unchanged_h`` is the longest time for which the value stays as it is. NaN where there is no value.
    """
    year = cleaned.year
    limits = {kind.field: kind.rows for kind in cleaned.kinds if kind.reason == "outlier"}
    return pd.DataFrame(
        [
            {
                "column": column,
                "field": field,
                **_cells(year, column),
                "beyond_limits": limits.get(field, 0),
                **_figures(series, series.by_field[field]),
            }
            for column, field in year.site.columns.items()
        ]
    )


def _cells(year: Year, column: str) -> dict[str, int]:
    cells = year.rows[column].str.strip()
    empty, numbers = cells == "", pd.to_numeric(cells, errors="coerce").notna()
    return {
        "numbers": int(numbers.sum()),
        "empty": int(empty.sum()),
        "text": int((~numbers & ~empty).sum()),
        "distinct": int(cells[numbers].nunique()),
    }


def _figures(series: CleanSeries, values: Numbers) -> dict[str, float]:
    known = values[np.isfinite(values)]
    names = ("mean", "deviation", "lowest", "median", "highest", "unchanged_h")
    if not known.size:
        return dict.fromkeys(names, np.nan)
    figures = (known.mean(), known.std(), known.min(), np.median(known), known.max(), _unchanged_h(series, values))
    return dict(zip(names, map(float, figures), strict=True))


def _unchanged_h(series: CleanSeries, values: Numbers) -> float:
    """Return the longest time for which a value stays as it is, in hours; a gap ends it."""
    same = np.concatenate([[False], values[1:] == values[:-1]])
    begins = np.flatnonzero(~same)
    longest = int(np.diff(np.append(begins, values.size)).max())
    return (longest - 1) / series.grid.hour


def times(series: CleanSeries, year: Year) -> dict[str, int]:
    """Return how many times the grid has, how many have a reading, and how many rows repeat one or are off the grid."""
    steps = year.steps[year.steps != NO_STEP]
    return {
        "steps": series.has_reading.size,
        "readings": int(series.has_reading.sum()),
        "without_reading": int((~series.has_reading).sum()),
        "repeated_times": int(steps.size - np.unique(steps).size),
        "off_the_grid": int(np.asarray(year.times.notna()).sum() - steps.size),
        "no_time": int(np.asarray(year.times.isna()).sum()),
    }


def gaps(series: CleanSeries) -> pd.DataFrame:
    """Return the runs of steps without any reading, the longest ten first: when each begins, how long it is."""
    edges = np.diff(np.concatenate([[False], ~series.has_reading, [False]]).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    longest = np.argsort(begins - ends, kind="stable")[:MOST]
    return pd.DataFrame(
        {
            "first_missing": [series.shown(place) for place in begins[longest]],
            "steps": (ends - begins)[longest],
            "length_h": (ends - begins)[longest] / series.grid.hour,
        }
    )


def present_by_day(series: CleanSeries) -> pd.DataFrame:
    """Return the share of the steps of each local date that have a value, one column a field; the index is the date."""
    _, day = np.unique(series.clock.date, return_inverse=True)
    steps = np.bincount(day)
    return pd.DataFrame(
        {field: np.bincount(day, np.isfinite(values)) / steps for field, values in series.by_field.items()},
        index=series.dates,
    )


def histograms(series: CleanSeries) -> dict[str, pd.DataFrame]:
    """Return the shares of the values of each field in forty ranges of equal width; the index is their middle.

    A field without two different values has none.
    """
    found = {}
    for field, values in series.by_field.items():
        known = values[np.isfinite(values)]
        if known.size and known.min() < known.max():
            counts, edges = np.histogram(known, BINS)
            middles = pd.Index((edges[:-1] + edges[1:]) / 2, name=field)
            found[field] = pd.DataFrame({"share_ratio": counts / known.size}, index=middles)
    return found


def unusual(series: CleanSeries) -> pd.DataFrame:
    """Return how many loads lie far outside of those of their hour of the day, and the farthest, one row a zone.

    Far outside are three quartile ranges below the first or above the third quartile of all loads of the hour.
    """
    hour, rows = series.clock.minute // 60, []
    for field, load_kw in series.loads.items():
        away = _away(load_kw, hour)
        count = int((away > FENCE).sum())
        row = {"field": field, "unusual": count, "share_ratio": count / int(np.isfinite(load_kw).sum())}
        if count:
            place = int(np.nanargmax(away))
            row |= {"farthest": series.shown(place), "load_kw": float(load_kw[place])}
        rows.append(row)
    return pd.DataFrame(rows, columns=["field", "unusual", "share_ratio", "farthest", "load_kw"])


def _away(load_kw: Numbers, hour: NDArray[np.int64]) -> Numbers:
    """Return how many quartile ranges each load lies outside of the quartiles of its hour; NaN of no load."""
    away = np.full(load_kw.size, np.nan)
    for each in range(24):
        there = np.flatnonzero((hour == each) & np.isfinite(load_kw))
        if there.size:
            low, middle, high = np.quantile(load_kw[there], (0.25, 0.5, 0.75))
            beyond = np.maximum(low - load_kw[there], load_kw[there] - high)
            away[there] = beyond / (max(high - low, NARROWEST * abs(middle)) or 1.0)
    return away


def jumps(series: CleanSeries) -> pd.DataFrame:
    """Return the largest change of each load from one reading to the next: when, from what, to what."""
    rows = []
    for field, load_kw in series.loads.items():
        change = np.abs(np.diff(load_kw))
        if np.isfinite(change).any():
            place = int(np.nanargmax(change))
            before_kw, after_kw = load_kw[place : place + 2]
            rows.append(
                {
                    "field": field,
                    "when": series.shown(place + 1),
                    "before_kw": before_kw,
                    "after_kw": after_kw,
                    "usual_kw": float(np.nanmedian(change)),
                }
            )
    return pd.DataFrame(rows, columns=["field", "when", "before_kw", "after_kw", "usual_kw"])
