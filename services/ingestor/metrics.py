"""What the ingestor tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


__all__ = ["IngestorMetrics"]


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
