"""What the ingestor tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from shared.contracts.messages import CleanReading
    from shared.sites.site import Site

__all__ = ["IngestorMetrics", "SiteMetrics"]


class IngestorMetrics:
    """The ingestor's own metrics, each declared once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.accepted = Counter(
            "tetouan_accepted_readings", "Raw records that became a clean reading.", ["site"], registry=registry
        )
        self.merged = Counter(
            "tetouan_merged_readings",
            "Raw records dropped because their time was published already.",
            ["site"],
            registry=registry,
        )
        self.unknown_fields = Counter(
            "tetouan_unknown_fields",
            "Fields of readings that their site does not know, passed over; from a number of names on all are `other`.",
            ["site", "field"],
            registry=registry,
        )
        self.doubts = Counter(
            "tetouan_loads_in_doubt",
            "Times that the values of a load came to speak against its unit or kind: `register`, `unit`.",
            ["site", "field", "kind"],
            registry=registry,
        )
        self.flags = Counter(
            "tetouan_flagged_values",
            "Values of clean readings that carry a flag.",
            ["field", "flag"],
            registry=registry,
        )
        self.time_s = Gauge(
            "tetouan_reading_timestamp_seconds",
            "Time of the last clean reading, event time in seconds since 1970.",
            ["site"],
            registry=registry,
        )
        self.value = Gauge(
            "tetouan_reading_value",
            "The last value of each field of the clean readings, in the unit that ends its name.",
            ["site", "field"],
            registry=registry,
        )

    def forget(self, site: str) -> None:
        """Show nothing more of a site."""
        for metric in (self.accepted, self.merged, self.unknown_fields, self.doubts, self.time_s, self.value):
            metric.remove_by_labels({"site": site})


class SiteMetrics:
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
