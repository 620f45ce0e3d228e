"""How long a service that was killed takes until it is ready again, behind a year of readings on Apache Kafka.

``python -m benchmarks.restart [--days N] [--rounds N] [--json FILE]`` streams days of the synthetic year through the
ingestor, the forecaster and the monitor. Then it kills one after the other and takes the time from the start of the new
process to the first `/readyz` that says yes: with the snapshot that the service has kept, and without any, when it
folds its topics again (the baseline: what snapshots save). CPU is that of the service's own process by then. Kafka is a
container where a Docker engine answers, else the one in TETOUAN_TEST_KAFKA.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console
from rich.progress import track
from rich.table import Table

from replay.backlog import Backlog
from shared.contracts import topics
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s
from tests.integration.brokers import Broker, until
from tests.integration.crash import free_port
from tests.integration.february import START, fit_models
from tests.integration.kafka import real_kafka
from tests.integration.streaming import NAMES, Stream, streaming

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS, ROUNDS = 365, 3
CHUNK, AHEAD = 1000, 4000  # readings sent at once, records on their way
SNAPSHOT_EVERY_S = 5.0
PATIENCE_S = 1200.0
JANUARY = datetime(START.year, 1, 1, tzinfo=START.tzinfo)


@dataclass(frozen=True)
class Restart:
    """One start: from the new process to ready, and what it has cost by then."""

    service: str
    start_from: str
    ready_s: float
    cpu_s: float


def _stream_all(stream: Stream, rows: Sequence[bytes], console: Console) -> None:
    """Send the rows, never far ahead of the services, and wait until these have answered all."""
    broker = stream.broker
    with Backlog(broker.access, NAMES, broker.prefix) as backlog:

        def behind() -> int:
            return sum(lag.records for lag in backlog.lags())

        for begin in track(range(0, len(rows), CHUNK), "streaming", console=console):
            until(lambda: behind() <= AHEAD, "the services to catch up", PATIENCE_S)
            broker.send(topics.RAW, rows[begin : begin + CHUNK])
        ends = len(NAMES) * topics.PARTITIONS  # the end of a transaction counts as a record
        until(lambda: behind() <= ends, "the services to answer all", PATIENCE_S)


def _restarted(stream: Stream, name: str, start_from: str) -> Restart:
    stream.kill(name)
    if start_from == "topics":
        stream.forget(name)
    started_s = monotonic_s()
    stream.start(name)
    ready_s = monotonic_s() - started_s
    running = stream.services[name]
    cpu_s = running.metric("process_cpu_seconds_total ")
    if name == "forecaster":  # it asks the registry now: whoever is next must have the machine for itself
        until(lambda: running.metric("tetouan_champions_confirmed ") == 1, "the registry to have been asked")
    return Restart(name, start_from, ready_s, cpu_s)


def _kept(stream: Stream) -> bool:
    return all(list(stream.state_dir(name).rglob("*.snapshot")) for name in NAMES)


def measure(days: int, rounds: int, console: Console) -> list[Restart]:
    """Return every start that was measured."""
    with ExitStack() as stack:
        kafka = stack.enter_context(real_kafka())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("fitting the models on January")
        year = find_year("synthetic", folder / "cache")
        fit_models(year, folder / "models")
        rows = [raw for _, raw in year.raw_messages(JANUARY, JANUARY + timedelta(days=days))]
        broker = Broker("kafka", kafka.bootstrap, f"restart-{uuid4().hex[:8]}.")
        ensure_topics(broker.access, broker.prefix)
        settings = {"TETOUAN_SNAPSHOT_EVERY_S": str(SNAPSHOT_EVERY_S)}
        stream = stack.enter_context(streaming(broker, folder, folder / "models", free_port, settings))
        _stream_all(stream, rows, console)
        until(lambda: _kept(stream), "all to have kept their states")
        plan = [(name, where) for where in ("snapshot", "topics") for _ in range(rounds) for name in NAMES]
        return [_restarted(stream, *each) for each in track(plan, "restarting", console=console)]


def _table(restarts: Sequence[Restart], days: int) -> Table:
    table = Table(
        "service",
        "from",
        "ready s, median",
        "slowest",
        "CPU s, median",
        title=f"ready after a kill, {days} days streamed",
    )
    for name in NAMES:
        for where in ("snapshot", "topics"):
            found = [each for each in restarts if (each.service, each.start_from) == (name, where)]
            ready_s = [each.ready_s for each in found]
            cpu_s = median(each.cpu_s for each in found)
            table.add_row(name, where, f"{median(ready_s):.1f}", f"{max(ready_s):.1f}", f"{cpu_s:.1f}")
    return table


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS, help="days to stream first")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="restarts of each kind and service")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    restarts = measure(arguments.days, arguments.rounds, console)
    console.print(_table(restarts, arguments.days))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in restarts], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
