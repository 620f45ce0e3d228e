"""What weather and calendar alone say the load should be: a virtual meter, corrected with labels a day old."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.forecasting import artefact
from shared.forecasting.forest import Forest
from shared.forecasting.method import WEATHER_METHOD, WeatherMethod
from shared.forecasting.state import below, copied, joined, refuse_misfit
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COLUMNS", "VERSION", "Correction", "WeatherDemand", "features_of"]

COLUMNS = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
"""The fields of a clean reading that the columns of ``weather`` hold, in this order; NaN where there is none."""

VERSION = 6
"""Of the state: what an older or newer release wrote is not read."""

_KIND = "weather-demand"
_PARTS = ("header", "last_step", "forest", "correction")
_DAY_MINUTES = 1440
_CALENDAR_FEATURES = 7
_WEEK_DAYS = 7
_LARGEST = 1e9
_PRIOR_VARIANCE = 1e5  # next to nothing is known of the weights beforehand
_LEARNED_A_DAY = 48  # neighbours say the same: all 144 score no better before the last 20 % and take thrice the time
_CHANGES = ("residual_2_days", "residual_7_days", "estimate_1_day", "estimate_7_days")
_TURNS = ((4, "friday"), (5, "saturday"), (6, "sunday"), (0, "monday"))
"""The weekdays, Monday is 0, that differ from the day before them."""


def features_of(steps: NDArray[np.int64], weather: NDArray[np.float64], step_minutes: int) -> NDArray[np.float64]:
    """Return calendar and weather as one matrix.

    Parameters
    ----------
    steps
        Step indices, ``epoch_seconds // (60 * step_minutes)``, shape (n,).
    weather
        Fields of the weather, shape (n, fields).
    step_minutes
        Length of a step.

    Returns
    -------
    Shape (n, fields + 7): the weather as it came, then day of the month, month, hour, minute, weekday (Monday is 0),
    quarter and day of the year, all in UTC.
    """
    days, minute_of_day = np.divmod(steps * step_minutes, _DAY_MINUTES)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    years = months.astype("datetime64[Y]")
    month = months.astype(np.int64) % 12
    first_of_month, first_of_year = (first.astype("datetime64[D]").astype(np.int64) for first in (months, years))
    features = np.empty(
        (len(steps), weather.shape[1] + _CALENDAR_FEATURES)
    )  # filled by column: to stack them takes twice the time
    features[:, :-7] = weather
    features[:, -7] = days - first_of_month + 1
    features[:, -6] = month + 1
    features[:, -5] = minute_of_day // 60
    features[:, -4] = minute_of_day % 60
    features[:, -3] = (days + 3) % 7  # 1970-01-01 was a Thursday
    features[:, -2] = month // 3 + 1
    features[:, -1] = days - first_of_year + 1
    return features


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
    forest
        The trees, which answer.
    last_step
        The last step whose label counts as seen; a step index is ``epoch_seconds // (60 * step_minutes)``.
    step_minutes
        Length of a step.
    fields
        Those of ``COLUMNS`` that the trees look at, in the same order.
    method
        The tunable constants: what the trees were grown with, and how the correction forgets.

    Attributes
    ----------
    correction : Correction
        The residuals of the last days and what has been learned from all.
    """

    def __init__(
        self,
        forest: Forest,
        last_step: int,
        *,
        step_minutes: int = 10,
        fields: tuple[str, ...] = COLUMNS,
        method: WeatherMethod = WEATHER_METHOD,
    ) -> None:
        self.forest = forest
        self.last_step = last_step
        self.step_minutes = step_minutes
        self.fields = fields
        self._columns = [COLUMNS.index(field) for field in fields]
        self.method = method
        self.correction = Correction(step_minutes, method.half_life_days)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by name."""
        return {"step_minutes": self.step_minutes, "fields": list(self.fields), "method": self.method}

    def predict(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the uncorrected estimate of each row in kW, shape (n,), NaN where a field of it is NaN or absurd.

        A row's number does not depend on the other rows, nor on fields that the trees do not look at.

        Parameters
        ----------
        weather
            The columns of ``COLUMNS``, shape (n, 5).
        """
        weather = weather[:, self._columns]
        known = (np.abs(weather) < _LARGEST).all(axis=1)  # the trees read single precision: more would not fit
        demand_kw = np.full(len(steps), np.nan)
        if known.any():
            features = features_of(steps[known], weather[known], self.step_minutes)
            demand_kw[known] = self.forest.predict(features)
        return demand_kw

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
        """Return the part of `state` that never changes: parameters and trees."""
        header = artefact.headed(_KIND, VERSION, {**self.parameters, "method": self.method.named()})
        return {**header, **joined({"forest": self.forest.state()})}

    def moving_state(self) -> dict[str, NDArray[Any]]:
        """Return what changes with every label, all of `state` that `large_state` leaves: as it is, no copies."""
        return {"last_step": np.array(self.last_step), **joined({"correction": self.correction.state()})}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that :meth:`state` was asked of; raises ``ValueError`` that names what does not fit."""
        parameters = artefact.parameters_of(state, _KIND, VERSION)
        if odd := sorted(name for name in state if name.partition(".")[0] not in _PARTS):
            raise ValueError(f"adds {', '.join(odd)}")
        refuse_misfit({"last_step": state.get("last_step", np.empty(0))}, {"last_step": np.array(0)})
        fields = _fields_in(parameters.pop("fields", None))
        try:
            forest = Forest.of_state(below(state, "forest"), len(fields) + _CALENDAR_FEATURES)
        except ValueError as error:
            raise ValueError(f"forest: {error}") from error
        step_minutes = parameters.pop("step_minutes", None)
        if not isinstance(step_minutes, int) or step_minutes < 1 or _DAY_MINUTES % step_minutes:
            raise ValueError(f"header: step_minutes is {step_minutes!r}, which divides no day")
        last_step = int(state["last_step"])
        method = _method_in(parameters.pop("method", {}))
        if parameters:
            raise ValueError(f"header adds {', '.join(sorted(parameters))}")
        model = cls(forest, last_step, step_minutes=step_minutes, fields=fields, method=method)
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
        return artefact.read(path, _KIND, cls.of_state)


def _fields_in(written: object) -> tuple[str, ...]:
    """Return the fields that a header names; raises ``ValueError`` where they are not some of ``COLUMNS`` in order."""
    fields = tuple(field for field in COLUMNS if isinstance(written, list) and field in written)
    if not fields or list(fields) != written:
        raise ValueError(f"header: fields is {written!r}: not some of {', '.join(COLUMNS)}, in this order")
    return fields


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
