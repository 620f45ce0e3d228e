"""All results of a comparison as tables: for people, for machines, and as files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from backtest.compare.results import KNOWS_DAY_OLD_LOAD, KNOWS_LOAD, TARGETS
from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from backtest.compare.results import ModelResult, Warmed
    from backtest.compare.tasks import ForecastingTask
    from backtest.units import LoadUnit

__all__ = ["LEAK", "Leaderboard"]

LEAK = "LEAK"
_OPEN = "-"
_BATCH_SYSTEM = (
    "The batch system had Gradient Boosting in service and reported RMSE 2832 kW, MAE 2177 kW, MAPE 8.7 %, R2 .730: on "
    "the last fifth of its own cleaned file, a copy of this year with readings repeated, left out and multiplied, of "
    "which it kept 52,418 rows. So its rows to fit and to score on are not quite these."
)
_BATCH_SYSTEM_WARMED = "The batch system reported that its RMSE grew by 11.8 % so."
_PUBLISHED = "UCI Tetouan 2017"


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """The results on the tasks of one zone.

    Attributes
    ----------
    tasks
        One for each split, the chronological one first.
    results
        In any order.
    absent
        Which models there are not, and why, one line each.
    warmed
        What warmer weather does to the models of the first task; empty where that was not asked.
    """

    tasks: tuple[ForecastingTask, ...]
    results: tuple[ModelResult, ...]
    unit: LoadUnit
    absent: tuple[str, ...] = ()
    warmed: tuple[Warmed, ...] = ()

    @property
    def remarks(self) -> list[str]:
        """What is to be said beside the tables, one line each."""
        task = self.tasks[0]
        own = task.zone == 2 and task.data == _PUBLISHED  # what the batch system was asked
        lines = [_BATCH_SYSTEM] * own
        if self.warmed:
            first = self.warmed[0]
            told = ", ".join(f"{each.model} {each.growth:+.1%}" for each in self.warmed)
            lines.append(f"{first.warmer_c:g} C more on {first.rows:,} rows of the test, RMSE: {told}.")
            lines += [_BATCH_SYSTEM_WARMED] * own
        return [*self.absent, *lines]

    @property
    def knowing_weather(self) -> list[ModelResult]:
        """Those that are given the weather of the target, by split and rising RMSE."""
        order = [task.split for task in self.tasks]
        chosen = [result for result in self.results if result.knows != KNOWS_LOAD]
        return sorted(chosen, key=lambda result: (order.index(result.split), *_rank(result)))

    @property
    def knowing_load(self) -> list[list[ModelResult]]:
        """Those that are given the load up to the origin, one list a model by rising lead; by RMSE of the longest."""
        by_model: dict[str, list[ModelResult]] = {}
        for result in self.results:
            if result.knows == KNOWS_LOAD:
                by_model.setdefault(result.model, []).append(result)
        return sorted(by_model.values(), key=lambda results: _rank(results[-1]))

    @property
    def judged(self) -> list[ModelResult]:
        """Those that the targets are for: no leak, and of each that knows the load the longest lead."""
        honest = [result for result in self.knowing_weather if not result.trained_on_this_data]
        return [*honest, *(results[-1] for results in self.knowing_load)]

    @property
    def frame(self) -> pd.DataFrame:
        """One row a result, as :meth:`ModelResult.row`."""
        chosen = [*self.knowing_weather, *(result for results in self.knowing_load for result in results)]
        return pd.DataFrame([result.row() for result in chosen])

    def write_csv(self, file: Path) -> None:
        """Write the frame to a file."""
        self.frame.to_csv(file, index=False, float_format="%.6g")

    def to_json(self) -> dict[str, Any]:
        """Return all of it for machines."""
        first = self.tasks[0]
        return {
            "zone": first.zone,
            "test_from": first.test_from.isoformat().replace("+00:00", "Z"),
            "data": first.data,
            "synthetic": first.synthetic,
            "tasks": [task.to_json() for task in self.tasks],
            "results": [
                result.row() | {"targets": dict(zip(_target_names(), result.verdicts, strict=True))}
                for result in (*self.knowing_weather, *(each for results in self.knowing_load for each in results))
            ],
            "warmed": [each.to_json() for each in self.warmed],
            "absent": list(self.absent),
        }

    def shown(self) -> list[Table]:
        """Return the tables for people."""
        tables = [self._weather_table(), self._load_table(), self._target_table()]
        return [table for table in tables if table.row_count]

    def _weather_table(self) -> Table:
        table = _table(
            "They know the weather of the target hour, and no load",
            "model",
            f"RMSE {self.unit.name}",
            f"MAE {self.unit.name}",
            "MAPE",
            "R2",
            "fit s",
            "us a row",
            caption=" ".join(self._notes()),
        )
        split = self.tasks[0].split
        for result in self.knowing_weather:
            if result.split != split:
                table.add_section()
                split = result.split
            name = result.model if split == self.tasks[0].split else f"{result.model}, {split}"
            table.add_row(
                f"{name} {LEAK}" if result.trained_on_this_data else name,
                *self._figures(result),
                _shown(result.fit_cpu_s, ".0f"),
                _shown(result.predict_us, ".1f"),
            )
        return table

    def _load_table(self) -> Table:
        models = self.knowing_load
        leads = [result.lead_minutes or 0 for result in models[0]] if models else []
        table = _table(
            f"They know the load up to the origin, and no weather: RMSE {self.unit.name}",
            "model",
            *map(lead_name, leads),
        )
        for results in models:
            table.add_row(results[0].model, *(self._load(result.figures["rmse_kw"]) for result in results))
        return table

    def _target_table(self) -> Table:
        table = _table("The targets of the batch system", "model", *(target.shown for target in TARGETS))
        for result in self.judged:
            ahead = f", {lead_name(result.lead_minutes)} ahead" if result.lead_minutes else ""
            other = f", {result.split}" if result.split != self.tasks[0].split else ""
            table.add_row(result.model + ahead + other, *("PASS" if met else "FAIL" for met in result.verdicts))
        return table

    def _notes(self) -> Iterator[str]:
        """Yield what the table of those that know the weather does not say by itself."""
        yield "Seconds and microseconds are of CPU; a row is one of many."
        if any(result.knows == KNOWS_DAY_OLD_LOAD for result in self.results):
            yield "The corrected one knows loads that are a day older."
        if any(result.trained_on_this_data for result in self.results):
            yield f"{LEAK}: fitted on the neighbours of the rows that are scored; no forecast can be."

    def _figures(self, result: ModelResult) -> Iterable[str]:
        figures = result.figures
        yield self._load(figures["rmse_kw"])
        yield self._load(figures["mae_kw"])
        yield _shown(figures["mape"], ".1%")
        yield _shown(figures["r2"], ".3f")

    def _load(self, kw: float) -> str:
        return _OPEN if math.isnan(kw) else self.unit.shown(kw)


def _rank(result: ModelResult) -> tuple[bool, float]:
    rmse_kw = result.figures["rmse_kw"]
    return math.isnan(rmse_kw), rmse_kw


def _target_names() -> list[str]:
    return [target.figure for target in TARGETS]


def _shown(number: float | None, form: str) -> str:
    return _OPEN if number is None or math.isnan(number) else format(number, form)


def _table(title: str, first: str, *columns: str, caption: str | None = None) -> Table:
    table = Table(title=title, caption=caption, box=SIMPLE, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", min_width=max(map(len, column.split())))
    return table
