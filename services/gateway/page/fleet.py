"""All zones at a glance: which comes first, and what is shown of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.gateway.page.alarm import RANK, is_watched, light_of
from services.gateway.page.documents import FleetZone
from services.gateway.page.words import rendered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.gateway.page.alarm import Judgement
    from services.gateway.page.documents import Point
    from services.gateway.page.words import Words

__all__ = ["LONG_SILENT", "Glance", "fleet_zone"]

LONG_SILENT = timedelta(days=7)  # what is to be done about such a site was done, or will not be


@dataclass(frozen=True)
class Glance:
    """What all zones are compared by; ``said`` are the findings, the worst first."""

    site: str
    zone: int
    as_of: datetime
    now_kw: float | None
    next_hour_kw: float | None
    peak: Point | None
    mape: float | None
    said: Sequence[Judgement]

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come for long."""
        return any(finding.kind == "stale" and finding.said["ago"] >= LONG_SILENT for finding in self.said)

    @property
    def urgency(self) -> tuple[Any, ...]:
        """What sorts the zones: the worst first, of equal ones the newest finding, and dead sites after all others."""
        worst = self.said[0]
        since_s = worst.since.timestamp() if worst.since else 0.0
        return self.is_silent, RANK[worst.severity], -since_s, -(self.mape or 0.0), self.site, self.zone


def fleet_zone(glance: Glance, words: Words) -> FleetZone:
    """Return a zone at a glance; what has stopped is not shown as if it were of now."""
    kinds = {judgement.kind for judgement in glance.said}
    is_read, is_ahead = "stale" not in kinds, not kinds & {"stale", "behind"}
    return FleetZone(
        site=glance.site,
        zone=glance.zone,
        time_zone=words.time_zone,
        as_of=glance.as_of,
        is_silent=glance.is_silent,
        now_kw=glance.now_kw if is_read else None,
        next_hour_kw=glance.next_hour_kw if is_ahead else None,
        peak=glance.peak if is_ahead else None,
        mape=glance.mape,
        light=light_of(glance.mape) if is_ahead and is_watched(glance.said) else None,
        finding=rendered(glance.said[0], words),
        more=len(glance.said) - 1,
    )
