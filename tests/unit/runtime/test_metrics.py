"""Metrics in parts: written once, and as the client library writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared.runtime.metrics import FixedSamples, GaugeOfParts, exposition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

TEXTS = {"error_kw": "The error, in kW.\nOf \\ a forecast.", "bias_kw": "The bias."}


class Zones(Collector):
    """Two families of a part for each zone."""

    def __init__(self, *zones: str) -> None:
        self.written: list[str] = []
        self.parts = [FixedSamples(lambda zone=zone: self._families(zone)) for zone in zones]  # type: ignore[misc]  # it is bound

    def _families(self, zone: str) -> dict[str, Metric]:
        self.written.append(zone)
        families: dict[str, Metric] = {}
        for name, text in TEXTS.items():
            family = GaugeMetricFamily(name, text, labels=("zone", "lead"))
            for lead in ("10", "60"):
                family.add_metric((zone, lead), float(lead) / 3)
            families[name] = family
        return families

    def collect(self) -> Iterator[Metric]:
        """Yield both families."""
        for name, text in TEXTS.items():
            yield GaugeOfParts(name, text, ("zone", "lead"), self.parts)


def registry_of(zones: Zones) -> CollectorRegistry:
    """Return a registry of these zones and a counter."""
    registry = CollectorRegistry()
    Counter("readings", "Readings.", ["site"], registry=registry).labels("north").inc()
    registry.register(zones)
    return registry


def test_parts_are_written_as_the_library_writes_them() -> None:
    """Names, texts, labels that need escapes, and numbers; a family without a part has a head."""
    for zones in (Zones("1", 'a "b"\nc'), Zones()):
        registry = registry_of(zones)
        assert exposition(registry) == generate_latest(registry)


def test_parts_are_written_once() -> None:
    """Who asks again gets the same lines; a part that is new is written, and none of the others."""
    zones = Zones("1", "2")
    registry = registry_of(zones)
    first = exposition(registry)
    assert exposition(registry) == first
    assert zones.written == ["1", "2"]
    zones.parts[0] = Zones("1").parts[0]
    assert exposition(registry) == first
    assert zones.written == ["1", "2"]


def test_samples_of_parts_can_be_looked_up() -> None:
    """As those of any other family."""
    assert registry_of(Zones("1", "2")).get_sample_value("bias_kw", {"zone": "2", "lead": "60"}) == 20.0
