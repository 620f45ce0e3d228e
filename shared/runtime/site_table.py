"""What a service says of the table of sites: entries that are none, and records of sites that it does not have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import prometheus_client
import structlog

from shared.runtime.names import OTHER, FewNames
from shared.runtime.settings import PREFIX
from shared.runtime.site_notes import SHOWN
from shared.sites.table import known_sites

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from shared.runtime.concerns import SiteSettings
    from shared.runtime.health import Health
    from shared.sites.table import Sites

__all__ = ["UnknownSites", "served_sites"]

log = structlog.get_logger()


class UnknownSites:
    """Counts the records of sites that the table does not have.

    Parameters
    ----------
    registry, health
        Where they are counted and told.
    """

    def __init__(self, registry: CollectorRegistry, health: Health) -> None:
        self._health = health
        self._counted: Counter[str] = Counter()
        self._named = FewNames[str]()
        self._metric = prometheus_client.Counter(
            "tetouan_unknown_site_records",
            "Records of sites that the table of sites does not have, passed over.",
            ["site"],
            registry=registry,
        )

    def count(self, site: str) -> None:
        """Count a record of that site."""
        name = site if self._named.admits(site) else OTHER
        self._counted[name] += 1
        self._metric.labels(name).inc()
        seen = ", ".join(f"{name} ({count})" for name, count in self._counted.items())
        self._health.notes["unknown sites"] = (
            f"records of sites that the table does not have are passed over: {seen}: give each a table in the file of "
            "TETOUAN_SITES, and start anew"
        )


def served_sites(settings: SiteSettings, health: Health) -> Sites:
    """Return the sites that a service serves: all of the table.

    Log and ``/readyz`` name the entries that are no sites, and those that are probably not as they were meant, each
    with what to change, and a choice of zones that no service looks at.
    """
    sites, file = known_sites(settings.sites), str(settings.sites)
    for name, line in sites.refused.items():
        log.error("an entry of the table of sites is refused", file=file, site=name, why=line)
    for name, line in sites.doubts.items():
        log.warning("an entry of the table of sites is in doubt", file=file, site=name, why=line)
    if sites.refused:
        health.notes["refused sites"] = f"{_few(sites.refused)}: mend them in {file}, and start anew"
    if sites.doubts:
        health.notes["sites in doubt"] = f"{_few(sites.doubts)} ({file})"
    place = sites.get(settings.site)
    if place is not None and "zones" in settings.model_fields_set and set(settings.zones) != set(place.zones):
        chosen, forecast = (", ".join(map(str, zones)) for zones in (settings.zones, place.zones))
        said = f"{PREFIX}ZONES={chosen} is for commands: zones {forecast} of {place.name} are forecast, by its table"
        health.notes["zones"] = f"{said}: set zones in its table ({PREFIX}SITES)"
        log.warning("a setting that services do not look at", why=health.notes["zones"])
    return sites


def _few(lines: Mapping[str, str]) -> str:
    """Return the first lines, and how many there are beside them."""
    more = len(lines) - SHOWN
    return "; ".join([*list(lines.values())[:SHOWN], *([f"and {more} more"] if more > 0 else [])])
