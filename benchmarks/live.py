"""How long a reading takes from its topic to those who subscribe to it over HTTP, also beside some who take nothing.

``python -m benchmarks.live [--json FILE]`` runs a gateway, history and all, on the embedded broker or on the Kafka in
TETOUAN_TEST_KAFKA, opens 200 streams from a process of its own, of which 20 take nothing, and sends 100 readings a
second. The time is from just before a reading is sent to the arrival of its event, over all events and all streams that
read. Then the streams that take nothing have to be gone, and their connections too.
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

import numpy as np
import psutil
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from backtest.run import judged
from harness.brokers import Broker, free_port, service, until
from shared.contracts import topics
from shared.data.year import find_year
from shared.runtime import embedded
from shared.runtime.access import Access
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.brokers import ServiceProcess

START = datetime(2018, 3, 1, tzinfo=UTC)
CUT_OFF_S = 60.0  # by when a stream that takes nothing is gone
ENDED_S = 120.0


@dataclass(frozen=True)
class StreamLoad:
    """Who subscribes, and what is sent."""

    subscribers: int = 200
    stalled: int = 20
    rate_per_s: float = 100.0
    readings: int = 6000


def main() -> None:
    """Print a table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=StreamLoad.subscribers, help="open streams")
    parser.add_argument("--stalled", type=int, default=StreamLoad.stalled, help="how many of them take nothing")
    parser.add_argument("--rate", type=float, default=StreamLoad.rate_per_s, help="readings a second")
    parser.add_argument("--readings", type=int, default=StreamLoad.readings, help="how many are sent")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    load = StreamLoad(arguments.subscribers, arguments.stalled, arguments.rate, arguments.readings)
    figures = measure(load)
    table = Table("figure", "", title=f"live stream on the {figures['broker']}")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,.1f}" if isinstance(figure, float) else str(figure))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(load: StreamLoad) -> dict[str, object]:
    """Return the figures of one load."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        year = find_year("synthetic", folder / "cache")
        step = timedelta(minutes=10)
        values = [reading.to_bytes() for reading in judged(year, START, START + load.readings * step)]
        broker = stack.enter_context(_broker())
        running = service("gateway", broker, folder, free_port(), TETOUAN_STATE_DIR=str(folder))
        gateway = stack.enter_context(running)
        process = psutil.Process(gateway.process.pid)
        arrived_file = folder / "arrived.npy"
        clients = stack.enter_context(_clients(gateway, load, arrived_file))
        open_bytes, begun_cpu_s, begun_s = process.memory_info().rss, _cpu_s(process), monotonic_s()
        sent_s, most_bytes = _send(broker, values, load.rate_per_s, process)
        duration_s, cpu_s = monotonic_s() - begun_s, _cpu_s(process) - begun_cpu_s
        disorders = int(_line_of(clients))
        cut_off_s = _cut_off(gateway, process, load.stalled)
        latencies_ms = 1000 * (np.load(arrived_file) - np.array(sent_s))
        load_average = os.getloadavg()[0]
    return {
        "broker": broker.kind,
        "subscribers": load.subscribers,
        "stalled": load.stalled,
        "readings_per_s": len(values) / duration_s,
        "events": int(np.isfinite(latencies_ms).sum()),
        "missing_events": int(np.isnan(latencies_ms).sum()),
        "events_out_of_order": disorders,
        "p50_latency_ms": float(np.nanpercentile(latencies_ms, 50)),
        "p99_latency_ms": float(np.nanpercentile(latencies_ms, 99)),
        "most_latency_ms": float(np.nanmax(latencies_ms)),
        "worst_stream_p99_latency_ms": float(np.nanmax(np.nanpercentile(latencies_ms, 99, axis=1))),
        "stalled_gone_s": cut_off_s,
        "cpu_s_per_s": cpu_s / duration_s,
        "memory_mb_open": open_bytes / 1e6,
        "memory_mb_most": most_bytes / 1e6,
        "load_average": load_average,
    }


@contextmanager
def _broker() -> Iterator[Broker]:
    """Yield a broker whose topics have one partition: the offset of a record is its number."""
    bootstrap = os.environ.get("TETOUAN_TEST_KAFKA")
    if bootstrap:
        prefix = f"bench-{uuid4().hex[:8]}."
        ensure_topics(Access(bootstrap), prefix, 1)
        yield Broker("kafka", bootstrap, prefix)
    else:
        with embedded.start() as broker:
            ensure_topics(Access(broker.bootstrap), "", 1)
            yield Broker("embedded", broker.bootstrap, "")


@contextmanager
def _clients(gateway: ServiceProcess, load: StreamLoad, arrived: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield the process of the subscribers once all streams are open."""
    counts = {"reading": load.subscribers - load.stalled, "stalled": load.stalled, "events": load.readings}
    words = [word for name, count in counts.items() for word in (f"--{name}", str(count))]
    command = [sys.executable, "-m", "benchmarks.subscribers", gateway.address, *words, "--out", str(arrived)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if _line_of(process) != "open":
                raise RuntimeError("the subscribers have not opened their streams: see their error above")
            yield process
        finally:
            process.communicate()  # it keeps its connections open until its input ends


def _line_of(process: subprocess.Popen[str]) -> str:
    return next(iter(process.stdout or ()), "").strip()


def _send(
    broker: Broker, values: Sequence[bytes], rate_per_s: float, process: psutil.Process
) -> tuple[list[float], int]:
    """Send the readings at a rate; return when each was sent, and the most memory that the process had meanwhile."""
    producer = Producer(broker.access.confluent({"linger.ms": 0}))
    name, begun_s = broker.prefix + topics.CLEAN.name, monotonic_s()
    sent_s: list[float] = []
    most_bytes = 0
    for n, value in enumerate(values):
        sleep(max(0.0, begun_s + n / rate_per_s - monotonic_s()))
        sent_s.append(monotonic_s())
        producer.produce(name, value, key=b"tetouan", partition=0)
        producer.poll(0)
        if n % int(rate_per_s) == 0:
            most_bytes = max(most_bytes, process.memory_info().rss)
    if producer.flush(ENDED_S):
        raise TimeoutError(f"the broker does not take readings within {ENDED_S:.0f} s")
    return sent_s, most_bytes


def _cut_off(gateway: ServiceProcess, process: psutil.Process, stalled: int) -> float:
    """Return how long after the last event the last stream that takes nothing, and its connection, is gone."""
    begun_s, port = monotonic_s(), int(gateway.address.rpartition(":")[2])

    def gone() -> bool:
        served = [one for one in process.net_connections("tcp") if one.laddr.port == port and one.raddr]
        established = [one for one in served if one.status == psutil.CONN_ESTABLISHED]
        return gateway.total("tetouan_live_streams_ended_total") >= stalled and not established

    until(gone, "the streams that take nothing to be gone", CUT_OFF_S)
    return monotonic_s() - begun_s


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return spent.user + spent.system


if __name__ == "__main__":
    main()
