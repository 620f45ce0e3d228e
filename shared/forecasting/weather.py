"""What weather and calendar alone say the load should be: a virtual meter, corrected with labels a day old."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Self
from zipfile import ZIP_DEFLATED, BadZipFile
from zlib import error as ZlibError  # noqa: N812 - an exception, whatever its name

import numpy as np
import skops.io
from river.linear_model import BayesianLinearRegression
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COLUMNS", "TRUSTED", "Correction", "Forest", "WeatherDemand", "WeatherFeatures"]

COLUMNS = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
"""The fields of a clean reading that the columns of ``weather`` hold, in this order."""

TRUSTED = ("shared.forecasting.weather.WeatherFeatures", "sklearn.tree._tree.Tree")
"""The types beyond those that skops trusts by itself that a saved pipeline may hold."""

FORMAT = 3
_DAY_MINUTES = 1440
_WEEK_DAYS = 7
_LARGEST = 1e9
_BLOCK_ROWS = 256  # what is looked up for them stays in the cache of a core
_HALF_LIFE_DAYS = 90.0
_PRIOR_VARIANCE = 1e5  # next to nothing is known of the weights beforehand
_LEARNED_A_DAY = 48  # neighbours say the same: all 144 score no better before the last 20 % and take thrice the time
_SPLITS = 2  # three score no better before the last 20 % and take longer
_CHANGES = ("residual_2_days", "residual_7_days", "estimate_1_day", "estimate_7_days")
_TURNS = ((4, "friday"), (5, "saturday"), (6, "sunday"), (0, "monday"))
"""The weekdays, Monday is 0, that differ from the day before them."""


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
        return _feature_matrix(x[:, 0].astype(np.int64), x[:, 1:], self.step_minutes)


def _feature_matrix(steps: NDArray[np.int64], weather: NDArray[np.float64], step_minutes: int) -> NDArray[np.float64]:
    days, minute_of_day = np.divmod(steps * step_minutes, _DAY_MINUTES)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    years = months.astype("datetime64[Y]")
    month = months.astype(np.int64) % 12
    first_of_month, first_of_year = (first.astype("datetime64[D]").astype(np.int64) for first in (months, years))
    features = np.empty((len(steps), weather.shape[1] + 7))  # filled by column: to stack them takes twice the time
    features[:, :-7] = weather
    features[:, -7] = days - first_of_month + 1
    features[:, -6] = month + 1
    features[:, -5] = minute_of_day // 60
    features[:, -4] = minute_of_day % 60
    features[:, -3] = (days + 3) % 7  # 1970-01-01 was a Thursday
    features[:, -2] = month // 3 + 1
    features[:, -1] = days - first_of_year + 1
    return features


@dataclass(frozen=True, eq=False)
class Forest:
    """Boosted trees as flat arrays, level by level, so that all of them answer in a few steps of NumPy.

    Every tree is filled up to the depth of the deepest, a leaf above it being the only answer below it. Then the
    children of node i of a level are the nodes 2 i and 2 i + 1 of the next, as in a binary heap (J. W. J. Williams,
    Algorithm 232: Heapsort, 1964), and nothing but features and thresholds has to be looked up. scikit-learn's own
    ``predict`` gives the same numbers, but for rounding, at several times the cost for a row that comes alone.

    Attributes
    ----------
    levels : tuple[tuple[NDArray, NDArray], ...]
        Of each level, features and thresholds of the nodes of all trees, both of shape (trees * 2 ** level,): what is
        above the threshold goes right.
    leaves_kw : NDArray
        The answers, learning rate included, shape (trees * 2 ** depth,).
    start_kw : float
        What the answers of the trees are added to.
    """

    levels: tuple[tuple[NDArray[np.intp], NDArray[np.float64]], ...]
    leaves_kw: NDArray[np.float64]
    start_kw: float

    @classmethod
    def of(cls, booster: GradientBoostingRegressor) -> Self:
        """Return the trees of a fitted booster that starts at the mean."""
        trees = [grown.tree_ for grown in booster.estimators_[:, 0]]
        sizes = [tree.node_count for tree in trees]
        first = np.cumsum(sizes) - sizes

        def nodes(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name).reshape(-1) for tree in trees])

        itself, shift = np.arange(sum(sizes)), np.repeat(first, sizes)
        leaf = nodes("children_left") < 0
        left, right = (np.where(leaf, itself, nodes(f"children_{side}") + shift) for side in ("left", "right"))
        feature, threshold = np.where(leaf, 0, nodes("feature")), np.where(leaf, np.inf, nodes("threshold"))
        levels, at = [], first
        for _ in range(max(tree.max_depth for tree in trees)):
            levels.append((feature[at], threshold[at]))
            at = np.column_stack((left[at], right[at])).reshape(-1)
        return cls(tuple(levels), booster.learning_rate * nodes("value")[at], float(booster.init_.constant_.item()))

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the answer to each row of (n, features) without NaN in kW, shape (n,), whatever the other rows are."""
        blocks = (features[at : at + _BLOCK_ROWS] for at in range(0, len(features), _BLOCK_ROWS))
        return np.concatenate([self._predict(block) for block in blocks])

    def _predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        cells = features.astype(np.float32).astype(np.float64).reshape(-1)  # the trees grew on single precision
        row = np.arange(0, cells.size, features.shape[1])[:, None]
        trees = len(self.leaves_kw) >> len(self.levels)
        at = np.broadcast_to(np.arange(trees), (len(features), trees))
        for feature, threshold in self.levels:
            at = 2 * at + (cells.take(row + feature.take(at)) > threshold.take(at))
        estimate_kw: NDArray[np.float64] = self.start_kw + self.leaves_kw.take(at).sum(axis=1)
        return estimate_kw


class Correction:
    """What the uncorrected estimate misses, learned by River from labels that are at least a day old.

    The load to come is as far from the estimate as it was a day before, and then some: the rest is linear in how the
    residuals (label less uncorrected estimate) of two and seven days before differ from that of one day, in how far
    the estimate itself moves from those of one and seven days before, and in weekday and time of day. Only
    differences and the calendar go in, no level: a level learned is wrong as soon as the load moves. The weights are
    those of Bayesian linear regression with forgetting (C. M. Bishop, Pattern recognition and machine learning, 2006,
    3.3; ``river.linear_model.BayesianLinearRegression``).

    Parameters
    ----------
    step_minutes
        Length of a step; a step index is ``epoch_seconds // (60 * step_minutes)``.

    Attributes
    ----------
    steps, estimate_kw, residual_kw : NDArray
        Ring of nine days, by step modulo its length: the step, its uncorrected estimate and its residual, NaN where
        there was none.
    regression : BayesianLinearRegression
        River's model of what the residual of a day before leaves over.
    """

    def __init__(self, step_minutes: int) -> None:
        self._day = _DAY_MINUTES // step_minutes
        size = (_WEEK_DAYS + 2) * self._day  # a label is learned a day later, from the week before and an hour
        self.steps = np.full(size, -1, dtype=np.int64)
        self.estimate_kw = np.full(size, np.nan)
        self.residual_kw = np.full(size, np.nan)
        hour = max(1, self._day // 24)
        self._ages = {
            days: tuple(day * self._day + more for day in range(days, _WEEK_DAYS + 1) for more in range(hour))
            for days in (1, 2, _WEEK_DAYS)
        }
        self._turns = _turns(self._day)
        self._stride = max(1, self._day // _LEARNED_A_DAY)
        self.regression = BayesianLinearRegression(
            alpha=_PRIOR_VARIANCE, smoothing=0.5 ** (self._stride / (_HALF_LIFE_DAYS * self._day))
        )
        names = (*_CHANGES, *(name for turn in self._turns for name in turn))
        self._learn(dict.fromkeys(names, 0.0), 0.0)  # whatever comes first, each weight has its place in the arrays

    def remember(self, step: int, estimate_kw: float, demand_kw: float) -> None:
        """Keep the estimate and the label of a step; either may be NaN."""
        slot = step % len(self.steps)
        self.steps[slot] = step
        self.estimate_kw[slot] = estimate_kw
        self.residual_kw[slot] = demand_kw - estimate_kw

    def learn(self, step: int) -> None:
        """Learn the label of a step in the ring, if it is that of a half hour; a longer step has all of them learned.

        Where it, or all residuals of the week before, is missing, nothing is learned.
        """
        if step % self._stride:
            return
        slot = step % len(self.steps)
        residual_kw = self.residual_kw.item(slot)
        if self.steps.item(slot) != step or not math.isfinite(residual_kw):
            return
        yesterday_kw = self._before(self.residual_kw, step, 1)
        if not math.isnan(yesterday_kw):
            self._learn(self._features(step, self.estimate_kw.item(slot), yesterday_kw), residual_kw - yesterday_kw)

    def _learn(self, features: dict[str, float], rest_kw: float) -> None:
        self.regression.learn_one(features, rest_kw)  # type: ignore[no-untyped-call]  # River annotates in part

    def bias_kw(self, step: int, estimate_kw: float) -> float:
        """Return what to add to the estimate of a step, from labels that are at least a day older than the step.

        It is zero where no residual of the week before is known.
        """
        yesterday_kw = self._before(self.residual_kw, step, 1)
        if math.isnan(yesterday_kw):
            return 0.0
        features = self._features(step, estimate_kw, yesterday_kw)
        rest_kw: float = self.regression.predict_one(features)  # type: ignore[no-untyped-call]  # River annotates in part
        if abs(rest_kw) > abs(yesterday_kw):  # weights fresh from wild labels may say anything
            limit_kw = float(np.nanmax(np.abs(self.residual_kw)))
            rest_kw = min(max(rest_kw, -limit_kw), limit_kw)
        return yesterday_kw + rest_kw

    def _features(self, step: int, estimate_kw: float, yesterday_kw: float) -> dict[str, float]:
        """Return the features that are known and may differ from zero, which is what River takes the others for."""
        changes_kw = (
            self._before(self.residual_kw, step, 2) - yesterday_kw,
            self._before(self.residual_kw, step, _WEEK_DAYS) - yesterday_kw,
            estimate_kw - self._before(self.estimate_kw, step, 1),
            estimate_kw - self._before(self.estimate_kw, step, _WEEK_DAYS),
        )
        known = {name: kw for name, kw in zip(_CHANGES, changes_kw, strict=True) if not math.isnan(kw)}
        return known | self._turns[step % len(self._turns)]

    def _before(self, known_kw: NDArray[np.float64], step: int, days: int) -> float:
        """Return the value of so many days before, or NaN.

        Where it is missing, the youngest of the hour before it stands in, then that of a day earlier, and so on.
        """
        for age in self._ages[days]:
            slot = (step - age) % len(self.steps)
            value_kw = known_kw.item(slot)
            if self.steps.item(slot) == step - age and math.isfinite(value_kw):
                return value_kw
        return math.nan

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that has been remembered and learned as named arrays of numbers, for `restore`."""
        learned = {f"regression.{name}": value for name, value in self._learned.items()}
        return {"steps": self.steps, "estimate_kw": self.estimate_kw, "residual_kw": self.residual_kw, **learned}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned.

        Raises
        ------
        KeyError
            If a part is missing.
        ValueError
            If a part has another shape or holds something else than numbers of its kind.
        """
        for name, own in self.state().items():
            stored = state[name]
            if (stored.shape, stored.dtype) != (own.shape, own.dtype):
                raise ValueError(
                    f"{name} is of shape {stored.shape} and type {stored.dtype}, not {own.shape} {own.dtype}"
                )
        self.steps, self.estimate_kw, self.residual_kw = state["steps"], state["estimate_kw"], state["residual_kw"]
        vars(self.regression).update({name: state[f"regression.{name}"] for name in self._learned})

    @property
    def _learned(self) -> dict[str, NDArray[np.float64]]:
        """The arrays of the regression by their names: all in it that learning changes."""
        self.regression.predict_one({})  # type: ignore[no-untyped-call]  # brings the weights up to date
        return {name: value for name, value in vars(self.regression).items() if isinstance(value, np.ndarray)}


class WeatherDemand(BaseEstimator):  # type: ignore[misc]  # scikit-learn is published without types
    """Gradient boosting on weather and calendar, without any recent load, and a `Correction` of it that learns online.

    The weather model alone cannot see that the load has moved. A virtual meter has to stand for itself when the real
    one fails, so the correction never looks at a label younger than a day: that of step s counts for the estimates
    of steps from s + one day on. For the same reason it serves the rung ``weather``. At an origin whose label has been
    given to `partial_fit`, the load of any step up to a day later is answered by the weather of 24 hours before it:
    ``correct(target, uncorrected_kw)`` with ``uncorrected_kw`` from ``predict(target_steps, weather_a_day_before)``.
    Nothing in that is unknown at the origin, and nothing in the state changes.

    Parameters
    ----------
    step_minutes
        Length of a step; a step index is ``epoch_seconds // (60 * step_minutes)``.
    n_estimators, learning_rate, max_depth, subsample, random_state
        Those of ``sklearn.ensemble.GradientBoostingRegressor`` (J. H. Friedman, Greedy function approximation: a
        gradient boosting machine, Annals of Statistics, 2001). The defaults are those of the batch system that this
        project carries on, but for two that score the same, once corrected, before the last 20 % and grow on a
        thirtieth of the rows: a hundred trees for six hundred, each on a fifth of the rows (J. H. Friedman,
        Stochastic gradient boosting, 2002).

    Attributes
    ----------
    pipeline_ : Pipeline
        The fitted features and booster.
    forest_ : Forest
        The trees of the booster, which answer.
    last_step_ : int
        The last step whose label has been seen.
    correction_ : Correction
        The residuals of the last days and what has been learned from all.
    """

    def __init__(
        self,
        *,
        step_minutes: int = 10,
        n_estimators: int = 100,
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
        """Fit on all rows without NaN, and let the correction learn from what forests of the past missed.

        Trees know the rows they grew on too well: residuals on these would teach that there is little to correct. So
        the rows are cut in three, and the estimates of each third but the first come from trees that had only the
        thirds before it (``sklearn.model_selection.TimeSeriesSplit``). The residuals that the next days go by are
        those of the trees that grew on all rows.

        Parameters
        ----------
        steps
            Step indices, ascending, shape (n,).
        weather
            The columns of ``COLUMNS``, shape (n, 5).
        demand_kw
            Labels, shape (n,).
        progress
            Called with the share of the work done, 0..1, after each tree.

        Raises
        ------
        ValueError
            If too few rows are without NaN: fewer than fifteen, with the defaults.
        """
        whole = np.isfinite(weather).all(axis=1) & np.isfinite(demand_kw)
        needed = (_SPLITS + 1) * math.ceil(1 / self.subsample)  # a tree of the first forest must have a row to grow on
        if whole.sum() < needed:
            raise ValueError(
                f"weather, demand_kw: {whole.sum()} of {len(steps)} rows are without a missing value, at least "
                f"{needed} are needed; give more history"
            )
        rows, labels_kw = np.column_stack((steps, weather))[whole], demand_kw[whole]
        past = list(TimeSeriesSplit(_SPLITS).split(rows))
        grown_on = [*(seen for seen, _ in past), np.arange(len(rows))]
        parts = _parts(progress, [len(seen) for seen in grown_on])
        *forests, self.pipeline_ = [
            self._grow(rows[seen], labels_kw[seen], part) for seen, part in zip(grown_on, parts, strict=True)
        ]
        self.forest_ = Forest.of(self.pipeline_["booster"])
        estimate_kw = np.full(len(steps), np.nan)
        for forest, (_, following) in zip(forests, past, strict=True):
            estimate_kw[np.flatnonzero(whole)[following]] = forest.predict(rows[following])
        self._learn_anew(steps, estimate_kw, demand_kw)
        self._remember_last_days(steps, weather, demand_kw)
        return self

    def _grow(
        self, rows: NDArray[np.float64], labels_kw: NDArray[np.float64], tell: Callable[[float], None]
    ) -> Pipeline:
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
            tell((tree + 1) / self.n_estimators)
            return False

        pipeline = Pipeline([("features", WeatherFeatures(self.step_minutes)), ("booster", booster)])
        return pipeline.fit(rows, labels_kw, booster__monitor=monitor)

    def _learn_anew(
        self, steps: NDArray[np.int64], estimate_kw: NDArray[np.float64], demand_kw: NDArray[np.float64]
    ) -> None:
        self.last_step_ = int(steps[0]) - 1
        self.correction_ = Correction(self.step_minutes)
        for row in zip(steps.tolist(), estimate_kw.tolist(), demand_kw.tolist(), strict=True):
            self.partial_fit(*row)

    def _remember_last_days(
        self, steps: NDArray[np.int64], weather: NDArray[np.float64], demand_kw: NDArray[np.float64]
    ) -> None:
        last = steps > self.last_step_ - len(self.correction_.steps)
        estimate_kw = self.predict(steps[last], weather[last])
        for row in zip(steps[last].tolist(), estimate_kw.tolist(), demand_kw[last].tolist(), strict=True):
            self.correction_.remember(*row)

    def predict(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the uncorrected estimate of each row in kW, shape (n,), NaN where a weather value is NaN or absurd.

        A row's number does not depend on the other rows.
        """
        known = (np.abs(weather) < _LARGEST).all(axis=1)  # the trees read single precision: more would not fit
        demand_kw = np.full(len(steps), np.nan)
        if known.any():
            features = _feature_matrix(steps[known], weather[known], self.step_minutes)
            demand_kw[known] = self.forest_.predict(features)
        return demand_kw

    def correct(self, step: int, uncorrected_kw: float) -> float:
        """Return the estimate of a step in kW, corrected with labels that are at least a day older than the step.

        Without any of the week before it stays as it is; it is never below zero, and NaN stays NaN.
        """
        if math.isnan(uncorrected_kw):
            return math.nan
        return max(0.0, uncorrected_kw + self.correction_.bias_kw(step, uncorrected_kw))

    def partial_fit(self, step: int, uncorrected_kw: float, demand_kw: float) -> Self:
        """Take the label of ``step``, to be learned a day later; NaN in the estimate or the label teaches nothing.

        Raises
        ------
        ValueError
            If the label of this or a later step has been seen before.
        """
        if step <= self.last_step_:
            raise ValueError(
                f"step {step} is not after {self.last_step_}, the last one seen; feed steps in their order"
            )
        day = _DAY_MINUTES // self.step_minutes
        for due in range(self.last_step_ + 1 - day, min(self.last_step_, step - day) + 1):
            self.correction_.learn(due)
        self.correction_.remember(step, uncorrected_kw, demand_kw)
        self.last_step_ = step
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what has been learned since the fit, and the last days, as arrays by name; a copy."""
        learned = {name: value.copy() for name, value in self.correction_.state().items()}
        return {"last_step": np.array(self.last_step_), **learned}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned; raises ``ValueError``, and stays as it was, where it does not fit."""
        correction = Correction(self.step_minutes)
        if odd := sorted(state.keys() ^ {"last_step", *correction.state()}):
            raise ValueError(f"the state of the weather model lacks or adds {', '.join(odd)}")
        correction.restore({name: value.copy() for name, value in state.items()})
        self.correction_, self.last_step_ = correction, int(state["last_step"].item())

    def save(self, folder: Path) -> None:
        """Write ``pipeline.skops`` and ``state.npz`` into an existing folder."""
        skops.io.dump(self.pipeline_, folder / "pipeline.skops", compression=ZIP_DEFLATED)
        arrays = {
            "format": np.array(FORMAT),
            "parameters": np.array(json.dumps(self.get_params())),
            "last_step": np.array(self.last_step_),
        }
        np.savez(folder / "state.npz", allow_pickle=False, **arrays, **self.correction_.state())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; nothing is unpickled.

        Raises
        ------
        ValueError
            If a file is broken or holds what :meth:`save` does not write: another format, an array of another shape, a
            type that is not in ``TRUSTED``.
        """
        with _readable(folder / "state.npz") as path:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                state = {name: stored[name] for name in stored.files}
            if state["format"] != FORMAT:
                raise ValueError(f"format {state['format']} is not {FORMAT}")
            parameters: dict[str, Any] = json.loads(str(state["parameters"]))
            model = cls(**parameters)
            model.last_step_ = int(state["last_step"])
            model.correction_ = Correction(model.step_minutes)
            model.correction_.restore(state)
        with _readable(folder / "pipeline.skops") as path:
            if foreign := set(skops.io.get_untrusted_types(file=path)).difference(TRUSTED):
                raise ValueError(f"{', '.join(sorted(foreign))} is nothing that we trust")
            model.pipeline_ = skops.io.load(path, trusted=TRUSTED)
            model.forest_ = Forest.of(model.pipeline_["booster"])
        return model


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """Name the file, and what to do, where its content is not what it should be."""
    try:
        yield path
    except (AttributeError, BadZipFile, EOFError, KeyError, TypeError, ValueError, ZlibError) as error:
        raise ValueError(f"{path} holds no whole weather-demand state ({error}); run `tetouan train`") from error


def _turns(day: int) -> tuple[dict[str, float], ...]:
    """Return, for each step of a week that begins as 1970 did, the features of weekday and time of day."""
    week = []
    for weekday, step_of_day in product((3, 4, 5, 6, 0, 1, 2), range(day)):  # 1970-01-01 was a Thursday
        angle = 2 * math.pi * step_of_day / day
        values = {"": 1.0, "_sin": math.sin(angle), "_cos": math.cos(angle)}
        week.append({name + wave: value for turn, name in _TURNS if turn == weekday for wave, value in values.items()})
    return tuple(week)


def _parts(progress: Callable[[float], None] | None, sizes: list[int]) -> list[Callable[[float], None]]:
    """Return, for each part of a work, what to tell the share of that part that is done."""
    ends = np.cumsum(sizes).tolist()

    def part(end: int, size: int) -> Callable[[float], None]:
        def tell(share: float) -> None:
            if progress:
                progress((end - size + share * size) / ends[-1])

        return tell

    return [part(end, size) for end, size in zip(ends, sizes, strict=True)]
