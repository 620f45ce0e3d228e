"""How fast the streaming forecaster is: full 24-hour forecasts per CPU second, overhead around the model, latency.

``python -m benchmarks.stream [--json FILE]`` runs the real forecaster process, with a model fitted on the synthetic
year, on the embedded broker or on the Kafka in TETOUAN_TEST_KAFKA. Several loads in one run, so that a slow machine
slows all of them: a backlog sent by the hundred, readings one by one (the baseline: what micro-batches save), 100
readings a second, and none, each minute of it ended by a lone reading. Between the rounds of the backlog its readings
go through the forecaster's own parts in this process, so that what the process needs beside them was measured in the
same minutes: Kafka, commits, metrics.

On Kafka a second forecaster runs beside the first, one with transactions and one without: latencies and the cost of
rest are measured of both, the other figures of the one that TETOUAN_TRANSACTIONS asks for, with them by default.

The embedded broker lets an empty fetch wait to its end, be there news or not: latencies on it are some milliseconds
longer than on Kafka, and one fetch returns what was sent at once, not all there is.
"""

from __future__ import annotations

import argparse
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
from statistics import median
from time import process_time, sleep
from typing import TYPE_CHECKING, Protocol, Self
from uuid import uuid4

import httpx
import numpy as np
import psutil
from confluent_kafka import Consumer, Producer
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from backtest.run import judged, seconds_per_forecast
from harness.february import champions_of
from services.forecaster.issuing import Issuer
from services.forecaster.settings import ForecasterSettings
from shared.contracts import topics
from shared.contracts.messages import CleanReading, Forecast
from shared.data.year import find_year
from shared.runtime import embedded
from shared.runtime.access import Access
from shared.runtime.administration import ensure_topics, partitions_of
from shared.runtime.clock import monotonic_s
from shared.runtime.concerns import ServiceSettings
from shared.runtime.registry import Registry
from shared.runtime.settings import load
from shared.training.training import ensure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.forecaster.issuing import ZoneModels
    from shared.sites.site import Site

START = datetime(2018, 3, 1, tzinfo=UTC)
WARM_UP, ROUNDS, ROUND, SINGLE, PACED, LONE = 400, 4, 1500, 400, 1500, 5  # readings of each phase
QUIET_S = 60.0  # before each lone reading
IDLE_S = 10.0  # the end of it, over which the CPU is counted: snapshots are written by then
HUNDRED = 100
IN_FLIGHT = 400
RATE_PER_S = 100
FLUSH_S = 10.0
PATIENCE_S = 120.0
FETCH_WAIT_MS = 2
RECEIVE_S = 0.001  # the client waits this long for more once a record is there: it adds to each latency
PORT = 18702  # of the first forecaster; that of the second follows
NAMED = {True: "with_transactions", False: "without_transactions"}


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


@dataclass(frozen=True)
class Rest:
    """What a forecaster without input costs, ms of CPU a second, and how long it takes to answer a lone reading."""

    idle_ms_per_s: float
    lone_reading_ms: float


class Resting(Protocol):
    """A forecaster at rest."""

    def cpu_s(self) -> float:
        """Return the CPU seconds that its process has taken, without waking it."""

    def lone_ms(self, reading: CleanReading) -> float:
        """Send the reading; return how long its forecast took."""


class Line:
    """A producer of clean readings and a consumer of their forecasts, around a running forecaster."""

    def __init__(self, access: Access, prefix: str, address: str, process_id: int) -> None:
        self._clean = prefix + topics.CLEAN.name
        self._address = address
        self._process = psutil.Process(process_id)
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
        self._receive_all(name, len(readings), latency_ms)
        batches, cpu_s, core_s = (after - begun for after, begun in zip(self._spent(), before, strict=True))
        return Phase(name, len(readings), batches, cpu_s, core_s, latency_ms)

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has taken, without waking it."""
        spent = self._process.cpu_times()
        return spent.user + spent.system

    def lone_ms(self, reading: CleanReading) -> float:
        """Send the reading; return how long its forecast took."""
        latency_ms: list[float] = []
        self._send([reading])
        self._receive_all("a lone reading", 1, latency_ms)
        return latency_ms[0]

    def _receive_all(self, name: str, count: int, latency_ms: list[float]) -> None:
        """Wait until there is the latency of so many forecasts."""
        deadline_s = monotonic_s() + PATIENCE_S
        while len(latency_ms) < count:
            latency_ms += self._receive(RECEIVE_S)
            if monotonic_s() > deadline_s:
                raise TimeoutError(f"{name}: {len(latency_ms)} of {count} forecasts after {PATIENCE_S:.0f} s")

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

    def __init__(self, models: ZoneModels, site: Site) -> None:
        self._demand = deepcopy(models.demand)
        self._zone = models.zone
        self._issuer = Issuer(site, (models,))
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
    """Print the tables, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", type=float, default=QUIET_S, help="seconds without input before a lone reading")
    parser.add_argument("--lone", type=int, default=LONE, help="lone readings")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("fitting a model on two months of the synthetic year")
        readings, inside = _prepare(folder, arguments.lone)
        access, kind, prefixes = stack.enter_context(_broker())
        modes = list(prefixes)
        lines = [
            stack.enter_context(_line(folder, access, prefix, mode, PORT + n))
            for n, (mode, prefix) in enumerate(prefixes.items())
        ]
        feeds = [iter(readings) for _ in lines]
        gc.freeze()  # a full collection of what MLflow has left here would pause the clock of the latencies
        for line, feed in zip(lines, feeds, strict=True):
            line.run("warm-up", _take(feed, WARM_UP), at_once=HUNDRED, in_flight=IN_FLIGHT)
        batched = _backlog(lines[0], inside, feeds[0])
        single = lines[0].run("one by one", _take(feeds[0], SINGLE), in_flight=1)
        paced = [_paced(line, feed) for line, feed in zip(lines, feeds, strict=True)]
        console.print(f"{arguments.lone} times {arguments.quiet:.0f} s without input, then a lone reading")
        rests = at_rest(lines, [_take(feed, arguments.lone) for feed in feeds], arguments.quiet)
    parts_us = inside.us_per_forecast()
    total_us = 1e6 / batched.per_cpu_second
    rest_us = 1e6 * (batched.cpu_s - batched.core_cpu_s) / batched.forecasts
    around_us = rest_us + parts_us["decode"] + parts_us["encode"]
    console.print(_table((batched, single, paced[0]), kind))
    console.print(_parts_table(parts_us, around_us, total_us))
    live = {mode: _live(load, rest) for mode, load, rest in zip(modes, paced, rests, strict=True)}
    console.print(_live_table(live))
    result = {
        "broker": kind,
        "transactions": modes[0],
        "forecasts_per_cpu_second": batched.per_cpu_second,
        "overhead_us_per_forecast": around_us,
        **live[modes[0]],
        "readings_per_batch": batched.per_batch,
        **{f"{part}_us_per_forecast": cost_us for part, cost_us in parts_us.items()},
        "baseline_one_by_one_forecasts_per_cpu_second": single.per_cpu_second,
        **{NAMED[mode]: figures for mode, figures in live.items()},
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def at_rest(lines: Sequence[Resting], readings: Sequence[Sequence[CleanReading]], quiet_s: float) -> list[Rest]:
    """Leave the forecasters alone before each lone reading that they are sent, one of each sequence at a time."""
    idle_s = min(IDLE_S, quiet_s)
    cost_s, latencies_ms = [0.0] * len(lines), []
    for together in zip(*readings, strict=True):
        sleep(quiet_s - idle_s)
        before_s = [line.cpu_s() for line in lines]
        sleep(idle_s)
        cost_s = [sum_s + line.cpu_s() - begun_s for sum_s, line, begun_s in zip(cost_s, lines, before_s, strict=True)]
        latencies_ms.append([line.lone_ms(reading) for line, reading in zip(lines, together, strict=True)])
    seconds = idle_s * len(latencies_ms)
    return [
        Rest(1000 * spent_s / seconds, median(own_ms))
        for spent_s, own_ms in zip(cost_s, zip(*latencies_ms, strict=True), strict=True)
    ]


def _paced(line: Line, feed: Iterator[CleanReading]) -> Phase:
    return line.run(f"{RATE_PER_S} a second", _take(feed, PACED), in_flight=IN_FLIGHT, rate_per_s=RATE_PER_S)


def _live(paced: Phase, rest: Rest) -> dict[str, float]:
    """Return what users feel of a forecaster, and what it costs while there is nothing to do."""
    return {
        "p50_latency_ms": paced.percentile_ms(50),
        "p99_latency_ms": paced.percentile_ms(99),
        "idle_ms_per_s": rest.idle_ms_per_s,
        "lone_reading_ms": rest.lone_reading_ms,
    }


def _backlog(line: Line, inside: Inside, feed: Iterator[CleanReading]) -> Phase:
    """Send readings by the hundred, several hundreds ahead; each round of them goes through the parts, too."""
    phases = []
    for _ in range(ROUNDS):
        readings = _take(feed, ROUND)
        phases.append(line.run("by the hundred", readings, at_once=HUNDRED, in_flight=IN_FLIGHT))
        inside.run(readings)
    first, *others = phases
    return sum(others, start=first)


def _prepare(folder: Path, lone: int) -> tuple[list[CleanReading], Inside]:
    """Fit and register the models; return the readings to stream, and the parts after the warm-up."""
    settings = load(ForecasterSettings, state_dir=folder)
    year = find_year("synthetic", folder)
    registry = Registry(settings.registry_uri, settings.artifact_root)
    for version in (trained.version for trained in ensure(year, START, (2,), registry, lambda *_: None).models):
        registry.promote(version)
    total = WARM_UP + ROUNDS * ROUND + SINGLE + PACED + lone
    readings = judged(year, START, START + timedelta(minutes=10 * total))
    (models,) = champions_of(year.site, settings)
    inside = Inside(models, year.site)
    inside.run(readings[:WARM_UP])
    inside.readings, inside.cpu_s = 0, dict.fromkeys(inside.cpu_s, 0.0)
    return readings, inside


def _take(feed: Iterator[CleanReading], count: int) -> list[CleanReading]:
    return [next(feed) for _ in range(count)]


@contextmanager
def _broker() -> Iterator[tuple[Access, str, dict[bool, str]]]:
    """Yield the way to the broker, its kind, and topic prefixes: by whether to use transactions, as asked for first."""
    bootstrap = os.environ.get("TETOUAN_TEST_KAFKA")
    if bootstrap:
        asked = load(ServiceSettings, kafka_bootstrap=bootstrap)
        prefixes = {mode: f"bench-{uuid4().hex[:8]}." for mode in (asked.transactions, not asked.transactions)}
        for prefix in prefixes.values():
            ensure_topics(asked.kafka, prefix)
        yield asked.kafka, "Apache Kafka", prefixes
    else:
        with embedded.start() as broker:
            yield Access(broker.bootstrap), "embedded broker", {False: ""}


@contextmanager
def _line(folder: Path, access: Access, prefix: str, transactions: bool, port: int) -> Iterator[Line]:  # noqa: FBT001 - a setting
    """Run a forecaster on the topics with the prefix; yield the line around it once it is ready."""
    env = {
        **os.environ,
        "TETOUAN_STATE_DIR": str(folder),
        "TETOUAN_KAFKA_BOOTSTRAP": access.bootstrap,
        "TETOUAN_TOPIC_PREFIX": prefix,
        "TETOUAN_TRANSACTIONS": str(transactions),
        "TETOUAN_HTTP_PORT": str(port),
        "OPENBLAS_NUM_THREADS": "1",
    }
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-m", "services.forecaster"], env=env, stderr=subprocess.DEVNULL)
    try:
        deadline_s = monotonic_s() + PATIENCE_S
        while not _ready(address):
            if process.poll() is not None or monotonic_s() > deadline_s:
                raise TimeoutError(f"the forecaster is not ready (exit code {process.poll()})")
            sleep(0.1)
        yield Line(access, prefix, address, process.pid)
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


def _live_table(live: dict[bool, dict[str, float]]) -> Table:
    table = Table("", f"p50 ms at {RATE_PER_S}/s", "p99 ms", "at rest, ms CPU a s", "a lone reading, ms", title="live")
    for mode, figures in live.items():
        table.add_row(NAMED[mode].replace("_", " "), *(f"{figure:.1f}" for figure in figures.values()))
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
