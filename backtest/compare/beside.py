"""What stands beside the algorithms: the naive rules, and the stream as a backtest has scored it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backtest.compare.results import KNOWS_DAY_OLD_LOAD, KNOWS_LOAD, KNOWS_WEATHER, ModelResult
from backtest.compare.splits import CHRONOLOGICAL
from backtest.naive import RULES, NaiveForecasts
from backtest.tables import estimate_figures
from shared.forecasting.leads import lead_groups
from shared.forecasting.method import METHOD, WEATHER_METHOD
from shared.forecasting.resolution import Resolution
from shared.forecasting.same_time import same_time
from shared.runtime.clock import process_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from backtest.compare.results import Fingerprint
    from backtest.result import Backtest
    from shared.training.data import TrainingData

__all__ = ["NAIVE", "STREAM", "WEATHER_MODEL", "StepCosts", "naive_results", "stream_results"]

NAIVE, STREAM, WEATHER_MODEL = "naive", "stream", "weather model"
_FIGURES = ("rmse_kw", "mae_kw", "mape", "r2")


@dataclass
class StepCosts:
    """Reports the progress of some work, and records the CPU time of each step.

    Attributes
    ----------
    cpu_s
        CPU seconds from the first word of a step to the first word of the next, by what was said of it.
    """

    tell: Callable[[str, float], None]
    cpu_s: dict[str, float] = field(default_factory=dict)
    _step: str = ""
    _since_s: float = 0.0

    def __call__(self, what: str, share: float) -> None:
        """Take note of a word of progress."""
        now_s = process_cpu_s()
        if self._step:
            self.cpu_s[self._step] = self.cpu_s.get(self._step, 0.0) + now_s - self._since_s
        self._step, self._since_s = what, now_s
        self.tell(what, share)

    def of(self, model: str) -> float | None:
        """Return what fitting the model has cost; None where it was not fitted."""
        return next((cpu_s for step, cpu_s in self.cpu_s.items() if step.endswith(f"fitting {model}")), None)


def naive_results(history: TrainingData, fingerprint: Fingerprint) -> list[ModelResult]:
    """Return each rule at each lead group, over the pairs whose origin and target both lie in the test."""
    site, load_kw, seen = history.site, history.demand_kw, history.seen
    day = site.grid.day
    rules = NaiveForecasts(load_kw, day, same_time(site.calendar, site.grid, history.first_step, load_kw.size + day))
    resolution = Resolution.of_first_day(load_kw[seen:], day)
    results = []
    for group in lead_groups(site.step_minutes):
        actual_kw = load_kw[seen + group.steps :]
        said_kw = rules.at(group.steps)[:, seen : seen + actual_kw.size]
        for rule, rule_kw in zip(RULES, said_kw, strict=True):
            figures = estimate_figures(actual_kw, rule_kw, resolution)
            results.append(
                ModelResult(rule, CHRONOLOGICAL.name, KNOWS_LOAD, figures, fingerprint, group.scored_minutes)
            )
    return results


def stream_results(result: Backtest, costs: StepCosts, fingerprint: Fingerprint) -> list[ModelResult]:
    """Return the stream at each lead group, and what its weather model says of now, with and without correction."""
    ours = [
        ModelResult(
            STREAM,
            CHRONOLOGICAL.name,
            KNOWS_LOAD,
            {name: math.nan if (figure := figures[name]) is None else figure for name in _FIGURES},
            fingerprint,
            lead_minutes=int(minutes),
            parameters=METHOD.named(),
            fit_cpu_s=costs.of("zone-demand"),
            predict_us=1e6 * result.seconds_per_forecast,
        )
        for figures in result.table.leads(_FIGURES).values()
        if (minutes := figures["scored_minutes"]) is not None
    ]
    if result.no_weather:
        return ours
    weather = {
        WEATHER_MODEL: (KNOWS_WEATHER, result.weather_alone),
        f"{WEATHER_MODEL}, corrected": (KNOWS_DAY_OLD_LOAD, result.table.weather_estimate),
    }
    return ours + [
        ModelResult(
            name,
            CHRONOLOGICAL.name,
            knows,
            figures,
            fingerprint,
            parameters=WEATHER_METHOD.named(),
            fit_cpu_s=costs.of("weather-demand"),
        )
        for name, (knows, figures) in weather.items()
    ]
