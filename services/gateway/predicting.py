"""What a weather model says of weather that somebody gives: its estimate, corrected, and how far off that may be.

The trees of the model know weather and calendar alone. What they miss at a time of day is taken from the newest
forecast of that time of day, which holds what the model says of its origin, uncorrected and corrected; how far off the
corrected estimate is, from the loads that came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.forecasting.resolution import Resolution
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.forecasting.weather_trees import WeatherTrees

__all__ = ["COVERAGE", "INPUTS", "AssumedWeather", "Errors", "Prediction", "errors_of", "predict"]

INPUTS = {
    "temperature_c": "Temperature",
    "humidity_pct": "Humidity",
    "wind_speed_ms": "WindSpeed",
    "general_diffuse_flows_wm2": "GeneralDiffuseFlows",
    "diffuse_flows_wm2": "DiffuseFlows",
}
"""The fields of a clean reading by the names under which a request gives them, in the order of ``COLUMNS``."""

COVERAGE = 0.9
"""Of the bounds: the share of loads that is meant to lie within."""

FINEST = Resolution()  # 0.1 kW: what is told is never coarser
TIMES = {"day_of_year": "day {:.0f} of the year", "weekday": "weekday {:.0f}", "hour": "hour {:.0f}"}
"""The features of the calendar that are looked at; the others follow from them."""


@dataclass(frozen=True)
class AssumedWeather:
    """What is asked: an aware time, and the weather then, one number for each of ``INPUTS``."""

    time: datetime
    weather: tuple[float, ...]


@dataclass(frozen=True)
class Errors:
    """How far loads lie from the corrected estimate: what to add to it for the bounds."""

    low_kw: float
    high_kw: float


@dataclass(frozen=True)
class Prediction:
    """An answer, in kW; without bounds where it is not known how far off the estimate is."""

    estimate_kw: float
    uncorrected_kw: float
    correction_kw: float
    low_kw: float | None
    high_kw: float | None
    warnings: tuple[str, ...]


def errors_of(estimate_kw: NDArray[np.float64], load_kw: NDArray[np.float64], fewest: int) -> Errors | None:
    """Return the bounds of the central ``COVERAGE`` of what the loads were off; None where there are too few.

    Parameters
    ----------
    estimate_kw, load_kw
        The corrected estimate and the load of the same times, NaN where there is none, shape (n,).
    fewest
        Pairs that are needed.
    """
    off_kw = load_kw - estimate_kw
    off_kw = off_kw[np.isfinite(off_kw)]
    if len(off_kw) < fewest:
        return None
    low_kw, high_kw = np.quantile(off_kw, ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)).tolist()
    return Errors(low_kw, high_kw)


def predict(
    trees: WeatherTrees,
    asked: Sequence[AssumedWeather],
    corrections_kw: Mapping[int, float],
    errors: Errors | None,
    floor_kw: float | None,
) -> list[Prediction]:
    """Answer each request.

    Parameters
    ----------
    trees
        Of the model.
    corrections_kw
        What to add to the estimate, by the step of the day.
    errors
        None: no bounds can be told.
    floor_kw
        What no load can be below, if anything.
    """
    grid = Grid(trees.step_minutes)
    steps = np.array([grid.step_of(one.time) for one in asked], np.int64)
    weather = np.array([one.weather for one in asked], np.float64)
    estimates_kw = trees.predict(steps, weather).tolist()
    rows = trees.rows(steps, weather).tolist()
    answers = []
    for one, step, uncorrected_kw, row in zip(asked, steps.tolist(), estimates_kw, rows, strict=True):
        correction_kw = corrections_kw.get(step % grid.day)
        warnings = [*_beyond(trees, one, row), *_other_year(trees, grid, one)]
        if grid.time_of(step) != one.time:
            warnings.append(f"Timestamp: it lies in a step of {trees.step_minutes} minutes, and is read as its begin")
        if correction_kw is None:
            warnings.append("no forecast of this time of day in the last 28 days: the estimate is not corrected")
        if errors is None:
            warnings.append("too few loads of the last 28 days to tell how far off the estimate is: no bounds")
        answers.append(_prediction(uncorrected_kw, correction_kw or 0.0, errors, floor_kw, tuple(warnings)))
    return answers


def _prediction(
    uncorrected_kw: float,
    correction_kw: float,
    errors: Errors | None,
    floor_kw: float | None,
    warnings: tuple[str, ...],
) -> Prediction:
    resolution = Resolution(min(Resolution.of(abs(uncorrected_kw)).exponent, FINEST.exponent))

    def told(kw: float) -> float:
        return float(resolution.rounded(kw if floor_kw is None else max(kw, floor_kw)))

    estimate_kw = uncorrected_kw + correction_kw
    return Prediction(
        estimate_kw=told(estimate_kw),
        uncorrected_kw=float(resolution.rounded(uncorrected_kw)),
        correction_kw=float(resolution.rounded(correction_kw)),
        low_kw=None if errors is None else told(estimate_kw + errors.low_kw),
        high_kw=None if errors is None else told(estimate_kw + errors.high_kw),
        warnings=warnings,
    )


def _beyond(trees: WeatherTrees, asked: AssumedWeather, row: Sequence[float]) -> Iterator[str]:
    """Yield which inputs the model has seen nothing like."""
    for name, value, (low, high) in zip(trees.features, row, trees.seen.T.tolist(), strict=True):
        if low <= value <= high:
            continue
        if name in INPUTS:
            yield f"{INPUTS[name]} {value:g} is beyond what {_seen(low, high)}"
        elif name in TIMES:
            time = f"Timestamp {asked.time:%Y-%m-%d %H:%M} ({TIMES[name].format(value)})"
            yield f"{time} is beyond what {_seen(low, high)}"


def _other_year(trees: WeatherTrees, grid: Grid, asked: AssumedWeather) -> Iterator[str]:
    """Yield what to say of a time in a year of which the model has seen no day."""
    first, last = (grid.time_of(step) for step in trees.seen_steps.tolist())
    if not first.year <= asked.time.year <= last.year:
        yield (
            f"Timestamp {asked.time:%Y-%m-%d} is in a year that the model has not seen, only {first:%Y-%m-%d} to "
            f"{last:%Y-%m-%d}: it answers as for the same time of those"
        )


def _seen(low: float, high: float) -> str:
    return f"the model has seen, {low:g} to {high:g}: it answers as at the nearest"
