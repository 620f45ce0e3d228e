"""The forecast of the 24 hours after the end of a file, as a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from backtest.ahead import look_ahead
from cli.chart import chart, legend
from cli.live import curves_of
from cli.outputs import whole
from cli.printing import print_whole
from cli.provision import prior_for, require_loads, say_doubts, steps_shown, year_for, zone_for
from shared.data.year import DataError
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from backtest.ahead import Ahead
    from cli.settings import HistorySettings
    from shared.data.hints import Hints

__all__ = ["ForecastOptions", "run_forecast"]

HIGHEST_CHART = 12
FLOAT_FORMAT = "%.8g"
UNTRAINED = "the readings are too few to fit a model on: what is here learned from the first on"
BEGIN_WITH_A_PRIOR = (
    "with --prior FILE, which `tetouan train --prior` makes of other zones, the best level answers sooner"
)


@dataclass(frozen=True)
class ForecastOptions:
    """What to forecast from, and where to write it beside the printed table; None: not at all."""

    data: str | None
    zone: int | None
    hints: Hints
    csv_file: Path | None = None
    html_file: Path | None = None
    accept_refused: bool = False
    prior: Path | None = None


def run_forecast(options: ForecastOptions, settings: HistorySettings, console: Console) -> dict[str, Any]:
    """Forecast one zone, show table and chart, write the files and return the result."""
    year = year_for(options.data or settings.data, settings, console, options.hints)
    say_doubts(year, console)
    zone = zone_for(options.zone, year, settings)
    require_loads(year, [zone], accept_refused=options.accept_refused)
    borrowed = prior_for(options.prior, settings, year)
    prior = borrowed.prior if borrowed else None
    with steps_shown(console) as progress:
        try:
            ahead = look_ahead(year, zone, progress, accept_refused=options.accept_refused, prior=prior)
        except DataError as error:
            raise Refused(str(error)) from None
    _show(
        ahead, Console(), with_prior=prior is not None
    )  # results go to standard output, what leads to them to standard error
    if options.csv_file:
        with whole(options.csv_file) as draft:
            ahead.frame.to_csv(draft, index=False, float_format=FLOAT_FORMAT)
    if options.html_file:
        from backtest.page import page_of_ahead  # noqa: PLC0415 - Plotly takes a second that the table need not wait

        page = page_of_ahead(ahead)
        with whole(options.html_file) as draft:
            draft.write_text(page, encoding="utf-8")
    return ahead.to_json()


def _show(ahead: Ahead, console: Console, *, with_prior: bool) -> None:
    curves = curves_of(ahead.transcript, ahead.forecast)
    width = min(console.width, 100)
    console.print(legend(ahead.unit))
    console.print(chart(curves, ahead.unit, ahead.local_origin, width, HIGHEST_CHART))
    print_whole(console, _table(ahead))
    for line in _lines(ahead, with_prior=with_prior):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _table(ahead: Ahead) -> Table:
    """Return every hour of the forecast; the files hold every lead."""
    title = (
        f"Zone {ahead.forecast.zone}: the 24 hours after {ahead.local_origin:%Y-%m-%d %H:%M}, {ahead.site.time_zone}"
    )
    table = Table(title=title, box=SIMPLE)
    table.add_column("time")
    for heading in (f"forecast {ahead.unit.name}", "90 % from", "to"):
        table.add_column(heading, justify="right")
    table.add_column("level")
    for row in ahead.frame.to_dict("records"):
        if row["lead_minutes"] % 60 == 0:
            loads = (ahead.unit.shown(row[column]) for column in ("median_kw", "low_kw", "high_kw"))
            table.add_row(row["local_time"], *loads, row["level"])
    return table


def _lines(ahead: Ahead, *, with_prior: bool) -> list[str]:
    return [
        f"{ahead.label}: {ahead.accounting}",
        *ahead.notes,
        *(f"level {reason}" for reason in ahead.reasons),
        *([] if ahead.trained else [UNTRAINED if with_prior else f"{UNTRAINED}; {BEGIN_WITH_A_PRIOR}"]),
        ahead.goodness,
        *([ahead.unsettled] if ahead.unsettled else []),
        *([str(ahead.unbelieved)] if ahead.unbelieved else []),
    ]
