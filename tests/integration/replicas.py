"""Replicas that come and go under load: ``python -m tests.integration.replicas`` adds, stops, kills and replaces them.

Every scenario streams the same days of some sites through up to three processes of each service on Apache Kafka, and is
compared with each site run alone in the cores of the services: each record, and each array of the last snapshots. Kafka
is a container where a Docker engine answers, else the one in TETOUAN_TEST_KAFKA.

A hand-over lasts from the change until every partition is at work with one replica, none of them paused, and all that
was sent before the change and in the middle of it is answered and committed; less the session time-out where the group
must find out that a replica is gone. Where replicas only join it begins once they listen: until then the others answer.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from harness.brokers import until
from harness.rows import divided
from harness.streaming import NAMES, kind_of
from shared.contracts import topics
from shared.runtime.clock import monotonic_s
from tests.integration.lab import ON, Scenario, parser_of, run_all
from tests.integration.outcome import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from harness.rows import RawRecord
    from harness.streaming import Stream
    from tests.integration.faults import Rig
    from tests.integration.lab import Act, Lab
    from tests.integration.outcome import Kept, Outcome

__all__ = ["scenarios"]

SESSION_S = 10.0  # after which a group gives a static member up: aiokafka's default
FEW = 48  # records that are sent after a change, of all sites in turn


class Step(NamedTuple):
    """A change of the replicas; whether a group must find out that one of its members is gone, or some only join."""

    change: Callable[[Stream], None]
    missed: bool = False
    joining: bool = False


def in_turn(steps: Sequence[Step]) -> Act:
    """Return what makes the changes one after the other under load."""

    def act(running: Rig, lab: Lab) -> tuple[Outcome, Kept]:
        first, *others = divided(lab.rows, len(steps) + 1)
        running.send(first)
        found = []
        for step, rows in zip(steps, others, strict=True):
            found.append(_handed_over(running, step, rows[:FEW]))
            running.send(rows[FEW:])
        found.append(running.follower.settle())
        return joined(found), running.states()

    return act


def _handed_over(running: Rig, step: Step, rows: Sequence[RawRecord]) -> Outcome:
    """Make a change while there is work in hand, and wait until all is answered; return what was published."""
    broker, stream = running.stream.broker, running.stream
    during, after = divided(rows, 2)
    started_s = monotonic_s()
    step.change(stream)
    if step.joining:
        until(stream.live, "all services to listen")
        started_s = monotonic_s()
    broker.send_rows(during)
    for kind in NAMES:
        until(partial(all_at_work, stream, kind), f"every partition of the {kind} to be at work")
    broker.send_rows(after)
    found = running.follower.settle()
    running.hand_over_s.append(monotonic_s() - started_s - (SESSION_S if step.missed else 0.0))
    return found


def all_at_work(stream: Stream, kind: str) -> bool:
    """Tell whether the replicas of a service are ready and have each partition once, and none of them is paused."""
    replicas = [running for name, running in stream.services.items() if kind_of(name) == kind]
    if not all(running.ready() for running in replicas):
        return False
    read = sum(kind in topic.read_by for topic in topics.ALL if topic is not topics.MODELS)  # which no group reads
    assigned, paused = (
        sum(running.metric(f'tetouan_partitions{{state="{state}"}}') for running in replicas)
        for state in ("assigned", "paused")
    )
    return (assigned, paused) == (read * topics.PARTITIONS, 0)


def others(kinds: Iterable[str], stream: Stream) -> list[str]:
    """Return the names of all replicas of some services but the first of each."""
    return [name for kind in kinds for name in stream.replicas[kind][1:]]


def more(kinds: Collection[str], stream: Stream) -> None:
    """Start all other replicas of some services at once."""
    for name in others(kinds, stream):
        stream.start(name, ready=False)


def fewer(kinds: Collection[str], stream: Stream) -> None:
    """Stop all other replicas of some services."""
    for name in others(kinds, stream):
        stream.end(name)


def replaced(number: int, stream: Stream) -> None:
    """Stop one replica of each service, and start it again."""
    for kind in NAMES:
        stream.end(stream.replicas[kind][number])
        stream.start(stream.replicas[kind][number], ready=False)


def killed(stream: Stream) -> None:
    """Kill the first replica of each service, for good."""
    for kind in NAMES:
        stream.kill(stream.replicas[kind][0])


def cold(stream: Stream) -> None:
    """Kill all replicas, and start them together without what they have kept."""
    every = list(stream.services)
    for name in every:
        stream.kill(name)
        stream.forget(name)
    for name in every:
        stream.start(name, ready=False)


def scenarios(replicas: int) -> list[Scenario]:
    """Return all of them, for so many replicas of each service."""

    def up_and_down(*turns: Collection[str]) -> list[Step]:
        return [
            step
            for kinds in turns
            for step in (Step(partial(more, kinds), joining=True), Step(partial(fewer, kinds), missed=True))
        ]

    acts: dict[str, tuple[list[Step], int | None]] = {
        f"1 to {replicas} to 1, one service after the other": (up_and_down(*([kind] for kind in NAMES)), 1),
        f"1 to {replicas} to 1, all together": (up_and_down(NAMES), 1),
        f"rolling restart of {replicas}": ([Step(partial(replaced, number)) for number in range(replicas)], None),
        f"one of {replicas} killed": ([Step(killed, missed=True)], None),
        f"{replicas} starting cold together": ([Step(cold)], None),
    }
    return [
        Scenario(name, len(steps), in_turn(steps), ON, at_first=at_first) for name, (steps, at_first) in acts.items()
    ]


def main() -> int:
    """Run the scenarios and print the table; 1 where one has failed."""
    parser = parser_of(__doc__, sites=8, replicas=3, days=4)
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    arguments = parser.parse_args()
    if arguments.replicas < 2:
        parser.error("--replicas: give at least 2")
    return run_all(arguments, lambda _: scenarios(arguments.replicas))


if __name__ == "__main__":
    sys.exit(main())
