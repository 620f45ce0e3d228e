"""What weather and calendar alone say of a load: trees that were grown once, and what they have grown on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.forecasting import artefact
from shared.forecasting.forest import Forest
from shared.forecasting.state import below, joined, refuse_misfit
from shared.forecasting.versions import WEATHER_DEMAND as VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CALENDAR", "COLUMNS", "KIND", "VERSION", "WeatherTrees", "features_of"]

KIND = "weather-demand"
"""Of the state that holds the trees, and of the name of the model in the registry."""

COLUMNS = ("temperature_c", "humidity_pct", "wind_speed_ms", "general_diffuse_flows_wm2", "diffuse_flows_wm2")
"""The fields of a clean reading that the columns of ``weather`` hold, in this order; NaN where there is none."""

CALENDAR = ("day", "month", "hour", "minute", "weekday", "quarter", "day_of_year")
"""What `features_of` reads from the time, in its order."""

_DAY_MINUTES = 1440
_MOST_MINUTES = 10**9  # to either side of 1970: the calendar holds as many
_LARGEST = 1e9


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
        (len(steps), weather.shape[1] + len(CALENDAR))
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


@dataclass(frozen=True, eq=False)
class WeatherTrees:
    """Trees on weather and calendar, without any load: the part of a weather model that never changes.

    Attributes
    ----------
    forest : Forest
        The trees, which answer.
    step_minutes : int
        Length of a step; a step index is ``epoch_seconds // (60 * step_minutes)``.
    fields : tuple[str, ...]
        Those of ``COLUMNS`` that the trees look at, in the same order.
    seen : NDArray
        The lowest and the highest of each feature that they have grown on, shape (2, fields + 7).
    seen_steps : NDArray
        The first and the last step that they have grown on, whole numbers of shape (2,).
    """

    forest: Forest
    step_minutes: int
    fields: tuple[str, ...]
    seen: NDArray[np.float64]
    seen_steps: NDArray[np.int64]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by name."""
        return {"step_minutes": self.step_minutes, "fields": list(self.fields)}

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, the fields first."""
        return (*self.fields, *CALENDAR)

    def rows(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features of each row of ``COLUMNS``, shape (n, fields + 7)."""
        return features_of(steps, weather[:, [COLUMNS.index(field) for field in self.fields]], self.step_minutes)

    def predict(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the uncorrected estimate of each row in kW, shape (n,), NaN where a field of it is NaN or absurd.

        A row's number does not depend on the other rows, nor on fields that the trees do not look at.

        Parameters
        ----------
        weather
            The columns of ``COLUMNS``, shape (n, 5).
        """
        rows = self.rows(steps, weather)
        known = (np.abs(rows[:, : len(self.fields)]) < _LARGEST).all(axis=1)  # of single precision, which trees read
        demand_kw = np.full(len(steps), np.nan)
        if known.any():
            demand_kw[known] = self.forest.predict(rows[known])
        return demand_kw

    def state(self) -> dict[str, NDArray[Any]]:
        """Return trees and ranges as arrays by name; `parameters` are not among them."""
        return {"seen": self.seen, "seen_steps": self.seen_steps, **joined({"forest": self.forest.state()})}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the trees in the state of a weather model; raises ``ValueError`` that names what does not fit.

        What the model has learned since is not looked at.
        """
        parameters = artefact.parameters_of(state, KIND, VERSION)
        fields = _fields_in(parameters.get("fields"))
        columns = len(fields) + len(CALENDAR)
        seen = state.get("seen", np.empty(0))
        refuse_misfit({"seen": seen}, {"seen": np.empty((2, columns))})
        try:
            forest = Forest.of_state(below(state, "forest"), columns)
        except ValueError as error:
            raise ValueError(f"forest: {error}") from error
        step_minutes = parameters.get("step_minutes")
        if not isinstance(step_minutes, int) or step_minutes < 1 or _DAY_MINUTES % step_minutes:
            raise ValueError(f"header: step_minutes is {step_minutes!r}, which divides no day")
        seen_steps = state.get("seen_steps", np.empty(0))
        refuse_misfit({"seen_steps": seen_steps}, {"seen_steps": np.empty(2, np.int64)})
        first, last = seen_steps.tolist()
        if not -_MOST_MINUTES <= first * step_minutes <= last * step_minutes <= _MOST_MINUTES:
            raise ValueError(f"seen_steps is {first} to {last}: no calendar has these steps, in this order")
        return cls(forest, step_minutes, fields, seen.copy(), seen_steps.astype(np.int64))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read them from the file of a weather model; raises ``ValueError`` that names the file where it is none."""
        return artefact.read(path, KIND, cls.of_state)


def _fields_in(written: object) -> tuple[str, ...]:
    """Return the fields that a header names; raises ``ValueError`` where they are not some of ``COLUMNS`` in order."""
    fields = tuple(field for field in COLUMNS if isinstance(written, list) and field in written)
    if not fields or list(fields) != written:
        raise ValueError(f"header: fields is {written!r}: not some of {', '.join(COLUMNS)}, in this order")
    return fields
