"""How the services carry many sites: each sends one reading a round, and all are answered before the next round.

``python -m benchmarks.scale [--sites N] [--rounds N] [--json FILE]`` runs ingestor, forecaster and monitor as processes
on the Kafka in TETOUAN_TEST_KAFKA, else on that of TETOUAN_KAFKA_BOOTSTRAP, for N synthetic sites of one zone and ten
minutes, and beside them the same services for ten of these sites: what a forecast costs at N and at ten is measured in
the same minutes. The sites begin cold, with a prior, and are days old when the rounds begin, so that the adapted model
answers: the clean readings of the first days are put on the topic for the services to restore, those of the last day
stream through all three. The rounds go over the end of a UTC day, when there is most to do.

- ``round_s``: from the first reading of a round sent to its last forecast seen, the median of all rounds;
  ``slowest_round_ratio``: that of the slowest round to it.
- ``forecasts_per_cpu_second``, ``monitor_us_per_reading``, ``ingestor_us_per_reading``: CPU of the process over all
  rounds and the time between them, what it writes and puts off included, less what the same service costs at rest in
  that time (``idle_ms_per_s``, measured on the ten sites; `benchmarks.stream` has the bar for it). ``with_idle`` has
  them without that deduction.
- ``us_ratio_1000_to_10``: CPU of the forecaster's core for a forecast at N sites, to that at ten.
- ``mb_per_zone``: what a further site adds to the resident memory: N sites less ten, the highest of all rounds.
- ``snapshot_cpu_share``: CPU for copying and writing snapshots, of all that the forecaster took.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import sleep
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console
from rich.table import Table

from replay.backlog import Backlog
from services.trainer.priors import train_prior
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics, partitions_of
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import Settings, load
from tests.integration.brokers import Broker, until
from tests.integration.crash import free_port
from tests.integration.february import START
from tests.integration.streaming import NAMES, Stream
from tests.integration.synthetic_sites import synthetic_sites, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.contracts.topics import Topic
    from tests.integration.synthetic_sites import SyntheticSite

SITES, ROUNDS, DAYS = 1000, 12, 9
FEW = 10
WARM_UP = 2  # rounds
PACE_S, IDLE_S = 10.0, 10.0
PATIENCE_S = 1800.0
POLL_S = 0.01
STEP = timedelta(minutes=10)
MIB = 2**20
CPU_OF_CORE, CPU_OF_SNAPSHOTS = "tetouan_core_cpu_seconds_total", "tetouan_snapshot_cpu_seconds_total"


@dataclass(frozen=True)
class Usage:
    """What the processes of a fleet have taken by a moment: CPU seconds by service, and two parts of the forecaster."""

    cpu_s: dict[str, float]
    core_cpu_s: float
    snapshot_cpu_s: float

    def since(self, before: Usage) -> Usage:
        """Return what was taken between two moments."""
        cpu_s = {name: spent_s - before.cpu_s[name] for name, spent_s in self.cpu_s.items()}
        core_s, snapshot_s = self.core_cpu_s - before.core_cpu_s, self.snapshot_cpu_s - before.snapshot_cpu_s
        return Usage(cpu_s, core_s, snapshot_s)


@dataclass(frozen=True)
class Measured:
    """What the rounds of a fleet have taken; ``idle_s`` is the time between them."""

    sites: int
    round_s: list[float]
    idle_s: float
    usage: Usage
    rss_mb: dict[str, float]

    @property
    def readings(self) -> int:
        """How many were sent, and forecasts seen."""
        return self.sites * len(self.round_s)

    def busy_us(self, name: str, idle_share: float) -> float:
        """Return the CPU of a service for each reading, less a share of a processor in the time between the rounds."""
        return 1e6 * (self.usage.cpu_s[name] - idle_share * self.idle_s) / self.readings

    @property
    def core_us(self) -> float:
        """CPU of the forecaster's core for a forecast."""
        return 1e6 * self.usage.core_cpu_s / self.readings


class Fleet:
    """The services of some sites on topics of their own, who sends their readings, and who sees their forecasts."""

    def __init__(self, broker: Broker, stream: Stream, sites: Sequence[SyntheticSite]) -> None:
        self.sites = sites
        self._broker = broker
        self._stream = stream
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
            self._stream.start(name, ready=False)
        for name, running in self._stream.services.items():
            until(running.ready, f"the {name} to be ready", PATIENCE_S)
        for site in self.sites:  # a site's readings together: they are answered by the hundred
            self._send(topics.RAW, site, (raw for _, raw in site.raw(streamed_from, until_time)))
        self._flush()
        self.catch_up()
        self.levels.clear()

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
            until(lambda: sum(lag.records for lag in backlog.lags()) <= ends, "the services to catch up", PATIENCE_S)
        while self._receive():
            pass

    def usage(self) -> Usage:
        """Return what the processes have taken by now; a service that is asked for its figures pays for the answer."""
        forecaster = self._stream.services["forecaster"]
        return Usage(self.cpu_s(), forecaster.total(CPU_OF_CORE), forecaster.total(CPU_OF_SNAPSHOTS))

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each process."""
        times = {name: process.cpu_times() for name, process in self._processes()}
        return {name: spent.user + spent.system for name, spent in times.items()}

    def rss_mb(self) -> dict[str, float]:
        """Return the resident memory of each process."""
        return {name: process.memory_info().rss / MIB for name, process in self._processes()}

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        for name, running in self._stream.services.items():
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
        ends = [
            TopicPartition(name, part.partition, client.get_watermark_offsets(part)[1])
            for part in partitions_of(client, name)
        ]
        client.commit(offsets=ends, asynchronous=False)
        client.close()

    def _receive(self) -> int:
        messages = self._consumer.consume(500, POLL_S)
        for message in messages:
            forecast = orjson.loads(message.value() or b"")
            self._seen[forecast["site"], forecast["origin"]] += 1
            self.levels[forecast["levels"][0]["level"]] += 1
        return len(messages)


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=SITES, help="synthetic sites")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="readings of each site that are measured")
    parser.add_argument("--days", type=int, default=DAYS, help="days of history before")
    parser.add_argument("--pace", type=float, default=PACE_S, help="seconds from one round to the next")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    if arguments.sites < 2:
        parser.error("--sites: give at least 2")
    console = Console()
    result = measure(arguments.sites, arguments.rounds, arguments.days, arguments.pace, console)
    console.print(_table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(sites: int, rounds: int, days: int, pace_s: float, console: Console) -> dict[str, Any]:
    """Return the figures by the names of the JSON."""
    few = min(FEW, sites // 2)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("fitting the prior")
        year = find_year("synthetic", folder / "cache")
        train_prior(year, START, (1, 2, 3), lambda *_: None).save(folder / "prior.npz")
        every = synthetic_sites(year, sites, (STEP // timedelta(minutes=1),))
        first_round = START + timedelta(days=days) - (rounds // 2) * STEP
        streamed_from = START + timedelta(days=max(0, days - 1))
        fleets = []
        for count in (few, sites):
            console.print(f"{count} sites: {days} days of history")
            fleet = stack.enter_context(_fleet(folder / str(count), every[:count], folder / "prior.npz"))
            fleet.start(START, streamed_from, first_round - WARM_UP * STEP)
            fleets.append(fleet)
        for n in range(-WARM_UP, 0):
            _rounds(fleets, first_round + n * STEP, 1, pace_s)
        idle_share = _idle_shares(fleets[0])
        console.print(f"{rounds} rounds, {pace_s:.0f} s each")
        measured = _rounds(fleets, first_round, rounds, pace_s)
        doubled, levels = fleets[1].doubled, fleets[1].levels
    return _result(measured, idle_share) | {
        "late_rounds": sum(taken_s > pace_s for taken_s in measured[1].round_s),
        "doubled": doubled,
        "adapted_share": levels["adapted"] / levels.total(),
        "days_of_history": days,
    }


def _idle_shares(fleet: Fleet) -> dict[str, float]:
    """Return what share of a processor each service takes where nothing comes in."""
    sleep(IDLE_S)  # the snapshots of the last round are written by then
    before_s = fleet.cpu_s()
    sleep(IDLE_S)
    return {name: (after_s - before_s[name]) / IDLE_S for name, after_s in fleet.cpu_s().items()}


def _rounds(fleets: Sequence[Fleet], first: datetime, count: int, pace_s: float) -> list[Measured]:
    """Send so many rounds to each fleet, one fleet after the other."""
    before = [fleet.usage() for fleet in fleets]
    round_s: list[list[float]] = [[] for _ in fleets]
    rss_mb: list[dict[str, float]] = [{} for _ in fleets]
    started_s = monotonic_s()
    for n in range(count):
        due_s = monotonic_s() + pace_s
        for fleet, taken_s, highest_mb in zip(fleets, round_s, rss_mb, strict=True):
            taken_s.append(fleet.round(first + n * STEP))
            highest_mb |= {name: max(mb, highest_mb.get(name, 0.0)) for name, mb in fleet.rss_mb().items()}
        sleep(max(0.0, due_s - monotonic_s()))
    for fleet in fleets:
        fleet.catch_up()
    wall_s = monotonic_s() - started_s
    return [
        Measured(len(fleet.sites), taken_s, wall_s - sum(taken_s), fleet.usage().since(begun), highest_mb)
        for fleet, begun, taken_s, highest_mb in zip(fleets, before, round_s, rss_mb, strict=True)
    ]


def _result(measured: Sequence[Measured], idle_share: dict[str, float]) -> dict[str, Any]:
    few, many = measured
    none = dict.fromkeys(NAMES, 0.0)

    def costs(idle: dict[str, float]) -> dict[str, float]:
        return {
            "forecasts_per_cpu_second": 1e6 / many.busy_us("forecaster", idle["forecaster"]),
            "monitor_us_per_reading": many.busy_us("monitor", idle["monitor"]),
            "ingestor_us_per_reading": many.busy_us("ingestor", idle["ingestor"]),
        }

    more = many.sites - few.sites
    return {
        "sites": many.sites,
        "rounds": len(many.round_s),
        **costs(idle_share),
        "round_s": median(many.round_s),
        "slowest_round_ratio": max(many.round_s) / median(many.round_s),
        "us_ratio_1000_to_10": many.core_us / few.core_us,
        "mb_per_zone": {name: (many.rss_mb[name] - few.rss_mb[name]) / more for name in ("forecaster", "monitor")},
        "snapshot_cpu_share": many.usage.snapshot_cpu_s / many.usage.cpu_s["forecaster"],
        "core_us_per_forecast": many.core_us,
        "core_us_per_forecast_at_10": few.core_us,
        "idle_ms_per_s": {name: 1000 * share for name, share in idle_share.items()},
        "with_idle": costs(none),
        "rss_mb": many.rss_mb,
    }


@contextmanager
def _fleet(folder: Path, sites: Sequence[SyntheticSite], prior: Path) -> Iterator[Fleet]:
    """Yield services to be started for the sites; they end, and their topics go, with the block."""
    folder.mkdir()
    table = folder / "sites.toml"
    table.write_text(table_of(sites), encoding="utf-8")
    bootstrap = os.environ.get("TETOUAN_TEST_KAFKA") or load(Settings).kafka_bootstrap
    broker = Broker("kafka", bootstrap, f"scale-{uuid4().hex[:8]}.")
    ensure_topics(broker.access, broker.prefix)
    settings = {
        "TETOUAN_SITES": str(table),
        "TETOUAN_PRIOR": str(prior),
        "TETOUAN_MODELS_WAIT_S": "0",
        "TETOUAN_SNAPSHOT_EVERY_S": str(Settings.model_fields["snapshot_every_s"].default),
    }
    stream = Stream(broker, folder, folder / "registry", free_port, settings)
    try:
        yield Fleet(broker, stream, sites)
    finally:
        stream.stop()
        admin = AdminClient(broker.access.confluent())
        for done in admin.delete_topics([broker.prefix + topic.name for topic in topics.ALL]).values():
            done.result()


def _table(result: dict[str, Any]) -> Table:
    table = Table("", "", title=f"{result['sites']:,} sites, one reading each a round")
    table.add_row("forecasts a CPU second", f"{result['forecasts_per_cpu_second']:,.0f}")
    table.add_row("monitor, us a reading and forecast", f"{result['monitor_us_per_reading']:.0f}")
    table.add_row("ingestor, us a reading", f"{result['ingestor_us_per_reading']:.0f}")
    table.add_row("round, s", f"{result['round_s']:.2f}")
    table.add_row("slowest round to it", f"{result['slowest_round_ratio']:.1f}")
    table.add_row(f"core, us a forecast, to that of {FEW} sites", f"{result['us_ratio_1000_to_10']:.2f}")
    for name, mb in result["mb_per_zone"].items():
        table.add_row(f"{name}, MB a zone", f"{mb:.1f}")
    table.add_row("snapshots, share of the forecaster's CPU", f"{result['snapshot_cpu_share']:.1%}")
    table.add_row("answered by the adapted model", f"{result['adapted_share']:.0%}")
    return table


if __name__ == "__main__":
    main()
