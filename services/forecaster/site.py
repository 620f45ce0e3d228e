"""One site of a forecaster: its models, how far they have come, and its forecasts; a fold over its readings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.forecaster.issuing import Issuer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from services.forecaster.issue import Issue
    from services.forecaster.issuing import ZoneModels
    from shared.contracts.messages import CleanReading
    from shared.sites.site import Site

__all__ = ["Refusal", "SiteForecasts"]

Refusal = tuple[str, str | None, str]
"""Reason, field and value of a dead letter."""


class SiteForecasts:
    """The forecasts of one site.

    Parameters
    ----------
    site
        Its readings alone are handed in.
    zones
        The models of its zones, which go on learning.
    coverages
        The intervals that the messages carry.
    max_gap
        How much later than the last one a reading may be.
    """

    def __init__(
        self, site: Site, zones: tuple[ZoneModels, ...], coverages: tuple[float, ...], max_gap: timedelta
    ) -> None:
        self.site = site
        self.zones = zones
        self._issuer = Issuer(site, zones, coverages)
        self._max_gap = max_gap
        as_of = min((zone.as_of for zone in zones if zone.as_of is not None), default=None)
        self._as_of, self._newest = as_of, as_of
        self._answers = False
        self.changes = 0
        """How often the models have learned, since they began or were resumed."""

    def admit(self, reading: CleanReading) -> Refusal | None:
        """Take note of a reading that is to be folded next; returns why it is not, where no state can take it."""
        newest = self._newest
        if newest is not None and reading.time - newest > self._max_gap:
            advice = f"more than {self._max_gap.days} days after {newest.isoformat()}: run `tetouan train`"
            return "too_far_ahead", "time", f"{reading.time.isoformat()} is {advice}"
        self._newest = reading.time if newest is None else max(newest, reading.time)
        return None

    def fold(self, readings: Sequence[CleanReading]) -> None:
        """Fold readings that were answered before."""
        self.changes += 1
        self._issuer.answer(readings)
        self._as_of = self._newest

    def answer(self, readings: Sequence[CleanReading]) -> tuple[list[Issue], int]:
        """Return a forecast of each zone for each reading that the state does not hold yet, and how many steps lack.

        Steps lack between what the state held at the start and the first reading that is answered, 0 ever after: the
        models fill them with their own forecasts.
        """
        self.changes += 1
        issues = self._issuer.answer(readings)
        if self._answers or not issues:
            return issues, 0
        self._answers = True
        return issues, 0 if self._as_of is None else (issues[0].origin - self._as_of) // self.site.grid.length - 1

    @property
    def as_of(self) -> datetime | None:
        """The time of the last reading that was folded before any was answered; None where there was none."""
        return self._as_of
