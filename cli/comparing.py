"""The comparison with other algorithms as a command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console

from backtest.compare.cards import cards_of
from backtest.compare.comparison import compared
from cli.outputs import whole
from cli.printing import print_whole, waiting
from cli.provision import require_loads, say_doubts, steps_shown, year_for, zone_for
from shared.data.year import DataError
from shared.runtime.extras import lacking_workbench
from shared.runtime.registry import Registry
from shared.runtime.release import code_version
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from backtest.compare.cards import ModelCard
    from backtest.compare.comparison import Asked, Compared
    from backtest.compare.leaderboard import Leaderboard
    from cli.settings import CommandSettings
    from shared.data.hints import Hints
    from shared.sites.grid import Grid

    Progress = Callable[[str, float], None]

__all__ = ["CompareOptions", "run_compare"]

WAIT = "all algorithms take minutes: --only elastic-net,naive,stream takes one"
WAIT_FULL = "fifteen fits of each algorithm take an hour or more: --only gradient-boosting takes a quarter of it"
KEPT = "kept as runs in MLflow: `tetouan mlflow` shows them, at {}"


@dataclass(frozen=True)
class CompareOptions:
    """What to compare, and what to write beside the printed tables."""

    data: str | None
    zone: int | None
    hints: Hints
    asked: Asked
    csv_file: Path | None = None
    html_file: Path | None = None

    def write(self, board: Leaderboard) -> None:
        """Write what was asked for; raises ``Refused`` where a file cannot be written."""
        if self.csv_file:
            with whole(self.csv_file) as draft:
                board.write_csv(draft)
        if self.html_file:
            from backtest.compare.page import page_of_board  # noqa: PLC0415 - Plotly takes a second

            page = page_of_board(board)
            with whole(self.html_file) as draft:
                draft.write_text(page, encoding="utf-8")


def run_compare(options: CompareOptions, settings: CommandSettings, console: Console) -> dict[str, Any]:
    """Compare, show the tables, write the files, keep the runs and return the result."""
    with waiting(console, "opening the model registry"):
        registry = Registry(settings.registry_uri, settings.artifact_root)  # before the work of minutes
    asked = options.asked
    year = year_for(options.data or settings.data, settings, console, options.hints)
    say_doubts(year, console)
    zone = zone_for(options.zone, year, settings)
    require_loads(year, [zone], accept_refused=asked.accept_refused)
    wait = WAIT_FULL if asked.full else WAIT
    try:
        with steps_shown(console, None if asked.only else wait) as progress:
            comparison = compared(year, zone, asked, code_version(), progress)
    except DataError as error:
        raise Refused(str(error)) from None
    board, shown = comparison.board, Console()  # results go to standard output, what leads to them to standard error
    for table in board.shown():
        print_whole(shown, table)
    for line in board.remarks:
        shown.print(line, soft_wrap=True, highlight=False, markup=False)
    options.write(board)
    with steps_shown(console) as progress:
        page = _keep(comparison, registry, year.site.grid, progress)
    shown.print(KEPT.format(page), soft_wrap=True, highlight=False, markup=False)
    return board.to_json() | {"mlflow": page}


def _keep(comparison: Compared, registry: Registry, grid: Grid, progress: Progress) -> str:
    """Keep each model as a run of the experiment of the site; returns where MLflow's page shows it."""
    cards, page = cards_of(comparison.board), ""
    for place, card in enumerate(cards):
        progress("keeping the runs", place / len(cards))
        with TemporaryDirectory() as folder:
            (Path(folder) / "model_card.md").write_text(card.text(), encoding="utf-8")
            _draw(card, comparison, grid, Path(folder))
            page = registry.track(
                f"compare-{card.task.site}",
                Path(folder),
                params=card.parameters,
                metrics=card.metrics,
                tags=card.tags,
                run_name=card.name,
            )
    return page


def _draw(card: ModelCard, comparison: Compared, grid: Grid, folder: Path) -> None:
    """Draw what there is to draw of a model, where there is what draws."""
    if lacking_workbench("a picture", "matplotlib"):
        return
    from backtest.compare.plots import plot_leads, plot_predictions  # noqa: PLC0415 - it takes a second

    if len(card.results) > 1:
        plot_leads(card.results, comparison.board.knowing_load, folder / "leads.png")
    for each in comparison.scored:
        if each.result is card.results[0]:
            plot_predictions(each, grid, folder / "predictions.png")
