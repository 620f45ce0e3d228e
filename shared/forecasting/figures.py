"""The figures that are drawn from sums of terms: of each lead, of each lead group, and as they go on the wire."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.leads import MEAN, lead_groups
from shared.forecasting.terms import PERCENTAGE_UNITS, Term, sum_of_squares, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.forecasting.resolution import Resolution

    Numbers = NDArray[np.float64] | NDArray[np.int64]
    ScoreRow = dict[str, float | None]

__all__ = ["Layout", "Standing", "figures_of", "grouped", "r2_of", "scores_of", "skill_of"]

_RATIO_DECIMALS = 4
_SUM_ERROR = 1e-12  # of a sum of at most 1440 numbers of 53 bits, relative to that of their sizes; many times more
_HALF_ERROR = 1e-3  # how near to a half a ratio of at most 1e9 is told from it by more digits than it has here
_TOGETHER = 16  # zones whose figures are drawn in one go: as many as a processor's cache holds


def _ratio(sums: Numbers, counts: Numbers) -> NDArray[np.float64]:
    """Return sums / counts, NaN where nothing was counted; counts are whole numbers."""
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def figures_of(sums: NDArray[np.int64], resolution: Resolution) -> dict[str, NDArray[np.float64]]:
    """Return each figure of the sums of ``pair_terms``, NaN where there is no pair; shapes are those of one term."""
    pairs = sums[Term.PAIRS]
    totals = (
        whole(sums, Term.SQUARED),
        sums[Term.ABSOLUTE],
        sums[Term.ERROR],
        sums[Term.INTERVAL],
        whole(sums, Term.PERCENTAGE),
        sums[Term.COVERED],
    )
    counts = (pairs, pairs, pairs, 40 * pairs, PERCENTAGE_UNITS * pairs, pairs)
    ratios = _ratio(np.stack(totals), np.stack(counts))
    ratios[0] = np.sqrt(ratios[0])
    rmse_kw, mae_kw, bias_kw, pinball_kw = resolution.to_kw(ratios[:4])
    return {
        "rmse_kw": rmse_kw,
        "mae_kw": mae_kw,
        "mape": ratios[4],
        "bias_kw": bias_kw,
        "coverage": ratios[5],
        "pinball_kw": pinball_kw,
    }


def skill_of(squared: NDArray[np.float64], naive_squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - RMSE / RMSE of the naive forecast over the same pairs, NaN where the latter is zero."""
    return 1 - np.sqrt(_ratio(squared, naive_squared))


def r2_of(squared: int, actual: NDArray[np.integer]) -> float:
    """Return 1 - ``squared`` / sum of squares about the mean of the ``actual`` of the same pairs, NaN where it is 0.

    The sum about the mean is taken in whole numbers, n * sum(y * y) - sum(y) ** 2.
    """
    known = np.asarray(actual, np.int64)
    pairs, total = known.size, int(known.sum())
    about_mean = pairs * sum_of_squares(known) - total * total
    return 1 - pairs * squared / about_mean if about_mean else math.nan


def grouped(per_lead: NDArray[np.float64], step_minutes: int) -> dict[str, float | None]:
    """Return a figure of each lead group by its minutes, as far as there are leads, and the ``mean`` over all leads.

    None for NaN.
    """
    groups = [group for group in lead_groups(step_minutes) if group.steps <= per_lead.size]
    figures = {group.key: float(per_lead[group.steps - 1]) for group in groups}
    figures[MEAN] = math.fsum(per_lead) / per_lead.size
    return {group: None if math.isnan(figure) else figure for group, figure in figures.items()}


@dataclass(frozen=True)
class Layout:
    """Which figures go on the wire: those of the lead groups, and of the mean over all leads, for each window."""

    leads: int
    step_minutes: int
    windows_days: tuple[int, ...]


@dataclass(frozen=True)
class Standing:
    """What the scores of a zone are drawn from at an hour; it does not change when the zone goes on.

    Attributes
    ----------
    layout
        Of the figures.
    resolution
        In whose multiples the sums count.
    sums
        Of each `Term`, (windows, terms, leads).
    near_zero
        Of each window, whether errors as shares of the load say nothing in it.
    """

    layout: Layout
    resolution: Resolution
    sums: NDArray[np.int64]
    near_zero: tuple[bool, ...]


def scores_of(standings: Sequence[Standing]) -> list[list[ScoreRow]]:
    """Return the scores of each standing as they go on the wire: each has the fields of a ``Score``, in their order.

    Figures are multiples of the resolution, ratios have four decimals. A figure is None where it cannot be computed
    yet; the mean needs every lead. Those of many zones take little longer than those of one.
    """
    alike: dict[tuple[Layout, Resolution], list[int]] = {}
    for place, standing in enumerate(standings):
        alike.setdefault((standing.layout, standing.resolution), []).append(place)
    scores: list[list[ScoreRow]] = [[]] * len(standings)
    for (layout, resolution), places in alike.items():
        for first in range(0, len(places), _TOGETHER):
            together = places[first : first + _TOGETHER]
            drawn = _figures_of(layout).of([standings[place] for place in together], resolution)
            for place, rows in zip(together, drawn, strict=True):
                scores[place] = rows
    return scores


class _WireFigures:
    """Draws the figures of a layout."""

    def __init__(self, layout: Layout) -> None:
        groups = [group for group in lead_groups(layout.step_minutes) if group.steps <= layout.leads]
        self._columns = np.array([group.steps - 1 for group in groups], np.int64)
        named = [(group.lead_minutes, group.scored_minutes) for group in groups]
        self._labels: list[ScoreRow] = [
            {"lead_minutes": lead_minutes, "scored_minutes": scored_minutes, "window_days": days}
            for lead_minutes, scored_minutes in [*named, (None, None)]
            for days in layout.windows_days
        ]

    def of(self, standings: Sequence[Standing], resolution: Resolution) -> list[list[ScoreRow]]:
        """Return the scores of standings of one resolution."""
        sums = np.stack([standing.sums for standing in standings]).transpose(2, 0, 1, 3)
        per_lead = figures_of(sums, resolution)
        per_lead["mape"][np.array([standing.near_zero for standing in standings])] = np.nan
        per_lead["skill_vs_same_time_yesterday"] = skill_of(
            whole(sums, Term.VERSUS_NAIVE_SQUARED), whole(sums, Term.NAIVE_SQUARED)
        )
        in_kw = np.array([name.endswith("_kw") for name in per_lead])
        decimals = np.where(in_kw, -resolution.exponent, _RATIO_DECIMALS)
        figures = self._grouped(np.stack(list(per_lead.values())), decimals)
        figures[in_kw] = resolution.rounded(figures[in_kw])
        figures[~in_kw] = _rounded(figures[~in_kw])
        return self._on_wire(list(per_lead), figures)

    def _on_wire(self, names: list[str], figures: NDArray[np.float64]) -> list[list[ScoreRow]]:
        """Return the scores of each standing; the figures are (figures, zones, scores)."""
        known = figures.astype(object)
        known[np.isnan(figures)] = None
        return [
            [label | dict(zip(names, row, strict=True)) for label, row in zip(self._labels, rows, strict=True)]
            for rows in known.transpose(1, 2, 0).tolist()
        ]

    def _grouped(self, per_lead: NDArray[np.float64], decimals: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return figures of each lead, (figures, zones, windows, leads), as (figures, zones, scores).

        Scores are by group and then by window, the mean over all leads being the last group. The figures are to be
        rounded to so many ``decimals``.
        """
        groups = np.concatenate((per_lead[..., self._columns], _means(per_lead, decimals)[..., None]), axis=-1)
        return groups.swapaxes(2, 3).reshape(*per_lead.shape[:2], -1)


def _rounded(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what ``round`` does of each; none is -0.0."""
    rounded = np.round(ratios, _RATIO_DECIMALS) + 0.0
    halves = np.abs(np.abs(ratios * 10.0**_RATIO_DECIMALS) % 1.0 - 0.5) < _HALF_ERROR
    rounded[halves] = [round(ratio, _RATIO_DECIMALS) + 0.0 for ratio in ratios[halves].tolist()]
    return rounded


@cache
def _figures_of(layout: Layout) -> _WireFigures:
    return _WireFigures(layout)


def _means(per_lead: NDArray[np.float64], decimals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return means over the last axis, the leads, that round to so many decimals as the exact ones do.

    The first axis is that of the figures.

    Exact sums take eight times as long: they are taken where the last digit may hang on them.
    """
    means: NDArray[np.float64] = per_lead.mean(axis=-1)
    sizes = np.abs(per_lead).mean(axis=-1)
    units = 10.0 ** decimals[:, None, None]
    # how far the mean is from where it is rounded the other way, and how far it may be off
    away = np.abs(np.abs(means * units) % 1.0 - 0.5)
    for place in np.argwhere(away <= _SUM_ERROR * sizes * units):
        figures = per_lead[tuple(place)].tolist()
        means[tuple(place)] = math.fsum(figures) / len(figures)
    return means
