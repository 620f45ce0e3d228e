"""The charts of a backtest as plain Plotly figures: what is drawn, not how it comes onto a page.

The loads of a frame, in the columns that end in ``_kw``, are in the unit that a chart names. A chart has no colour of
its own for text and lines: the page gives them, so that it can be read on white and on black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    Figure = dict[str, Any]

__all__ = [
    "PLAIN",
    "STYLES",
    "coverage_by_lead",
    "drawn",
    "fan",
    "load_axis",
    "over_categories",
    "over_line",
    "pinball_by_lead",
    "rmse_by_lead",
    "rmse_of_models",
]

NOMINAL, LOWEST, HIGHEST = 0.9, 0.88, 0.92
"""The coverage that the interval promises, and the band in which it counts as kept."""

STYLES = (
    ("#0072b2", "solid", "circle"),
    ("#d55e00", "dash", "square"),
    ("#009e73", "dot", "diamond"),
    ("#c05c96", "dashdot", "triangle-up"),
)
"""Blue, vermilion, green, purple of Okabe & Ito (2008), "Color universal design"; dash and symbol differ, too."""

_BAND_COLOUR = "#009e73"
PLAIN = {"exponentformat": "none", "separatethousands": True, "hoverformat": ",.5~r"}
"""Digits, as in the tables: Plotly would write 28k MW."""


def rmse_by_lead(leads: pd.DataFrame, unit: str) -> Figure:
    """Return the RMSE of the forecast and of the best naive rule over the lead."""
    return drawn(
        [
            _line(_hours(leads), leads["rmse_kw"], "forecast", 0),
            _line(_hours(leads), leads["best_naive_rmse_kw"], "best naive rule", 1)
            | {"text": leads["best_naive_rule"].fillna("").tolist()},
        ],
        xaxis=_lead_axis(),
        yaxis=load_axis("RMSE", unit),
    )


def rmse_of_models(lines: Mapping[str, Sequence[tuple[int, float]]], unit: str) -> Figure:
    """Return the RMSE of each model over the lead: minutes and figure, by name, the best first."""
    traces = []
    for place, (name, points) in enumerate(lines.items()):
        colour, dash, symbol = STYLES[place % len(STYLES)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [lead_name(minutes) for minutes, _ in points],
                "y": [rmse for _, rmse in points],
                "name": name,
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": symbol if place < len(STYLES) else f"{symbol}-open"},
            }
        )
    return drawn(
        traces, xaxis={"title": {"text": "lead time"}}, yaxis=load_axis("RMSE", unit) | {"type": "log"}, height=480
    )


def coverage_by_lead(leads: pd.DataFrame) -> Figure:
    """Return the coverage over all pairs and in the worst week over the lead."""
    return drawn(
        [
            _line(_hours(leads), leads["coverage_ratio"], "whole window", 0),
            _line(_hours(leads), leads["worst_week_coverage_ratio"], "worst week", 1),
        ],
        xaxis=_lead_axis(),
        yaxis=_coverage_axis(leads["worst_week_coverage_ratio"], leads["coverage_ratio"]),
        shapes=_promise("y"),
    )


def pinball_by_lead(leads: pd.DataFrame, unit: str) -> Figure:
    """Return the pinball loss over the lead."""
    return drawn(
        [_line(_hours(leads), leads["pinball_kw"], "forecast", 0)],
        xaxis=_lead_axis(),
        yaxis=load_axis("pinball loss", unit),
    )


def over_line(frame: pd.DataFrame, column: str, title: str, unit: str) -> Figure:
    """Return RMSE above and coverage below along a column that runs on, such as the day; one line a lead."""
    return _two_panels(frame, column, title, unit)


def over_categories(frame: pd.DataFrame, column: str, unit: str) -> Figure:
    """Return RMSE above and coverage below for each value of a column; one mark a lead, side by side."""
    figure = _two_panels(frame, column, "", unit)
    for trace in figure["data"]:
        trace["mode"] = "markers"
        trace["marker"]["size"] = 10
    figure["layout"]["scattermode"] = "group"
    return figure


def fan(curves: pd.DataFrame, unit: str) -> Figure:
    """Return one forecast with its 90 % interval, and the load."""
    times = curves["local_time"].tolist()
    edge = {"type": "scatter", "x": times, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    return drawn(
        [
            {**edge, "y": curves["low_kw"].tolist(), "showlegend": False},
            {
                **edge,
                "y": curves["high_kw"].tolist(),
                "name": "90 % interval",
                "fill": "tonexty",
                "fillcolor": "rgba(0, 114, 178, 0.25)",
            },
            _line(times, curves["median_kw"], "forecast", 0),
            _line(times, curves["actual_kw"], "load", 1) | {"line": {"color": STYLES[1][0], "dash": "solid"}},
        ],
        xaxis={"title": {"text": "local time"}, "automargin": True},
        yaxis=load_axis("demand", unit) | {"rangemode": "normal"},
    )


def _two_panels(frame: pd.DataFrame, column: str, title: str, unit: str) -> Figure:
    traces = []
    for style, (minutes, of_lead) in enumerate(frame.groupby("lead_minutes")):
        colour, dash, symbol = STYLES[style]
        for axis, figure in (("y", "rmse_kw"), ("y2", "coverage_ratio")):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "x": of_lead[column].tolist(),
                    "y": of_lead[figure].tolist(),
                    "yaxis": axis,
                    "name": lead_name(int(str(minutes))),
                    "legendgroup": str(minutes),
                    "showlegend": axis == "y",
                    "line": {"color": colour, "dash": dash, "width": 1.5},
                    "marker": {"color": colour, "symbol": symbol, "size": 5},
                }
            )
    return drawn(
        traces,
        height=520,
        xaxis={"title": {"text": title}, "anchor": "y2", "zeroline": False, "automargin": True},
        yaxis=load_axis("RMSE", unit) | {"domain": [0.55, 1]},
        yaxis2=_coverage_axis(frame["coverage_ratio"]) | {"domain": [0, 0.45]},
        shapes=_promise("y2"),
    )


def _line(x: list[Any], y: pd.Series[float], name: str, style: int) -> dict[str, Any]:
    colour, dash, _ = STYLES[style]
    line = {"color": colour, "dash": dash, "width": 2}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y.tolist(), "name": name, "line": line}


def _hours(leads: pd.DataFrame) -> list[float]:
    hours: list[float] = (leads["lead_minutes"] / 60).tolist()
    return hours


def _lead_axis() -> dict[str, Any]:
    return {"title": {"text": "lead time, h"}, "rangemode": "tozero", "dtick": 6, "hoverformat": ".2f"}


def load_axis(what: str, unit: str) -> dict[str, Any]:
    """Return an axis of loads or their errors in the unit, from zero on."""
    return {"title": {"text": f"{what}, {unit}"}, "rangemode": "tozero", **PLAIN, "automargin": True}


def _coverage_axis(*shown: pd.Series[float]) -> dict[str, Any]:
    """Return an axis that holds the band of the promise and everything that is shown."""
    lowest = min([LOWEST, *(ratio for ratios in shown for ratio in ratios.dropna())])
    return {
        "title": {"text": "inside the 90 % interval"},
        "tickformat": ".0%",
        "hoverformat": ".1%",
        "range": [lowest - 0.03, 1.01],
        "automargin": True,
    }


def _promise(axis: str) -> list[dict[str, Any]]:
    """Return the band in which the coverage is as promised, and the line in its middle."""
    across = {"xref": "paper", "x0": 0, "x1": 1, "yref": axis, "layer": "below"}
    return [
        {
            **across,
            "type": "rect",
            "y0": LOWEST,
            "y1": HIGHEST,
            "fillcolor": _BAND_COLOUR,
            "opacity": 0.2,
            "line": {"width": 0},
        },
        {**across, "type": "line", "y0": NOMINAL, "y1": NOMINAL, "line": {"color": _BAND_COLOUR, "width": 1}},
    ]


def drawn(traces: list[dict[str, Any]], **layout: Any) -> Figure:
    """Return traces as a figure in the looks of all pages; ``layout`` is added to what they share."""
    return {
        "data": traces,
        "layout": {
            "height": 380,
            "margin": {"l": 60, "r": 10, "t": 40, "b": 50},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hovermode": "x unified",
            "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": "#222222"}},  # as the chart, it would be transparent
            "dragmode": False,  # a finger on a chart scrolls the page
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "template": "none",
            **layout,
        },
    }
