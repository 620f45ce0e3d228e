"""The accuracy of each month as one page that stands by itself, and as one table, from results of backtests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # Plotly 5 is published without types

from backtest.charts import STYLES, drawn, load_axis
from backtest.page import Chart, templates
from backtest.units import LoadUnit
from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.charts import Figure
    from backtest.result_file import ResultFile

__all__ = ["monthly_table", "page_of_months"]

_UNIT = LoadUnit("kW", 1.0)
_DAY_MINUTES = 1440
_LINES = {"rmse_kw": "forecast", "yesterday_rmse_kw": "same time yesterday", "last_week_rmse_kw": "same time last week"}


@dataclass(frozen=True)
class ZoneMonths:
    """What the page says of one zone."""

    heading: str
    finding: str
    charts: tuple[Chart, ...]
    frame: pd.DataFrame


def monthly_table(results: Sequence[ResultFile]) -> pd.DataFrame:
    """Return the months of all results in one table: site, zone, and the columns of `backtest.monthly.by_month`."""
    frames = [
        result.months.assign(site=result.told["site"], zone=result.told["zone"])
        for result in results
        if len(result.months)
    ]
    if not frames:
        return pd.DataFrame(columns=["site", "zone", "month"])
    joined = pd.concat(frames, ignore_index=True)
    return joined[["site", "zone", *(name for name in joined if name not in {"site", "zone"})]]


def page_of_months(results: Sequence[ResultFile]) -> str:
    """Return the months as HTML that holds all it needs and asks no other host."""
    return (
        templates(_UNIT)
        .get_template("monthly.html")
        .render(
            results=results,
            synthetic=any(result.told.get("synthetic") for result in results),
            zones=[_zone(result) for result in results],
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - a script of the package, not of the data
        )
    )


def _zone(result: ResultFile) -> ZoneMonths:
    heading, frame = f"Zone {result.told['zone']} of {result.told['site']}", result.months
    scored = frame.dropna(subset="rmse_kw") if len(frame) else frame
    if not len(scored):
        return ZoneMonths(heading, "", (), frame)
    day_ahead = scored[scored["lead_minutes"] == _DAY_MINUTES]
    charts = [Chart(f"MAPE by month, {heading}", "One line a lead: the lower, the better.", _mape(scored))]
    finding = ""
    if len(day_ahead):
        worst = day_ahead.sort_values("rmse_kw").iloc[-1]
        finding = (
            f"A day ahead the RMSE is highest in {worst['month']}, {_UNIT.shown(worst['rmse_kw'])} kW, where that of "
            f"the same time yesterday is {_UNIT.shown(worst['yesterday_rmse_kw'])} kW."
        )
        how = f"The forecast should stay below both rules in every month. {finding}"
        charts.append(Chart(f"RMSE a day ahead by month, {heading}", how, _rmse(day_ahead)))
    return ZoneMonths(heading, finding, tuple(charts), frame)


def _mape(frame: pd.DataFrame) -> Figure:
    lines = {
        lead_name(int(str(lead))): (of["month"].tolist(), (100 * of["mape_ratio"].astype(float)).round(4))
        for lead, of in frame.groupby("lead_minutes")
    }
    return _months(
        lines, {"title": {"text": "MAPE, %"}, "rangemode": "tozero", "automargin": True, "hoverformat": ".2f"}
    )


def _rmse(frame: pd.DataFrame) -> Figure:
    lines = {name: (frame["month"].tolist(), frame[column].astype(float)) for column, name in _LINES.items()}
    return _months(lines, load_axis("RMSE", _UNIT.name))


def _months(lines: dict[str, tuple[list[str], pd.Series[float]]], axis: dict[str, object]) -> Figure:
    traces = []
    for (name, (months, values)), (colour, dash, symbol) in zip(lines.items(), STYLES, strict=False):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": months,
                "y": [None if pd.isna(value) else value for value in values],
                "name": name,
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": symbol, "size": 8},
            }
        )
    return drawn(traces, xaxis={"type": "category", "automargin": True}, yaxis=axis)
