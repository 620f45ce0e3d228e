"""The chart of the live view: the load of the last 24 hours and the forecast of the next, drawn with characters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LEGEND", "Curves", "chart"]

LOAD, FORMER, FORECAST, BAND, FRAME = "cyan+", "blue+", "orange+", "gray", "gray+"
DOT, SHADE = "·", "░"  # told apart without colour too
LEGEND = Text.assemble(
    "MW   ",
    ("⠤⠒⠤ load", "bright_cyan"),
    (f"   {DOT * 3} forecast of 24 h ago", "bright_blue"),
    ("   ⠤⠒⠤ forecast", "bright_yellow"),
    f"   {SHADE * 3} its 90 % range",
    no_wrap=True,
    overflow="ellipsis",
)
DOTS = 2  # a braille character is two dots wide: what is finer cannot be seen
TICKS_WIDTH = 4
STEPS_MW = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
FINE = 5  # the ends of the y axis are whole fifths of a step: it moves seldom and wastes little


@dataclass(frozen=True, eq=False)
class Curves:
    """What is known around the origin of a forecast, in kW; NaN where nothing is.

    Attributes
    ----------
    load_kw
        The load of the 24 hours up to and including the origin, oldest first; shape (leads,).
    former_kw
        What the forecast with its origin 24 hours ago said for the same steps; shape (leads,).
    median_kw, low_kw, high_kw
        The forecast and the ends of its 90 % interval; shape (leads,).
    """

    load_kw: Floats
    former_kw: Floats
    median_kw: Floats
    low_kw: Floats
    high_kw: Floats


def chart(curves: Curves, width: int, height: int) -> Text:
    """Draw the curves, in MW over hours from the origin, ``width`` characters wide and ``height`` lines high."""
    import plotext  # noqa: PLC0415 - it takes a third of a second and is not needed without a terminal

    figure = _empty(plotext, width, height)
    low_mw, high_mw, ticks_mw = _scale(curves, height)
    figure.ruler("y").lim(low_mw, high_mw).ticks(ticks_mw, [f"{tick:g}" for tick in ticks_mw])

    leads = curves.median_kw.size
    ahead_h = np.linspace(24 / leads, 24, leads)
    past_h = ahead_h - 24
    cells = max(2, (width - TICKS_WIDTH) // 2)
    pen = _Pen(figure, plotext)
    pen.band(ahead_h, curves.low_kw, curves.high_kw, cells)
    pen.upright(np.linspace(low_mw, high_mw, height))
    pen.dots(past_h, curves.former_kw, cells)
    pen.line(past_h, curves.load_kw, DOTS * cells, LOAD)
    pen.line(ahead_h, curves.median_kw, DOTS * cells, FORECAST)
    drawn = Text.from_ansi(figure.build().string(), no_wrap=True)
    drawn.rstrip()
    return drawn


def _empty(plotext: Any, width: int, height: int) -> Any:
    """Return the library's one figure, cleared, with its frame and its axis of hours."""
    plotext.terminal.limit(width=False, height=False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    figure.theme("colorless")  # otherwise on white, whatever the terminal's background is
    figure.axes(active=False, side="upper", axis="x")
    figure.axes(active=False, side="right", axis="y")
    ticks_h = range(-24, 25, 6 if width >= 60 else 12)
    figure.ruler("x").lim(-24, 24).ticks(list(ticks_h), [f"{tick:+d} h" if tick else "now" for tick in ticks_h])
    return figure


class _Pen:
    """Draws curves on a figure, no finer than its characters can show."""

    def __init__(self, figure: Any, plotext: Any) -> None:
        self._figure = figure
        self._plotext = plotext

    def line(self, at_h: Floats, demand_kw: Floats, points: int, colour: str) -> None:
        """Draw a line, broken where values are missing."""
        x, y = _thinned(at_h, demand_kw, points)
        there = np.flatnonzero(~np.isnan(y))
        line = self._signal(x[there], y[there], "braille", colour).lines()
        for after_gap in np.flatnonzero(np.diff(there) > 1):
            line.line(int(after_gap) + 1, active=False)
        self._figure.draw(line)

    def dots(self, at_h: Floats, demand_kw: Floats, points: int) -> None:
        x, y = _thinned(at_h, demand_kw, points)
        there = ~np.isnan(y)
        self._figure.draw(self._signal(x[there], y[there], DOT, FORMER))

    def band(self, at_h: Floats, low_kw: Floats, high_kw: Floats, points: int) -> None:
        low, high = (self._signal(*_thinned(at_h, kw, points), SHADE, BAND) for kw in (low_kw, high_kw))
        self._figure.draw(high.fill(low).density("full"))

    def upright(self, y: Floats) -> None:
        self._figure.draw(self._signal(np.zeros_like(y), y, "┊", FRAME))

    def _signal(self, x: Floats, y: Floats, symbol: str, colour: str) -> Any:
        marker = self._plotext.marker(symbol, self._plotext.pixel(colour))
        return self._figure.signal(x.tolist(), y.tolist(), marker=marker)


def _thinned(at_h: Floats, demand_kw: Floats, points: int) -> tuple[Floats, Floats]:
    """Return so many points of a curve, in hours and MW."""
    x = np.linspace(at_h[0], at_h[-1], points)
    return x, np.interp(x, at_h, demand_kw) / 1000


def _scale(curves: Curves, height: int) -> tuple[float, float, list[float]]:
    """Return the ends of the y axis and its ticks in MW; they stand two lines apart at least."""
    known_mw = np.concatenate([*vars(curves).values()]) / 1000
    low_mw, high_mw = float(np.nanmin(known_mw)), float(np.nanmax(known_mw))
    step_mw = next((step for step in STEPS_MW if (high_mw - low_mw) / step <= height / 2.5), STEPS_MW[-1])
    fine_mw = step_mw / FINE
    low_mw = fine_mw * math.floor(low_mw / fine_mw)
    high_mw = max(fine_mw * math.ceil(high_mw / fine_mw), low_mw + step_mw)
    ticks = range(math.ceil(low_mw / step_mw), math.floor(high_mw / step_mw) + 1)
    return low_mw, high_mw, [round(step_mw * tick, 1) for tick in ticks]
