"""The pictures that are kept with a run: files of their own, which MLflow's page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from backtest.compare.results import ModelResult
    from backtest.compare.scoring import Scored
    from shared.sites.grid import Grid

__all__ = ["plot_leads", "plot_predictions"]

_SHOWN_DAYS = 7
_SIZE_INCHES = (10.0, 7.0)


def plot_predictions(scored: Scored, grid: Grid, file: Path) -> None:
    """Draw the last week that was scored beside what was predicted, and the error over the hour of the day in UTC."""
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    week, errors = figure.subplots(2)
    order = np.argsort(scored.steps, kind="stable")[-_SHOWN_DAYS * grid.day :]
    times = grid.times_of(scored.steps[order])
    week.plot(times, scored.actual_kw[order], label="load")
    week.plot(times, scored.predicted_kw[order], label=scored.result.model)
    week.set(title=f"{scored.result.model}, {scored.result.split}", ylabel="kW")
    week.legend()
    hours = scored.steps % grid.day * 24 // grid.day
    error_kw = scored.predicted_kw - scored.actual_kw
    errors.boxplot([error_kw[hours == hour] for hour in range(24)], positions=range(24), showfliers=False)
    errors.axhline(0.0, linewidth=0.8)
    errors.set(xlabel="hour of the day, UTC", ylabel="predicted less load, kW")
    figure.savefig(file)


def plot_leads(results: Sequence[ModelResult], others: Sequence[Sequence[ModelResult]], file: Path) -> None:
    """Draw the RMSE of one model over the lead, those of the others behind it."""
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for lines in (*others, results):
        leads, rmse_kw = zip(
            *((lead_name(each.lead_minutes or 0), each.figures["rmse_kw"]) for each in lines), strict=True
        )
        axes.plot(leads, rmse_kw, marker="o", color="tab:blue" if lines is results else "lightgrey")
    axes.set(title=f"{results[0].model}, and all others in grey", xlabel="lead", ylabel="RMSE, kW", ylim=(0, None))
    figure.savefig(file)
