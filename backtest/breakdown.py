"""Where a forecast is good and where it is not: its figures by lead, day, hour, weekday, season and holiday.

Every frame is tidy: one row a group and lead, shares as ratios 0..1, NaN where nothing was scored. What a pair belongs
to is decided by its target, on the wall clock of the site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.forecasting.figures import figures_of
from shared.forecasting.leads import lead_groups
from shared.forecasting.terms import Term, pair_terms
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backtest.tables import ScoreTable
    from backtest.transcript import Transcript
    from shared.forecasting.resolution import Resolution
    from shared.sites.calendar import Calendar

__all__ = ["by_group", "by_lead", "columns_of", "local_times"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SEASONS = ("Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov")  # by their months: which of them is winter depends on the site
_DAY_TYPES = ("ordinary day", "holiday")


def by_lead(table: ScoreTable, step_minutes: int) -> pd.DataFrame:
    """Return the figures of every lead and the naive rule that is best there, one row a lead."""
    figures = table.per_lead
    return pd.DataFrame(
        {
            "lead_minutes": step_minutes * np.arange(1, len(table.best_naive) + 1),
            "rmse_kw": figures["rmse_kw"],
            "mae_kw": figures["mae_kw"],
            "mape_ratio": figures["mape"],
            "bias_kw": figures["bias_kw"],
            "r2": figures["r2"],
            "coverage_ratio": figures["coverage"],
            "worst_week_coverage_ratio": figures["worst_week_coverage"],
            "pinball_kw": figures["pinball_kw"],
            "best_naive_rule": table.best_naive,
            "best_naive_rmse_kw": figures["best_naive_rmse_kw"],
            "skill_ratio": figures["skill_vs_best_naive"],
        }
    )


def by_group(transcript: Transcript, calendar: Calendar) -> dict[str, pd.DataFrame]:
    """Return ``days``, ``hours``, ``weekdays``, ``seasons`` and ``holidays``: pairs and figures by group and lead.

    A group in which no target lies has no row; one whose targets were not read has 0 pairs.
    """
    steps = transcript.start_step + np.arange(transcript.rows)
    local = local_times(steps, transcript.step_minutes, calendar)
    holiday = calendar.holiday(calendar.clock(steps, transcript.step_minutes).date)
    labels = {
        "days": pd.Index(local.strftime("%Y-%m-%d"), name="local_date"),
        "hours": pd.Index(local.hour, name="local_hour"),
        "weekdays": _ordered(local.dayofweek.to_numpy(), _WEEKDAYS, "local_weekday"),
        "seasons": _ordered(local.month.to_numpy() % 12 // 3, _SEASONS, "season_months"),
        "holidays": _ordered(holiday.astype(np.int64), _DAY_TYPES, "day_type"),
    }
    leads = [group.steps for group in lead_groups(transcript.step_minutes)]
    targets = [np.arange(min(lead, transcript.rows), transcript.rows) for lead in leads]
    row = np.concatenate(targets)
    minutes = transcript.step_minutes * np.repeat(leads, [len(rows) for rows in targets])
    resolution = transcript.resolution()
    terms = np.concatenate([pair_terms(*transcript.pairs(lead, resolution)) for lead in leads], axis=1)
    by_lead = pd.Index(minutes, name="lead_minutes")
    return {name: _grouped(terms, by_lead, of[row], resolution) for name, of in labels.items()}


def local_times(steps: NDArray[np.int64], step_minutes: int, calendar: Calendar) -> pd.DatetimeIndex:
    """Return the times at which steps begin, on the wall clock of the site."""
    return Grid(step_minutes).times_of(steps).tz_convert(calendar.time_zone)


def columns_of(sums: NDArray[np.int64], resolution: Resolution) -> dict[str, NDArray[np.generic]]:
    """Return pairs and figures of sums of ``pair_terms``, shape (terms, groups), under the names of their columns."""
    figures = figures_of(sums, resolution)
    return {
        "pairs": sums[Term.PAIRS],
        "rmse_kw": figures["rmse_kw"],
        "mae_kw": figures["mae_kw"],
        "bias_kw": figures["bias_kw"],
        "coverage_ratio": figures["coverage"],
    }


def _ordered(codes: NDArray[np.integer], names: tuple[str, ...], name: str) -> pd.CategoricalIndex:
    """Return labels that sort as their codes do, not by the alphabet."""
    return pd.CategoricalIndex(pd.Categorical.from_codes(codes, pd.Index(names), ordered=True), name=name)


def _grouped(terms: NDArray[np.int64], minutes: pd.Index, labels: pd.Index, resolution: Resolution) -> pd.DataFrame:
    sums = pd.DataFrame(terms.T).groupby([minutes, labels], observed=True).sum()
    return sums.index.to_frame(index=False).assign(**columns_of(sums.to_numpy().T, resolution))
