"""How fast to forget: the memories of the regression, chosen on what came before the last fifth of the year.

``python -m benchmarks.choose [--zone 2] [--json FILE]`` takes the year of the settings (TETOUAN_DATA). Every
combination of memories runs as a stream over the readings before the last 20 %, each answered before the next is seen;
the criterion is the RMSE over the origins and targets in rows 60-80 % of the year, in the mean over all leads.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

from benchmarks.streaming import answer, empty_model, in_parallel, scored, take
from cli.provision import steps_shown, year_for
from services.trainer.history import History
from shared.forecasting.model import HALF_LIVES_DAYS
from shared.forecasting.scores import grouped
from shared.runtime.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.streaming import Tell
    from shared.contracts.messages import LeadGroup
    from shared.data.year import Year

    Memories = tuple[float, ...]
    Errors = Mapping[LeadGroup, float | None]

SHORT_DAYS = (15.0, 30.0, 60.0)
LONG_DAYS = (120.0, 240.0, 960.0)
GRID: tuple[Memories, ...] = (*product(SHORT_DAYS, LONG_DAYS), (60.0,))


@dataclass(frozen=True)
class Choice:
    """The RMSE in kW of each combination of memories, at leads 1, 6, 36, 144 and in the mean over all leads."""

    zone: int
    rmse_kw: Mapping[Memories, Errors]

    @property
    def best(self) -> Memories:
        """The combination with the lowest mean; one without a mean is never it."""
        return min(self.rmse_kw, key=lambda memories: self.rmse_kw[memories]["mean"] or float("inf"))

    @property
    def verdict(self) -> str:
        """Whether it is what the model is built with."""
        if self.best == HALF_LIVES_DAYS:
            return f"chosen: {_days(self.best)}, which is what shared.forecasting.model.HALF_LIVES_DAYS says"
        return f"chosen: {_days(self.best)}, but shared.forecasting.model.HALF_LIVES_DAYS says {_days(HALF_LIVES_DAYS)}"

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return {
            "zone": self.zone,
            "combinations": [{"half_lives_days": memories, "rmse_kw": by} for memories, by in self.rmse_kw.items()],
            "chosen_half_lives_days": self.best,
            "model_half_lives_days": HALF_LIVES_DAYS,
            "same": self.best == HALF_LIVES_DAYS,
        }

    def table(self, title: str) -> Table:
        """Return the figures for people."""
        groups: tuple[LeadGroup, ...] = ("1", "6", "36", "144", "mean")
        numbers = (Column(group, justify="right") for group in groups)
        table = Table(Column("half-lives, days", no_wrap=True), *numbers, "", title=title)
        for memories, by in self.rmse_kw.items():
            mark = "chosen" if memories == self.best else ""
            table.add_row(_days(memories), *("-" if (e := by[group]) is None else f"{e:.1f}" for group in groups), mark)
        return table


def validation(history: History) -> tuple[History, range]:
    """Return the history without its last rows, those that have not been seen, and the last quarter of what remains."""
    before = replace(history, demand_kw=history.demand_kw[: history.seen], weather=history.weather[: history.seen])
    return before, range(history.seen * 3 // 4, history.seen)


def validated(before: History, rows: range, half_lives_days: Memories, tell: Tell) -> Errors:
    """Return the RMSE in kW over the rows, each answered by a model that has seen no later one."""
    model = empty_model(before.site, half_lives_days)
    take(model, before, range(rows.start), tell)
    issued = answer(model, before.first_step + rows.start, before.demand_kw[rows.start : rows.stop], tell)
    return grouped(scored(before, rows, issued).per_lead["rmse_kw"])


def choose(year: Year, zone: int, grid: tuple[Memories, ...], show: Callable[[float], None]) -> Choice:
    """Run every combination of the grid; ``show`` is told the share of the work that is done, 0..1."""
    before, rows = validation(History.of(year, zone, year.test_start))
    jobs = {_days(memories): partial(validated, before, rows, memories) for memories in grid}
    found = in_parallel(jobs, rows.stop * len(grid), show)
    return Choice(zone, {memories: found[_days(memories)] for memories in grid})


def _days(memories: Memories) -> str:
    return " and ".join(f"{days:g}" for days in memories)


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zone", type=int, default=2, help="the zone whose load decides")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console, settings = Console(), load(Settings)
    year = year_for(settings.data, settings, console)
    if arguments.zone not in year.site.zones:
        parser.error(
            f"--zone: {year.site.name} has no zone {arguments.zone}, only {', '.join(map(str, year.site.zones))}"
        )
    with steps_shown(console) as progress:
        choice = choose(year, arguments.zone, GRID, partial(progress, f"{len(GRID)} combinations"))
    console.print(choice.table(f"RMSE in kW by lead, zone {choice.zone} of the {year.label}, rows 60-80 %"))
    console.print(choice.verdict, highlight=False)
    if arguments.json:
        result = {"data": year.label, "synthetic": year.synthetic, **choice.to_json()}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
