"""The batch fit of ``weather-demand``: gradient boosting on weather and calendar, and what is learned of its misses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import TimeSeriesSplit

from shared.forecasting.forest import Forest
from shared.forecasting.method import WEATHER_METHOD, WeatherMethod
from shared.forecasting.resolution import Resolution
from shared.forecasting.weather import COLUMNS, WeatherDemand
from shared.forecasting.weather_trees import WeatherTrees, features_of
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Boosting", "known_rows"]

_SPLITS = 2  # three score no better before the last 20 % and take longer
_KNOWN_SHARE = 0.5  # of the rows that the best known field has: with a rarer one too few rows would be whole


@dataclass(frozen=True, kw_only=True)
class Boosting:
    """How the trees are grown.

    Parameters
    ----------
    step_minutes
        Length of a step; a step index is ``epoch_seconds // (60 * step_minutes)``.
    method
        The tunable constants.
    """

    step_minutes: int = 10
    method: WeatherMethod = WEATHER_METHOD

    def fit(
        self,
        steps: NDArray[np.int64],
        weather: NDArray[np.float64],
        demand_kw: NDArray[np.float64],
        *,
        progress: Callable[[float], None] | None = None,
    ) -> WeatherDemand:
        """Fit on the rows of `known_rows`, and let the correction learn from what forests of the past missed.

        Trees know the rows they grew on too well: residuals on these would teach that there is little to correct. So
        the rows are cut in three, and the estimates of each third but the first come from trees that had only the
        thirds before it (``sklearn.model_selection.TimeSeriesSplit``). The residuals that the next days go by are
        those of the trees that grew on all rows.

        Parameters
        ----------
        steps
            Step indices, ascending, shape (n,).
        weather
            The columns of ``shared.forecasting.weather.COLUMNS``, shape (n, 5), NaN where there is none.
        demand_kw
            Labels, shape (n,).
        progress
            Called with the share of the work done, 0..1, after each tree.

        Raises
        ------
        ValueError
            If too few rows are without NaN: fewer than fifteen, with the defaults.
        """
        fields, whole = known_rows(weather, demand_kw)
        # a tree of the first forest must have a row to grow on
        needed = (_SPLITS + 1) * math.ceil(1 / self.method.subsample)
        if whole.sum() < needed:
            raise ValueError(
                f"weather, demand_kw: {whole.sum()} of {len(steps)} rows are without a missing value, at least "
                f"{needed} are needed; give more history"
            )
        held = weather[whole][:, [COLUMNS.index(field) for field in fields]]
        resolution = Resolution.of_first_day(demand_kw, Grid(self.step_minutes).day)
        rows = features_of(steps[whole], held, self.step_minutes)
        labels_kw = resolution.rounded(demand_kw[whole])  # no split hinges on digits that the zone does not have
        past = list(TimeSeriesSplit(_SPLITS).split(rows))
        grown_on = [*(seen for seen, _ in past), np.arange(len(rows))]
        parts = _parts(progress, [len(seen) for seen in grown_on])
        *forests, forest = [
            self._grow(rows[seen], labels_kw[seen], part) for seen, part in zip(grown_on, parts, strict=True)
        ]
        estimate_kw = np.full(len(steps), np.nan)
        for grown, (_, following) in zip(forests, past, strict=True):
            estimate_kw[np.flatnonzero(whole)[following]] = grown.predict(rows[following])
        seen = np.stack((rows.min(axis=0), rows.max(axis=0)))
        trees = WeatherTrees(forest, self.step_minutes, fields, seen, steps[whole][[0, -1]])
        model = WeatherDemand(trees, int(steps[0]) - 1, method=self.method)
        _learn(model, steps, estimate_kw, demand_kw)
        _remember_last_days(model, steps, weather, demand_kw)
        return model

    def _grow(self, rows: NDArray[np.float64], labels_kw: NDArray[np.float64], tell: Callable[[float], None]) -> Forest:
        method = self.method
        booster = GradientBoostingRegressor(
            n_estimators=method.n_estimators,
            learning_rate=method.learning_rate,
            max_depth=method.max_depth,
            subsample=method.subsample,
            min_samples_split=5,
            min_samples_leaf=3,
            random_state=method.random_state,
        )

        def monitor(tree: int, *_: object) -> bool:
            tell((tree + 1) / method.n_estimators)
            return False

        return Forest.of(booster.fit(rows, labels_kw, monitor=monitor))


def known_rows(
    weather: NDArray[np.float64], demand_kw: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Return the fields of the weather that a fit can use, and the rows that have all of them and a label.

    A field that is known at less than half as many labelled rows as the best known one is left out.

    Parameters
    ----------
    weather
        The columns of ``shared.forecasting.weather.COLUMNS``, shape (n, 5), NaN where there is none.
    demand_kw
        Labels, shape (n,).

    Returns
    -------
    Some of ``COLUMNS`` in their order, and shape (n,), nowhere true without any field.
    """
    known = np.isfinite(weather) & np.isfinite(demand_kw)[:, None]
    counts = known.sum(axis=0)
    used = (counts > 0) & (counts >= _KNOWN_SHARE * counts.max())
    fields = tuple(field for field, use in zip(COLUMNS, used.tolist(), strict=True) if use)
    whole = np.full(len(known), fields != ())
    for column in np.flatnonzero(used).tolist():
        whole &= known[:, column]
    return fields, whole


def _learn(
    model: WeatherDemand,
    steps: NDArray[np.int64],
    estimate_kw: NDArray[np.float64],
    demand_kw: NDArray[np.float64],
) -> None:
    for row in zip(steps.tolist(), estimate_kw.tolist(), demand_kw.tolist(), strict=True):
        model.partial_fit(*row)


def _remember_last_days(
    model: WeatherDemand, steps: NDArray[np.int64], weather: NDArray[np.float64], demand_kw: NDArray[np.float64]
) -> None:
    last = steps > model.last_step - len(model.correction.steps)
    estimate_kw = model.predict(steps[last], weather[last])
    for row in zip(steps[last].tolist(), estimate_kw.tolist(), demand_kw[last].tolist(), strict=True):
        model.correction.remember(*row)


def _parts(progress: Callable[[float], None] | None, sizes: list[int]) -> list[Callable[[float], None]]:
    """Return, for each part of a work, what to tell the share of that part that is done."""
    ends = np.cumsum(sizes).tolist()

    def part(end: int, size: int) -> Callable[[float], None]:
        def tell(share: float) -> None:
            if progress:
                progress((end - size + share * size) / ends[-1])

        return tell

    return [part(end, size) for end, size in zip(ends, sizes, strict=True)]
