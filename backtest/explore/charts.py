"""The charts of a look at a file, as plain figures of Plotly in the looks of `backtest.charts`.

The loads of a frame are in the unit that a chart names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.charts import PLAIN, STYLES, drawn, load_axis
from backtest.explore.part import by_zone
from backtest.explore.patterns import WEEKDAYS
from backtest.explore.words import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from backtest.charts import Figure

__all__ = ["bands", "bars", "course", "heat", "histogram", "lines", "matrix", "pairs", "presence", "week"]

# both scales run from dark to light, so that their values also differ in greyscale
_SCALE, _BOTH_WAYS = "Cividis", [[0, "#0072b2"], [0.5, "#f7f7f7"], [1, "#d55e00"]]
_BAR = {"thickness": 12, "outlinewidth": 0}
_OPACITY = 0.18


def presence(present: pd.DataFrame) -> Figure:
    """Return the share of each day that has values: a row a field, a column a date."""
    return drawn(
        [
            {
                "type": "heatmap",
                "x": _dates(present),
                "y": [named(str(field)) for field in present],
                "z": _cells(present.T),
                "zmin": 0,
                "zmax": 1,
                "colorscale": _SCALE,
                "colorbar": _BAR | {"tickformat": ".0%"},
                "hovertemplate": "%{x}, %{y}: %{z:.0%}<extra></extra>",
            }
        ],
        height=120 + 32 * present.shape[1],
        xaxis={"automargin": True},
        yaxis={"automargin": True, "autorange": "reversed"},
        hovermode="closest",
    )


def histogram(shares: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Return how the values of some fields are distributed, as steps."""
    traces = [
        _trace(place, frame.index.tolist(), (100 * frame["share_ratio"]).tolist(), named(field), shape="hvh")
        for place, (field, frame) in enumerate(shares.items())
    ]
    y = {"title": {"text": "share of the values, %"}, "rangemode": "tozero", "automargin": True}
    return drawn(traces, height=320, xaxis={"title": {"text": title}, "zeroline": False, **PLAIN}, yaxis=y)


def bands(frame: pd.DataFrame, column: str, title: str, unit: str) -> Figure:
    """Return median and band of each zone along a column."""
    traces: list[dict[str, Any]] = []
    for place, (name, of) in enumerate(by_zone(frame)):
        x, colour = of[column].tolist(), STYLES[place % len(STYLES)][0]
        edge = {
            "type": "scatter",
            "x": x,
            "mode": "lines",
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
            "legendgroup": name,
        }
        traces += [
            {**edge, "y": _numbers(of["low_kw"])},
            {**edge, "y": _numbers(of["high_kw"]), "fill": "tonexty", "fillcolor": _faint(colour)},
            _trace(place, x, _numbers(of["median_kw"]), name) | {"legendgroup": name},
        ]
    kind = {"type": "category"} if column == "month" else {}  # Plotly would take months for times
    return drawn(
        traces,
        xaxis={"title": {"text": title}, "automargin": True, "zeroline": False, **kind},
        yaxis=load_axis("load", unit),
    )


def course(frame: pd.DataFrame, unit: str) -> Figure:
    """Return the bands over the time of the day."""
    figure = bands(frame, "minute", "time of the day, clock of the site", unit)
    hours = range(0, 25, 3)
    figure["layout"]["xaxis"] |= {
        "tickvals": [60 * hour for hour in hours],
        "ticktext": [f"{hour}:00" for hour in hours],
    }
    return figure


def week(frame: pd.DataFrame, unit: str) -> Figure:
    """Return the mean load of each hour of the week, a line a zone."""
    traces = [
        _trace(place, (24 * of["weekday"] + of["hour"]).tolist(), _numbers(of["mean_kw"]), name)
        for place, (name, of) in enumerate(by_zone(frame))
    ]
    ticks = {"tickvals": [24 * day for day in range(7)], "ticktext": list(WEEKDAYS)}
    return drawn(traces, xaxis={"title": {"text": "clock of the site"}, **ticks}, yaxis=load_axis("load", unit))


def lines(frame: pd.DataFrame, title: str, axis: dict[str, Any], levels: pd.DataFrame | None = None) -> Figure:
    """Return a line for each column along the index, and as a broad one that of ``levels``."""
    x = _dates(frame) if hasattr(frame.index, "strftime") else frame.index.tolist()
    traces = [_trace(place, x, _numbers(of), named(str(field))) for place, (field, of) in enumerate(frame.items())]
    for place, (field, of) in enumerate(levels.items() if levels is not None else ()):
        own = _trace(place, x, _numbers(of), f"{named(str(field))}, level", shape="hv")
        traces.append(own | {"line": own["line"] | {"width": 4}, "opacity": 0.55})
    ticks = {"dtick": 24} if frame.index.name == "lag_h" else {}
    return drawn(traces, xaxis={"title": {"text": title}, "automargin": True, **ticks}, yaxis=axis)


def heat(frame: pd.DataFrame, unit: str) -> Figure:
    """Return the load of each hour of each date: the dates from left to right, the hours from below."""
    return drawn(
        [
            {
                "type": "heatmap",
                "x": _dates(frame),
                "y": frame.columns.tolist(),
                "z": _cells(frame.T),
                "colorscale": _SCALE,
                "colorbar": _BAR | {"title": {"text": unit, "side": "right"}, "separatethousands": True},
                "hovertemplate": "%{x}, %{y}:00: %{z:,.5~r} " + unit + "<extra></extra>",
            }
        ],
        xaxis={"automargin": True},
        yaxis={"title": {"text": "hour, clock of the site"}, "dtick": 6, "automargin": True},
        hovermode="closest",
    )


def matrix(frame: pd.DataFrame) -> Figure:
    """Return correlations as coloured cells with their figures."""
    names = [named(str(field)) for field in frame]
    return drawn(
        [
            {
                "type": "heatmap",
                "x": names,
                "y": names,
                "z": _cells(frame),
                "text": [["" if np.isnan(cell) else f"{cell:z.2f}" for cell in row] for row in frame.to_numpy()],
                "texttemplate": "%{text}",
                "zmin": -1,
                "zmax": 1,
                "colorscale": _BOTH_WAYS,
                "colorbar": _BAR,
                "hovertemplate": "%{x}, %{y}: %{z:.3f}<extra></extra>",
            }
        ],
        height=160 + 40 * len(names),
        xaxis={"automargin": True, "tickangle": -45},
        yaxis={"automargin": True, "autorange": "reversed"},
        hovermode="closest",
    )


def bars(frame: pd.DataFrame) -> Figure:
    """Return the differences of holidays in per cent, a bar a zone and date."""
    traces = []
    for place, (name, of) in enumerate(by_zone(frame)):
        pattern = ("", "/", ".", "x")[place % 4]
        marker = {"color": STYLES[place % len(STYLES)][0], "pattern": {"shape": pattern}}
        percent = _numbers(100 * of["difference_ratio"])
        traces.append({"type": "bar", "x": of["local_date"].tolist(), "y": percent, "name": name, "marker": marker})
    y = {"title": {"text": "difference, %"}, "automargin": True, "hoverformat": ".1f"}
    return drawn(traces, xaxis={"type": "category", "automargin": True, "tickangle": -60}, yaxis=y)


def pairs(frame: pd.DataFrame, names: Sequence[tuple[str, str]], unit: str) -> Figure:
    """Return two columns of loads along the hour of the day, a line and its dashes a zone."""
    traces = []
    for place, (zone, of) in enumerate(by_zone(frame)):
        for dash, (column, name) in zip(("solid", "dot"), names, strict=True):
            own = _trace(place, of["local_hour"].tolist(), _numbers(of[column]), f"{zone}, {name}")
            traces.append(own | {"line": own["line"] | {"dash": dash}})
    x = {"title": {"text": "hour of the day, clock of the site"}, "dtick": 3}
    return drawn(traces, xaxis=x, yaxis=load_axis("load", unit))


def _trace(place: int, x: list[Any], y: list[float | None], name: str, shape: str = "linear") -> dict[str, Any]:
    colour, dash, _ = STYLES[place % len(STYLES)]
    line = {"color": colour, "dash": dash, "width": 2, "shape": shape}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": line}


def _dates(frame: pd.DataFrame) -> list[str]:
    dates: list[str] = frame.index.strftime("%Y-%m-%d").tolist()  # type: ignore[attr-defined]  # an index of times
    return dates


def _numbers(values: pd.Series[float]) -> list[float | None]:
    """Return four digits that count of each, which a picture does not show more of; None for NaN."""
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in values.to_numpy(np.float64)]


def _cells(frame: pd.DataFrame) -> list[list[float | None]]:
    return [[None if np.isnan(cell) else float(f"{cell:.4g}") for cell in row] for row in frame.to_numpy(np.float64)]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {_OPACITY})"
