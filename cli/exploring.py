"""A look at a file of readings as a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backtest.explore.card import data_card_of
from backtest.explore.exploration import explored
from backtest.explore.page import page_of_exploration
from backtest.explore.part import records
from backtest.explore.parts import parts_of
from backtest.page import cell, heading
from cli.outputs import whole
from cli.printing import print_whole
from cli.provision import steps_shown, year_for
from shared.data.year import DataError
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from backtest.explore.exploration import Exploration
    from backtest.explore.part import PagePart
    from cli.settings import HistorySettings
    from shared.data.hints import Hints

__all__ = ["ExplorationOptions", "run_exploration"]


@dataclass(frozen=True)
class ExplorationOptions:
    """What to look at, and where to write page and card; None: not at all."""

    data: str | None
    hints: Hints
    html_file: Path | None = None
    card_file: Path | None = None


def run_exploration(options: ExplorationOptions, settings: HistorySettings, console: Console) -> dict[str, Any]:
    """Look at a file, print what matters, write page and card, and return all that was found."""
    year = year_for(options.data or settings.data, settings, console, options.hints)
    with steps_shown(console) as progress:
        try:
            found = explored(year, progress)
        except DataError as error:
            raise Refused(str(error)) from None
        parts = parts_of(found)
        if options.html_file:
            progress("drawing the page", 0.0)
            with whole(options.html_file) as draft:
                draft.write_text(page_of_exploration(found, parts), encoding="utf-8")
        if options.card_file:
            with whole(options.card_file) as draft:
                draft.write_text(data_card_of(found, parts), encoding="utf-8")
    _show(found, parts, Console())  # results go to standard output, what leads to them to standard error
    return found.to_json()


def _show(found: Exploration, parts: Sequence[PagePart], console: Console) -> None:
    rows = records(parts[0].tables["Columns"])
    table = Table(box=SIMPLE, title=f"{found.year.label}: its columns", title_justify="left")
    for name in rows[0]:
        table.add_column(heading(name, found.unit), justify="left" if name in ("column", "read_as") else "right")
    for row in rows:
        cells = (cell(value, name, found.unit) for name, value in row.items())
        table.add_row(*map(Text, cells))  # what a file calls its columns is no markup of Rich
    print_whole(console, table)
    lines = [
        *found.doubts,
        *(f"{part.heading}: {part.finding}" for part in parts if part.finding),
        *(f"not known: {line}" for part in parts for line in part.open),
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
