"""What is kept of each model of a comparison: parameters, figures, and a card that says what it is and is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backtest.markdown import bullets, document, table
from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from backtest.compare.leaderboard import Leaderboard
    from backtest.compare.results import ModelResult
    from backtest.compare.tasks import ForecastingTask

__all__ = ["ModelCard", "cards_of"]

_LEAK = (
    "**This is a leak.** It was fitted on the neighbours of the rows that it is scored on. The figures say nothing of "
    "how well it would forecast."
)
_HEAD = ("lead", "RMSE kW", "MAE kW", "MAPE", "R2")


@dataclass(frozen=True, eq=False)
class ModelCard:
    """One model on one task, with its results at all leads that it speaks of."""

    task: ForecastingTask
    results: tuple[ModelResult, ...]

    @property
    def name(self) -> str:
        """The model, and the split where that is not the first."""
        return f"{self.results[0].model}, {self.task.split}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What the model was made with, and what it was asked."""
        task = self.task
        asked = {"zone": task.zone, "split": task.split, "fit_rows": task.fit_rows, "test_rows": task.test_rows}
        return {**self.results[0].parameters, **asked, "columns": " ".join(task.columns)}

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that can be computed, those of a lead as ``rmse_kw/60``, and what it cost."""
        found = {
            name if result.lead_minutes is None else f"{name}/{result.lead_minutes}": value
            for result in self.results
            for name, value in result.figures.items()
            if not math.isnan(value)
        }
        first = self.results[0]
        costs = {"fit_cpu_s": first.fit_cpu_s, "predict_us": first.predict_us}
        return found | {name: value for name, value in costs.items() if value is not None}

    @property
    def tags(self) -> dict[str, str]:
        """What tells this result from others."""
        first = self.results[0]
        return {
            "site": self.task.site,
            "zone": str(self.task.zone),
            "model": first.model,
            "split": self.task.split,
            "data_sha256": first.fingerprint.data_sha256,
            "code_version": first.fingerprint.code_version,
            "trained_on_this_data": str(first.trained_on_this_data).lower(),
        }

    def text(self) -> str:
        """Return the card as Markdown."""
        task, first = self.task, self.results[0]
        asked = f"{task.fit_rows:,} rows to fit on, {task.test_rows:,} to score on"
        window = f"{task.test_from:%Y-%m-%d %H:%M} to {task.test_until:%Y-%m-%d %H:%M} UTC"
        data = f"{'**synthetic**, ' * task.synthetic}{task.data}, sha256 `{task.data_sha256}`"
        parts = (
            f"# {first.model}: zone {task.zone} of {task.site}",
            _LEAK * first.trained_on_this_data,
            f"It predicts `{task.target}`. It knows {first.knows}.",
            f"Split: {task.split}, {asked}, from {window}.",
            table(_HEAD, map(_figures, self.results)),
            f"Data: {data}. Code: {first.fingerprint.code_version}.",
            "Parameters:",
            bullets(f"`{name}`: {value}" for name, value in self.parameters.items()),
        )
        return document(parts)


def cards_of(board: Leaderboard) -> list[ModelCard]:
    """Return the card of each model and task of a leaderboard."""
    tasks = {task.split: task for task in board.tasks}
    alone = [(result,) for result in board.knowing_weather]
    return [ModelCard(tasks[results[0].split], results) for results in (*alone, *map(tuple, board.knowing_load))]


def _figures(result: ModelResult) -> tuple[str, ...]:
    figures = result.figures
    lead = "any" if result.lead_minutes is None else lead_name(result.lead_minutes)
    shares = (f"{100 * figures['mape']:.2f} %", f"{figures['r2']:.3f}")
    return (lead, f"{figures['rmse_kw']:.1f}", f"{figures['mae_kw']:.1f}", *shares)
