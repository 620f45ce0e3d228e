"""What the ingestor tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from services.ingestor.series import IngestorSeries

__all__ = ["IngestorMetrics"]

TIME_S = (
    "tetouan_reading_timestamp_seconds",
    "Time of the last clean reading, event time in seconds since 1970.",
    ("site",),
)
VALUE = (
    "tetouan_reading_value",
    "The last value of each field of the clean readings, in the unit that ends its name.",
    ("site", "field"),
)


class IngestorMetrics(Collector):
    """The ingestor's own metrics, each declared once.

    Gauges are drawn from what the sites show when somebody asks, as readings come far more often.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._series: dict[str, IngestorSeries] = {}
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
            "Times that readings came to speak against the table of their site: `register`, `unit`, `limits`, `step`.",
            ["site", "field", "kind"],
            registry=registry,
        )
        self.flags = Counter(
            "tetouan_flagged_values",
            "Values of clean readings that carry a flag.",
            ["field", "flag"],
            registry=registry,
        )
        registry.register(self)

    def show(self, series: IngestorSeries) -> None:
        """Show the time and the values of a site as they are whenever somebody asks."""
        self._series[series.name] = series

    def describe(self) -> Iterator[Metric]:
        """Yield every gauge, as its name is all that is asked for."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge; may run beside the consume loop, in a thread of its own."""
        time_s, value = (GaugeMetricFamily(name, text, labels=labels) for name, text, labels in (TIME_S, VALUE))
        for series in list(self._series.values()):
            if series.time is not None:
                time_s.add_metric((series.name,), series.time.timestamp())
            for field, number in list(series.values.items()):
                if number is not None:
                    value.add_metric((series.name, field), number)
        yield time_s
        yield value

    def forget(self, series: IngestorSeries) -> bool:
        """Show a site no longer; returns False where other series show it by now."""
        if self._series.get(series.name) is not series:
            return False
        del self._series[series.name]
        for metric in (self.accepted, self.merged, self.unknown_fields, self.doubts):
            metric.remove_by_labels({"site": series.name})
        return True
