"""The accuracy of each month, beside that of the two rules that every operator knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.breakdown import columns_of, local_times
from backtest.naive import RULES, NaiveForecasts
from shared.forecasting.figures import figures_of, skill_of
from shared.forecasting.leads import lead_groups
from shared.forecasting.resolution import ABSENT
from shared.forecasting.size import nears_zero
from shared.forecasting.terms import pair_terms, versus_terms, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backtest.transcript import Transcript
    from shared.forecasting.resolution import Resolution
    from shared.sites.calendar import Calendar

__all__ = ["by_month"]

_COMPARED = {"yesterday": "same time yesterday", "last_week": "same time last week"}
_SHORTEST_MINUTES = 60
_REACH_DAYS = 8  # a week, and a day more where the clock was changed


def by_month(transcript: Transcript, calendar: Calendar) -> pd.DataFrame:
    """Return the figures of each local month of targets and of each lead group from an hour on, one row each.

    ``yesterday_rmse_kw`` and ``last_week_rmse_kw`` are those of the rules, ``yesterday_skill_ratio`` and
    ``last_week_skill_ratio`` compare with them over the pairs for which the rule speaks. No MAPE of loads near zero.
    """
    rows = transcript.start_step + np.arange(transcript.rows)
    months = local_times(rows, transcript.step_minutes, calendar).strftime("%Y-%m").to_numpy()
    past = min(transcript.history, _REACH_DAYS * transcript.steps_per_day)
    first = transcript.history - past
    naive = NaiveForecasts(transcript.demand_kw[first:], transcript.steps_per_day, transcript.same_time(first))
    resolution, no_mape = transcript.resolution(), nears_zero(transcript.demand_kw[transcript.history :])
    frames = []
    for group in lead_groups(transcript.step_minutes):
        if group.lead_minutes < _SHORTEST_MINUTES:
            continue
        actual, issued = transcript.pairs(group.steps, resolution)
        names, of = np.unique(months[transcript.rows - actual.size :].astype(str), return_inverse=True)
        sums = _summed(pair_terms(actual, issued), of, len(names))
        figures = columns_of(sums, resolution)
        mape = np.full(len(names), np.nan) if no_mape else figures_of(sums, resolution)["mape"]
        spoken = resolution.multiples(naive.at(group.steps)[:, past : past + actual.size])
        for name, rule in _COMPARED.items():
            figures |= _versus(name, actual, issued[0], spoken[RULES.index(rule)], of, len(names), resolution)
        frames.append(
            pd.DataFrame({"month": names, "lead_minutes": group.scored_minutes, "mape_ratio": mape, **figures})
        )
    return pd.concat(frames, ignore_index=True).sort_values(["month", "lead_minutes"], ignore_index=True)


def _versus(
    name: str,
    actual: NDArray[np.int32],
    median: NDArray[np.int32],
    rule: NDArray[np.int32],
    of: NDArray[np.int64],
    groups: int,
    resolution: Resolution,
) -> dict[str, NDArray[np.generic]]:
    """Return the RMSE of a rule in each group, and the skill of the forecast against it."""
    known = (actual != ABSENT) & (median != ABSENT) & (rule != ABSENT)
    sums, pairs = _summed(versus_terms(actual, median, rule), of, groups), np.bincount(of[known], minlength=groups)
    squared, ours = whole(sums, 0), whole(sums, 2)
    rmse = np.sqrt(np.where(pairs > 0, squared / np.maximum(pairs, 1), np.nan))
    return {f"{name}_rmse_kw": resolution.to_kw(rmse), f"{name}_skill_ratio": skill_of(ours, squared)}


def _summed(terms: NDArray[np.int64], of: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """Return the sums of terms by group, shape (terms, groups): whole numbers, so that they are exact."""
    sums = np.zeros((len(terms), groups), np.int64)
    for row, term in zip(sums, terms, strict=True):
        np.add.at(row, of, term)
    return sums
