"""The metrics that every service exports, each declared once; a service declares its own beside them."""

from __future__ import annotations

from collections import Counter as Tally
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client.samples import Sample

    from shared.runtime.records import Outgoing, Record

__all__ = ["FixedSamples", "GaugeOfParts", "PipelineMetrics", "exposition", "new_registry"]

BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_topic_of = attrgetter("topic")
BATCH_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def new_registry() -> CollectorRegistry:
    """Return a registry of its own with the process's figures (memory, CPU, garbage collection)."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class FixedSamples:
    """Samples of several families that never change; their lines are written once, when somebody asks for them.

    Parameters
    ----------
    families
        Returns the families by name, each with the samples of this part.
    """

    def __init__(self, families: Callable[[], dict[str, Metric]]) -> None:
        self._families = families

    def samples(self, name: str) -> list[Sample]:
        """Return the samples of a family."""
        return self._families()[name].samples

    @cached_property
    def lines(self) -> dict[str, str]:
        """The lines of each family, by its name, without its head of two lines."""
        return {name: _written([family]).split("\n", 2)[2] for name, family in self._families().items()}


class GaugeOfParts(GaugeMetricFamily):
    """A family of gauges whose samples stand in parts; without any it is like every other family."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], parts: Sequence[FixedSamples]) -> None:
        self._parts = parts
        super().__init__(name, documentation, labels=labels)
        del self.samples  # the library begins without any: those of the parts are looked up where somebody asks

    @cached_property
    def samples(self) -> list[Sample]:  # type: ignore[override]  # an attribute in the library, which only adds to it
        """The samples of all parts."""
        return [sample for part in self._parts for sample in part.samples(self.name)]

    @property
    def lines(self) -> str:
        """How the family is written."""
        head = Metric(self.name, self.documentation, self.type)
        return _written([head]) + "".join(part.lines[self.name] for part in self._parts)


def exposition(registry: CollectorRegistry) -> bytes:
    """Return all metrics as Prometheus reads them.

    To write a hundred thousand samples takes a second in which nothing else is done: those in parts are written when
    their part is new.
    """
    families = list(registry.collect())
    in_parts = [family.lines for family in families if isinstance(family, GaugeOfParts)]
    others = _written([family for family in families if not isinstance(family, GaugeOfParts)])
    return "".join((others, *in_parts)).encode()


class _Families(Collector):
    """Families that were collected before."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def _written(families: Sequence[Metric]) -> str:
    return generate_latest(_Families(families)).decode()


class PipelineMetrics:
    """What the consume loop of any service tells Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.consumed = Counter("tetouan_consumed_records", "Records consumed.", ["topic"], registry=registry)
        self.published = Counter(
            "tetouan_published_records", "Records published and confirmed.", ["topic"], registry=registry
        )
        self.batch_s = Histogram(
            "tetouan_batch_duration_seconds",
            "From a batch in hand to its offsets committed, in seconds.",
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self.batch_records = Histogram(
            "tetouan_batch_records", "Records in a batch.", buckets=BATCH_RECORDS, registry=registry
        )
        self.core_cpu_s = Counter(
            "tetouan_core_cpu_seconds",
            "CPU seconds of the service's own work on its records; the rest of the process is Kafka, HTTP and metrics.",
            registry=registry,
        )
        self.rejected_ratio = Gauge(
            "tetouan_rejected_ratio", "Share of the last 50 records that became dead letters.", registry=registry
        )
        self.lag = Gauge(
            "tetouan_consumer_lag_records", "Records not yet consumed.", ["topic", "partition"], registry=registry
        )
        self.partitions = Gauge(
            "tetouan_partitions",
            "Partitions by state: assigned by the group; paused, as their state is being rebuilt or a record is stuck.",
            ["state"],
            registry=registry,
        )
        self.misplaced_sites = Gauge(
            "tetouan_misplaced_sites",
            "Keys whose records stood on more than one partition; /readyz names them.",
            registry=registry,
        )
        self.unreadable = Gauge(
            "tetouan_unreadable_partitions",
            "Partitions that stand still before a record that cannot be fetched; /readyz and the log name it.",
            registry=registry,
        )
        self.commit_failures = Counter(
            "tetouan_commit_failures", "Offset commits that the broker refused.", registry=registry
        )
        self.broker_up = Gauge("tetouan_broker_up", "1 while the Kafka broker answers, else 0.", registry=registry)
        self.snapshot_time_s = Gauge(
            "tetouan_snapshot_time_seconds",
            "Unix time of the last snapshot of the state, 0 before the first.",
            registry=registry,
        )
        self.snapshot_bytes = Gauge("tetouan_snapshot_bytes", "Bytes written by the last snapshot.", registry=registry)
        self.snapshot_parts = Gauge(
            "tetouan_snapshot_parts",
            "Parts written by the last snapshot: what of the sites had changed, and one for what belongs to none.",
            registry=registry,
        )
        self.snapshot_cpu_s = Counter(
            "tetouan_snapshot_cpu_seconds", "CPU seconds for copying and writing snapshots.", registry=registry
        )
        self.snapshot_failures = Counter(
            "tetouan_snapshot_failures", "Snapshots that could not be written.", registry=registry
        )
        self.snapshots_refused = Counter(
            "tetouan_snapshots_refused", "Snapshots that were not used, by reason.", ["reason"], registry=registry
        )
        self.restore_s = Gauge(
            "tetouan_restore_seconds", "How long the state took to be restored the last time.", registry=registry
        )

    def count_consumed(self, records: Iterable[Record]) -> None:
        """Count records by topic."""
        for topic, count in Tally(map(_topic_of, records)).items():
            self.consumed.labels(topic).inc(count)

    def count_published(self, outgoing: Iterable[Outgoing]) -> None:
        """Count answers by topic."""
        for topic, count in Tally(map(_topic_of, outgoing)).items():
            self.published.labels(topic).inc(count)
