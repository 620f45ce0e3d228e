"""A stream that is struck: readings with every kind of trouble in them, and the blows that services must outlive."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from replay.backlog import Backlog
from services.forecaster.app import build as forecaster
from services.forecaster.settings import ForecasterSettings
from services.ingestor.app import build as ingestor
from services.ingestor.settings import IngestorSettings
from services.monitor.app import build as monitor
from services.monitor.settings import MonitorSettings
from shared.contracts import topics
from shared.runtime.clock import monotonic_s
from shared.runtime.failpoints import VARIABLE, Point
from shared.runtime.records import Outgoing
from shared.runtime.settings import Settings, load
from shared.runtime.state import Fetching
from tests.integration.brokers import until
from tests.integration.february import START
from tests.integration.outcome import OUTPUTS, Follower, fact, last_state
from tests.integration.streaming import NAMES, streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from shared.data.year import Year
    from shared.runtime.service import Service
    from shared.runtime.state import Core
    from tests.integration.brokers import Broker
    from tests.integration.outcome import Outcome, States
    from tests.integration.streaming import Stream

__all__ = ["Blow", "Rig", "Run", "Signal", "divided", "random_blows", "rig", "troubled_rows", "undisturbed_run"]

Signal = Literal["SIGKILL", "SIGTERM", "SIGSTOP"]

ANSWERS = {"ingestor": topics.CLEAN, "forecaster": topics.FORECASTS, "monitor": topics.SCORES}
CHUNK = 24  # readings between two looks at the backlog
AHEAD = 288  # records on their way: enough that every service has work in hand when it is struck
AWAY = timedelta(days=60)


@dataclass(frozen=True)
class Blow:
    """Who is struck, and how: by a signal at any moment, or by its own hand at a named point."""

    victim: str
    how: Signal | Point

    def __str__(self) -> str:
        return f"{self.victim} {self.how}"


@dataclass(frozen=True)
class Run:
    """What a run has left behind: what was published in each part of it, and the last state of each service."""

    parts: list[Outcome]
    states: States

    @property
    def whole(self) -> Outcome:
        """All that was published."""
        return {topic: [fact for part in self.parts for fact in part[topic]] for topic in self.parts[0]}


def troubled_rows(year: Year, days: int) -> list[bytes]:
    """Return the raw records of some days, among them repeated, late and unreadable ones, and some with a wrong clock.

    The last one is of a full hour, so that the monitor's last scores are due.
    """
    good = [raw for _, raw in year.raw_messages(START, START + timedelta(days=days, minutes=10))]
    rows: list[bytes] = []
    late: dict[int, bytes] = {}
    for n, raw in enumerate(good):
        if n % 47 == 20:
            late[n + 4] = raw
        else:
            rows.append(raw)
        if n % 31 == 30:
            rows.append(good[n - 5])
        if n % 53 == 40:
            rows.append(f'{{"site": "tetouan", "garbage": {n}}}'.encode())
        if n % 61 == 50:
            rows.append(_with_wrong_clock(raw, year))
        if n in late:
            rows.append(late[n])
    return rows


def _with_wrong_clock(raw: bytes, year: Year) -> bytes:
    row, column = json.loads(raw), year.site.time_column
    time = datetime.strptime(row[column], "%m/%d/%Y %H:%M") + AWAY  # noqa: DTZ007 - a meter's clock has no zone
    return json.dumps({**row, column: f"{time.month}/{time.day}/{time.year} {time.hour}:{time.minute:02d}"}).encode()


def divided(rows: Sequence[bytes], parts: int) -> list[Sequence[bytes]]:
    """Return the rows in so many parts of about the same length."""
    cuts = [len(rows) * n // parts for n in range(parts + 1)]
    return [rows[begin:end] for begin, end in pairwise(cuts)]


def random_blows(seed: int, victims: Sequence[str], count: int, rows: int) -> list[tuple[int, Blow]]:
    """Return blows in turn on the victims, each after so many rows: one in ten freezes, one in five is a SIGTERM."""
    chance = np.random.default_rng(seed)
    share: dict[Signal, int] = {"SIGSTOP": count // 10, "SIGTERM": count // 5}
    share["SIGKILL"] = count - sum(share.values())
    how = [each for each, times in share.items() for _ in range(times)]
    when = sorted(chance.choice(np.arange(1, rows), count, replace=False).tolist())
    order = chance.permutation(count).tolist()
    return [(at, Blow(victims[n % len(victims)], how[order[n]])) for n, at in enumerate(when)]


@dataclass
class Rig:
    """A running stream, who listens to it, and how long its services took to be ready after each blow."""

    stream: Stream
    follower: Follower
    backlog: Backlog
    ready_s: list[float] = field(default_factory=list)

    def part(self, rows: Sequence[bytes], *blows: Blow) -> Outcome:
        """Stream the rows, the blows evenly among them, and return what has been published in the end."""
        first, *others = divided(rows, len(blows) + 1)
        self.send(first)
        for blow, after in zip(blows, others, strict=True):
            self._hear([blow])
            self.strike(blow, after)
        return self.follower.settle()

    def part_with_all_at_once(self, rows: Sequence[bytes], blows: Sequence[Blow]) -> Outcome:
        """Stream the rows, all the blows in the middle of them, and return what has been published in the end."""
        before, after = divided(rows, 2)
        self.send(before)
        self._hear(blows)
        self.strike_at_points(blows, after)
        return self.follower.settle()

    def _hear(self, blows: Sequence[Blow]) -> None:
        """Wait until whoever is to be struck is at work."""
        for blow in blows:
            until(partial(self.follower.hears, ANSWERS[blow.victim]), f"the {blow.victim} to answer")

    def random_part(self, rows: Sequence[bytes], blows: Sequence[tuple[int, Blow]]) -> Outcome:
        """Stream the rows and strike after certain numbers of them, whatever is being done then."""
        cuts = [0, *(at for at, _ in blows), len(rows)]
        pieces = [rows[begin:end] for begin, end in pairwise(cuts)]
        self.send(pieces[0])
        for (_, blow), after in zip(blows, pieces[1:], strict=True):
            self.strike(blow, after)
        return self.follower.settle()

    def send(self, rows: Sequence[bytes]) -> None:
        """Send the rows, never far ahead of the services."""
        for begin in range(0, len(rows), CHUNK):
            until(self.caught_up, "the services to catch up")
            self.stream.broker.send(topics.RAW, rows[begin : begin + CHUNK])

    def caught_up(self) -> bool:
        """Tell whether the services are close behind; no while the brokers do not tell what is committed.

        They do not until whoever takes over has ended the transaction that a killed service left open.
        """
        try:
            return sum(lag.records for lag in self.backlog.lags()) <= AHEAD
        except KafkaException:
            return False

    def strike(self, blow: Blow, rows: Sequence[bytes]) -> None:
        """Strike a service, let it go on or start it again, and send the rows."""
        victim = blow.victim
        match blow.how:
            case "SIGSTOP":
                self.freeze(victim)
                self.stream.services[victim].process.send_signal(signal.SIGCONT)
            case "SIGTERM":
                self.stream.end(victim)
                self.start(victim)
            case "SIGKILL":
                self.stream.kill(victim)
                self.start(victim)
            case _:
                self.strike_at_points([blow], rows)
                return
        self.send(rows)

    def strike_at_points(self, blows: Sequence[Blow], rows: Sequence[bytes]) -> None:
        """Kill services together, have each die once more at its point when it is back, and start it again."""
        for blow in blows:
            self.stream.kill(blow.victim)
            if blow.how == "in_restore":  # which is passed where something is left to restore
                self.stream.forget(blow.victim)
            self.stream.start(blow.victim, ready=False, **{VARIABLE: f"{blow.how}:1"})
        deadly, rest = rows[: 2 * CHUNK], rows[2 * CHUNK :]  # nobody takes more while they are dead
        self.send(deadly)
        started_s = {}
        for blow in blows:
            self._let_die(blow)
            started_s[blow.victim] = monotonic_s()
            self.stream.start(blow.victim, ready=False)
        for victim, since_s in started_s.items():
            until(self.stream.services[victim].ready, f"the {victim} to be ready")
            self.ready_s.append(monotonic_s() - since_s)
        self.send(rest)

    def _let_die(self, blow: Blow) -> None:
        doomed = self.stream.services[blow.victim]
        until(lambda: doomed.process.poll() is not None, f"the {blow.victim} to die {blow.how}")
        assert doomed.process.returncode == -signal.SIGKILL, doomed.log.read_text()
        self.stream.kill(blow.victim)

    def freeze(self, victim: str) -> None:
        """Stop a service where it is, until its group has given it up."""
        admin = AdminClient({"bootstrap.servers": self.stream.broker.bootstrap, "log_level": 0})
        group = self.stream.broker.prefix + victim
        self.stream.services[victim].process.send_signal(signal.SIGSTOP)
        until(
            lambda: not admin.describe_consumer_groups([group])[group].result().members,
            f"the group to give the {victim} up",
        )

    def start(self, victim: str) -> None:
        """Start a service; it is ready in the end."""
        started_s = monotonic_s()
        self.stream.start(victim)
        self.ready_s.append(monotonic_s() - started_s)

    def states(self) -> States:
        """Stop all services and return the arrays of their last snapshots."""
        self.stream.stop()
        found = {name: last_state(self.stream.state_dir(name)) for name in NAMES}
        return {name: arrays for name, arrays in found.items() if arrays is not None}


@contextmanager
def rig(
    broker: Broker, folder: Path, models_dir: Path, port: Callable[[], int], settings: Mapping[str, str] | None = None
) -> Iterator[Rig]:
    """Run the services and listen to them until the block ends."""
    with (
        streaming(broker, folder, models_dir, port, settings) as stream,
        Follower(broker) as follower,
        Backlog(broker.access, NAMES, broker.prefix) as backlog,
    ):
        yield Rig(stream, follower, backlog)


@dataclass
class _Record:
    """A record as the cores see it."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    partition: int = 0
    timestamp: int = -1


class _Undisturbed:
    """The cores of the services in this process, one after the other: no broker, no process, nothing that could end."""

    def __init__(self, models_dir: Path) -> None:
        own = {
            "mlflow_uri": load(Settings, state_dir=models_dir).registry_uri,
            "state_dir": models_dir,
            "report_every_hours": 0,
        }
        self._cores: dict[str, Core] = {
            "ingestor": _core(ingestor(load(IngestorSettings, **own))),
            "forecaster": _core(forecaster(load(ForecasterSettings, **own))),
            "monitor": _core(monitor(load(MonitorSettings, **own))),
        }
        self._ends: Counter[str] = Counter()

    def part(self, rows: Sequence[bytes]) -> Outcome:
        """Return what is published for the rows."""
        raw = self._placed([Outgoing(topics.RAW.name, b"tetouan", row) for row in rows])
        judged = self._answers("ingestor", raw)
        clean = [record for record in judged if record.topic == topics.CLEAN.name]
        issued = self._answers("forecaster", clean)
        said = judged + issued + self._answers("monitor", clean + issued)
        return {
            topic.name: [fact(r.topic, r.value or b"", r.headers) for r in said if r.topic == topic.name]
            for topic in OUTPUTS
        }

    def _answers(self, name: str, records: Sequence[_Record]) -> list[_Record]:
        return self._placed(self._cores[name].handle(records))

    def _placed(self, outgoing: Sequence[Outgoing]) -> list[_Record]:
        placed = []
        for out in outgoing:
            placed.append(_Record(out.topic, self._ends[out.topic], out.key, out.value, out.headers))
            self._ends[out.topic] += 1
        return placed

    def states(self) -> States:
        """Return the arrays of each core that can tell them."""
        return {name: core.state() for name, core in self._cores.items() if hasattr(core, "state")}


def _core(service: Service) -> Core:
    core = service.make_core()
    if isinstance(core, Fetching):
        asyncio.run(core.begin())
    return core


def undisturbed_run(models_dir: Path, parts: Sequence[Sequence[bytes]]) -> Run:
    """Return what becomes of the rows, part by part, where nothing happens."""
    undisturbed = _Undisturbed(models_dir)
    return Run([undisturbed.part(rows) for rows in parts], undisturbed.states())
