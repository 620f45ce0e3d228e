"""The accuracy of each month as a command: from results of backtests, without any work of minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from backtest.monthly_page import monthly_table, page_of_months
from backtest.page import cell, heading
from backtest.result_file import ResultFile
from backtest.units import LoadUnit
from cli.outputs import whole
from cli.printing import print_whole
from shared.data.errors import DataError
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["run_monthly"]

FLOAT_FORMAT = "%.6g"
UNIT = LoadUnit("kW", 1.0)


def run_monthly(files: Sequence[Path], html_file: Path | None, csv_file: Path | None) -> None:
    """Print the months of some results, and write the page and the table."""
    try:
        results = [ResultFile.read(file) for file in files]
    except DataError as error:
        raise Refused(str(error)) from None
    frame = monthly_table(results)
    table = Table(box=SIMPLE, title="accuracy by month (targets, clock of the site)", title_justify="left")
    for name in frame.columns:
        table.add_column(heading(str(name), UNIT), justify="left" if name in {"site", "month"} else "right")
    for row in frame.to_dict("records"):
        table.add_row(*(cell(value, str(name), UNIT) for name, value in row.items()))
    print_whole(Console(), table)
    if csv_file:
        with whole(csv_file) as draft:
            frame.to_csv(draft, index=False, float_format=FLOAT_FORMAT)
    if html_file:
        with whole(html_file) as draft:
            draft.write_text(page_of_months(results), encoding="utf-8")
