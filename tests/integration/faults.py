"""A stream with faults injected: which ones, into which service, and when."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from harness.brokers import until
from harness.rows import divided
from harness.streaming import NAMES, kind_of, streaming
from replay.backlog import Backlog
from shared.contracts import topics
from shared.runtime.clock import monotonic_s
from shared.runtime.failpoints import VARIABLE, Point
from tests.integration.outcome import Follower, Share, last_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.brokers import Broker
    from harness.rows import RawRecord
    from harness.streaming import Stream
    from tests.integration.outcome import Kept, Outcome

__all__ = ["CHUNK", "Fault", "Rig", "Signal", "random_faults", "rig"]

Signal = Literal["SIGKILL", "SIGTERM", "SIGSTOP"]

ANSWERS = {"ingestor": topics.CLEAN, "forecaster": topics.FORECASTS, "monitor": topics.SCORES}
AHEAD = 288  # records on their way: enough that every service has work in hand when it is hit
CHUNK = 24  # readings between two looks at the backlog


@dataclass(frozen=True)
class Fault:
    """Who is hit, and how: by a signal at any moment, or by its own hand at a named point."""

    victim: str
    how: Signal | Point

    def __str__(self) -> str:
        return f"{self.victim} {self.how}"


def random_faults(seed: int, victims: Sequence[str], count: int, rows: int) -> list[tuple[int, Fault]]:
    """Return faults in turn on the victims, each after so many rows: one in ten freezes, one in five is a SIGTERM."""
    chance = np.random.default_rng(seed)
    share: dict[Signal, int] = {"SIGSTOP": count // 10, "SIGTERM": count // 5}
    share["SIGKILL"] = count - sum(share.values())
    how = [each for each, times in share.items() for _ in range(times)]
    when = sorted(chance.choice(np.arange(1, rows), count, replace=False).tolist())
    order = chance.permutation(count).tolist()
    return [(at, Fault(victims[n % len(victims)], how[order[n]])) for n, at in enumerate(when)]


@dataclass
class Rig:
    """A running stream and who listens to it.

    ``ready_s`` is how long a service took to be ready after each fault, ``hand_over_s`` how long all services took to
    have answered everything after each change of their replicas. ``ahead`` records may be on their way, and ``chunk``
    are sent between two looks at how many are.
    """

    stream: Stream
    follower: Follower
    backlog: Backlog
    ahead: int = AHEAD
    chunk: int = CHUNK
    ready_s: list[float] = field(default_factory=list)
    hand_over_s: list[float] = field(default_factory=list)

    def part(self, rows: Sequence[RawRecord], *faults: Fault) -> Outcome:
        """Stream the rows, the faults evenly among them, and return what has been published in the end."""
        first, *others = divided(rows, len(faults) + 1)
        self.send(first)
        for fault, after in zip(faults, others, strict=True):
            self._hear([fault])
            self.inject(fault, after)
        return self.follower.settle()

    def part_with_all_at_once(self, rows: Sequence[RawRecord], faults: Sequence[Fault]) -> Outcome:
        """Stream the rows, all the faults in the middle of them, and return what has been published in the end."""
        before, after = divided(rows, 2)
        self.send(before)
        self._hear(faults)
        self.inject_at_points(faults, after)
        return self.follower.settle()

    def _hear(self, faults: Sequence[Fault]) -> None:
        """Wait until whoever is to be hit is at work."""
        for fault in faults:
            until(partial(self.follower.hears, ANSWERS[kind_of(fault.victim)]), f"the {fault.victim} to answer")

    def random_part(self, rows: Sequence[RawRecord], faults: Sequence[tuple[int, Fault]]) -> Outcome:
        """Stream the rows and inject faults after certain numbers of them, whatever is being done then."""
        cuts = [0, *(at for at, _ in faults), len(rows)]
        pieces = [rows[begin:end] for begin, end in pairwise(cuts)]
        self.send(pieces[0])
        for (_, fault), after in zip(faults, pieces[1:], strict=True):
            self.inject(fault, after)
        return self.follower.settle()

    def send(self, rows: Sequence[RawRecord]) -> None:
        """Send the rows, never far ahead of the services."""
        for begin in range(0, len(rows), self.chunk):
            until(self.caught_up, "the services to catch up")
            self.stream.broker.send_rows(rows[begin : begin + self.chunk])

    def caught_up(self) -> bool:
        """Tell whether the services are close behind; no while the brokers do not tell what is committed.

        They do not until whoever takes over has ended the transaction that a killed service left open.
        """
        try:
            return sum(lag.records for lag in self.backlog.lags()) <= self.ahead
        except KafkaException:
            return False

    def inject(self, fault: Fault, rows: Sequence[RawRecord]) -> None:
        """Strike a service, let it go on or start it again, and send the rows."""
        victim = fault.victim
        match fault.how:
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
                self.inject_at_points([fault], rows)
                return
        self.send(rows)

    def inject_at_points(self, faults: Sequence[Fault], rows: Sequence[RawRecord]) -> None:
        """Kill services together, have each die once more at its point when it is back, and start it again."""
        for fault in faults:
            self.stream.kill(fault.victim)
            if fault.how == "in_restore":  # which is passed where something is left to restore
                self.stream.forget(fault.victim)
            self.stream.start(fault.victim, ready=False, **{VARIABLE: f"{fault.how}:1"})
        for fault in faults:  # what comes before it is back another replica may answer
            until(partial(self._is_back_or_dead, fault.victim), f"the {fault.victim} to be back")
        deadly, rest = rows[: 2 * self.chunk], rows[2 * self.chunk :]  # nobody takes more while they are dead
        self.send(deadly)
        started_s = {}
        for fault in faults:
            self.let_die(fault)
            started_s[fault.victim] = monotonic_s()
            self.stream.start(fault.victim, ready=False)
        for victim, since_s in started_s.items():
            until(self.stream.services[victim].ready, f"the {victim} to be ready")
            self.ready_s.append(monotonic_s() - since_s)
        self.send(rest)

    def _is_back_or_dead(self, victim: str) -> bool:
        service = self.stream.services[victim]
        return service.process.poll() is not None or service.says_ready()

    def let_die(self, fault: Fault) -> None:
        """Wait until whoever was told to has died at its point."""
        doomed = self.stream.services[fault.victim]
        until(lambda: doomed.process.poll() is not None, f"the {fault.victim} to die {fault.how}")
        assert doomed.process.returncode == -signal.SIGKILL, doomed.log.read_text()
        self.stream.kill(fault.victim)

    def freeze(self, victim: str) -> None:
        """Stop a service where it is, until its group has given it up."""
        admin = AdminClient({"bootstrap.servers": self.stream.broker.bootstrap, "log_level": 0})
        group = self.stream.broker.prefix + kind_of(victim)

        def members() -> set[str | None]:
            found = admin.describe_consumer_groups([group])[group].result().members
            return {member.group_instance_id for member in found}

        self.stream.services[victim].process.send_signal(signal.SIGSTOP)
        until(lambda: victim not in members(), f"the group to give the {victim} up")

    def start(self, victim: str) -> None:
        """Start a service; it is ready in the end."""
        started_s = monotonic_s()
        self.stream.start(victim)
        self.ready_s.append(monotonic_s() - started_s)

    def states(self, *others: Stream) -> Kept:
        """Stop all services and return the parts of their last snapshots, those of other streams among them."""
        self.stream.stop()
        return {
            Share(kind, partitions): parts
            for kind in NAMES
            for partitions, parts in last_states(*self._state_dirs(kind, others)).items()
        }

    def _state_dirs(self, kind: str, others: Sequence[Stream]) -> list[Path]:
        return [folder for stream in (self.stream, *others) for folder in stream.state_dirs(kind)]


@contextmanager
def rig(
    broker: Broker,
    folder: Path,
    models_dir: Path,
    port: Callable[[], int],
    settings: Mapping[str, str] | None = None,
    *,
    replicas: int = 1,
    at_first: int | None = None,
    leaks: list[str] | None = None,
) -> Iterator[Rig]:
    """Run the services and listen to them until the block ends."""
    running = streaming(broker, folder, models_dir, port, settings, replicas=replicas, at_first=at_first, leaks=leaks)
    with (
        running as stream,
        Follower(broker) as follower,
        Backlog(broker.access, NAMES, broker.prefix) as backlog,
    ):
        yield Rig(stream, follower, backlog)
