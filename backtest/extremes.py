"""What went worst, and what went best: the worst weeks of a transcript, and its worst and best day ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.breakdown import columns_of, local_times
from shared.forecasting.figures import figures_of
from shared.forecasting.terms import Term, pair_terms, whole
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from backtest.transcript import Transcript
    from shared.sites.calendar import Calendar

__all__ = ["DayAhead", "days_ahead", "worst_weeks"]

_WEEK_DAYS = 7
_WORST = 5
_HIGHEST_RMSE, _LOWEST_COVERAGE = "highest RMSE", "lowest coverage"


@dataclass(frozen=True, eq=False)
class DayAhead:
    """One forecast that was issued for a whole local day, and what came.

    Attributes
    ----------
    origin
        The last step before the day, aware UTC.
    curves
        ``local_time``, ``actual_kw``, ``median_kw``, ``low_kw``, ``high_kw``; one row a lead.
    rmse_kw, coverage
        Over the leads of this one forecast.
    """

    origin: datetime
    curves: pd.DataFrame
    rmse_kw: float
    coverage: float


def worst_weeks(transcript: Transcript, calendar: Calendar) -> pd.DataFrame:
    """Return the weeks with the highest RMSE at 24 h, and with the lowest coverage at 1 h and at 24 h; worst first.

    A week is any seven whole local days of targets, all of them in the transcript; those of one criterion and lead do
    not overlap, and there are up to five of them. A transcript that is too short for one gives a frame without rows.
    """
    day = transcript.steps_per_day
    hour = max(1, day // 24)
    searches = ((_HIGHEST_RMSE, day), (_LOWEST_COVERAGE, hour), (_LOWEST_COVERAGE, day))
    return pd.concat([_worst(criterion, _weeks(transcript, calendar, lead)) for criterion, lead in searches])


def days_ahead(transcript: Transcript, calendar: Calendar) -> tuple[DayAhead, ...]:
    """Return the worst and the best day ahead by RMSE: forecasts from the last step before a local midnight.

    Only those count that have a reading for every lead; with one of them the two are one, with none there is none.
    """
    leads = transcript.steps_per_day
    origins = np.arange(max(0, transcript.rows - leads))
    midnight = calendar.clock(transcript.start_step + origins + 1, transcript.step_minutes).minute == 0
    origins = origins[midnight]
    targets, resolution = transcript.history + origins[:, None] + np.arange(1, leads + 1), transcript.resolution()
    actual, issued = (resolution.multiples(kw) for kw in (transcript.demand_kw[targets], transcript.issued_kw[origins]))
    terms = pair_terms(actual, issued.swapaxes(0, 1)).sum(axis=2)
    complete = np.flatnonzero(terms[Term.PAIRS] == leads)
    if not complete.size:
        return ()
    squared, figures = whole(terms, Term.SQUARED)[complete], figures_of(terms, resolution)
    return tuple(
        _day_ahead(transcript, calendar, int(origins[n]), float(figures["rmse_kw"][n]), float(figures["coverage"][n]))
        for n in dict.fromkeys((int(complete[squared.argmax()]), int(complete[squared.argmin()])))
    )


def _day_ahead(transcript: Transcript, calendar: Calendar, origin: int, rmse_kw: float, coverage: float) -> DayAhead:
    leads = np.arange(1, transcript.steps_per_day + 1)
    first = transcript.history + origin
    step = transcript.start_step + origin
    median_kw, low_kw, high_kw = transcript.issued_kw[origin]
    curves = pd.DataFrame(
        {
            "local_time": local_times(step + leads, transcript.step_minutes, calendar).strftime("%Y-%m-%d %H:%M"),
            "actual_kw": transcript.demand_kw[first + leads],
            "median_kw": median_kw,
            "low_kw": low_kw,
            "high_kw": high_kw,
        }
    )
    return DayAhead(Grid(transcript.step_minutes).time_of(step), curves, rmse_kw, coverage)


def _weeks(transcript: Transcript, calendar: Calendar, lead: int) -> pd.DataFrame:
    """Return the figures of any seven consecutive whole days of targets at a lead, one row for each first day."""
    resolution = transcript.resolution()
    terms = pair_terms(*transcript.pairs(lead, resolution))
    first = transcript.start_step + transcript.rows - terms.shape[1]
    # one step more at either end: a day that it shares is not whole
    steps = np.arange(first - 1, transcript.start_step + transcript.rows + 1)
    dates = local_times(steps, transcript.step_minutes, calendar).strftime("%Y-%m-%d").to_numpy(np.str_)
    whole = (dates[1:-1] != dates[0]) & (dates[1:-1] != dates[-1])
    days, day = np.unique(dates[1:-1][whole], return_inverse=True)
    sums = np.zeros((days.size + 1, len(terms)), np.int64)
    np.add.at(sums, day + 1, terms[:, whole].T)
    until = sums.cumsum(axis=0)
    weeks = until[_WEEK_DAYS:] - until[:-_WEEK_DAYS]
    return pd.DataFrame(
        {
            "first_local_date": days[: len(weeks)],
            "last_local_date": days[_WEEK_DAYS - 1 :],
            "lead_minutes": transcript.step_minutes * lead,
            **columns_of(weeks.T, resolution),
        }
    )


def _worst(criterion: str, weeks: pd.DataFrame) -> pd.DataFrame:
    """Return the worst of the scored weeks, none of which overlap."""
    badness = weeks["rmse_kw"] if criterion == _HIGHEST_RMSE else -weeks["coverage_ratio"]
    order = badness.dropna().sort_values(ascending=False, kind="stable").index
    chosen = weeks.loc[_apart(order)].reset_index(drop=True)
    chosen.insert(0, "criterion", criterion)
    chosen.insert(1, "rank", chosen.index + 1)
    return chosen


def _apart(firsts: Iterable[int]) -> list[int]:
    """Return the first five days of the ``firsts`` whose weeks overlap with none before them."""
    chosen: list[int] = []
    for first in firsts:
        if len(chosen) < _WORST and all(abs(first - other) >= _WEEK_DAYS for other in chosen):
            chosen.append(first)
    return chosen
