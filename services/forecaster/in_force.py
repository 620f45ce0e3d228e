"""Which models a zone runs from which origin on, as it stands on the topic of model events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.contracts.messages import ModelEvent, ModelNames
from shared.runtime.registered import WEATHER_DEMAND, ZONE_DEMAND

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["InForce", "TopicModels", "events_of"]

BEGUN = "forecast from here on"
DIGEST = "digest"


@dataclass(frozen=True)
class InForce:
    """The models whose forecasts a zone has from an origin on; cold where they have no names."""

    zone: int
    origin: datetime
    names: ModelNames
    digest: str


def events_of(site: str, found: InForce) -> list[ModelEvent]:
    """Return the messages that say it: one for the demand model, and one for the weather model if there is one."""
    names = {ZONE_DEMAND: found.names.demand, WEATHER_DEMAND: found.names.weather}
    return [
        ModelEvent(
            site=site,
            zone=found.zone,
            model=f"{kind}-{site}-{found.zone}",
            version=label.rpartition("/")[2] if label else None,
            role="champion",
            change="in_force",
            origin=found.origin,
            reason=BEGUN if label else f"{BEGUN} from the readings alone: there was no champion",
            evidence={DIGEST: found.digest} if kind == ZONE_DEMAND and label else {},
        )
        for kind, label in names.items()
        if label or kind == ZONE_DEMAND
    ]


class TopicModels:
    """What a partition of the topic says of sites, in the order of the origins."""

    def __init__(self) -> None:
        self._events: dict[str, dict[tuple[datetime, int], dict[str, ModelEvent]]] = {}

    def add(self, event: ModelEvent) -> None:
        """Take a message; of what is said twice of one origin the last holds."""
        kind = WEATHER_DEMAND if event.model.startswith(f"{WEATHER_DEMAND}-") else ZONE_DEMAND
        self._events.setdefault(event.site, {}).setdefault((event.origin, event.zone), {})[kind] = event

    def any_of(self, sites: Iterable[str]) -> bool:
        """Tell whether anything was said of one of these."""
        return any(site in self._events for site in sites)

    def all(self) -> dict[str, list[InForce]]:
        """Return what was said of each site."""
        return {site: self._said(site) for site in self._events}

    def forget(self) -> None:
        """Forget all of it."""
        self._events.clear()

    def _said(self, site: str) -> list[InForce]:
        found = []
        for (origin, zone), events in sorted(self._events[site].items()):
            if (demand := events.get(ZONE_DEMAND)) is not None:
                labels = {kind: f"{event.model}/{event.version}" for kind, event in events.items() if event.version}
                names = ModelNames(demand=labels.get(ZONE_DEMAND), weather=labels.get(WEATHER_DEMAND))
                found.append(InForce(zone, origin, names, str(demand.evidence.get(DIGEST) or "")))
        return found
