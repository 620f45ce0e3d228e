"""The brokers that the integration tests run on, and what the tests do with them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx
import tenacity
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package exports them without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.runtime.administration import partitions_of
from shared.runtime.clock import monotonic_s
from shared.runtime.concerns import KafkaSettings
from shared.runtime.settings import PREFIX, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from confluent_kafka import Message

    from harness.rows import RawRecord
    from shared.contracts.topics import Topic
    from shared.runtime.access import Access

__all__ = ["Broker", "LeakError", "ServiceProcess", "free_port", "letter_of", "service", "span_of", "until"]

PATIENCE_S = 300.0  # for a busy machine: what comes sooner is not waited for
ANSWER_S = 30.0  # likewise
END_S = 60.0  # likewise: a forecaster of 1,000 sites takes 8 s to keep and let go what it has
POLL_S = 0.05


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(KafkaException),  # a broker that has just come back elects its leaders
    stop=tenacity.stop_after_delay(ANSWER_S),
    wait=tenacity.wait_fixed(POLL_S),
    reraise=True,
)
def span_of(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Return the first offset of a partition and the one behind its last."""
    low, high = consumer.get_watermark_offsets(partition, timeout=PATIENCE_S)
    return low, high


class LeakError(AssertionError):
    """A service has left something open at its end; the message is its log."""


# one client for all, as making one takes the processor for 35 ms (TLS); and no connection outlives its service
HTTP = httpx.Client(timeout=ANSWER_S, limits=httpx.Limits(max_keepalive_connections=0))


def until(done: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fail with ``what`` after ``patience_s``."""
    deadline_s, pause = monotonic_s() + patience_s, Event()
    while not done():
        assert monotonic_s() < deadline_s, f"waited {patience_s:.0f} s for {what}"
        pause.wait(POLL_S)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Broker:
    """A broker with topics of its own for one test: ``prefix`` stands before their names."""

    kind: str
    bootstrap: str
    prefix: str
    security: Mapping[str, str] = field(default_factory=dict)
    """Settings without which the broker lets nobody in, such as a password."""

    @property
    def access(self) -> Access:
        """What a client connects with."""
        settings = {name.removeprefix(PREFIX).lower(): value for name, value in self.security.items()}
        return load(KafkaSettings, kafka_bootstrap=self.bootstrap, **settings).kafka

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead a service here."""
        return {
            **self.security,
            "TETOUAN_KAFKA_BOOTSTRAP": self.bootstrap,
            "TETOUAN_TOPIC_PREFIX": self.prefix,
            "TETOUAN_TRANSACTIONS": str(self.kind != "embedded"),
        }

    def send(
        self,
        topic: Topic,
        values: Sequence[bytes | None],
        key: bytes | None = b"tetouan",
        codec: str = "none",
        record_ms: int = 0,
    ) -> None:
        """Publish the values, with a time of their records where one is given, and wait until they are confirmed."""
        config = {"partitioner": "murmur2_random", "linger.ms": 5, "compression.type": codec}
        producer = Producer(self.access.confluent(config))
        for value in values:
            producer.produce(self.prefix + topic.name, value, key=key, timestamp=record_ms)
            producer.poll(0)
        assert producer.flush(PATIENCE_S) == 0

    def send_rows(self, rows: Sequence[RawRecord]) -> None:
        """Publish raw records, each on its partition, and wait until they are confirmed."""
        producer = Producer(self.access.confluent({"linger.ms": 5}))
        for row in rows:
            producer.produce(self.prefix + topics.RAW.name, row.value, key=row.site.encode(), partition=row.partition)
            producer.poll(0)
        assert producer.flush(PATIENCE_S) == 0

    def read(self, topic: Topic, count: int, patience_s: float = PATIENCE_S) -> list[Message]:
        """Return the first ``count`` records of the topic, or what there is once patience ends."""
        consumer = self._reader()
        found: list[Message] = []
        consumer.assign(partitions_of(consumer, self.prefix + topic.name, 0))
        deadline_s = monotonic_s() + patience_s
        while len(found) < count and monotonic_s() < deadline_s:
            found += [message for message in consumer.consume(500, POLL_S) if message.error() is None]
        consumer.close()
        return found

    def keep_for_ever(self, topic: Topic) -> None:
        """Let Apache Kafka keep records however old: those of 1970 it deletes at its next look, each five minutes."""
        if self.kind != "kafka":
            return
        kept = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
        wanted = ConfigResource(ResourceType.TOPIC, self.prefix + topic.name, incremental_configs=[kept])
        admin = AdminClient(self.access.confluent())
        for done in admin.incremental_alter_configs([wanted]).values():
            done.result()

    def _reader(self, more: Mapping[str, Any] | None = None) -> Consumer:
        return Consumer(self.access.confluent({"group.id": self.prefix + "test-reader", **(more or {})}))

    def partitions(self, topic: Topic) -> list[TopicPartition]:
        """Return the partitions of the topic."""
        consumer = self._reader()
        found = partitions_of(consumer, self.prefix + topic.name)
        consumer.close()
        return found

    def held(self, topic: Topic) -> int:
        """Return how many records the topic holds, the end of each transaction counted as one more."""
        consumer = self._reader()
        partitions = partitions_of(consumer, self.prefix + topic.name, 0)
        ends = [span_of(consumer, partition) for partition in partitions]
        consumer.close()
        return sum(high - low for low, high in ends)

    def everything(self, topic: Topic) -> list[Message]:
        """Return every record of the topic that is committed by now, partition by partition.

        What comes meanwhile puts the end off for ever, so each partition is read up to where it ends at first.
        """
        consumer = self._reader({"enable.partition.eof": True})
        partitions = partitions_of(consumer, self.prefix + topic.name, 0)
        ends = {part.partition: span_of(consumer, part)[1] for part in partitions}
        consumer.assign(partitions)
        found: list[Message] = []
        ended: set[int | None] = set()
        deadline_s = monotonic_s() + PATIENCE_S
        while len(ended) < len(partitions) and monotonic_s() < deadline_s:
            for message in consumer.consume(500, POLL_S):
                if (error := message.error()) is None:
                    found.append(message)
                    if (message.offset() or 0) + 1 >= ends[message.partition() or 0]:
                        ended.add(message.partition())
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                    ended.add(message.partition())
        consumer.close()
        return found


def letter_of(message: Message) -> DeadLetter:
    """Return what the headers of a dead letter say."""
    headers = dict(message.headers() or ())
    return DeadLetter.from_headers([(name, value) for name, value in headers.items() if isinstance(value, bytes)])


@dataclass(frozen=True)
class ServiceProcess:
    """A service that runs as users run it."""

    name: str
    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def get(self, path: str) -> httpx.Response:
        """Ask one of its HTTP paths."""
        return HTTP.get(self.address + path)

    def metric(self, line_start: str) -> float:
        """Return the value of the one series whose line begins so."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith(line_start)]
        assert len(lines) == 1, f"{line_start}: {lines}"
        return float(lines[0].rsplit(" ", 1)[1])

    def total(self, name: str) -> float:
        """Return the sum over all series of a metric."""
        return self.totals(name)[0]

    def totals(self, *names: str) -> list[float]:
        """Return the sums over all series of some metrics, which are asked for once."""
        lines = self.get("/metrics").text.splitlines()
        starts = [(name + "{", name + " ") for name in names]
        return [sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start)) for start in starts]

    def ready(self) -> bool:
        """Tell whether it is ready; fails with its log where it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        return self.says_ready()

    def says_ready(self) -> bool:
        """Tell whether it says that it is ready."""
        try:
            return self.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def live(self) -> bool:
        """Tell whether it says that it is alive."""
        try:
            return self.get("/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def waiting_for(self, what: str) -> str | None:
        """Return why it is not ready yet, or None where it does not wait for that, or does not listen yet."""
        try:
            return str(self.get("/readyz").json()["waiting_for"].get(what))
        except httpx.TransportError:
            return None


@contextmanager
def service(
    name: str,
    broker: Broker,
    folder: Path,
    port: int,
    *,
    ready: bool = True,
    module: str | None = None,
    **settings: str,
) -> Iterator[ServiceProcess]:
    """Run a service until the block ends, ready when it begins unless told otherwise.

    Raises ``LeakError`` at the end of the block where the service has left a connection open.
    """
    log = folder / f"{name}.log"
    env = {**os.environ, **broker.env, "TETOUAN_HTTP_PORT": str(port), "TETOUAN_LOG_FORMAT": "json", **settings}
    with log.open("ab") as out:
        started = [sys.executable, "-W", "always::ResourceWarning", "-m", module or f"services.{name}"]
        process = subprocess.Popen(started, env=env, stdout=out, stderr=out)
    running = ServiceProcess(name, process, f"http://127.0.0.1:{port}", log)
    try:
        if ready:
            until(running.ready, f"{name} to be ready")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=END_S)
        finally:
            process.kill()
            process.wait()
    said = log.read_text()
    if "ResourceWarning" in said and "left without a goodbye" not in said:  # a broker too busy to answer keeps them
        raise LeakError(said)  # as an error, the warning would keep uvloop from ending
