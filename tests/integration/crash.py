"""What services outlive: ``python -m tests.integration.crash`` strikes them at random and at named points.

Every scenario streams the same days through processes of its own on Apache Kafka and is compared with the cores of the
services in one process, which nothing has disturbed: each record, and each array of the last snapshots. Kafka is a
container where a Docker engine answers, else the one in TETOUAN_TEST_KAFKA. It takes about an hour.

``--sites 8`` streams so many sites, which begin with their first reading but for one that has champions, spread over
the partitions; each is compared with itself run alone. ``--replicas 2`` runs so many processes of each service.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from harness.brokers import free_port, until
from harness.rows import divided
from harness.streaming import NAMES, Stream, kind_of, replicas_of
from shared.runtime.clock import monotonic_s
from shared.runtime.failpoints import POINTS, VARIABLE
from tests.integration.faults import CHUNK, Fault, random_faults
from tests.integration.lab import OFF, ON, Scenario, events_on, parser_of, run_all
from tests.integration.outcome import joined

if TYPE_CHECKING:
    from harness.brokers import Broker
    from shared.runtime.failpoints import Point
    from tests.integration.faults import Rig
    from tests.integration.lab import Act, Lab
    from tests.integration.outcome import Kept, Outcome

FROZEN_S = 60.0


def at_random(faults: list[tuple[int, Fault]]) -> Act:
    """Return what strikes after certain numbers of rows."""
    return lambda running, lab: (running.random_part(lab.rows, faults), running.states())


def at_points(faults: list[Fault]) -> Act:
    """Return what has services die at named points, one after the other."""
    return lambda running, lab: (running.part(lab.rows, *faults), running.states())


def with_zombie(victim: str) -> Act:
    """Return what freezes a replica for a minute, while another does its work, and lets it go on."""

    def act(running: Rig, lab: Lab) -> tuple[Outcome, Kept]:
        first, meanwhile, rest = divided(lab.rows, 3)
        stream = running.stream
        running.send(first)
        with ExitStack() as stack:
            frozen_s = monotonic_s()
            running.freeze(victim)
            others = [_second(stream, victim, lab, stack)] if stream.replicas[kind_of(victim)] == [victim] else []
            running.send(meanwhile)
            until(lambda: monotonic_s() - frozen_s >= FROZEN_S, "the time of the zombie to come")
            stream.services[victim].process.send_signal(signal.SIGCONT)
            running.send(rest)
            found = running.follower.settle()
        return found, running.states(*others)

    return act


def with_promotion(victim: str, point: Point) -> Act:
    """Return what has other models take over in a batch at whose end the victim dies, and once more without snapshots.

    It is told of them at rest, so that they take over with the first reading that comes then.
    """

    def act(running: Rig, lab: Lab) -> tuple[Outcome, Kept]:
        first, deadly, second, rest = divided(lab.rows, 4)
        stream, fault = running.stream, Fault(victim, point)
        running.send(first)
        found = [running.follower.settle()]
        lab.promote(stream.broker)
        stream.kill(victim)
        stream.start(victim, ready=True, **{VARIABLE: f"{point}:1"})
        until(lambda: is_told(running, victim), "the promoted models to be there")
        stream.broker.send_rows(deadly[:CHUNK])
        running.let_die(fault)
        running.start(victim)
        until(lambda: is_told(running, victim), "the promoted models to be there again")
        running.send(deadly[CHUNK:])
        until(lambda: in_force_twice(stream.broker), "the promoted models to be in force")
        stream.kill(victim)
        stream.forget(victim)
        running.start(victim)
        running.send(second)
        running.inject(Fault(victim, "SIGKILL"), rest)
        found.append(running.follower.settle())
        return joined(found), running.states()

    return act


def is_told(running: Rig, victim: str) -> bool:
    """Tell whether a forecaster has what is to run of every site that it has begun."""
    return running.stream.services[victim].total("tetouan_champions_confirmed") >= 1


def in_force_twice(broker: Broker) -> bool:
    """Tell whether a second version of a demand model is in force."""
    demand = [event for event in events_on(broker) if event.model.startswith("zone-demand-")]
    return any(event.change == "in_force" and event.version == "2" for event in demand)


def _second(stream: Stream, name: str, lab: Lab, stack: ExitStack) -> Stream:
    """Start a service a second time, with a state folder of its own, until the stack ends."""
    folder = stream.state_dir("second")
    second = Stream(stream.broker, folder, lab.models_dir, free_port, stream.settings, leaks=[])
    second.state_dir(name).mkdir(parents=True)
    stack.callback(second.stop)
    second.start(name, TETOUAN_GROUP_INSTANCE_ID=f"{name}-2")
    return second


def scenarios(kills: int, seeds: list[int], rows: int, replicas: int) -> list[Scenario]:
    """Return all of them; those with faults at random for each of the seeds."""
    every = {kind: replicas_of(kind, replicas) for kind in NAMES}
    victims = [names[0] for names in every.values()]
    found = [Scenario("undisturbed processes", 0, at_random([]), ON)]
    found += [
        Scenario(str(fault), 1, at_points([fault]), ON) for fault in (Fault(v, p) for p in POINTS for v in victims)
    ]
    found += [
        Scenario(f"{name} is a zombie", 1, with_zombie(name), ON)
        for name in (every["ingestor"][0], every["forecaster"][0])
    ]
    forecaster = every["forecaster"][0]
    for point in ("before_commit", "after_send"):
        act = with_promotion(forecaster, point)
        found.append(Scenario(f"promotion, {Fault(forecaster, point)}", 4, act, ON, promotes=True))
    for seed in seeds:
        for kind, names in every.items():
            faults = random_faults(seed, names, kills, rows)
            found.append(Scenario(f"{kind} at random, seed {seed}", kills, at_random(faults), ON))
        faults = random_faults(seed, [name for names in every.values() for name in names], kills, rows)
        found.append(Scenario(f"all in turn, no transactions, seed {seed}", kills, at_random(faults), OFF))
    return found


def main() -> int:
    """Run the scenarios and print the table; 1 where one has failed."""
    parser = parser_of(__doc__, sites=1, replicas=1, days=30)
    parser.add_argument("--kills", type=int, default=20, help="random faults in a scenario")
    parser.add_argument("--seeds", default="1", help="seeds of the random scenarios: 1,2,3")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    return run_all(arguments, lambda lab: scenarios(arguments.kills, seeds, len(lab.rows), arguments.replicas))


if __name__ == "__main__":
    sys.exit(main())
