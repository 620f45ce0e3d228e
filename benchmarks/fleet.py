"""The services of many synthetic sites as processes on a Kafka, days of history behind them, for benchmarks to load."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from harness.brokers import Broker, free_port, span_of, until
from harness.february import START
from harness.streaming import NAMES, Stream
from harness.synthetic_sites import synthetic_sites, table_of
from replay.backlog import Backlog
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics, partitions_of
from shared.runtime.clock import monotonic_s
from shared.runtime.concerns import ServiceSettings
from shared.runtime.settings import load
from shared.training.priors import train_prior

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from harness.synthetic_sites import SyntheticSite
    from shared.contracts.topics import Topic

__all__ = ["STEP", "Fleet", "Usage", "bootstrap_of_kafka", "fleet_of", "prepared_sites"]

STEP = timedelta(minutes=10)
PATIENCE_S = 1800.0
POLL_S = 0.01
MIB = 2**20
CPU_OF_CORE, CPU_OF_SNAPSHOTS = "tetouan_core_cpu_seconds_total", "tetouan_snapshot_cpu_seconds_total"


@dataclass(frozen=True)
class Usage:
    """What the processes of a fleet have taken by a moment: CPU seconds by service, of them by core and snapshots.

    ``scrape_cpu_s`` is what the answer to `/metrics` has taken after that moment, which tells core and snapshots.
    """

    cpu_s: dict[str, float]
    core_cpu_s: dict[str, float]
    snapshot_cpu_s: dict[str, float]
    scrape_cpu_s: dict[str, float]

    def since(self, before: Usage) -> Usage:
        """Return what was taken between two moments, without the answer about the first; of the second, its own."""
        return Usage(
            _less(_less(self.cpu_s, before.cpu_s), before.scrape_cpu_s),
            _less(self.core_cpu_s, before.core_cpu_s),
            _less(self.snapshot_cpu_s, before.snapshot_cpu_s),
            self.scrape_cpu_s,
        )


def _less(after_s: dict[str, float], before_s: dict[str, float]) -> dict[str, float]:
    return {name: spent_s - before_s[name] for name, spent_s in after_s.items()}


class Fleet:
    """The services of some sites on topics of their own, who sends their readings, and who sees their forecasts."""

    def __init__(self, broker: Broker, stream: Stream, sites: Sequence[SyntheticSite]) -> None:
        self.sites = sites
        self._broker = broker
        self.stream = stream
        self._producer = Producer(broker.access.confluent({"linger.ms": 5}))
        self._consumer = Consumer(broker.access.confluent({"group.id": "scale", "fetch.wait.max.ms": 5}))
        partitions = partitions_of(self._consumer, broker.prefix + topics.FORECASTS.name, 0)
        self._consumer.assign(partitions)
        self._partitions = len(partitions)
        self._seen: Counter[tuple[str, str]] = Counter()
        self.levels: Counter[str] = Counter()

    def start(self, first: datetime, streamed_from: datetime, until_time: datetime) -> None:
        """Put the first days on the topic, start the services, and stream the last of the history through them."""
        for site in self.sites:
            readings = (
                CleanReading(site=site.name, time=time, step_minutes=10, values=values)
                for time, values in site.values(first, streamed_from)
            )
            self._send(topics.CLEAN, site, (reading.to_bytes() for reading in readings))
        self._flush()
        self._commit("forecaster", topics.CLEAN)
        self._commit("monitor", topics.CLEAN)
        for name in NAMES:
            self.stream.start(name, ready=False)
        self.wait_until_ready()
        for site in self.sites:  # a site's readings together: they are answered by the hundred
            self._send(topics.RAW, site, (raw for _, raw in site.raw(streamed_from, until_time)))
        self._flush()
        self.catch_up()
        self.levels.clear()

    def wait_until_ready(self) -> None:
        """Wait until all services are."""
        for name, running in self.stream.services.items():
            until(running.ready, f"the {name} to be ready", PATIENCE_S)

    def round(self, time: datetime) -> float:
        """Send each site's reading of a time; return the seconds until all their forecasts were seen."""
        rows = [(site, raw) for site in self.sites for _, raw in site.raw(time, time + STEP)]
        wanted = {(site.name, f"{time:%Y-%m-%dT%H:%M:%SZ}") for site in self.sites}
        started_s = monotonic_s()
        for site, raw in rows:
            self._send(topics.RAW, site, [raw])
        self._flush()
        while not wanted <= self._seen.keys():
            self._receive()
            if monotonic_s() - started_s > PATIENCE_S:
                missing = len(wanted - self._seen.keys())
                raise TimeoutError(f"{missing} of {len(wanted)} forecasts of {time:%H:%M} after {PATIENCE_S:.0f} s")
        return monotonic_s() - started_s

    @property
    def doubled(self) -> int:
        """How many forecasts were seen more than once."""
        return sum(times - 1 for times in self._seen.values())

    def catch_up(self) -> None:
        """Wait until the services have answered all that there is, and see their forecasts."""
        with Backlog(self._broker.access, NAMES, self._broker.prefix) as backlog:
            ends = len(topics.ALL) * self._partitions  # the end of a transaction counts as a record

            def have_answered() -> bool:
                try:
                    return sum(lag.records for lag in backlog.lags()) <= ends
                except KafkaException:  # the broker is too busy to answer in time
                    return False

            until(have_answered, "the services to catch up", PATIENCE_S)
        while self._receive():
            pass

    def usage(self) -> Usage:
        """Return what the processes have taken by now, and what it takes them to tell."""
        cpu_s, running = self.cpu_s(), self.stream.services.items()
        totals = {name: service.totals(CPU_OF_CORE, CPU_OF_SNAPSHOTS) for name, service in running}
        core_cpu_s, snapshot_cpu_s = ({name: of_it[n] for name, of_it in totals.items()} for n in range(2))
        return Usage(cpu_s, core_cpu_s, snapshot_cpu_s, _less(self.cpu_s(), cpu_s))

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each process."""
        times = {name: process.cpu_times() for name, process in self._processes()}
        return {name: spent.user + spent.system for name, spent in times.items()}

    def rss_mb(self) -> dict[str, float]:
        """Return the resident memory of each process."""
        return {name: process.memory_info().rss / MIB for name, process in self._processes()}

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        for name, running in self.stream.services.items():
            yield name, psutil.Process(running.process.pid)

    def _send(self, topic: Topic, site: SyntheticSite, values: Iterable[bytes]) -> None:
        name, partition = self._broker.prefix + topic.name, site.number % self._partitions
        for value in values:
            while True:
                try:
                    self._producer.produce(name, value, key=site.name.encode(), partition=partition)
                except BufferError:  # the queue is full: let it drain
                    self._producer.poll(POLL_S)
                else:
                    break

    def _flush(self) -> None:
        if self._producer.flush(PATIENCE_S):
            raise TimeoutError("the broker does not take the readings")

    def _commit(self, group: str, topic: Topic) -> None:
        """Let a group have answered all of a topic, so that it restores what is there."""
        client = Consumer(self._broker.access.confluent({"group.id": self._broker.prefix + group}))
        name = self._broker.prefix + topic.name
        ends = [TopicPartition(name, part.partition, span_of(client, part)[1]) for part in partitions_of(client, name)]
        client.commit(offsets=ends, asynchronous=False)
        client.close()

    def _receive(self) -> int:
        messages = self._consumer.consume(500, POLL_S)
        for message in messages:
            forecast = orjson.loads(message.value() or b"")
            self._seen[forecast["site"], forecast["origin"]] += 1
            self.levels[forecast["levels"][0]["level"]] += 1
        return len(messages)


def bootstrap_of_kafka() -> str:
    """Return the address of the Kafka to use: in TETOUAN_TEST_KAFKA, else in TETOUAN_KAFKA_BOOTSTRAP."""
    return os.environ.get("TETOUAN_TEST_KAFKA") or load(ServiceSettings).kafka_bootstrap


def prepared_sites(count: int, folder: Path) -> tuple[list[SyntheticSite], Path]:
    """Return so many sites of ten minutes, and the file of a prior for them to begin with."""
    year, prior = find_year("synthetic", folder / "cache"), folder / "prior.npz"
    train_prior(year, START, (1, 2, 3), lambda *_: None).save(prior)
    return synthetic_sites(year, count, (STEP // timedelta(minutes=1),)), prior


@contextmanager
def fleet_of(bootstrap: str, folder: Path, sites: Sequence[SyntheticSite], prior: Path) -> Iterator[Fleet]:
    """Yield services to be started for the sites; they end, and their topics go, with the block."""
    folder.mkdir()
    table = folder / "sites.toml"
    table.write_text(table_of(sites), encoding="utf-8")
    broker = Broker("kafka", bootstrap, f"scale-{uuid4().hex[:8]}.")
    ensure_topics(broker.access, broker.prefix)
    settings = {
        "TETOUAN_SITES": str(table),
        "TETOUAN_PRIOR": str(prior),
        "TETOUAN_MODELS_WAIT_S": "0",
        "TETOUAN_SNAPSHOT_EVERY_S": str(ServiceSettings.model_fields["snapshot_every_s"].default),
    }
    stream = Stream(broker, folder, folder / "registry", free_port, settings)
    try:
        yield Fleet(broker, stream, sites)
    finally:
        stream.stop()
        admin = AdminClient(broker.access.confluent())
        for done in admin.delete_topics([broker.prefix + topic.name for topic in topics.ALL]).values():
            done.result()
