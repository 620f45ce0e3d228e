"""What services outlive: ``python -m tests.integration.crash`` strikes them at random and at named points.

Every scenario streams the same days through processes of its own on Apache Kafka and is compared with the cores of the
services in one process, which nothing has disturbed: each record, and each array of the last snapshots. Kafka is a
container where a Docker engine answers, else the one in TETOUAN_TEST_KAFKA. It takes about an hour.

``--sites 8`` streams so many sites, which begin with their first reading but for one that has champions, spread over
the partitions; each is compared with itself run alone. ``--replicas 2`` runs so many processes of each service.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from services.trainer.announcing import announce, events_of
from services.trainer.training import TrainingReport
from shared.contracts import topics
from shared.contracts.messages import ModelEvent
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s
from shared.runtime.failpoints import POINTS, VARIABLE
from shared.runtime.registry import Registry
from shared.runtime.settings import Settings, load
from shared.sites.table import site as tetouan
from tests.integration.blows import CHUNK, Blow, Rig, random_blows, rig
from tests.integration.brokers import Broker, until
from tests.integration.february import START, fit_models, registered_again
from tests.integration.kafka import KafkaMissingError, real_kafka
from tests.integration.outcome import compare, compare_states
from tests.integration.rows import divided, in_turn, troubled, troubled_year
from tests.integration.streaming import NAMES, Stream, kind_of, replicas_of
from tests.integration.synthetic_sites import TIME_COLUMN, TIME_FORMAT, synthetic_sites, table_of
from tests.integration.undisturbed import Undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.runtime.failpoints import Point
    from tests.integration.outcome import Outcome, States

    Act = Callable[[Rig, "Lab"], tuple[Outcome, States]]

FROZEN_S = 60.0
ON, OFF = {"TETOUAN_TRANSACTIONS": "true"}, {"TETOUAN_TRANSACTIONS": "false"}


@dataclass(frozen=True)
class Result:
    """What became of one scenario."""

    scenario: str
    blows: int
    lost: int
    different: int
    added: int
    doubled: int
    arrays_unlike: int
    arrays: int
    slowest_ready_s: float
    leaks: int
    """Services that left a connection open at their end, which is no loss, but no good manners either."""
    passed: bool
    first: str

    @property
    def verdict(self) -> str:
        """What a person wants to know of it."""
        return "as undisturbed" if self.passed else self.first or "doubled in spite of transactions"


class Lab:
    """One Kafka, one set of rows and models, and what nothing has disturbed."""

    def __init__(self, bootstrap: str, folder: Path, days: int, sites: int, replicas: int) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._replicas = replicas
        year = find_year("synthetic", folder / "cache")
        self.models_dir = folder / "models"
        fit_models(year, self.models_dir)
        records = {year.site.name: troubled_year(year, days)}
        others = synthetic_sites(year, sites - 1)
        for site in others:
            good = list(site.raw(START, START + timedelta(days=days, minutes=site.step_minutes)))
            records[site.name] = list(troubled(good, site.name, TIME_COLUMN, TIME_FORMAT))
        table = folder / "sites.toml"
        table.write_text(table_of(others), encoding="utf-8")
        self.settings = {"TETOUAN_SITES": str(table), "TETOUAN_MODELS_WAIT_S": "0"} if others else {}
        self.rows = in_turn(records, topics.PARTITIONS)
        self._undisturbed = Undisturbed(self.models_dir, [self.rows], self.settings)

    def promote(self, broker: Broker) -> None:
        """Register the champions once more, and tell the forecasters that these are to run."""
        settings = load(Settings, state_dir=self.models_dir)
        registry = Registry(settings.registry_uri, settings.artifact_root)
        again = registered_again(registry)
        report = TrainingReport("again", START - timedelta(minutes=10), START, again, ())
        told = load(Settings, kafka_bootstrap=broker.bootstrap, topic_prefix=broker.prefix)
        assert announce(events_of(report, tetouan("tetouan")), told) is None

    def run(self, scenario: Scenario) -> Result:
        """Stream the rows through services that are struck, and compare what they have left behind."""
        broker = Broker("kafka", self._bootstrap, f"crash-{uuid4().hex[:8]}.")
        ensure_topics(broker.access, broker.prefix)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        leaks: list[str] = []
        settings = {**self.settings, **scenario.env}
        with rig(broker, folder, self.models_dir, free_port, settings, replicas=self._replicas, leaks=leaks) as running:
            found, states = scenario.act(running, self)
            ready_s = max(running.ready_s, default=0.0)
        undisturbed = self._undisturbed
        if scenario.promotes:
            in_force = [event for event in events_on(broker) if event.change == "in_force"]
            said = [event.to_bytes() for event in in_force]
            undisturbed = Undisturbed(self.models_dir, [self.rows], self.settings, said)
        return self._judged(scenario, undisturbed, found, states, ready_s, leaks)

    def _judged(
        self,
        scenario: Scenario,
        undisturbed: Undisturbed,
        found: Outcome,
        states: States,
        ready_s: float,
        leaks: list[str],
    ) -> Result:
        expected = undisturbed.states(states)
        unlike = compare_states(expected, states)
        differences = compare(undisturbed.whole, found)
        doubled = sum(difference.doubled for difference in differences)
        wrong = [str(difference) for difference in differences if difference.wrong] + unlike
        return Result(
            scenario.name,
            scenario.blows,
            lost=sum(difference.lost for difference in differences),
            different=sum(difference.different for difference in differences),
            added=sum(difference.added for difference in differences),
            doubled=doubled,
            arrays_unlike=len(unlike),
            arrays=sum(map(len, expected.values())),
            slowest_ready_s=round(ready_s, 1),
            leaks=len(leaks),
            passed=not wrong and (scenario.env == OFF or not any(each.doubled for each in differences if each.once)),
            first="".join(wrong[:1]),
        )


def at_random(blows: list[tuple[int, Blow]]) -> Act:
    """Return what strikes after certain numbers of rows."""
    return lambda running, lab: (running.random_part(lab.rows, blows), running.states())


def at_points(blows: list[Blow]) -> Act:
    """Return what has services die at named points, one after the other."""
    return lambda running, lab: (running.part(lab.rows, *blows), running.states())


def with_zombie(victim: str) -> Act:
    """Return what freezes a replica for a minute, while another does its work, and lets it go on."""

    def act(running: Rig, lab: Lab) -> tuple[Outcome, States]:
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

    def act(running: Rig, lab: Lab) -> tuple[Outcome, States]:
        first, deadly, second, rest = divided(lab.rows, 4)
        stream, blow = running.stream, Blow(victim, point)
        running.send(first)
        found = [running.follower.settle()]
        lab.promote(stream.broker)
        stream.kill(victim)
        stream.start(victim, ready=True, **{VARIABLE: f"{point}:1"})
        until(lambda: is_told(running, victim), "the promoted models to be there")
        stream.broker.send_rows(deadly[:CHUNK])
        running.let_die(blow)
        running.start(victim)
        until(lambda: is_told(running, victim), "the promoted models to be there again")
        running.send(deadly[CHUNK:])
        until(lambda: in_force_twice(stream.broker), "the promoted models to be in force")
        stream.kill(victim)
        stream.forget(victim)
        running.start(victim)
        running.send(second)
        running.strike(Blow(victim, "SIGKILL"), rest)
        found.append(running.follower.settle())
        joined = {topic: [fact for part in found for fact in part[topic]] for topic in found[0]}
        return joined, running.states()

    return act


def is_told(running: Rig, victim: str) -> bool:
    """Tell whether a forecaster has what is to run of every site that it has begun."""
    return running.stream.services[victim].total("tetouan_champions_confirmed") >= 1


def in_force_twice(broker: Broker) -> bool:
    """Tell whether a second version of a demand model is in force."""
    demand = [event for event in events_on(broker) if event.model.startswith("zone-demand-")]
    return any(event.change == "in_force" and event.version == "2" for event in demand)


def events_on(broker: Broker) -> list[ModelEvent]:
    """Return what stands on the topic of model events."""
    return [ModelEvent.from_bytes(message.value() or b"") for message in broker.everything(topics.MODELS)]


def _second(stream: Stream, name: str, lab: Lab, stack: ExitStack) -> Stream:
    """Start a service a second time, with a state folder of its own, until the stack ends."""
    folder = stream.state_dir("second")
    second = Stream(stream.broker, folder, lab.models_dir, free_port, stream.settings, leaks=[])
    second.state_dir(name).mkdir(parents=True)
    stack.callback(second.stop)
    second.start(name, TETOUAN_GROUP_INSTANCE_ID=f"{name}-2")
    return second


@dataclass(frozen=True)
class Scenario:
    """A row of the table: its name, how often it strikes, how, and the settings of the services."""

    name: str
    blows: int
    act: Act
    env: dict[str, str]
    promotes: bool = False


def scenarios(kills: int, seeds: list[int], rows: int, replicas: int) -> list[Scenario]:
    """Return all of them; those that strike at random for each of the seeds."""
    every = {kind: replicas_of(kind, replicas) for kind in NAMES}
    victims = [names[0] for names in every.values()]
    found = [Scenario("undisturbed processes", 0, at_random([]), ON)]
    found += [Scenario(str(blow), 1, at_points([blow]), ON) for blow in (Blow(v, p) for p in POINTS for v in victims)]
    found += [
        Scenario(f"{name} is a zombie", 1, with_zombie(name), ON)
        for name in (every["ingestor"][0], every["forecaster"][0])
    ]
    forecaster = every["forecaster"][0]
    for point in ("before_commit", "after_send"):
        act = with_promotion(forecaster, point)
        found.append(Scenario(f"promotion, {Blow(forecaster, point)}", 4, act, ON, promotes=True))
    for seed in seeds:
        for kind, names in every.items():
            blows = random_blows(seed, names, kills, rows)
            found.append(Scenario(f"{kind} at random, seed {seed}", kills, at_random(blows), ON))
        blows = random_blows(seed, [name for names in every.values() for name in names], kills, rows)
        found.append(Scenario(f"all in turn, no transactions, seed {seed}", kills, at_random(blows), OFF))
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Run the scenarios and print the table; 1 where one has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="days to stream")
    parser.add_argument("--kills", type=int, default=20, help="random blows in a scenario")
    parser.add_argument("--seeds", default="1", help="seeds of the random scenarios: 1,2,3")
    parser.add_argument("--sites", type=int, default=1, help="sites to stream")
    parser.add_argument("--replicas", type=int, default=1, help="processes of each service")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    console = Console()
    results: list[Result] = []
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(real_kafka())
        except KafkaMissingError as error:
            console.print(str(error))
            return 2
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lab = Lab(kafka.bootstrap, folder, arguments.days, arguments.sites, arguments.replicas)
        for scenario in scenarios(arguments.kills, seeds, len(lab.rows), arguments.replicas):
            if arguments.only in scenario.name:
                results.append(_run(scenario, lab))
                console.print(f"{scenario.name}: {results[-1].verdict}", highlight=False, markup=False)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in results], indent=1) + "\n", encoding="utf-8")
    console.print(_table(results))
    return int(not all(result.passed for result in results))


def _run(scenario: Scenario, lab: Lab) -> Result:
    """Run a scenario; one that comes to no end is a row of the table, too."""
    try:
        return lab.run(scenario)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return Result(scenario.name, scenario.blows, 0, 0, 0, 0, 0, 0, 0.0, 0, passed=False, first=str(error)[-500:])


def _table(results: list[Result]) -> Table:
    columns = ("scenario", "blows", "lost", "different", "doubled", "arrays unlike", "slowest ready s", "leaks", "")
    table = Table(*columns)
    for row in results:
        counts = (row.blows, row.lost, row.different + row.added, row.doubled)
        unlike = f"{row.arrays_unlike} of {row.arrays}"
        ready, leaks = f"{row.slowest_ready_s:.1f}", str(row.leaks)
        table.add_row(row.scenario, *map(str, counts), unlike, ready, leaks, row.verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
