"""What weather and calendar alone say the load should be: a virtual meter, corrected with labels a day old."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.forecasting import artefact
from shared.forecasting.method import WEATHER_METHOD, WeatherMethod
from shared.forecasting.state import below, copied, joined, refuse_misfit
from shared.forecasting.weather_trees import COLUMNS, KIND, VERSION, WeatherTrees
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COLUMNS", "VERSION", "Correction", "WeatherDemand"]

_PARTS = ("header", "last_step", "forest", "seen", "seen_steps", "correction")
_WEEK_DAYS = 7
_PRIOR_VARIANCE = 1e5  # next to nothing is known of the weights beforehand
_LEARNED_A_DAY = 48  # neighbours say the same: all 144 score no better before the last 20 % and take thrice the time
_CHANGES = ("residual_2_days", "residual_7_days", "estimate_1_day", "estimate_7_days")
_TURNS = ((4, "friday"), (5, "saturday"), (6, "sunday"), (0, "monday"))
"""The weekdays, Monday is 0, that differ from the day before them."""


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
    half_life_days
        A label that is so old weighs half.

    Attributes
    ----------
    steps, estimate_kw, residual_kw : NDArray
        Ring of nine days, by step modulo its length: the step, its uncorrected estimate and its residual, NaN where
        there was none.
    regression : BayesianLinearRegression
        River's model of what the residual of a day before leaves over.
    """

    def __init__(self, step_minutes: int, half_life_days: float) -> None:
        from river.linear_model import BayesianLinearRegression  # noqa: PLC0415 - two seconds, which few need

        self._day = Grid(step_minutes).day
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
            alpha=_PRIOR_VARIANCE, smoothing=0.5 ** (self._stride / (half_life_days * self._day))
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
        """Return all that has been remembered and learned as arrays by name: as they are, no copies."""
        remembered = {"steps": self.steps, "estimate_kw": self.estimate_kw, "residual_kw": self.residual_kw}
        return {**remembered, **{f"regression.{name}": value for name, value in self._learned.items()}}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned; raises ``ValueError`` that names the array that does not fit."""
        own = self.state()
        refuse_misfit(state, own)
        taken = {name: state[name].astype(array.dtype) for name, array in own.items()}
        self.steps, self.estimate_kw, self.residual_kw = taken["steps"], taken["estimate_kw"], taken["residual_kw"]
        vars(self.regression).update({name: taken[f"regression.{name}"] for name in self._learned})

    @property
    def _learned(self) -> dict[str, NDArray[np.float64]]:
        """The arrays of the regression by their names: all in it that learning changes."""
        self.regression.predict_one({})  # type: ignore[no-untyped-call]  # brings the weights up to date
        return {name: value for name, value in vars(self.regression).items() if isinstance(value, np.ndarray)}


class WeatherDemand:
    """Boosted trees on weather and calendar, without any recent load, and a `Correction` of them that learns online.

    `shared.forecasting.boosting` grows the trees. They alone cannot see that the load has moved. A virtual meter has to
    stand for itself when the real one fails, so the correction never looks at a label younger than a day: that of step
    s counts for the estimates of steps from s + one day on. For the same reason it serves the level ``weather``. At an
    origin whose label has been given to `partial_fit`, the load of any step up to a day later is answered by the
    weather of 24 hours before it: ``correct(target, uncorrected_kw)`` with ``uncorrected_kw`` from
    ``predict(target_steps, weather_a_day_before)``. Nothing in that is unknown at the origin, and nothing in the state
    changes.

    Parameters
    ----------
    trees
        They answer.
    last_step
        The last step whose label counts as seen; a step index is ``epoch_seconds // (60 * step_minutes)``.
    method
        The tunable constants: what the trees were grown with, and how the correction forgets.

    Attributes
    ----------
    correction : Correction
        The residuals of the last days and what has been learned from all.
    """

    def __init__(
        self,
        trees: WeatherTrees,
        last_step: int,
        *,
        method: WeatherMethod = WEATHER_METHOD,
    ) -> None:
        self.trees = trees
        self.last_step = last_step
        self.method = method
        self.correction = Correction(trees.step_minutes, method.half_life_days)

    @property
    def step_minutes(self) -> int:
        """Length of a step."""
        return self.trees.step_minutes

    @property
    def fields(self) -> tuple[str, ...]:
        """Those of ``COLUMNS`` that the trees look at, in the same order."""
        return self.trees.fields

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by name."""
        return {**self.trees.parameters, "method": self.method}

    def predict(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the uncorrected estimate of each row in kW, as :meth:`WeatherTrees.predict` does."""
        return self.trees.predict(steps, weather)

    def correct(self, step: int, uncorrected_kw: float) -> float:
        """Return the estimate of a step in kW, corrected with labels that are at least a day older than the step.

        Without any of the week before it stays as it is, and NaN stays NaN.
        """
        if math.isnan(uncorrected_kw):
            return math.nan
        return uncorrected_kw + self.correction.bias_kw(step, uncorrected_kw)

    def partial_fit(self, step: int, uncorrected_kw: float, demand_kw: float) -> Self:
        """Take the label of ``step``, to be learned a day later; NaN in the estimate or the label teaches nothing.

        Raises
        ------
        ValueError
            If the label of this or a later step has been seen before.
        """
        if step <= self.last_step:
            raise ValueError(f"step {step} is not after {self.last_step}, the last one seen; feed steps in their order")
        day = Grid(self.step_minutes).day
        for due in range(self.last_step + 1 - day, min(self.last_step, step - day) + 1):
            self.correction.learn(due)
        self.correction.remember(step, uncorrected_kw, demand_kw)
        self.last_step = step
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that it is as arrays by name, a copy: parameters, trees, and what it has learned."""
        return copied({**self.large_state(), **self.moving_state()})

    def large_state(self) -> dict[str, NDArray[Any]]:
        """Return the part of `state` that never changes: parameters, trees, and what these have grown on."""
        header = artefact.headed(KIND, VERSION, {**self.parameters, "method": self.method.named()})
        return {**header, **self.trees.state()}

    def moving_state(self) -> dict[str, NDArray[Any]]:
        """Return what changes with every label, all of `state` that `large_state` leaves: as it is, no copies."""
        return {"last_step": np.array(self.last_step), **joined({"correction": self.correction.state()})}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that :meth:`state` was asked of; raises ``ValueError`` that names what does not fit."""
        parameters = artefact.parameters_of(state, KIND, VERSION)
        if odd := sorted(name for name in state if name.partition(".")[0] not in _PARTS):
            raise ValueError(f"adds {', '.join(odd)}")
        refuse_misfit({"last_step": state.get("last_step", np.empty(0))}, {"last_step": np.array(0)})
        trees = WeatherTrees.of_state(state)
        last_step = int(state["last_step"])
        method = _method_in(parameters.pop("method", {}))
        if odd := sorted(parameters.keys() - trees.parameters.keys()):
            raise ValueError(f"header adds {', '.join(odd)}")
        model = cls(trees, last_step, method=method)
        try:
            model.correction.resume(below(state, "correction"))
        except ValueError as error:
            raise ValueError(f"correction: {error}") from error
        return model

    @classmethod
    def of_parts(cls, large: Mapping[str, NDArray[Any]], moving: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model whose `large_state` and `moving_state` these are.

        Raises ``ValueError`` that names what does not fit.
        """
        return cls.of_state({**large, **moving})

    def save(self, path: Path) -> None:
        """Write the state to one file (``.npz``)."""
        artefact.write(path, self.state())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote; raises ``ValueError`` that names the file where it is anything else."""
        return artefact.read(path, KIND, cls.of_state)


def _method_in(written: Any) -> WeatherMethod:
    """Return the constants that a header names; raises ``ValueError`` that names what does not fit."""
    try:
        return WeatherMethod.of_named(dict(written))
    except (TypeError, ValueError) as error:
        raise ValueError(f"header: method: {error}") from error


def _turns(day: int) -> tuple[dict[str, float], ...]:
    """Return, for each step of a week that begins as 1970 did, the features of weekday and time of day."""
    week = []
    for weekday, step_of_day in product((3, 4, 5, 6, 0, 1, 2), range(day)):  # 1970-01-01 was a Thursday
        angle = 2 * math.pi * step_of_day / day
        values = {"": 1.0, "_sin": math.sin(angle), "_cos": math.cos(angle)}
        week.append({name + wave: value for turn, name in _TURNS if turn == weekday for wave, value in values.items()})
    return tuple(week)
