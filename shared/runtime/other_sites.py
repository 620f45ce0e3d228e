"""The records of other sites that a service of one site passes over: counted, and named in ``/readyz``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import prometheus_client

from shared.runtime.names import OTHER, FewNames

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from shared.runtime.health import Health

__all__ = ["OtherSites"]


class OtherSites:
    """Counts the records of other sites.

    Parameters
    ----------
    service, site
        The service that passes them over, and the one site that it serves.
    registry, health
        Where they are counted and told.
    """

    def __init__(self, service: str, site: str, registry: CollectorRegistry, health: Health) -> None:
        self._service = service
        self._site = site
        self._health = health
        self._counted: Counter[str] = Counter()
        self._named = FewNames[str]()
        self._metric = prometheus_client.Counter(
            "tetouan_other_sites_records",
            "Records of sites that this service does not serve, passed over.",
            ["site"],
            registry=registry,
        )

    def count(self, site: str) -> None:
        """Count a record of that site."""
        name = site if self._named.admits(site) else OTHER
        self._counted[name] += 1
        self._metric.labels(name).inc()
        seen = ", ".join(f"{name} ({count})" for name, count in self._counted.items())
        self._health.notes["other sites"] = (
            f"this {self._service} serves {self._site} alone, and there are records of other sites: {seen}: start a "
            f"{self._service} with TETOUAN_SITE={site} and a group of its own, TETOUAN_GROUP={site}"
        )
