"""The metrics of one site of an ingestor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Gauge

    from services.ingestor.metrics import IngestorMetrics
    from shared.contracts.messages import CleanReading
    from shared.sites.site import Site

__all__ = ["SiteSeries"]


class SiteSeries:
    """The metrics of one site: looked up by their labels once, as that costs more than to move them."""

    def __init__(self, metrics: IngestorMetrics, site: Site) -> None:
        self.merged = metrics.merged.labels(site.name)
        self._accepted = metrics.accepted.labels(site.name)
        self._flags = metrics.flags
        self._time_s = metrics.time_s.labels(site.name)
        self._values = metrics.value
        self._site = site.name
        self._by_field: dict[str, Gauge] = {}

    def accept(self, reading: CleanReading) -> None:
        """Count a clean reading, and show it."""
        self._accepted.inc()
        self._time_s.set(reading.time.timestamp())
        for field, flagged in reading.flags.items():
            self._flags.labels(field, flagged.flag).inc()
        for field, value in reading.values.items():
            if value is not None:
                if field not in self._by_field:
                    self._by_field[field] = self._values.labels(self._site, field)
                self._by_field[field].set(value)
