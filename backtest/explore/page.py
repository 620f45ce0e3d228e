"""A look at a file as one page that stands by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # Plotly 5 is published without types

from backtest.explore.words import listed, named
from backtest.page import templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.explore.exploration import Exploration
    from backtest.explore.part import PagePart

__all__ = ["page_of_exploration"]


def page_of_exploration(found: Exploration, parts: Sequence[PagePart]) -> str:
    """Return what was found, and its `parts_of`, as HTML that holds all it needs and asks no other host."""
    return (
        templates(found.unit)
        .get_template("explore/page.html")
        .render(
            found=found,
            about=_about(found),
            parts=parts,
            open=[line for part in parts for line in part.open],
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - a script of the package, not of the data
        )
    )


def _about(found: Exploration) -> str:
    year, series = found.year, found.series
    zones = listed(map(str, year.site.load_zones))
    return (
        f"{year.counts}, checksum sha256 {year.sha256}. A reading every {year.site.step_minutes} minutes, from "
        f"{series.shown(0)} to {series.shown(series.has_reading.size - 1)}: {series.days:,.1f} days. Times are those "
        f"of the clock of the site ({year.site.time_zone}), with its offset from UTC. Loads of zone {zones}, in "
        f"{found.unit.name}; "
        f"weather: {listed(map(named, year.site.weather)) or 'none'}."
    )
