"""The two batch models as the trainer sees them: fit, save, load, and score on what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np
import pandas as pd

from shared.data.year import DataError
from shared.forecasting import reference
from shared.forecasting.boosting import Boosting, known_rows
from shared.forecasting.figures import figures_of, grouped, r2_of
from shared.forecasting.method import METHOD, WEATHER_METHOD, Constants
from shared.forecasting.model import ZoneDemand
from shared.forecasting.resolution import Resolution
from shared.forecasting.size import nears_zero
from shared.forecasting.terms import Term, exactly, pair_terms
from shared.forecasting.weather import COLUMNS, WeatherDemand
from shared.runtime.registered import WEATHER_DEMAND, ZONE_DEMAND
from shared.runtime.registry import Signature
from shared.training.verdicts import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.forecasting.leads import LeadGroup
    from shared.forecasting.method import Method, WeatherMethod
    from shared.forecasting.model import ZoneForecast
    from shared.forecasting.prior import Prior
    from shared.training.data import TrainingData

__all__ = ["CANDIDATES", "Candidate", "TooFewReadingsError", "WeatherCandidate", "ZoneCandidate"]

_COVERAGES = (0.9,)  # of what is scored
_ENOUGH_DAYS = 18  # who has learned nothing from so many has gaps, or another step
_FEWEST_WEATHER_HOURS = 7 * 24  # each weekday once; and the correction goes by what was missed a week before
_SHOWN = ("rmse_kw", "mae_kw", "mape", "bias_kw")


class TooFewReadingsError(DataError):
    """The readings end before a model could have learned; more of them would do."""


class Candidate(Protocol):
    """One fitted state; its ``criterion`` names the score, lower is better, that decides a promotion."""

    kind: ClassVar[str]
    criterion: ClassVar[str]

    @classmethod
    def lacking(cls, history: TrainingData) -> str | None:
        """Return why a site goes without such a model after what has been seen; None where it does not."""

    @classmethod
    def fit(cls, history: TrainingData, progress: Callable[[float], None]) -> Self:
        """Fit on the rows that have been seen; ``progress`` is told the share done, 0..1."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; raises ``ValueError`` where this program cannot use it."""

    def save(self, folder: Path) -> None:
        """Write the whole state into the folder."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What it was fitted with."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    def score(self, history: TrainingData, progress: Callable[[float], None]) -> dict[str, float]:
        """Fold on from where the state stands to the end, each reading answered before the next is seen.

        Returns the figures over the pairs whose origin and target lie after the rows that have been seen, without
        those that cannot be computed.
        """


class ZoneCandidate:
    """``zone-demand``, scored at its lead groups.

    Attributes
    ----------
    reference_hours
        What reports compare the stream with (`shared.forecasting.reference`), up to the last row seen.
    """

    kind: ClassVar[str] = ZONE_DEMAND
    criterion: ClassVar[str] = CRITERIA[ZONE_DEMAND]

    def __init__(self, model: ZoneDemand, reference_hours: pd.DataFrame) -> None:
        self.model = model
        self.reference_hours = reference_hours

    @classmethod
    def lacking(cls, history: TrainingData) -> None:
        """Say nothing: no site goes without."""

    @classmethod
    def fit(
        cls,
        history: TrainingData,
        progress: Callable[[float], None],
        prior: Prior | None = None,
        method: Method = METHOD,
    ) -> Self:
        """Answer every reading as if it had just come; raises ``DataError`` where they are too few.

        Raises ``ValueError`` where the prior does not fit the site.
        """
        site = history.site
        day = site.grid.day
        model = ZoneDemand(
            calendar=site.calendar,
            step_minutes=site.step_minutes,
            horizon_steps=day,
            method=method,
            floor_kw=site.floor_kw(history.zone),
            prior=prior,
        )
        issued = _Issued(history, reference.judged_groups(site.step_minutes))
        row = 0
        while row < history.seen:
            forecasts = model.answer(history.first_step + row, history.demand_kw[row : history.seen], _COVERAGES)
            if model.adapted:
                issued.note(row, forecasts)
            row += len(forecasts)
            if row % day < len(forecasts):
                progress(row / history.seen)
        if not model.adapted:
            raise _too_few(history, day)
        return cls(model.freeze(), issued.beside_the_readings(model.resolution))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``state.npz`` and ``reference.parquet``."""
        return cls(ZoneDemand.load(folder / "state.npz"), pd.read_parquet(folder / reference.FILE))

    def save(self, folder: Path) -> None:
        """Write ``state.npz`` and ``reference.parquet``."""
        self.model.save(folder / "state.npz")
        self.reference_hours.to_parquet(folder / reference.FILE, index=False)

    @property
    def parameters(self) -> Mapping[str, object]:
        """The parameters of the model, each constant of its method by name."""
        return _each(self.model.parameters)

    @property
    def signature(self) -> Signature:
        """The load in, forecast and interval out."""
        return Signature(
            inputs={"step": "long", "demand_kw": "double"},
            outputs={"median_kw": "doubles", "low_kw": "doubles", "high_kw": "doubles"},
        )

    def score(self, history: TrainingData, progress: Callable[[float], None]) -> dict[str, float]:
        """Return RMSE, MAE, MAPE, bias, coverage and pinball loss of each lead group, and their mean over all leads."""
        issued_kw = self._answer(history, progress)
        actual_kw = history.demand_kw[history.seen :]
        resolution = Resolution.of_first_day(actual_kw, history.site.grid.day)
        actual, issued = resolution.multiples(actual_kw), resolution.multiples(issued_kw)
        rows, leads = len(actual), issued.shape[-1]
        sums = np.zeros((Term.INTERVAL + 1, leads), np.int64)
        for lead in range(1, min(leads, rows - 1) + 1):
            pairs = pair_terms(actual[lead:], issued[: rows - lead, :, lead - 1].T)
            sums[:, lead - 1] = pairs.sum(axis=1)
        figures = figures_of(sums, resolution)
        if nears_zero(actual_kw):  # then a share of the load says nothing
            del figures["mape"]
        return {
            f"{name}/{group}": value
            for name, per_lead in figures.items()
            for group, value in grouped(per_lead, history.site.step_minutes).items()
            if value is not None
        }

    def _answer(self, history: TrainingData, progress: Callable[[float], None]) -> NDArray[np.float64]:
        """Return median, low and high end in kW of every row after those seen, shape (rows, 3, leads)."""
        model = self.model
        assert model.last_step is not None  # noqa: S101 - a fitted model has seen a step; this tells the type checker
        rows = len(history.demand_kw) - history.seen
        issued_kw = np.full((rows, 3, model.horizon_steps), np.nan)
        row = model.last_step + 1 - history.first_step
        while row < len(history.demand_kw):
            for forecast in model.answer(history.first_step + row, history.demand_kw[row:], _COVERAGES):
                if row >= history.seen and forecast is not None:
                    issued_kw[row - history.seen] = forecast.median_kw, forecast.low_kw[0], forecast.high_kw[0]
                row += 1
            progress(max(row - history.seen, 0) / rows)
        return issued_kw


class _Issued:
    """What a model that is being fitted had forecast for the last rows of a history, never having seen them."""

    def __init__(self, history: TrainingData, groups: tuple[LeadGroup, ...]) -> None:
        self._history = history
        self._groups = groups
        self._first = max(0, history.seen - reference.FORECAST_DAYS * history.site.grid.day)
        self._kw = np.full((history.seen, len(groups)), np.nan)

    def note(self, first: int, forecasts: Sequence[ZoneForecast | None]) -> None:
        """Keep what was said of the rows to come, from row ``first`` and those after it."""
        for origin, forecast in enumerate(forecasts, first):
            for column, group in enumerate(self._groups):
                if forecast is not None and self._first <= origin + group.steps < len(self._kw):
                    self._kw[origin + group.steps, column] = forecast.median_kw[group.steps - 1]

    def beside_the_readings(self, resolution: Resolution) -> pd.DataFrame:
        """Return the full hours of the rows that have been seen, forecasts rounded as on the wire."""
        history, seen = self._history, slice(self._history.seen)
        hours = pd.DataFrame(
            {
                "time": history.site.grid.times_of(history.steps[seen]),
                **dict(zip(COLUMNS, history.weather[seen].T, strict=True)),
                reference.load_column(history.zone): history.demand_kw[seen],
                **{
                    reference.forecast_column(group): resolution.rounded(kw)
                    for group, kw in zip(self._groups, self._kw.T, strict=True)
                },
            }
        )
        full: pd.DataFrame = hours[hours["time"].dt.minute == 0].reset_index(drop=True)
        return full


class WeatherCandidate:
    """``weather-demand``, scored as it comes from the trees and as corrected with labels a day old."""

    kind: ClassVar[str] = WEATHER_DEMAND
    criterion: ClassVar[str] = CRITERIA[WEATHER_DEMAND]

    def __init__(self, model: WeatherDemand) -> None:
        self.model = model

    @classmethod
    def lacking(cls, history: TrainingData) -> str | None:
        """Return that there is no weather, or that too few hours have weather and load; None where all is well."""
        if not history.site.weather:
            return "no weather at this site"
        fields, whole = known_rows(history.weather[: history.seen], history.demand_kw[: history.seen])
        hours = np.unique(history.steps[: history.seen][whole] // history.site.grid.hour).size
        if hours >= _FEWEST_WEATHER_HOURS:
            return None
        held = ", ".join(fields or history.site.weather)
        found = f"{hours} hours up to {history.as_of:%Y-%m-%d %H:%M} have {held} and load"
        return f"{found}, {_FEWEST_WEATHER_HOURS} are needed"

    @classmethod
    def fit(
        cls, history: TrainingData, progress: Callable[[float], None], method: WeatherMethod = WEATHER_METHOD
    ) -> Self:
        """Grow the trees on the rows that have been seen and have weather and load."""
        seen = slice(history.seen)
        boosting = Boosting(step_minutes=history.site.step_minutes, method=method)
        return cls(boosting.fit(history.steps[seen], history.weather[seen], history.demand_kw[seen], progress=progress))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``state.npz``."""
        return cls(WeatherDemand.load(folder / "state.npz"))

    def save(self, folder: Path) -> None:
        """Write ``state.npz``."""
        self.model.save(folder / "state.npz")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The parameters of the model, each constant of its method by name."""
        return _each(self.model.parameters)

    @property
    def signature(self) -> Signature:
        """The fields of the weather in, what they say of the load out."""
        return Signature(
            inputs={"step": "long", **dict.fromkeys(self.model.fields, "double")}, outputs={"demand_kw": "double"}
        )

    def score(self, history: TrainingData, progress: Callable[[float], None]) -> dict[str, float]:
        """Return RMSE, MAE, MAPE, bias and R2, uncorrected and corrected."""
        model = self.model
        start = model.last_step + 1 - history.first_step
        steps, labels_kw = history.steps[start:], history.demand_kw[start:]
        uncorrected_kw = model.predict(steps, history.weather[start:])
        corrected_kw = np.full(len(steps), np.nan)
        rows = zip(steps.tolist(), uncorrected_kw.tolist(), labels_kw.tolist(), strict=True)
        for row, (step, estimate_kw, label_kw) in enumerate(rows):
            corrected_kw[row] = model.correct(step, estimate_kw)
            model.partial_fit(step, estimate_kw, label_kw)
        progress(1.0)
        scored = slice(history.seen - start, None)
        return {
            **_point_figures("uncorrected", labels_kw[scored], uncorrected_kw[scored]),
            **_point_figures("corrected", labels_kw[scored], corrected_kw[scored]),
        }


def _each(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters with the constants of the method one by one, such as ``method.regression.clip_rms``."""
    method = parameters["method"]
    assert isinstance(method, Constants)  # noqa: S101 - both models have one; this tells the type checker
    others = {name: value for name, value in parameters.items() if name != "method"}
    return others | {f"method.{name}": value for name, value in method.named().items()}


def _point_figures(name: str, actual_kw: NDArray[np.float64], estimate_kw: NDArray[np.float64]) -> dict[str, float]:
    known = np.isfinite(actual_kw) & np.isfinite(estimate_kw)
    resolution = Resolution.of(float(np.abs(actual_kw[known]).max(initial=0.0)))
    actual, estimate = resolution.multiples(actual_kw[known]), resolution.multiples(estimate_kw[known])
    sums = pair_terms(actual, np.stack((estimate, estimate, estimate))).sum(axis=1)
    figures = {shown: float(figures_of(sums, resolution)[shown]) for shown in _SHOWN}
    if nears_zero(actual_kw):
        del figures["mape"]
    figures["r2"] = r2_of(exactly(sums, Term.SQUARED), actual)
    return {f"{figure}/{name}": value for figure, value in figures.items() if np.isfinite(value)}


CANDIDATES: tuple[type[Candidate], ...] = (ZoneCandidate, WeatherCandidate)


def _too_few(history: TrainingData, day: int) -> DataError:
    """Say why the readings do not suffice for the demand model, and what would help."""
    loads = int(np.isfinite(history.demand_kw[: history.seen]).sum())
    if history.seen > _ENOUGH_DAYS * day:
        return DataError(
            f"zone {history.zone} has a load at {loads:,} of the {history.seen:,} steps of "
            f"{history.site.step_minutes} minutes up to {history.as_of:%Y-%m-%d %H:%M}: mend its column or the times, "
            "or give a site of your own step_minutes (TETOUAN_SITES)"
        )
    return TooFewReadingsError(
        f"{history.seen / day:.1f} days of readings up to {history.as_of:%Y-%m-%d %H:%M} are too few for zone-demand, "
        "which needs about fourteen: choose a later time, or give a file of three weeks or more"
    )
