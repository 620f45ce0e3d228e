"""How fast the streaming forecaster is: full 24-hour forecasts per CPU second, overhead around the model, latency.

``python -m benchmarks.stream [--json FILE]`` runs the real forecaster process, with a model fitted on the synthetic
year, on the embedded broker or on the Kafka in TETOUAN_TEST_KAFKA. Three loads in one run, so that a slow machine slows
all of them: readings by the hundred, readings one by one (the baseline: what micro-batches save), and 100 readings a
second. The pure step (fold, forecast, intervals, guard) is measured in this process over the same readings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from backtest.run import judged, seconds_per_forecast
from services.forecaster.app import load_models
from services.forecaster.settings import ForecasterSettings
from services.trainer.training import ensure
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast
from shared.data.year import find_year
from shared.runtime import embedded
from shared.runtime.clock import monotonic_s
from shared.runtime.kafka import ensure_topics
from shared.runtime.registry import Registry
from shared.runtime.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2018, 3, 1, tzinfo=UTC)
WARM_UP, BATCHED, SINGLE, PACED = 400, 6000, 400, 1500  # readings of each phase
IN_FLIGHT = 400
RATE_PER_S = 100
PATIENCE_S = 120.0
RECEIVE_S = 0.001  # the client waits this long for more once a record is there: it adds to each latency
PORT = 18702


@dataclass(frozen=True)
class Phase:
    """What one load cost: CPU of the forecaster process, and the time from a reading sent to its forecast seen."""

    name: str
    forecasts: int
    cpu_s: float
    latency_ms: list[float]

    @property
    def per_cpu_second(self) -> float:
        """Forecasts a second of CPU."""
        return self.forecasts / self.cpu_s

    def percentile_ms(self, share: float) -> float:
        """Return the latency that so many in a hundred stay below."""
        return float(np.percentile(self.latency_ms, share))


class Line:
    """A producer of clean readings and a consumer of their forecasts, around a running forecaster."""

    def __init__(self, bootstrap: str, prefix: str, address: str) -> None:
        self._clean = prefix + topics.CLEAN.name
        self._address = address
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 0, "log_level": 0}
        )
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "bench", "fetch.wait.max.ms": 5, "log_level": 0}
        )
        name = prefix + topics.FORECASTS.name
        self._consumer.assign([TopicPartition(name, number, 0) for number in range(topics.PARTITIONS)])
        self._sent_s: dict[datetime, float] = {}

    def run(self, name: str, readings: list[CleanReading], *, in_flight: int, rate_per_s: float = 0.0) -> Phase:
        """Send the readings, at most so many ahead of their forecasts, and wait for all of these."""
        cpu_s, started_s = self._cpu_s(), monotonic_s()
        latency_ms: list[float] = []
        for n, reading in enumerate(readings):
            while rate_per_s and monotonic_s() < started_s + n / rate_per_s:
                latency_ms += self._receive(RECEIVE_S)
            while n - len(latency_ms) >= in_flight:
                latency_ms += self._receive(RECEIVE_S)
            self._sent_s[reading.time] = monotonic_s()
            self._producer.produce(self._clean, reading.to_bytes(), key=reading.site.encode())
            self._producer.poll(0)
        deadline_s = monotonic_s() + PATIENCE_S
        while len(latency_ms) < len(readings):
            latency_ms += self._receive(RECEIVE_S)
            if monotonic_s() > deadline_s:
                raise TimeoutError(f"{name}: {len(latency_ms)} of {len(readings)} forecasts after {PATIENCE_S:.0f} s")
        return Phase(name, len(readings), self._cpu_s() - cpu_s, latency_ms)

    def _receive(self, wait_s: float) -> list[float]:
        messages = self._consumer.consume(500, wait_s)
        seen_s = monotonic_s()
        origins = (Forecast.from_bytes(m.value() or b"").origin for m in messages if m.error() is None)
        return [1000 * (seen_s - self._sent_s.pop(origin)) for origin in origins]

    def _cpu_s(self) -> float:
        lines = httpx.get(self._address + "/metrics", timeout=10).text.splitlines()
        (line,) = (line for line in lines if line.startswith("process_cpu_seconds_total "))
        return float(line.split()[1])


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("fitting a model on two months of the synthetic year")
        readings, step_s = _prepare(folder)
        bootstrap, prefix, kind = stack.enter_context(_broker())
        address = stack.enter_context(_forecaster(folder, bootstrap, prefix))
        line = Line(bootstrap, prefix, address)
        feed = iter(readings)
        line.run("warm-up", _take(feed, WARM_UP), in_flight=IN_FLIGHT)
        batched = line.run("by the hundred", _take(feed, BATCHED), in_flight=IN_FLIGHT)
        single = line.run("one by one", _take(feed, SINGLE), in_flight=1)
        paced = line.run(f"{RATE_PER_S} a second", _take(feed, PACED), in_flight=IN_FLIGHT, rate_per_s=RATE_PER_S)
    console.print(_table((batched, single, paced), step_s, kind))
    result = {
        "broker": kind,
        "forecasts_per_cpu_second": batched.per_cpu_second,
        "overhead_us_per_forecast": 1e6 * (1 / batched.per_cpu_second - step_s),
        "p99_latency_ms": paced.percentile_ms(99),
        "step_us_per_forecast": 1e6 * step_s,
        "baseline_one_by_one_forecasts_per_cpu_second": single.per_cpu_second,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _prepare(folder: Path) -> tuple[list[CleanReading], float]:
    """Fit and register the models; return the readings to stream and the CPU seconds of the pure step."""
    settings = load(ForecasterSettings, state_dir=folder)
    year = find_year("synthetic", folder)
    registry = Registry(settings.registry_uri, settings.artifact_root)
    for version in ensure(year, START, (2,), registry, lambda *_: None).values():
        registry.promote(version)
    total = WARM_UP + BATCHED + SINGLE + PACED
    readings = judged(year, START, START + timedelta(minutes=10 * total))
    (models,) = load_models(settings, year.site)
    return readings, seconds_per_forecast(models.demand, 2, readings[: WARM_UP + BATCHED])


def _take(feed: Iterator[CleanReading], count: int) -> list[CleanReading]:
    return [next(feed) for _ in range(count)]


@contextmanager
def _broker() -> Iterator[tuple[str, str, str]]:
    """Yield address, topic prefix and kind of the broker."""
    bootstrap = os.environ.get("TETOUAN_TEST_KAFKA")
    if bootstrap:
        prefix = f"bench-{uuid4().hex[:8]}."
        ensure_topics(bootstrap, prefix)
        yield bootstrap, prefix, "Apache Kafka"
    else:
        with embedded.start() as broker:
            yield broker.bootstrap, "", "embedded broker"


@contextmanager
def _forecaster(folder: Path, bootstrap: str, prefix: str) -> Iterator[str]:
    """Run the forecaster; yield its address once it is ready."""
    env = {
        **os.environ,
        "TETOUAN_STATE_DIR": str(folder),
        "TETOUAN_KAFKA_BOOTSTRAP": bootstrap,
        "TETOUAN_TOPIC_PREFIX": prefix,
        "TETOUAN_HTTP_PORT": str(PORT),
        "OPENBLAS_NUM_THREADS": "1",
    }
    address = f"http://127.0.0.1:{PORT}"
    process = subprocess.Popen([sys.executable, "-m", "services.forecaster"], env=env, stderr=subprocess.DEVNULL)
    try:
        deadline_s = monotonic_s() + PATIENCE_S
        while not _ready(address):
            if process.poll() is not None or monotonic_s() > deadline_s:
                raise TimeoutError(f"the forecaster is not ready (exit code {process.poll()})")
            sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=15)


def _ready(address: str) -> bool:
    try:
        return httpx.get(address + "/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _table(phases: tuple[Phase, ...], step_s: float, kind: str) -> Table:
    table = Table(
        "load", "forecasts", "per CPU s", "us CPU each", "p50 ms", "p99 ms", title=f"forecaster on the {kind}"
    )
    for phase in phases:
        cpu_us = 1e6 / phase.per_cpu_second
        latencies = (f"{phase.percentile_ms(share):.1f}" for share in (50, 99))
        table.add_row(phase.name, f"{phase.forecasts:,}", f"{phase.per_cpu_second:,.0f}", f"{cpu_us:.0f}", *latencies)
    table.add_row("pure step, no broker", "", f"{1 / step_s:,.0f}", f"{1e6 * step_s:.0f}", "", "")
    return table


if __name__ == "__main__":
    main()
