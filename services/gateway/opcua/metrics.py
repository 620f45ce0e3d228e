"""What the OPC UA server tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["OpcUaMetrics"]


class OpcUaMetrics:
    """Its clients, its nodes, and what it has told them; all 0 where there is none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clients = Gauge("tetouan_opcua_clients", "Open connections of OPC UA clients.", registry=registry)
        self.zones = Gauge("tetouan_opcua_zones", "Zones that have nodes on the OPC UA server.", registry=registry)
        self.left_out = Gauge(
            "tetouan_opcua_left_out_zones",
            "Zones without nodes, as there are more than TETOUAN_OPCUA_MAX_ZONES.",
            registry=registry,
        )
        self.values = Counter("tetouan_opcua_values", "Values written to nodes.", registry=registry)
        self.cut_off = Counter(
            "tetouan_opcua_cut_off_clients",
            "OPC UA clients that were cut off, as they took nothing of what they had asked for.",
            registry=registry,
        )
        self.skipped = Counter(
            "tetouan_opcua_skipped_events",
            "Events of which no value was made: unreadable (no message), or behind (it was no longer in memory).",
            ["reason"],
            registry=registry,
        )
