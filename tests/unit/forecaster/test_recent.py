"""The last readings of a site: a ring that holds the same whatever batches they came in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.forecaster.recent import RecentReadings, Rows
from shared.forecasting.weather import COLUMNS
from tests.unit.forecaster.test_many_sites import SITES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.sites.site import Site

SPAN = timedelta(days=2)
FIRST = 10_000
LATER = [*range(FIRST + 40, FIRST + 320), *range(FIRST + 330, FIRST + 500)]
STEPS = [*range(FIRST, FIRST + 40), FIRST + 39, FIRST + 7, *LATER]
"""Readings of a few days of fifteen or ten minutes: a repeat, one from before, and a gap; more than the ring holds."""


def rows_of(site: Site, steps: Sequence[int]) -> Rows:
    """Return readings whose numbers tell their steps, but for a reading that has come a second time."""
    numbers = np.array(steps, np.float64)[:, np.newaxis]
    weather = numbers + np.arange(len(COLUMNS)) / 10
    return Rows(np.array(steps), weather, numbers + np.arange(len(site.zones)))


def recent_of(site: Site, batch: int) -> RecentReadings:
    """Return the ring after all readings, so many at once."""
    recent = RecentReadings(site, SPAN)
    for first in range(0, len(STEPS), batch):
        recent.add(rows_of(site, STEPS[first : first + batch]))
    return recent


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("batch", [1, 7, 200])
def test_it_holds_the_last_readings_whatever_batches_they_came_in(name: str, batch: int) -> None:
    """Each step once, by time, no further back than the span, with its own numbers."""
    site = SITES[name]
    recent = recent_of(site, batch)
    rows = recent.after(0)
    expected = sorted({step for step in STEPS if step > STEPS[-1] - recent.length})
    assert recent.length == SPAN // site.grid.length
    assert rows.steps.tolist() == expected
    assert np.array_equal(rows.demand_kw, rows_of(site, expected).demand_kw)
    known = [column for column, field in enumerate(COLUMNS) if field in site.weather]
    assert np.array_equal(rows.weather[:, known], rows_of(site, expected).weather[:, known])
    assert recent.last_step == STEPS[-1]


@pytest.mark.parametrize("name", SITES)
def test_its_arrays_do_not_depend_on_the_batches(name: str) -> None:
    """What is kept is the same to the bit."""
    one, many = (recent_of(SITES[name], batch).large_state() for batch in (1, 200))
    assert all(np.array_equal(one[field], many[field], equal_nan=True) for field in ("steps", "weather", "demand_kw"))
