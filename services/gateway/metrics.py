"""What the gateway tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from shared.runtime.metrics import BATCH_SECONDS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["HistoryMetrics"]


class HistoryMetrics:
    """The writing of the history."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows = Counter(
            "tetouan_history_rows", "Rows written to the history, repeated ones too.", ["table"], registry=registry
        )
        self.write_s = Histogram(
            "tetouan_history_write_seconds",
            "How long a transaction of the history takes, in seconds.",
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            "tetouan_history_retries",
            "Transactions that failed since the database was away, and were done again.",
            registry=registry,
        )
        self.written_s = Gauge(
            "tetouan_history_written_time_seconds",
            "Unix time of the last transaction of the history, 0 before the first.",
            registry=registry,
        )
        self.newest_s = Gauge(
            "tetouan_history_newest_reading_timestamp_seconds",
            "Time of the newest reading that was written since the start, event time in seconds since 1970.",
            registry=registry,
        )
        self.thinned = Counter(
            "tetouan_history_thinned_forecasts",
            "Forecasts of which only the lead groups are kept any more.",
            registry=registry,
        )
