"""Forecasts that need no model: what every model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.forecasting.same_time import SameTime

__all__ = ["RULES", "NaiveForecasts", "naive_mae_kw"]

RULES = (
    "persistence",
    "same time yesterday",
    "same time last week",
    "yesterday + deviation",
    "last week + deviation",
    "mean 7-day increment",
    "last week + level change",
    "last week x level change",
)

_WEEK_DAYS = 7


class NaiveForecasts:
    """What each rule says at every step, from the values up to that step alone.

    Parameters
    ----------
    demand_kw
        Load at consecutive steps, shape (steps,); NaN where it is not known.
    same_time
        Which times are the same by the clock of the site, of these steps and of a day more; None for a clock that is
        not changed.

    Notes
    -----
    With load y, origin t, lead h, days of D steps and level M(t), the mean of the last D values: persistence is y[t];
    yesterday y[t+h-D]; last week y[t+h-7D]; the deviation is y[t] less the same rule's value for t; the mean increment
    rule is y[t] + mean over j = 1..7 of y[t+h-jD] - y[t-jD]; the level changes by M(t) - M(t-7D), or M(t) / M(t-7D)
    times. Both means are over those of their values that are known. Whole days back is the same time by the clock, of
    one day more where that is not known yet.
    """

    def __init__(self, demand_kw: NDArray[np.float64], steps_per_day: int, same_time: SameTime | None = None) -> None:
        self._demand_kw = demand_kw
        self._same_time = same_time
        self._day = steps_per_day
        self._week = _WEEK_DAYS * steps_per_day
        level = _level(demand_kw, steps_per_day)
        level_last_week = _earlier(level, self._week)
        self._change = level - level_last_week
        self._growth = np.full(demand_kw.size, np.nan)
        np.divide(level, level_last_week, out=self._growth, where=level_last_week != 0)

    def at(self, lead: int) -> NDArray[np.float64]:
        """Return what each rule says for ``lead`` steps later, shape (rules, steps), in the order of ``RULES``.

        NaN where a value that the rule needs is not known. Raises ``ValueError`` where the lead is longer than a day.
        """
        if not 1 <= lead <= self._day:
            raise ValueError(f"lead: {lead} is outside 1..{self._day}; the rules speak of the next day")
        now = self._demand_kw
        yesterday, last_week = self._before(lead, 1), self._before(lead, _WEEK_DAYS)
        increments = np.stack([self._before(lead, days) - self._before(0, days) for days in range(1, _WEEK_DAYS + 1)])
        return np.stack(
            [
                now,
                yesterday,
                last_week,
                yesterday + now - self._before(0, 1),
                last_week + now - self._before(0, _WEEK_DAYS),
                now + _mean_of_known(increments),
                last_week + self._change,
                last_week * self._growth,
            ]
        )

    def _before(self, lead: int, days: int) -> NDArray[np.float64]:
        """Return at each step the value of so many days before the time ``lead`` steps later, NaN before the first."""
        if self._same_time is None:
            return _earlier(self._demand_kw, days * self._day - lead)
        origins = np.arange(self._demand_kw.size)
        same = self._same_time.before(origins + lead, days)
        same = np.where(same <= origins, same, self._same_time.before(origins + lead, days + 1))
        return np.where(same >= 0, self._demand_kw.take(same, mode="clip"), np.nan)


def naive_mae_kw(demand_kw: NDArray[np.float64], steps_per_day: int, same_time: SameTime | None = None) -> float:
    """Return the mean absolute error of "same time yesterday" over the rows given, the denominator of MASE.

    NaN where no value is known a day apart (Hyndman & Koehler 2006, "Another look at measures of forecast accuracy").
    """
    steps = np.arange(steps_per_day, demand_kw.size)
    before = steps - steps_per_day if same_time is None else np.maximum(same_time.before(steps, 1), 0)
    change = np.abs(demand_kw[steps] - demand_kw[before])
    known = change[~np.isnan(change)]
    return float(known.mean()) if known.size else float("nan")


def _earlier(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Return at each place the value of so many steps before, NaN before the first."""
    shifted = np.full(values.size, np.nan)
    shifted[steps:] = values[: max(0, values.size - steps)]
    return shifted


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis of what is not NaN, NaN where nothing is."""
    known = ~np.isnan(values)
    mean = np.full(values.shape[1], np.nan)
    np.divide(np.where(known, values, 0).sum(axis=0), known.sum(axis=0), out=mean, where=known.any(axis=0))
    return mean


def _level(demand_kw: NDArray[np.float64], steps_per_day: int) -> NDArray[np.float64]:
    """Return at each step the mean of the known values of the 24 hours up to it; NaN in the first day."""
    level = np.full(demand_kw.size, np.nan)
    if demand_kw.size >= steps_per_day:
        days = np.lib.stride_tricks.sliding_window_view(demand_kw, steps_per_day)
        level[steps_per_day - 1 :] = _mean_of_known(days.T)
    return level
