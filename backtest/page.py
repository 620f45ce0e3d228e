"""The report of a backtest as one page that stands by itself: its tables, and its charts with what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from plotly.io import to_html  # type: ignore[import-untyped]  # Plotly 5 is published without types
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # as above

from backtest import charts
from backtest.tables import NO_MAPE
from shared.forecasting.leads import lead_groups, lead_name

if TYPE_CHECKING:
    import pandas as pd

    from backtest.ahead import Ahead
    from backtest.charts import Figure
    from backtest.extremes import DayAhead
    from backtest.result import Backtest
    from backtest.units import LoadUnit

__all__ = ["Chart", "page_of", "page_of_ahead", "templates"]

_HEADINGS = {
    "lead_minutes": "lead",
    "yesterday_rmse_kw": "RMSE of yesterday {unit}",
    "last_week_rmse_kw": "RMSE of last week {unit}",
    "yesterday_skill_ratio": "skill against yesterday",
    "last_week_skill_ratio": "skill against last week",
    "local_date": "day",
    "local_hour": "hour",
    "local_weekday": "weekday",
    "season_months": "months",
    "day_type": "type of day",
    "first_local_date": "first day",
    "last_local_date": "last day",
    "local_time": "local time",
    "rmse_kw": "RMSE {unit}",
    "mae_kw": "MAE {unit}",
    "mape_ratio": "MAPE",
    "bias_kw": "bias {unit}",
    "r2": "R2",
    "coverage_ratio": "coverage",
    "worst_week_coverage_ratio": "coverage, worst week",
    "pinball_kw": "pinball {unit}",
    "best_naive_rule": "best naive rule",
    "best_naive_rmse_kw": "RMSE of that rule {unit}",
    "skill_ratio": "skill",
    "fit_cpu_s": "CPU s to fit",
    "predict_cpu_us": "CPU us a row",
    "actual_kw": "load {unit}",
    "median_kw": "forecast {unit}",
    "low_kw": "low {unit}",
    "high_kw": "high {unit}",
}
_UNITS = {"_kw": " {unit}", "_ratio": "", "_h": ", h", "_min": ", min"}
"""What a heading says in place of the ending of a column's name, where no other heading is given."""
_FORMS = {
    "_ratio": "z.1%",
    "r2": ".3f",
    "pairs": ",",
    "cpu_s": ".1f",
    "cpu_us": ".1f",
    "_h": ",.1f",
    **dict.fromkeys(("pearson", "spearman", "same_hour", "1 h", "1 day", "1 week"), "z.2f"),
}
_OPEN = "-"


@dataclass(frozen=True)
class Chart:
    """A figure and its caption; ``label`` is the text for screen readers."""

    label: str
    how_to_read: str
    figure: Figure

    @property
    def html(self) -> Markup:
        """The figure as an element and its script, without Plotly itself."""
        drawn = to_html(self.figure, include_plotlyjs=False, full_html=False, config={"displayModeBar": False})
        return Markup(drawn)  # noqa: S704 - Plotly escapes what it writes


@dataclass(frozen=True)
class Section:
    """Charts under one heading, and the table of their values."""

    heading: str
    charts: tuple[Chart, ...]
    frame: pd.DataFrame

    @property
    def scored(self) -> bool:
        """False where the table has a column of RMSE without any value."""
        return "rmse_kw" not in self.frame or bool(self.frame["rmse_kw"].notna().any())


def page_of(result: Backtest) -> str:
    """Return the report as one HTML page, Plotly's script included, which asks no other host."""
    return (
        templates(result.table.unit)
        .get_template("page.html")
        .render(
            result=result,
            groups=_groups(result),
            sections=(_by_lead(result), _by_day(result), *_by_kind(result)),
            worst_weeks=result.frames["worst_weeks"],
            days_ahead=[
                _day_ahead(day, which, result.table.unit)
                for day, which in zip(result.days_ahead, ("worst", "best"), strict=False)
            ],
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - a script of the package, not of the data
            lowest=charts.LOWEST,
            highest=charts.HIGHEST,
            no_mape=NO_MAPE if result.table.nears_zero else None,
        )
    )


def page_of_ahead(ahead: Ahead) -> str:
    """Return the forecast of the next 24 hours as one HTML page, as :func:`page_of`."""
    how = (
        "Left of the last load: the readings of the last 24 hours. Right of it: the forecast. The load should lie in "
        "the band for 90 % of the time."
    )
    return (
        templates(ahead.unit)
        .get_template("ahead.html")
        .render(
            ahead=ahead,
            chart=Chart("The last and the next 24 hours", how, _fan(ahead.curves, ahead.unit)),
            frame=ahead.frame.drop(columns="time"),
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - a script of the package, not of the data
        )
    )


def _fan(curves: pd.DataFrame, unit: LoadUnit) -> Figure:
    return charts.fan(unit.scaled(curves), unit.name)


def templates(unit: LoadUnit) -> Environment:
    """Return the templates of pages whose loads are shown in the unit."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["cell"] = partial(cell, unit=unit)
    pages.filters["heading"] = partial(heading, unit=unit)
    pages.globals["unit"] = unit.name
    return pages


def cell(value: object, column: str, unit: LoadUnit) -> str:
    """Return a value of a table as text, in the form of the ending of its column's name; loads in the unit."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _OPEN
    if column == "lead_minutes":
        return lead_name(int(str(value)))
    if column.endswith("_kw"):
        return unit.shown(float(str(value)))
    form = next((form for ending, form in _FORMS.items() if column.endswith(ending)), "")
    return format(value, form)


def heading(column: str, unit: LoadUnit) -> str:
    """Return what a table calls a column."""
    ending = next((ending for ending in _UNITS if column.endswith(ending)), "")
    words = column.removesuffix(ending).replace("_", " ") + _UNITS.get(ending, "")
    return _HEADINGS.get(column, words).format(unit=unit.name)


def _groups(result: Backtest) -> list[dict[str, object]]:
    """Return the scores of the lead groups as rows of a table, with the best naive rule of each."""
    table = result.table
    groups = {group.key: group for group in lead_groups(table.step_minutes)}
    named = {
        "rmse_kw": "rmse_kw",
        "mae_kw": "mae_kw",
        "mape_ratio": "mape",
        "bias_kw": "bias_kw",
        "r2": "r2",
        "coverage_ratio": "coverage",
        "worst_week_coverage_ratio": "worst_week_coverage",
        "pinball_kw": "pinball_kw",
        "best_naive_rmse_kw": "best_naive_rmse_kw",
        "skill_ratio": "skill_vs_best_naive",
    }
    return [
        {
            "lead": groups[key].shown if key in groups else "mean of all",
            "best_naive_rule": table.best_naive[groups[key].steps - 1] if key in groups else None,
            **{column: figures[name] for column, name in named.items()},
        }
        for key, figures in table.leads(named.values()).items()
    ]


def _by_lead(result: Backtest) -> Section:
    leads, unit = result.frames["leads"], result.table.unit
    drawn = unit.scaled(leads)
    return Section(
        "By lead time",
        (
            Chart(
                "RMSE by lead time",
                "The best naive rule is chosen in hindsight for every lead. The lower the forecast lies below its "
                "line, the better it is.",
                charts.rmse_by_lead(drawn, unit.name),
            ),
            Chart(
                "Coverage by lead time",
                "The share of the readings inside the 90 % interval. It should stay in the green band. The worst week "
                "is the lowest of any 7 days of targets: it should not lie far below the band.",
                charts.coverage_by_lead(leads),
            ),
            Chart(
                "Pinball loss by lead time",
                "The mean loss of both bounds of the 90 % interval. Lower is better. It is low only where the interval "
                "is narrow and its coverage right.",
                charts.pinball_by_lead(drawn, unit.name),
            ),
        ),
        leads,
    )


def _by_day(result: Backtest) -> Section:
    days, unit = result.frames["days"], result.table.unit
    how = (
        "Each point is one day of targets at one lead: a day far above its neighbours was hard to foresee, and one "
        "far below the green band had more surprises than the interval allows for."
    )
    return Section(
        "Day by day",
        (Chart("RMSE and coverage by day", how, charts.over_line(unit.scaled(days), "local_date", "day", unit.name)),),
        days,
    )


def _by_kind(result: Backtest) -> tuple[Section, ...]:
    hours, weekdays, seasons, holidays = (result.frames[name] for name in ("hours", "weekdays", "seasons", "holidays"))
    unit = result.table.unit
    return (
        Section(
            "By hour of the day",
            (
                Chart(
                    "RMSE and coverage by hour of the day",
                    "Errors are counted at the hour of the target. A peak shows the time of day that needs more "
                    "reserve.",
                    charts.over_line(unit.scaled(hours), "local_hour", "hour of the day, local time", unit.name),
                ),
            ),
            hours,
        ),
        Section(
            "By weekday",
            (
                Chart(
                    "RMSE and coverage by weekday",
                    "The weekdays should look alike. One that stands out has a shape that the forecast does not know.",
                    charts.over_categories(unit.scaled(weekdays), "local_weekday", unit.name),
                ),
            ),
            weekdays,
        ),
        Section(
            "By season",
            (
                Chart(
                    "RMSE and coverage by season",
                    "Only the months of the window appear. Look at the pairs in the table too: a season with few pairs "
                    "says little.",
                    charts.over_categories(unit.scaled(seasons), "season_months", unit.name),
                ),
            ),
            seasons,
        ),
        Section(
            "Holidays and ordinary days",
            (
                Chart(
                    "RMSE and coverage on holidays and on ordinary days",
                    "Holidays are the public ones of the site's calendar. They are few, so that their figures vary "
                    "more by chance.",
                    charts.over_categories(unit.scaled(holidays), "day_type", unit.name),
                ),
            ),
            holidays,
        ),
    )


def _day_ahead(day: DayAhead, which: str, unit: LoadUnit) -> Section:
    date = day.curves["local_time"].iloc[0][:10]
    how = (
        f"Issued at {day.origin:%Y-%m-%d %H:%M} UTC for the next 24 hours. The RMSE is {unit.shown(day.rmse_kw)} "
        f"{unit.name}. The load should lie in the band for 90 % of the time, and did for {day.coverage:.0%}."
    )
    heading = f"The {which} day-ahead forecast: {date}"
    return Section(
        heading, (Chart(f"Forecast, interval and readings of {date}", how, _fan(day.curves, unit)),), day.curves
    )
