"""The backtest as a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from backtest.run import backtest
from cli.outputs import whole, whole_files
from cli.printing import print_whole
from cli.provision import prior_for, require_loads, say_doubts, steps_shown, year_for, zone_for
from shared.data.year import DataError
from shared.runtime.settings import Refused
from shared.training.candidates import TooFewReadingsError

if TYPE_CHECKING:
    from pathlib import Path

    from backtest.result import Backtest
    from cli.settings import HistorySettings
    from cli.window import ReplayWindow

__all__ = ["BacktestReports", "run_backtest"]

BEGIN_WITH_A_PRIOR = "with --prior FILE, which `tetouan train --prior` makes of other zones, nine days in all will do"


@dataclass(frozen=True)
class BacktestReports:
    """What to write beside the printed table: the tables below a folder, the page to a file; None: not at all."""

    csv_folder: Path | None
    html_file: Path | None

    def write(self, result: Backtest) -> None:
        """Write what was asked for; raises ``Refused`` where a file cannot be written."""
        if self.csv_folder:
            with whole_files(self.csv_folder) as drafts:
                result.write_csv(drafts)
        if self.html_file:
            from backtest.page import page_of  # noqa: PLC0415 - Plotly takes a second that the table need not wait

            page = page_of(result)
            with whole(self.html_file) as draft:
                draft.write_text(page, encoding="utf-8")


def run_backtest(  # noqa: PLR0913 - each is an option of the command
    data: str | None,
    zone: int | None,
    window: ReplayWindow,
    reports: BacktestReports,
    settings: HistorySettings,
    console: Console,
    *,
    accept_refused: bool = False,
    prior: Path | None = None,
) -> dict[str, Any]:
    """Backtest one zone, show the table, write the reports and return the result."""
    year = year_for(data or settings.data, settings, console, window.hints)
    say_doubts(year, console)
    chosen = zone_for(zone, year, settings)
    require_loads(year, [chosen], accept_refused=accept_refused)
    start, until = window.of(year)
    borrowed = prior_for(prior, settings, year)
    if borrowed:
        borrowed.require_fair(year, chosen, start)
    with steps_shown(console) as progress:
        try:
            result = backtest(
                year,
                chosen,
                start,
                until,
                progress,
                accept_refused=accept_refused,
                prior=borrowed.prior if borrowed else None,
            )
        except TooFewReadingsError as error:
            raise Refused(f"{error}; {BEGIN_WITH_A_PRIOR}") from None
        except DataError as error:
            raise Refused(str(error)) from None
    if np.isnan(result.table.per_lead["rmse_kw"]).all():
        raise Refused(
            f"nothing to score from {start:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} ({result.accounting}): "
            "a forecast and the load that it is about must both lie there, choose another window"
        )
    shown = Console()  # results go to standard output, what leads to them to standard error
    print_whole(shown, result.table)
    shown.print(f"{year.label} up to {until:%Y-%m-%d %H:%M}: {result.accounting}", soft_wrap=True, highlight=False)
    if result.outages:
        shown.print(f"{year.label}: {result.outages}", soft_wrap=True, highlight=False)
    if result.unbelieved:
        shown.print(f"{year.label}: {result.unbelieved}", soft_wrap=True, highlight=False)
    if result.untrained:
        shown.print(f"{year.label}: {result.untrained}", soft_wrap=True, highlight=False)
    if result.no_weather:
        shown.print(f"{year.label}: no weather model: {result.no_weather}", soft_wrap=True, highlight=False)
    shown.print(f"{year.label}: {1e6 * result.seconds_per_forecast:.0f} us CPU a forecast (all leads)")
    reports.write(result)
    return result.to_json()
