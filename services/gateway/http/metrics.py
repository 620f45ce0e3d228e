"""What the HTTP application tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["HttpMetrics"]

DOORS = {401: "key", 403: "host", 408: "body", 413: "body", 415: "type", 429: "rate", 503: "database"}
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class HttpMetrics:
    """Requests by their route: a path that is none is ``other``, whatever it was."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "tetouan_http_requests", "HTTP requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "tetouan_http_request_duration_seconds",
            "From a request to the start of its answer, in seconds.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.refusals = Counter(
            "tetouan_http_refusals",
            "Requests refused at a door, by what it asks: host, key, rate, type, body, or the database of the keys.",
            ["door"],
            registry=registry,
        )

    def refuse(self, status: int) -> None:
        """Count a request that was refused at a door with this status."""
        self.refusals.labels(DOORS[status]).inc()
