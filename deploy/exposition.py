"""What the services export on `/metrics`, without running them: every metric that they declare, each with a sample."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pkgutil import walk_packages
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase

from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import PipelineMetrics, new_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

__all__ = ["SERVICES", "declared_in", "exposition", "labels_by_name"]

SERVICES = ("ingestor", "forecaster", "monitor", "gateway")


class _Declared(CollectorRegistry):
    """A registry that gives each metric with labels a series as soon as it is declared, or drawn without one."""

    def register(self, collector: object) -> None:
        super().register(collector)  # type: ignore[arg-type]  # whatever the client hands over
        if isinstance(collector, MetricWrapperBase):
            names = collector._labelnames  # noqa: SLF001 - the client has no public way to ask a metric for its labels
            if names:
                collector.labels(*("x" for _ in names))

    def collect(self) -> Iterator[Metric]:
        for family in super().collect():
            if isinstance(family, GaugeMetricFamily) and not family.samples:
                family.add_metric(["x" for _ in family._labelnames], 0.0)  # noqa: SLF001 - as above
            yield family


def declared_in(service: str) -> CollectorRegistry:
    """Return a registry with what the service declares, each with a sample of every label."""
    registry = _Declared()
    PipelineMetrics(registry)
    DeadLetters(registry)
    package = import_module(f"services.{service}")
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith("metrics"):
            declarations = import_module(module.name)
            for declared in (getattr(declarations, name) for name in declarations.__all__):
                if list(signature(declared).parameters) == ["registry"]:  # else it shows what another declares
                    declared(registry)
    return registry


def exposition(service: str) -> bytes:
    """Return the text that Prometheus would scrape from the service."""
    return generate_latest(new_registry()) + generate_latest(declared_in(service))


def labels_by_name() -> dict[str, frozenset[str]]:
    """Return the labels of every series that any service exports, by its name."""
    registries = [new_registry(), *(declared_in(service) for service in SERVICES)]
    return {
        sample.name: frozenset(sample.labels)
        for registry in registries
        for family in registry.collect()
        for sample in family.samples
    }
