"""The chart of the live view: the load of the last 24 hours and the forecast of the next, drawn with characters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from backtest.units import LoadUnit

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Curves", "chart", "legend"]

LOAD, FORMER, FORECAST, BAND, FRAME = "cyan+", "blue+", "orange+", "gray", "gray+"
DOT, SHADE = "·", "░"  # told apart without colour too
DOTS = 2  # a braille character is two dots wide: what is finer cannot be seen
STEPS = tuple(first * 10.0**power for power in range(-1, 7) for first in (1, 2, 5))
TOO_NEAR_H = 2  # to now, for a time to be written beside it
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

    @property
    def unit(self) -> LoadUnit:
        """The unit of the largest of them."""
        return LoadUnit.of(np.concatenate([*vars(self).values()]))

    def scaled(self, unit: LoadUnit) -> Curves:
        """Return the curves in a unit."""
        return Curves(**{name: values / unit.kw for name, values in vars(self).items()})


def legend(unit: LoadUnit) -> Text:
    """Say what is drawn how, and in which unit."""
    return Text.assemble(
        f"{unit.name}   ",
        ("⠤⠒⠤ load", "bright_cyan"),
        (f"   {DOT * 3} forecast of 24 h ago", "bright_blue"),
        ("   ⠤⠒⠤ forecast", "bright_yellow"),
        f"   {SHADE * 3} its 90 % range",
        no_wrap=True,
        overflow="ellipsis",
    )


def chart(curves: Curves, unit: LoadUnit, origin: datetime, width: int, height: int) -> Text:
    """Draw the curves, in a unit over the clock of the origin, in so many characters and lines."""
    import plotext  # noqa: PLC0415 - it takes a third of a second and is not needed without a terminal

    curves = curves.scaled(unit)
    figure = _empty(plotext, origin, width, height)
    low, high, ticks = _scale(curves, height)
    labels = [f"{tick:,.10g}" for tick in ticks]
    figure.ruler("y").lim(low, high).ticks(ticks, labels)

    leads = curves.median_kw.size
    ahead_h = np.linspace(24 / leads, 24, leads)
    past_h = ahead_h - 24
    cells = max(2, (width - max(map(len, labels))) // 2)
    pen = _Pen(figure, plotext)
    pen.band(ahead_h, curves.low_kw, curves.high_kw, cells)
    pen.upright(np.linspace(low, high, height))
    pen.dots(past_h, curves.former_kw, cells)
    pen.line(past_h, curves.load_kw, DOTS * cells, LOAD)
    pen.line(ahead_h, curves.median_kw, DOTS * cells, FORECAST)
    drawn = Text.from_ansi(figure.build().string(), no_wrap=True)
    drawn.rstrip()
    return drawn


def _empty(plotext: Any, origin: datetime, width: int, height: int) -> Any:
    """Return the library's one figure, cleared, with its frame and its axis of time."""
    plotext.terminal.limit(width=False, height=False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    figure.theme("colorless")  # otherwise on white, whatever the terminal's background is
    figure.axes(active=False, side="upper", axis="x")
    figure.axes(active=False, side="right", axis="y")
    ticks = _clock(origin, 6 if width >= 60 else 12)
    figure.ruler("x").lim(-24, 24).ticks(list(ticks), list(ticks.values()))
    return figure


def _clock(origin: datetime, every_h: int) -> dict[float, str]:
    """Return what stands where on the axis, in hours from the origin: now, and the clock with the day at midnight."""
    midnight = origin.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks = {0.0: "now"}
    for hours in range(-24, 49, every_h):
        time = midnight + timedelta(hours=hours)  # on the clock, as the summer time of a day may begin in it
        at_h = (time - origin) / timedelta(hours=1)
        if TOO_NEAR_H <= abs(at_h) <= 24:
            ticks[at_h] = f"{time:%a %H:%M}" if time.hour == 0 else f"{time:%H:%M}"
    return dict(sorted(ticks.items()))


class _Pen:
    """Draws curves on a figure, no finer than its characters can show."""

    def __init__(self, figure: Any, plotext: Any) -> None:
        self._figure = figure
        self._plotext = plotext

    def line(self, at_h: Floats, demand: Floats, points: int, colour: str) -> None:
        """Draw a line, broken where values are missing."""
        x, y = _thinned(at_h, demand, points)
        there = np.flatnonzero(~np.isnan(y))
        line = self._signal(x[there], y[there], "braille", colour).lines()
        for after_gap in np.flatnonzero(np.diff(there) > 1):
            line.line(int(after_gap) + 1, active=False)
        self._figure.draw(line)

    def dots(self, at_h: Floats, demand: Floats, points: int) -> None:
        x, y = _thinned(at_h, demand, points)
        there = ~np.isnan(y)
        self._figure.draw(self._signal(x[there], y[there], DOT, FORMER))

    def band(self, at_h: Floats, low: Floats, high: Floats, points: int) -> None:
        lower, upper = (self._signal(*_thinned(at_h, end, points), SHADE, BAND) for end in (low, high))
        self._figure.draw(upper.fill(lower).density("full"))

    def upright(self, y: Floats) -> None:
        self._figure.draw(self._signal(np.zeros_like(y), y, "┊", FRAME))

    def _signal(self, x: Floats, y: Floats, symbol: str, colour: str) -> Any:
        marker = self._plotext.marker(symbol, self._plotext.pixel(colour))
        return self._figure.signal(x.tolist(), y.tolist(), marker=marker)


def _thinned(at_h: Floats, demand: Floats, points: int) -> tuple[Floats, Floats]:
    """Return so many points of a curve over hours."""
    x = np.linspace(at_h[0], at_h[-1], points)
    return x, np.interp(x, at_h, demand)


def _scale(curves: Curves, height: int) -> tuple[float, float, list[float]]:
    """Return the ends of the y axis and its ticks; they stand two lines apart at least."""
    known = np.concatenate([*vars(curves).values()])
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    step = next((step for step in STEPS if (high - low) / step <= height / 2.5), STEPS[-1])
    fine = step / FINE
    low = fine * math.floor(low / fine)
    high = max(fine * math.ceil(high / fine), low + step)
    ticks = range(math.ceil(low / step), math.floor(high / step) + 1)
    return low, high, [round(step * tick, 1) for tick in ticks]
