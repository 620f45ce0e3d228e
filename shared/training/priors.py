"""Pools what the zones of a year have taught, for a new site to begin with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from shared.data.year import DataError
from shared.forecasting.prior import Prior, PriorSource
from shared.training.candidates import ZoneCandidate
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from shared.data.year import Year

    Progress = Callable[[str, float], None]

__all__ = ["train_prior"]


def train_prior(year: Year, until: datetime, zones: Sequence[int], progress: Progress) -> Prior:
    """Fit each zone on the readings before ``until`` and return what all of them have taught.

    Raises
    ------
    DataError
        If a zone has too few readings, or all loads are zero.
    """
    lessons = []
    for zone in zones:
        history = TrainingData.of(year, zone, until)
        model = ZoneCandidate.fit(history, partial(progress, f"zone {zone}: fitting zone-demand")).model
        lessons.append(model.lesson(history.demand_kw[: history.seen]))
    step_minutes = year.site.step_minutes
    source = PriorSource(year.sha256, year.site.name, tuple(zones), year.span[0], until)
    try:
        return Prior.pooled(lessons, step_minutes, year.site.grid.day, source)
    except ValueError as error:
        raise DataError(f"{year.label}: {error}") from None
