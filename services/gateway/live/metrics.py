"""What the live stream tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["LiveMetrics"]


class LiveMetrics:
    """Events, and those who subscribe to them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "tetouan_live_events", "Events that came from the topics, by their name.", ["event"], registry=registry
        )
        self.sent = Counter("tetouan_live_events_sent", "Events sent, once a subscriber.", registry=registry)
        self.subscribers = Gauge("tetouan_live_subscribers", "Open live streams.", registry=registry)
        self.ended = Counter(
            "tetouan_live_streams_ended",
            "Live streams that were ended by the gateway: slow (behind what is kept in memory), stalled (took nothing "
            "for ten seconds), revoked (its key) or stopping.",
            ["reason"],
            registry=registry,
        )
        self.resumed = Counter(
            "tetouan_live_streams_resumed",
            "Live streams that went on behind a Last-Event-ID, by where what was missed came from: memory or topics.",
            ["source"],
            registry=registry,
        )
        self.passed_over = Counter(
            "tetouan_live_passed_over_records",
            "Records of which no event was made, as they are no message or cannot be fetched.",
            registry=registry,
        )
