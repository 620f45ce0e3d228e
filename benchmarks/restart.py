"""How long a service that was killed takes until it is ready again, behind a year of readings on Apache Kafka.

``python -m benchmarks.restart [--days N] [--rounds N] [--json FILE]`` streams days of the synthetic year through the
ingestor, the forecaster and the monitor. Then it kills one after the other and takes the time from the start of the new
process to the first `/readyz` that says yes: with the snapshot that the service has kept, and without any, when it
folds its topics again (the baseline: what snapshots save). CPU is that of the service's own process by then. Kafka is a
container where a Docker engine answers, else the one in TETOUAN_TEST_KAFKA.

With ``--sites N`` it is so many synthetic sites with two weeks of history each, as in `benchmarks.scale`: clean
readings that are put on their topic, but for the last day, which streams through all three services. So a monitor
without a snapshot has the forecasts of that day alone to fold. Since the snapshots each site has sent two readings.
``--from snapshot`` leaves out the baseline, which takes minutes a start with many sites.

``ready_s`` of the JSON is the median of the slowest service with snapshots.
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

from benchmarks.fleet import STEP, bootstrap_of_kafka, fleet_of, prepared_sites
from harness.brokers import Broker, free_port, until
from harness.february import START, fit_models
from harness.kafka import real_kafka
from harness.streaming import NAMES, Stream, streaming
from replay.backlog import Backlog
from shared.contracts import topics
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    Plan = Sequence[tuple[str, str]]  # services to kill, and what each is to start from

DAYS, DAYS_OF_MANY, ROUNDS = 365, 14, 3
SINCE = 2  # readings of each of many sites since the snapshots
WHERE = ("snapshot", "topics")  # from which a service starts
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


def _restarted(stream: Stream, name: str, start_from: str, *, champions: bool) -> Restart:
    stream.kill(name)
    if start_from == "topics":
        stream.forget(name)
    started_s = monotonic_s()
    stream.start(name, ready=False)
    running = stream.services[name]
    until(running.ready, f"the {name} to be ready", PATIENCE_S)
    ready_s = monotonic_s() - started_s
    cpu_s = running.metric("process_cpu_seconds_total ")
    if champions and name == "forecaster":  # it asks the registry now: whoever is next must have the machine for itself
        until(lambda: running.metric("tetouan_champions_confirmed ") == 1, "the registry to have been asked")
    return Restart(name, start_from, ready_s, cpu_s)


def _kept(stream: Stream) -> bool:
    return all(list(stream.state_dir(name).rglob("*.snapshot")) for name in NAMES)


def measure(days: int, plan: Plan, console: Console) -> list[Restart]:
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
        return _restarts(stream, plan, console, champions=True)


def measure_many(sites: int, days: int, plan: Plan, console: Console) -> list[Restart]:
    """Return every start of the services of many sites that was measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("fitting the prior")
        every, prior = prepared_sites(sites, folder)
        until_time = START + timedelta(days=days)
        console.print(f"{sites} sites: {days} days of history")
        fleet = stack.enter_context(fleet_of(bootstrap_of_kafka(), folder / "fleet", every, prior))
        fleet.start(START, until_time - timedelta(days=1), until_time)
        for name in NAMES:  # told to stop, they keep all that they know
            fleet.stream.end(name)
            fleet.stream.start(name, ready=False)
        fleet.wait_until_ready()
        for n in range(SINCE):
            fleet.round(until_time + n * STEP)
        fleet.catch_up()
        return _restarts(fleet.stream, plan, console, champions=False)


def _restarts(stream: Stream, plan: Plan, console: Console, *, champions: bool) -> list[Restart]:
    return [_restarted(stream, *each, champions=champions) for each in track(plan, "restarting", console=console)]


def _table(restarts: Sequence[Restart], where_from: Sequence[str], what: str) -> Table:
    table = Table(
        "service",
        "from",
        "ready s, median",
        "slowest",
        "CPU s, median",
        title=f"ready after a kill: {what}",
    )
    for name in NAMES:
        for where in where_from:
            found = [each for each in restarts if (each.service, each.start_from) == (name, where)]
            ready_s = [each.ready_s for each in found]
            cpu_s = median(each.cpu_s for each in found)
            table.add_row(name, where, f"{median(ready_s):.1f}", f"{max(ready_s):.1f}", f"{cpu_s:.1f}")
    return table


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=1, help="sites: one that was trained, or many that began cold")
    parser.add_argument("--days", type=int, help=f"days of history; default: {DAYS}, {DAYS_OF_MANY} of many sites")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="restarts of each kind and service")
    parser.add_argument("--from", dest="where_from", choices=WHERE, nargs="+", default=WHERE, help="kinds of start")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    sites, where_from = arguments.sites, arguments.where_from
    days = arguments.days or (DAYS if sites == 1 else DAYS_OF_MANY)
    plan = [(name, where) for where in where_from for _ in range(arguments.rounds) for name in NAMES]
    restarts = measure(days, plan, console) if sites == 1 else measure_many(sites, days, plan, console)
    console.print(_table(restarts, where_from, f"{sites} site{'s' * (sites > 1)}, {days} days of history"))
    if arguments.json:
        ready_s = {where: max(_median_ready_s(restarts, name, where) for name in NAMES) for where in where_from}
        result = {
            "sites": sites,
            "days": days,
            "ready_s": ready_s.get("snapshot"),
            "ready_s_without_snapshots": ready_s.get("topics"),
            "restarts": [asdict(each) for each in restarts],
        }
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _median_ready_s(restarts: Sequence[Restart], name: str, where: str) -> float:
    return median(each.ready_s for each in restarts if (each.service, each.start_from) == (name, where))


if __name__ == "__main__":
    main()
