"""The records of sites that the table does not have: counted, named in ``/readyz``, and passed over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import prometheus_client

from shared.runtime.names import OTHER, FewNames

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from shared.runtime.health import Health
    from shared.sites.table import Sites

__all__ = ["UnknownSites", "tell_refused"]


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


def tell_refused(sites: Sites, health: Health) -> None:
    """Name in ``/readyz`` the entries of the table that are no sites, each with what to change."""
    if sites.refused:
        lines = "; ".join(list(sites.refused.values())[:8])
        more = len(sites.refused) - 8
        health.notes["refused sites"] = f"{lines}{f'; and {more} more' if more > 0 else ''}: mend them, and start anew"
