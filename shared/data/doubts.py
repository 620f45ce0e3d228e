"""Warnings about a file: another step than its table says, a register among its loads, or a changed unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.data.load_watch import LoadWatch
from shared.data.step_watch import STEP, StepDoubt, usual_gap
from shared.data.year import NO_STEP
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shared.data.load_watch import Doubt
    from shared.data.reading import Share
    from shared.data.year import Year

__all__ = ["doubts_of", "step_doubt"]

BLOCK_ROWS = 65_536  # turned into Python numbers at once, which take much memory


def doubts_of(year: Year, told: Share = lambda _: None) -> Iterator[str]:
    """Yield one warning a zone at most; ``told`` is called with the share of the loads that is checked, 0..1."""
    steps, zones = year.steps, year.site.load_zones
    for n, zone in enumerate(zones):
        load_kw = year.demand(zone)
        usable = np.flatnonzero((steps != NO_STEP) & ~np.isnan(load_kw))
        if doubt := _first_doubt(steps[usable], load_kw[usable], year, lambda share: told((n + share) / len(zones))):  # noqa: B023 - called at once
            row = int(usable[steps[usable] == doubt.since_step][0])
            line = f" (line {year.rows.index[row]})" if year.source == "file" else ""
            yield doubt.text(load_field(zone), year.site, year.times[row].to_pydatetime()) + line
        told((n + 1) / len(zones))


def step_doubt(year: Year) -> str | None:
    """Return what is said of a file whose readings come at another distance than its table says; None of others."""
    times_us = np.unique(year.times[year.together].as_unit("us").asi8)
    gap_us = usual_gap(np.diff(times_us).tolist())
    if gap_us is None or gap_us == 60_000_000 * year.site.step_minutes:
        return None
    _, last = year.span
    said = StepDoubt(year.site.grid.step_of(last), gap_us / 60_000_000).text(STEP, year.site, last)
    return f"{said}; --step says what a file holds where no table was chosen"


def _first_doubt(steps: NDArray[np.int64], load_kw: NDArray[np.float64], year: Year, told: Share) -> Doubt | None:
    watch = LoadWatch()
    for begin in range(0, len(steps), BLOCK_ROWS):
        told(begin / len(steps))
        block = slice(begin, begin + BLOCK_ROWS)
        for step, value_kw in zip(steps[block].tolist(), load_kw[block].tolist(), strict=True):
            if doubt := watch.add(step, value_kw, year.site.step_minutes):
                return doubt
    return None
