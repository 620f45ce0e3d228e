"""How fast the streaming forecaster is: full 24-hour forecasts per CPU second, overhead around the model, latency.

``python -m benchmarks.stream [--json FILE]`` runs the real forecaster process, with a model fitted on the synthetic
year, on the embedded broker or on the Kafka in TETOUAN_TEST_KAFKA. Three loads in one run, so that a slow machine slows
all of them: a backlog sent by the hundred, readings one by one (the baseline: what micro-batches save), and 100
readings a second. Between the rounds of the backlog its readings go through the forecaster's own parts in this process,
so that what the process needs beside them was measured in the same minutes: Kafka, commits, metrics.

The embedded broker lets an empty fetch wait to its end, be there news or not: latencies on it are some milliseconds
longer than on Kafka, and one fetch returns what was sent at once, not all there is.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time, sleep
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import httpx
import numpy as np
from confluent_kafka import Consumer, Producer
from prometheus_client import Gauge
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from backtest.run import judged, seconds_per_forecast
from services.forecaster.champions import Champions
from services.forecaster.issuing import Issuer
from services.forecaster.settings import ForecasterSettings
from services.trainer.training import ensure
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast
from shared.data.year import find_year
from shared.runtime import embedded
from shared.runtime.access import Access
from shared.runtime.administration import ensure_topics, partitions_of
from shared.runtime.clock import monotonic_s
from shared.runtime.health import Health
from shared.runtime.registry import Registry
from shared.runtime.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.forecaster.issuing import ZoneModels
    from shared.sites.site import Site

START = datetime(2018, 3, 1, tzinfo=UTC)
WARM_UP, ROUNDS, ROUND, SINGLE, PACED = 400, 4, 1500, 400, 1500  # readings of each phase
HUNDRED = 100
IN_FLIGHT = 400
RATE_PER_S = 100
FLUSH_S = 10.0
PATIENCE_S = 120.0
FETCH_WAIT_MS = 2
RECEIVE_S = 0.001  # the client waits this long for more once a record is there: it adds to each latency
PORT = 18702


@dataclass(frozen=True)
class Phase:
    """What one load cost: CPU of the forecaster process, and of its core alone, and the time to a forecast.

    The core decodes, answers and encodes. The time is from a reading sent to its forecast seen.
    """

    name: str
    forecasts: int
    batches: float
    cpu_s: float
    core_cpu_s: float
    latency_ms: list[float]

    def __add__(self, other: Self) -> Phase:
        """Return both as one."""
        return Phase(
            self.name, *(mine + theirs for mine, theirs in zip(astuple(self)[1:], astuple(other)[1:], strict=True))
        )

    @property
    def per_cpu_second(self) -> float:
        """Forecasts a second of CPU."""
        return self.forecasts / self.cpu_s

    @property
    def per_batch(self) -> float:
        """Readings that the forecaster took at once."""
        return self.forecasts / self.batches

    def percentile_ms(self, share: float) -> float:
        """Return the latency that so many in a hundred stay below."""
        return float(np.percentile(self.latency_ms, share))


class Line:
    """A producer of clean readings and a consumer of their forecasts, around a running forecaster."""

    def __init__(self, access: Access, prefix: str, address: str) -> None:
        self._clean = prefix + topics.CLEAN.name
        self._address = address
        filled_or_flushed = {"linger.ms": 1000, "batch.num.messages": HUNDRED}
        self._producer = Producer(access.confluent({"partitioner": "murmur2_random", **filled_or_flushed}))
        self._consumer = Consumer(access.confluent({"group.id": "bench", "fetch.wait.max.ms": FETCH_WAIT_MS}))
        self._consumer.assign(partitions_of(self._consumer, prefix + topics.FORECASTS.name, 0))
        self._sent_s: dict[datetime, float] = {}

    def run(
        self, name: str, readings: list[CleanReading], *, at_once: int = 1, in_flight: int, rate_per_s: float = 0.0
    ) -> Phase:
        """Send the readings, so many at once, so many ahead of their forecasts, and wait for all of these."""
        before = self._spent()
        started_s = monotonic_s()
        latency_ms: list[float] = []
        for n in range(0, len(readings), at_once):
            while rate_per_s and monotonic_s() < started_s + n / rate_per_s:
                latency_ms += self._receive(RECEIVE_S)
            while n + at_once - len(latency_ms) > in_flight:
                latency_ms += self._receive(RECEIVE_S)
            self._send(readings[n : n + at_once])
        deadline_s = monotonic_s() + PATIENCE_S
        while len(latency_ms) < len(readings):
            latency_ms += self._receive(RECEIVE_S)
            if monotonic_s() > deadline_s:
                raise TimeoutError(f"{name}: {len(latency_ms)} of {len(readings)} forecasts after {PATIENCE_S:.0f} s")
        batches, cpu_s, core_s = (after - begun for after, begun in zip(self._spent(), before, strict=True))
        return Phase(name, len(readings), batches, cpu_s, core_s, latency_ms)

    def _send(self, readings: list[CleanReading]) -> None:
        for reading in readings:
            self._sent_s[reading.time] = monotonic_s()
            self._producer.produce(self._clean, reading.to_bytes(), key=reading.site.encode())
        if self._producer.flush(FLUSH_S):
            raise TimeoutError(f"the broker does not take readings within {FLUSH_S:.0f} s")

    def _receive(self, wait_s: float) -> list[float]:
        messages = self._consumer.consume(500, wait_s)
        seen_s = monotonic_s()
        origins = (Forecast.from_bytes(m.value() or b"").origin for m in messages if m.error() is None)
        return [1000 * (seen_s - self._sent_s.pop(origin)) for origin in origins]

    def _spent(self) -> tuple[float, float, float]:
        """Return how many batches the process has answered, its CPU seconds and those of its core."""
        lines = httpx.get(self._address + "/metrics", timeout=10).text.splitlines()
        names = ("tetouan_batch_records_count ", "process_cpu_seconds_total ", "tetouan_core_cpu_seconds_total ")
        batches, cpu_s, core_s = (float(line.split()[1]) for name in names for line in lines if line.startswith(name))
        return batches, cpu_s, core_s


class Inside:
    """The forecaster's own parts in this process, without a broker; ``cpu_s`` holds what each has cost."""

    def __init__(self, models: ZoneModels, place: Site) -> None:
        self._demand = deepcopy(models.demand)
        self._zone = models.zone
        self._issuer = Issuer(place, (models,))
        self.readings = 0
        self.cpu_s = {"step": 0.0, "weather": 0.0, "decode": 0.0, "encode": 0.0}

    def run(self, readings: list[CleanReading]) -> None:
        """Send the readings through by the hundred."""
        self.readings += len(readings)
        for n in range(0, len(readings), HUNDRED):
            self._run(readings[n : n + HUNDRED])

    def _run(self, readings: list[CleanReading]) -> None:
        step_s = len(readings) * seconds_per_forecast(self._demand, self._zone, readings)
        raw = [reading.to_bytes() for reading in readings]
        times_s = [process_time()]
        decoded = [CleanReading.from_bytes(value) for value in raw]
        times_s.append(process_time())
        issues = self._issuer.answer(decoded)
        times_s.append(process_time())
        for issue in issues:
            issue.to_bytes()
        times_s.append(process_time())
        decode_s, answer_s, encode_s = np.diff(times_s).tolist()
        for part, cost_s in zip(self.cpu_s, (step_s, answer_s - step_s, decode_s, encode_s), strict=True):
            self.cpu_s[part] += cost_s

    def us_per_forecast(self) -> dict[str, float]:
        """Return what each part costs, in microseconds of CPU."""
        return {part: 1e6 * cost_s / self.readings for part, cost_s in self.cpu_s.items()}


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
        readings, inside = _prepare(folder)
        access, prefix, kind = stack.enter_context(_broker())
        address = stack.enter_context(_forecaster(folder, access.bootstrap, prefix))
        line = Line(access, prefix, address)
        feed = iter(readings)
        gc.freeze()  # a full collection of what MLflow has left here would pause the clock of the latencies
        line.run("warm-up", _take(feed, WARM_UP), at_once=HUNDRED, in_flight=IN_FLIGHT)
        batched = _backlog(line, inside, feed)
        single = line.run("one by one", _take(feed, SINGLE), in_flight=1)
        paced = line.run(f"{RATE_PER_S} a second", _take(feed, PACED), in_flight=IN_FLIGHT, rate_per_s=RATE_PER_S)
    parts_us = inside.us_per_forecast()
    total_us = 1e6 / batched.per_cpu_second
    rest_us = 1e6 * (batched.cpu_s - batched.core_cpu_s) / batched.forecasts
    around_us = rest_us + parts_us["decode"] + parts_us["encode"]
    console.print(_table((batched, single, paced), kind))
    console.print(_parts_table(parts_us, around_us, total_us))
    result = {
        "broker": kind,
        "forecasts_per_cpu_second": batched.per_cpu_second,
        "overhead_us_per_forecast": around_us,
        "p99_latency_ms": paced.percentile_ms(99),
        "readings_per_batch": batched.per_batch,
        **{f"{part}_us_per_forecast": cost_us for part, cost_us in parts_us.items()},
        "baseline_one_by_one_forecasts_per_cpu_second": single.per_cpu_second,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _backlog(line: Line, inside: Inside, feed: Iterator[CleanReading]) -> Phase:
    """Send readings by the hundred, several hundreds ahead; each round of them goes through the parts, too."""
    phases = []
    for _ in range(ROUNDS):
        readings = _take(feed, ROUND)
        phases.append(line.run("by the hundred", readings, at_once=HUNDRED, in_flight=IN_FLIGHT))
        inside.run(readings)
    first, *others = phases
    return sum(others, start=first)


def _prepare(folder: Path) -> tuple[list[CleanReading], Inside]:
    """Fit and register the models; return the readings to stream, and the parts after the warm-up."""
    settings = load(ForecasterSettings, state_dir=folder)
    year = find_year("synthetic", folder)
    registry = Registry(settings.registry_uri, settings.artifact_root)
    for version in (trained.version for trained in ensure(year, START, (2,), registry, lambda *_: None).models):
        registry.promote(version)
    total = WARM_UP + ROUNDS * ROUND + SINGLE + PACED
    readings = judged(year, START, START + timedelta(minutes=10 * total))
    (models,) = asyncio.run(Champions(settings, Health(), Gauge("confirmed", "", registry=None)).fetch())
    inside = Inside(models, year.site)
    inside.run(readings[:WARM_UP])
    inside.readings, inside.cpu_s = 0, dict.fromkeys(inside.cpu_s, 0.0)
    return readings, inside


def _take(feed: Iterator[CleanReading], count: int) -> list[CleanReading]:
    return [next(feed) for _ in range(count)]


@contextmanager
def _broker() -> Iterator[tuple[Access, str, str]]:
    """Yield the way to the broker, topic prefix and kind."""
    bootstrap = os.environ.get("TETOUAN_TEST_KAFKA")
    if bootstrap:
        prefix = f"bench-{uuid4().hex[:8]}."
        access = load(Settings, kafka_bootstrap=bootstrap).kafka
        ensure_topics(access, prefix)
        yield access, prefix, "Apache Kafka"
    else:
        with embedded.start() as broker:
            yield Access(broker.bootstrap), "", "embedded broker"


@contextmanager
def _forecaster(folder: Path, bootstrap: str, prefix: str) -> Iterator[str]:
    """Run the forecaster; yield its address once it is ready."""
    env = {
        **os.environ,
        "TETOUAN_STATE_DIR": str(folder),
        "TETOUAN_KAFKA_BOOTSTRAP": bootstrap,
        "TETOUAN_TOPIC_PREFIX": prefix,
        "TETOUAN_TRANSACTIONS": os.environ.get("TETOUAN_TRANSACTIONS", str("TETOUAN_TEST_KAFKA" in os.environ)),
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


def _table(phases: tuple[Phase, ...], kind: str) -> Table:
    table = Table(
        "load",
        "forecasts",
        "a batch",
        "per CPU s",
        "us CPU each",
        "p50 ms",
        "p99 ms",
        title=f"forecaster on the {kind}",
    )
    for phase in phases:
        cpu_us = 1e6 / phase.per_cpu_second
        counts = (f"{phase.forecasts:,}", f"{phase.per_batch:.0f}", f"{phase.per_cpu_second:,.0f}", f"{cpu_us:.0f}")
        table.add_row(phase.name, *counts, *(f"{phase.percentile_ms(share):.1f}" for share in (50, 99)))
    return table


def _parts_table(parts_us: dict[str, float], around_us: float, total_us: float) -> Table:
    table = Table("part, by the hundred", "us CPU each", title="what a forecast costs")
    table.add_row("step: fold, forecast, intervals, guard", f"{parts_us['step']:.0f}")
    table.add_row("weather: estimate and correction", f"{parts_us['weather']:.0f}")
    table.add_row("both, within the service", f"{total_us - around_us:.0f}")
    table.add_row("around: decode", f"{parts_us['decode']:.0f}")
    table.add_row("around: encode", f"{parts_us['encode']:.0f}")
    rest_us = around_us - parts_us["decode"] - parts_us["encode"]
    table.add_row("around: Kafka, commits, metrics", f"{rest_us:.0f}")
    table.add_row("around, together", f"{around_us:.0f}")
    table.add_row("all", f"{total_us:.0f}")
    return table


if __name__ == "__main__":
    main()
