"""What is shown of one site of an ingestor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from services.ingestor.metrics import IngestorMetrics
    from shared.contracts.messages import CleanReading
    from shared.sites.site import Site

__all__ = ["IngestorSeries"]


class IngestorSeries:
    """The counters of one site, looked up by their labels once, and what its gauges show when somebody asks.

    Attributes
    ----------
    time
        That of the last clean reading, None before the first.
    values
        The last value of each field that had one.
    """

    def __init__(self, metrics: IngestorMetrics, site: Site) -> None:
        self.name = site.name
        self.time: datetime | None = None
        self.values: dict[str, float | None] = {}
        self.merged = metrics.merged.labels(site.name)
        self._accepted = metrics.accepted.labels(site.name)
        self._flags = metrics.flags
        metrics.show(self)

    def accept(self, reading: CleanReading) -> None:
        """Count a clean reading, and show it."""
        self._accepted.inc()
        self.time = reading.time
        values = reading.values
        if reading.flags:
            for field, flagged in reading.flags.items():
                self._flags.labels(field, flagged.flag).inc()
            values = {field: value for field, value in values.items() if value is not None}
        self.values.update(values)  # what has no value has a flag
