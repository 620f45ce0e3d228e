"""What repeats and what goes together: the day, the week and the year of each load, and what it moves with."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.explore.series import day_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backtest.explore.series import CleanSeries, Numbers

__all__ = [
    "SUM",
    "WEEKDAYS",
    "autocorrelations",
    "correlation_matrix",
    "daily",
    "explained",
    "heat",
    "lagged",
    "months",
    "response",
    "typical_day",
    "typical_week",
    "weather_correlations",
    "zones",
]

SUM = "sum of the zones"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LAGS_MINUTES = {"1 h": 60, "1 day": 1440, "1 week": 10_080}
FEWEST_DAYS = {"hour of the day": 3, "weekday": 14, "month": 300}
"""Below so many days nobody can tell what repeats from what came once."""
ACF_HOURS = 8 * 24
FEWEST_IN_BIN = 48
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9


def typical_day(series: CleanSeries) -> pd.DataFrame:
    """Return median and the range of 80 % of the loads at each time of the day, one row a zone and time."""
    return _quantiles(series, series.clock.minute, "minute")


def months(series: CleanSeries) -> pd.DataFrame:
    """Return median and the range of 80 % of the loads of each local month, one row a zone and month."""
    return _quantiles(series, series.local_times.strftime("%Y-%m").to_numpy(), "month")


def _quantiles(series: CleanSeries, groups: NDArray[np.generic], name: str) -> pd.DataFrame:
    frames = []
    for field, load_kw in series.loads.items():
        of = pd.Series(load_kw).groupby(groups).quantile(np.array([LOW, MIDDLE, HIGH])).unstack()  # noqa: PD010 - no pivot of one column
        of.columns = pd.Index(["low_kw", "median_kw", "high_kw"])
        of.insert(0, "field", field)
        frames.append(of.rename_axis(name).reset_index())
    return pd.concat(frames, ignore_index=True)


def typical_week(series: CleanSeries) -> pd.DataFrame:
    """Return the mean load of each hour of each weekday, one row a zone, weekday and hour."""
    hour, frames = series.clock.minute // 60, []
    for field, load_kw in series.loads.items():
        of = pd.Series(load_kw).groupby([series.clock.weekday, hour]).mean()
        frames.append(of.rename_axis(["weekday", "hour"]).rename("mean_kw").reset_index().assign(field=field))
    return pd.concat(frames, ignore_index=True)


def daily(series: CleanSeries) -> pd.DataFrame:
    """Return the mean load of each local date in kW, one column a zone; NaN where most of the date is missing."""
    return pd.DataFrame({field: day_means(series, load) for field, load in series.loads.items()}, index=series.dates)


def heat(series: CleanSeries, field: str) -> pd.DataFrame:
    """Return the mean load of each hour of each local date; the index is the date, the columns are the hours 0..23."""
    _, day = np.unique(series.clock.date, return_inverse=True)
    of = pd.Series(series.by_field[field]).groupby([day, series.clock.minute // 60]).mean().unstack()  # noqa: PD010 - as above
    return of.reindex(index=range(len(series.dates)), columns=range(24)).set_axis(series.dates)


def explained(series: CleanSeries) -> pd.DataFrame:
    """Return the share of the variance of each load that the mean of its group explains, one row a zone.

    The groups are the hours of the day, the weekdays and the months (the correlation ratio eta squared of K. Pearson).
    NaN where the file is too short to tell, or the load is constant.
    """
    groups = {
        "hour of the day": series.clock.minute // 60,
        "weekday": series.clock.weekday,
        "month": series.local_times.month.to_numpy(),
    }
    rows = [
        {"field": field}
        | {
            f"{name}_ratio": _eta(load, of) if series.days >= FEWEST_DAYS[name] else np.nan
            for name, of in groups.items()
        }
        for field, load in series.loads.items()
    ]
    return pd.DataFrame(rows)


def _eta(values: Numbers, groups: NDArray[np.integer]) -> float:
    known = np.isfinite(values)
    deviation = values[known] - values[known].mean()
    total = float(deviation @ deviation)
    if total <= 0:
        return np.nan
    counts = np.bincount(groups[known])
    sums = np.bincount(groups[known], weights=deviation)
    return float((sums[counts > 0] ** 2 / counts[counts > 0]).sum() / total)


def weather_correlations(series: CleanSeries) -> pd.DataFrame:
    """Return how each load goes with each field of the weather, one row a pair.

    ``pearson`` and ``spearman`` are of the values at the same time; ``same_hour`` is Pearson's of what both are above
    their mean of the hour of the day: what is left when the daily course of both is taken off.
    """
    hour = series.clock.minute // 60
    rows = []
    for (field, load), (weather, values) in product(series.loads.items(), series.weather.items()):
        pair = pd.DataFrame({"load": load, "weather": values}).dropna()
        less_mean = pair - pair.groupby(hour[pair.index]).transform("mean")
        ranks = pair.rank()
        found = (_correlation(*each.to_numpy().T) for each in (pair, ranks, less_mean))
        rows.append(
            {"field": field, "weather": weather, **dict(zip(("pearson", "spearman", "same_hour"), found, strict=True))}
        )
    return pd.DataFrame(rows, columns=["field", "weather", "pearson", "spearman", "same_hour"])


def correlation_matrix(series: CleanSeries) -> pd.DataFrame:
    """Return Pearson's correlation of every load and field of weather with every other; NaN where one is constant."""
    fields = {**series.loads, **series.weather}
    found = [[_correlation(one, other) for other in fields.values()] for one in fields.values()]
    return pd.DataFrame(found, index=pd.Index(fields), columns=pd.Index(fields))


def lagged(series: CleanSeries) -> pd.DataFrame:
    """Return the correlation of each load with itself an hour, a day and a week before, one row a zone."""
    lags = {name: minutes // series.grid.step_minutes for name, minutes in LAGS_MINUTES.items()}
    rows = [
        {"field": field} | {name: _autocorrelation(load, lag) for name, lag in lags.items()}
        for field, load in series.loads.items()
    ]
    return pd.DataFrame(rows, columns=["field", *lags])


def autocorrelations(series: CleanSeries) -> pd.DataFrame:
    """Return the correlation of each load with itself so many hours before, up to eight days."""
    longest = min(ACF_HOURS, series.has_reading.size // series.grid.hour // 2)
    lags = np.arange(longest + 1)
    found = {
        field: [_autocorrelation(load, lag * series.grid.hour) for lag in lags.tolist()]
        for field, load in series.loads.items()
    }
    return pd.DataFrame(found, index=pd.Index(lags, name="lag_h"))


def _autocorrelation(values: Numbers, lag: int) -> float:
    return _correlation(values[lag:], values[: values.size - lag]) if lag < values.size else np.nan


def _correlation(one: Numbers, other: Numbers) -> float:
    """Return Pearson's correlation where both are known; NaN of fewer than three pairs, or where one is constant."""
    both = np.isfinite(one) & np.isfinite(other)
    x, y = one[both], other[both]
    if x.size < 3 or x.min() == x.max() or y.min() == y.max():
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def response(series: CleanSeries) -> pd.DataFrame:
    """Return median and the range of 80 % of each load by temperature, where there are enough, in degrees."""
    temperature = series.weather.get("temperature_c")
    columns = ["temperature_c", "field", "low_kw", "median_kw", "high_kw"]
    if temperature is None:
        return pd.DataFrame(columns=columns)
    degrees = pd.Series(np.round(temperature))
    enough = degrees.map(degrees.value_counts()) >= FEWEST_IN_BIN
    return _quantiles(series, degrees.where(enough).to_numpy(), "temperature_c")[columns]


def zones(series: CleanSeries) -> pd.DataFrame:
    """Return mean, peak and its time, lowest load, and load factor (mean / peak) of each zone, and of their sum.

    The sum is over the times at which every zone has a load.
    """
    loads = dict(series.loads)
    if len(loads) > 1:
        loads[SUM] = np.sum(list(loads.values()), axis=0)
    rows = []
    for field, load_kw in loads.items():
        known = load_kw[np.isfinite(load_kw)]
        if known.size:
            mean_kw, peak_kw = float(known.mean()), float(known.max())
            rows.append(
                {
                    "field": field,
                    "mean_kw": mean_kw,
                    "lowest_kw": float(known.min()),
                    "peak_kw": peak_kw,
                    "peak": series.shown(int(np.nanargmax(load_kw))),
                    "load_factor_ratio": mean_kw / peak_kw if peak_kw > 0 else np.nan,
                }
            )
    return pd.DataFrame(rows)
