"""Holidays and Ramadan against the ordinary days beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.explore.series import day_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backtest.explore.series import CleanSeries, Numbers

__all__ = ["fasting", "holidays"]

WEEKS = 4
FEWEST = 3  # ordinary days to compare with


def holidays(series: CleanSeries) -> pd.DataFrame:
    """Return what each load is on each public holiday, less what it is on ordinary days, one row a date and zone.

    Ordinary days are those of the same weekday up to four weeks before and after that are no holiday, and lie in
    Ramadan where the holiday does. ``difference_ratio`` is NaN where there are fewer than three of them.
    """
    dates, rows = np.unique(series.clock.date), []
    is_holiday, is_fasting = series.site.calendar.holiday(dates), series.site.calendar.fasting(dates)
    means = {field: day_means(series, load_kw) for field, load_kw in series.loads.items()}
    for day in np.flatnonzero(is_holiday).tolist():
        weeks = (dates - dates[day]) // 7
        beside = (
            ((dates - dates[day]) % 7 == 0) & (np.abs(weeks) <= WEEKS) & ~is_holiday & (is_fasting == is_fasting[day])
        )
        for field, mean_kw in means.items():
            rows.append(
                {
                    "local_date": f"{series.dates[day]:%Y-%m-%d}",
                    "weekday": f"{series.dates[day]:%a}",
                    "field": field,
                    "mean_kw": mean_kw[day],
                    "ordinary_kw": (usual_kw := _mean(mean_kw, beside)),
                    "difference_ratio": mean_kw[day] / usual_kw - 1 if usual_kw else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=["local_date", "weekday", "field", "mean_kw", "ordinary_kw", "difference_ratio"])


def fasting(series: CleanSeries) -> pd.DataFrame:
    """Return the mean load in each hour of the day in Ramadan and in the four weeks before and after, by zone.

    No row where the site knows no Ramadan, or the file holds none.
    """
    columns = ["field", "local_hour", "ramadan_kw", "beside_kw"]
    day = series.clock.date
    inside = series.site.calendar.fasting(day)
    beside = np.zeros(inside.size, np.bool_)
    for date in np.unique(day[inside]):
        beside |= np.abs(day - date) <= 7 * WEEKS
    beside &= ~inside & ~series.site.calendar.holiday(day)
    if not (inside.any() and beside.any()):
        return pd.DataFrame(columns=columns)
    hour, frames = series.clock.minute // 60, []
    for field, load_kw in series.loads.items():
        loads = pd.Series(load_kw)
        means = {
            name: loads[rows].groupby(hour[rows]).mean()
            for name, rows in (("ramadan_kw", inside), ("beside_kw", beside))
        }
        frames.append(pd.DataFrame(means).rename_axis("local_hour").reset_index().assign(field=field))
    return pd.concat(frames, ignore_index=True)[columns]


def _mean(values: Numbers, chosen: NDArray[np.bool_]) -> float:
    known = values[chosen & np.isfinite(values)]
    return float(known.mean()) if known.size >= FEWEST else np.nan
