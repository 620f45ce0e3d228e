"""What weather and calendar alone say the load should be: a virtual meter, corrected with labels a day old."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self
from zipfile import ZIP_DEFLATED, BadZipFile
from zlib import error as ZlibError  # noqa: N812 - an exception, whatever its name

import numpy as np
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COLUMNS", "TRUSTED", "WeatherDemand", "WeatherFeatures"]

COLUMNS = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
"""The fields of a clean reading that the columns of ``weather`` hold, in this order."""

TRUSTED = ("shared.forecasting.weather.WeatherFeatures", "sklearn.tree._tree.Tree")
"""The types beyond those that skops trusts by itself that a saved pipeline may hold."""

_FORMAT = 1
_DAY_MINUTES = 1440
_LARGEST = 1e9


class WeatherFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is published without types
    """Calendar and weather as one matrix.

    Parameters
    ----------
    step_minutes
        Length of a step; a step index is ``epoch_seconds // (60 * step_minutes)``.
    """

    def __init__(self, step_minutes: int = 10) -> None:
        self.step_minutes = step_minutes

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64] | None = None) -> Self:  # noqa: ARG002 - scikit-learn's
        """Return itself: there is nothing to learn."""
        return self

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 12) features of (n, 6) rows of step index and weather.

        The columns are the weather as it came, then day of the month, month, hour, minute, weekday (Monday is 0),
        quarter and day of the year, all in UTC.
        """
        minutes = x[:, 0].astype(np.int64) * self.step_minutes
        days, minute_of_day = np.divmod(minutes, _DAY_MINUTES)
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        month = months.astype(np.int64) % 12
        day_of_month = (dates - months.astype("datetime64[D]")).astype(np.int64)
        day_of_year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
        weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
        return np.column_stack(
            (
                x[:, 1:],
                day_of_month + 1,
                month + 1,
                minute_of_day // 60,
                minute_of_day % 60,
                weekday,
                month // 3 + 1,
                day_of_year + 1,
            )
        )


class WeatherDemand(BaseEstimator):  # type: ignore[misc]  # scikit-learn is published without types
    """Gradient boosting on weather and calendar, without any recent load, and an online correction of its bias.

    The weather model alone cannot see that the load has moved. The correction adds its residual of 24 hours before:
    a virtual meter has to stand for itself when the real one fails, so it never looks at a label younger than a day.

    Parameters
    ----------
    step_minutes
        Length of a step; a step index is ``epoch_seconds // (60 * step_minutes)``.
    n_estimators, learning_rate, max_depth, subsample, random_state
        Those of ``sklearn.ensemble.GradientBoostingRegressor``. The defaults are those of the batch system that this
        project carries on, but for ``subsample``: growing each tree on a fifth of the rows (J. H. Friedman, Stochastic
        gradient boosting, 2002) scores the same before the last 20 % and fits in a fifth of the time.

    Attributes
    ----------
    pipeline_ : Pipeline
        The fitted features and booster.
    last_step_ : int
        The last step whose label has been seen.
    residual_step_, residual_kw_ : NDArray
        Ring of the residuals (label less uncorrected estimate) of two days, by step modulo its length.
    """

    def __init__(
        self,
        *,
        step_minutes: int = 10,
        n_estimators: int = 600,
        learning_rate: float = 0.1,
        max_depth: int = 5,
        subsample: float = 0.2,
        random_state: int = 42,
    ) -> None:
        self.step_minutes = step_minutes
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.subsample = subsample
        self.random_state = random_state

    def fit(
        self,
        steps: NDArray[np.int64],
        weather: NDArray[np.float64],
        demand_kw: NDArray[np.float64],
        *,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Fit on all rows without NaN, then take the residuals of the last two days as those of the state.

        Parameters
        ----------
        steps
            Step indices, ascending, shape (n,).
        weather
            The columns of ``COLUMNS``, shape (n, 5).
        demand_kw
            Labels, shape (n,).
        progress
            Called with the share of trees grown, 0..1, after each tree.

        Raises
        ------
        ValueError
            If no row is without NaN.
        """
        whole = np.isfinite(weather).all(axis=1) & np.isfinite(demand_kw)
        if not whole.any():
            raise ValueError(
                f"weather, demand_kw: none of {len(steps)} rows is without a missing value; give more history"
            )
        booster = GradientBoostingRegressor(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            subsample=self.subsample,
            min_samples_split=5,
            min_samples_leaf=3,
            random_state=self.random_state,
        )

        def monitor(tree: int, *_: object) -> bool:
            if progress:
                progress((tree + 1) / self.n_estimators)
            return False

        self.pipeline_ = Pipeline([("features", WeatherFeatures(self.step_minutes)), ("booster", booster)])
        rows = np.column_stack((steps, weather))[whole]
        self.pipeline_.fit(rows, demand_kw[whole], booster__monitor=monitor)
        self._remember_last_days(steps, weather, demand_kw)
        return self

    def _remember_last_days(
        self, steps: NDArray[np.int64], weather: NDArray[np.float64], demand_kw: NDArray[np.float64]
    ) -> None:
        size = 2 * self._day_steps
        self.last_step_ = int(steps[-1])
        self.residual_step_ = np.full(size, -1, dtype=np.int64)
        self.residual_kw_ = np.zeros(size)
        last = steps > self.last_step_ - size
        residual_kw = demand_kw[last] - self.predict(steps[last], weather[last])
        known = np.isfinite(residual_kw)
        slots = steps[last][known] % size
        self.residual_step_[slots] = steps[last][known]
        self.residual_kw_[slots] = residual_kw[known]

    @property
    def _day_steps(self) -> int:
        return _DAY_MINUTES // self.step_minutes

    def predict(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the uncorrected estimate of each row in kW, shape (n,), NaN where a weather value is NaN or absurd.

        A row's number does not depend on the other rows.
        """
        known = (np.abs(weather) < _LARGEST).all(axis=1)  # the trees read single precision: more would not fit
        demand_kw = np.full(len(steps), np.nan)
        if known.any():
            demand_kw[known] = self.pipeline_.predict(np.column_stack((steps, weather))[known])
        return demand_kw

    def correct(self, step: int, uncorrected_kw: float) -> float:
        """Return the estimate in kW plus the youngest residual that is at least one day and less than two days old.

        Without one it stays as it is; it is never below zero, and NaN stays NaN.
        """
        ages = np.arange(self._day_steps, 2 * self._day_steps)
        slots = (step - ages) % len(self.residual_step_)
        usable = slots[self.residual_step_[slots] == step - ages]
        bias_kw = self.residual_kw_[usable[0]] if usable.size else 0.0
        return float(np.maximum(uncorrected_kw + bias_kw, 0.0))

    def partial_fit(self, step: int, uncorrected_kw: float, demand_kw: float) -> Self:
        """Learn the label of ``step``; NaN in the estimate or the label means that there is nothing to learn from it.

        Raises
        ------
        ValueError
            If the label of this or a later step has been seen before.
        """
        if step <= self.last_step_:
            raise ValueError(
                f"step {step} is not after {self.last_step_}, the last one seen; feed steps in their order"
            )
        self.last_step_ = step
        residual_kw = demand_kw - uncorrected_kw
        if np.isfinite(residual_kw):
            slot = step % len(self.residual_step_)
            self.residual_step_[slot] = step
            self.residual_kw_[slot] = residual_kw
        return self

    def save(self, folder: Path) -> None:
        """Write ``pipeline.skops`` and ``state.npz`` into an existing folder."""
        skops.io.dump(self.pipeline_, folder / "pipeline.skops", compression=ZIP_DEFLATED)
        np.savez(
            folder / "state.npz",
            format=_FORMAT,
            parameters=json.dumps(self.get_params()),
            last_step=self.last_step_,
            residual_step=self.residual_step_,
            residual_kw=self.residual_kw_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; nothing is unpickled.

        Raises
        ------
        ValueError
            If a file is broken, the format another one, or the pipeline holds a type that is not in ``TRUSTED``.
        """
        try:
            with (folder / "state.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
                state = {name: stored[name] for name in stored.files}
            if state["format"] != _FORMAT:
                raise ValueError(f"{folder}: format {state['format']} is not {_FORMAT}; run `tetouan train`")
            parameters: dict[str, Any] = json.loads(str(state["parameters"]))
            model = cls(**parameters)
            model.last_step_ = int(state["last_step"])
            model.residual_step_, model.residual_kw_ = state["residual_step"], state["residual_kw"]
            model.pipeline_ = _load_pipeline(folder / "pipeline.skops")
        except (BadZipFile, EOFError, KeyError, TypeError, ZlibError) as error:
            raise ValueError(f"{folder} holds no whole weather-demand state ({error}); run `tetouan train`") from error
        return model


def _load_pipeline(path: Path) -> Pipeline:
    if foreign := set(skops.io.get_untrusted_types(file=path)).difference(TRUSTED):
        raise ValueError(f"{path} holds {', '.join(sorted(foreign))}, which we do not trust; run `tetouan train`")
    return skops.io.load(path, trusted=TRUSTED)
