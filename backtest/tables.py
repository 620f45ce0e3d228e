"""The score table of a backtest: what the forecasts that went over the wire were worth, per lead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from backtest.naive import RULES, NaiveForecasts
from backtest.units import LoadUnit
from shared.forecasting.figures import figures_of, grouped, r2_of, skill_of
from shared.forecasting.leads import lead_groups
from shared.forecasting.resolution import ABSENT, Resolution
from shared.forecasting.size import nears_zero
from shared.forecasting.terms import Term, exactly, pair_terms, versus_terms, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from backtest.transcript import Transcript

__all__ = ["FIGURES", "NO_MAPE", "ScoreTable", "estimate_figures", "estimate_or_none"]

FIGURES = (
    "rmse_kw",
    "mae_kw",
    "mape",
    "r2",
    "mase",
    "skill_vs_best_naive",
    "coverage",
    "worst_week_coverage",
    "pinball_kw",
)

NO_MAPE = "no MAPE: the load comes near zero, where a share of it says nothing"

_WEEK_DAYS = 7
_ESTIMATE_FIGURES = ("rmse_kw", "mae_kw", "mape", "r2")
_SHOWN = {  # eighty columns in all
    "rmse_kw": ("RMSE {unit}", "kw"),
    "mae_kw": ("MAE {unit}", "kw"),
    "mape": ("MAPE", ".1%"),
    "r2": ("R2", ".3f"),
    "best_naive_rmse_kw": ("best naive", "kw"),
    "skill_vs_best_naive": ("skill", ".0%"),
    "coverage": ("in 90 %", ".1%"),
    "worst_week_coverage": ("worst week", ".1%"),
    "pinball_kw": ("pinball", "kw"),
}


@dataclass(frozen=True)
class ScoreTable:
    """The figures of one zone over the origins in [test_from, test_from + rows).

    A lead h is scored over the pairs whose origin and target both lie there: ``rows`` - h of them, less those without a
    reading or a forecast. The sums are those of the stream's rolling scores, so equal messages give equal figures to
    the last bit.

    Attributes
    ----------
    per_lead
        Each of ``FIGURES``, ``bias_kw`` and ``best_naive_rmse_kw`` at every lead, shape (leads,); NaN where it cannot
        be computed. The two naive figures are over the pairs for which every rule speaks.
    best_naive
        The rule of ``backtest.naive.RULES`` that is best in hindsight at every lead; None where there is no pair.
    step_minutes
        Minutes from one lead to the next.
    weather_estimate
        ``rmse_kw``, ``mae_kw``, ``mape``, ``r2`` of the weather estimate against the reading at the origin, or NaN.
    unit
        In which people are shown it, by the size of the loads.
    nears_zero
        Whether some of the loads are zero or next to it, or they lie on both sides of it; then there is no MAPE.
    """

    zone: int
    test_from: datetime
    rows: int
    answered: int
    per_lead: Mapping[str, NDArray[np.float64]]
    best_naive: tuple[str | None, ...]
    step_minutes: int
    weather_estimate: Mapping[str, float]
    unit: LoadUnit
    nears_zero: bool

    @classmethod
    def of(cls, transcript: Transcript, training_mae_kw: float = math.nan) -> ScoreTable:
        """Score a transcript.

        Parameters
        ----------
        training_mae_kw
            Mean absolute error of "same time yesterday" on the rows before ``test_from``, the denominator of MASE;
            NaN or 0 leaves MASE open.
        """
        history, week, resolution = transcript.history, _WEEK_DAYS * transcript.steps_per_day, transcript.resolution()
        past = min(history, week + transcript.steps_per_day)  # the level a week ago is as far as a rule looks back
        same_time = transcript.same_time(history - past)
        naive = NaiveForecasts(transcript.demand_kw[history - past :], transcript.steps_per_day, same_time)
        leads, best_naive = [], []
        for lead in range(1, transcript.steps_per_day + 1):
            actual, issued = transcript.pairs(lead, resolution)
            rules = resolution.multiples(naive.at(lead)[:, past : past + actual.size])
            best, compared = _naive_figures(actual, issued[0], rules, resolution)
            leads.append(_pair_figures(actual, issued, resolution, week) | compared)
            best_naive.append(best)
        per_lead = {name: np.array([lead[name] for lead in leads]) for name in leads[0]}
        per_lead["mase"] = per_lead["mae_kw"] / (training_mae_kw or math.nan)
        loads_kw = transcript.demand_kw[history:]
        if nears_zero(loads_kw):
            per_lead["mape"] = np.full_like(per_lead["mape"], math.nan)
        return cls(
            transcript.zone,
            transcript.test_from,
            transcript.rows,
            transcript.answered,
            per_lead,
            tuple(best_naive),
            transcript.step_minutes,
            estimate_figures(loads_kw, transcript.weather_estimate_kw, resolution),
            LoadUnit.of(loads_kw),
            nears_zero(loads_kw),
        )

    def leads(self, names: Iterable[str] = FIGURES) -> dict[str, dict[str, float | None]]:
        """Return these figures of each lead group and of the mean over all leads, by the keys of ``grouped``.

        Beside them stands ``scored_minutes``, the lead itself, None for the mean. What cannot be computed is None.
        """
        by_name = {name: grouped(self.per_lead[name], self.step_minutes) for name in names}
        scored = {group.key: group.scored_minutes for group in lead_groups(self.step_minutes)}
        keys = next(iter(by_name.values()))
        return {
            key: {"scored_minutes": scored.get(key), **{name: figures[key] for name, figures in by_name.items()}}
            for key in keys
        }

    def to_json(self) -> dict[str, Any]:
        """Return the result for machines; what cannot be computed is None."""
        return {
            "zone": self.zone,
            "test_from": self.test_from.isoformat().replace("+00:00", "Z"),
            "rows": self.rows,
            "leads": self.leads(),
            "weather_estimate": estimate_or_none(self.weather_estimate),
        }

    def __rich__(self) -> Table:
        """Return the result for people."""
        title = f"Zone {self.zone}: {self.answered:,} origins from {self.test_from:%Y-%m-%d %H:%M} UTC"
        table = Table(title=title, caption=NO_MAPE if self.nears_zero else None, box=SIMPLE, padding=(0, 1, 0, 0))
        table.add_column("lead", no_wrap=True)
        for heading in (heading.format(unit=self.unit.name) for heading, _ in _SHOWN.values()):
            table.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
        shown = {group.key: group.shown for group in lead_groups(self.step_minutes)}
        for key, figures in self.leads(_SHOWN).items():
            table.add_row(shown.get(key, key), *(self._cell(figures[name], form) for name, (_, form) in _SHOWN.items()))
        return table

    def _cell(self, figure: float | None, form: str) -> str:
        if figure is None:
            return "-"
        return self.unit.shown(figure) if form == "kw" else format(figure, form)


def estimate_figures(
    actual_kw: NDArray[np.float64], estimate_kw: NDArray[np.float64], resolution: Resolution
) -> dict[str, float]:
    """Return ``rmse_kw``, ``mae_kw``, ``mape`` and ``r2`` of an estimate beside the readings, NaN where it has no pair.

    Both are of shape (n,), NaN where there is none. There is no ``mape`` of readings that come near zero.
    """
    actual, estimate = resolution.multiples(actual_kw), resolution.multiples(estimate_kw)
    figures = _pair_figures(actual, np.stack([estimate] * 3), resolution, week=1)
    if nears_zero(actual_kw):
        figures["mape"] = math.nan
    return {name: figures[name] for name in _ESTIMATE_FIGURES}


def estimate_or_none(figures: Mapping[str, float]) -> dict[str, float | None] | None:
    """Return the figures of an estimate as JSON has them: what cannot be computed is None, and so are all of none."""
    if all(math.isnan(figure) for figure in figures.values()):
        return None
    return {name: None if math.isnan(figure) else figure for name, figure in figures.items()}


def _pair_figures(
    actual: NDArray[np.int32], issued: NDArray[np.int32], resolution: Resolution, week: int
) -> dict[str, float]:
    """Return the figures of the pairs of one lead; the lowest coverage is over any ``week`` consecutive targets."""
    terms = pair_terms(actual, issued)
    sums, scored = terms.sum(axis=1), terms[Term.PAIRS] == 1
    figures = {name: float(figure) for name, figure in figures_of(sums, resolution).items()}
    figures["r2"] = r2_of(exactly(sums, Term.SQUARED), actual[scored])
    covered = np.concatenate(([0], terms[Term.COVERED, scored].cumsum()))
    weeks = covered[week:] - covered[:-week]
    figures["worst_week_coverage"] = int(weeks.min()) / week if weeks.size else math.nan
    return figures


def _naive_figures(
    actual: NDArray[np.int32], median: NDArray[np.int32], rules: NDArray[np.int32], resolution: Resolution
) -> tuple[str | None, dict[str, float]]:
    """Compare with the rule that is best in hindsight over the pairs for which every rule speaks."""
    spoken = np.where((rules == ABSENT).any(axis=0), ABSENT, median)
    sums = np.array([versus_terms(actual, spoken, rule).sum(axis=1) for rule in rules]).T
    naive_squared, squared = whole(sums, 0), whole(sums, 2)
    best = naive_squared.argmin()
    pairs = np.count_nonzero((actual != ABSENT) & (spoken != ABSENT))
    return RULES[best] if pairs else None, {
        "skill_vs_best_naive": float(skill_of(squared, naive_squared)[best]),
        "best_naive_rmse_kw": float(resolution.to_kw(np.sqrt(naive_squared[best] / pairs))) if pairs else math.nan,
    }
