"""The backtest as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

from backtest.run import backtest
from cli.provision import steps_shown, year_for
from cli.replaying import ReplayWindow
from shared.data.year import DataError
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from shared.runtime.settings import Settings

__all__ = ["run_backtest"]


def run_backtest(
    data: str | None,
    zone: int | None,
    start: datetime | None,
    until: datetime | None,
    settings: Settings,
    console: Console,
) -> dict[str, Any]:
    """Backtest one zone, show the table and return the result."""
    year = year_for(data or settings.data, settings, console)
    chosen = zone or settings.zones[0]
    if chosen not in year.site.zones:
        raise Refused(f"--zone {chosen}: {year.site.name} publishes zones {', '.join(map(str, year.site.zones))}")
    window = ReplayWindow(start, until, None).of(year)
    with steps_shown(console) as progress:
        try:
            result = backtest(year, chosen, *window, progress)
        except DataError as error:
            raise Refused(str(error)) from None
    shown = Console()  # results go to standard output, what leads to them to standard error
    shown.print(result.table)
    shown.print(f"{year.label}: {1e6 * result.seconds_per_forecast:.0f} us CPU a forecast (all leads)")
    return {**result.to_json(), "data": year.label, "synthetic": year.synthetic}
