"""Scenarios: the same days through processes that something befalls, each compared with what nothing disturbs."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from harness.brokers import Broker, free_port
from harness.february import START, fit_models, registered_again
from harness.kafka import KafkaMissingError, real_kafka
from harness.rows import in_turn, troubled, troubled_year
from harness.synthetic_sites import TIME_COLUMN, TIME_FORMAT, synthetic_sites, table_of
from shared.contracts import topics
from shared.contracts.messages import ModelEvent
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics
from shared.runtime.concerns import KafkaSettings, RegistrySettings
from shared.runtime.registry import Registry
from shared.runtime.settings import load
from shared.sites.table import site as tetouan
from shared.training.announcing import announce, events_of
from shared.training.training import TrainingReport
from tests.integration.faults import rig
from tests.integration.outcome import compare, compare_states
from tests.integration.undisturbed import Undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.integration.faults import Rig
    from tests.integration.outcome import Kept, Outcome

    Act = Callable[[Rig, "Lab"], tuple[Outcome, Kept]]

__all__ = ["OFF", "ON", "Lab", "Result", "Scenario", "at_kafka", "events_on", "parser_of", "run_all"]

ON, OFF = {"TETOUAN_TRANSACTIONS": "true"}, {"TETOUAN_TRANSACTIONS": "false"}
WIDEST = 150  # columns of a table


@dataclass(frozen=True)
class Result:
    """What became of one scenario."""

    scenario: str
    faults: int
    passed: bool
    first: str
    lost: int = 0
    different: int = 0
    added: int = 0
    doubled: int = 0
    arrays_unlike: int = 0
    arrays: int = 0
    slowest_ready_s: float = 0.0
    slowest_hand_over_s: float = 0.0
    leaks: int = 0
    """Services that left a connection open at their end, which is no loss, but no good manners either."""

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
        self.settings = {"TETOUAN_SITES": str(table)} if others else {}
        self.rows = in_turn(records, topics.PARTITIONS)
        self._undisturbed = Undisturbed(self.models_dir, [self.rows], self.settings)

    def promote(self, broker: Broker) -> None:
        """Register the champions once more, and tell the forecasters that these are to run."""
        settings = load(RegistrySettings, state_dir=self.models_dir)
        registry = Registry(settings.registry_uri, settings.artifact_root)
        again = registered_again(registry)
        report = TrainingReport("again", START - timedelta(minutes=10), START, again, ())
        told = load(KafkaSettings, kafka_bootstrap=broker.bootstrap, topic_prefix=broker.prefix)
        assert announce(events_of(report, tetouan("tetouan")), told).fault is None

    def run(self, scenario: Scenario) -> Result:
        """Stream the rows through services that are hit, and compare what they have left behind."""
        broker = Broker("kafka", self._bootstrap, f"lab-{uuid4().hex[:8]}.")
        ensure_topics(broker.access, broker.prefix)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        leaks: list[str] = []
        settings = {**self.settings, **scenario.env}
        with rig(
            broker,
            folder,
            self.models_dir,
            free_port,
            settings,
            replicas=self._replicas,
            at_first=scenario.at_first,
            leaks=leaks,
        ) as running:
            found, states = scenario.act(running, self)
        undisturbed = self._undisturbed
        if scenario.promotes:
            in_force = [event for event in events_on(broker) if event.change == "in_force"]
            said = [event.to_bytes() for event in in_force]
            undisturbed = Undisturbed(self.models_dir, [self.rows], self.settings, said)
        return self._judged(scenario, undisturbed, found, states, running, leaks)

    def _judged(
        self,
        scenario: Scenario,
        undisturbed: Undisturbed,
        found: Outcome,
        states: Kept,
        running: Rig,
        leaks: list[str],
    ) -> Result:
        expected = undisturbed.states(states)
        unlike = compare_states(expected, undisturbed.resumed(states))
        differences = compare(undisturbed.whole, found)
        doubled = sum(difference.doubled for difference in differences)
        wrong = [str(difference) for difference in differences if difference.wrong] + unlike
        return Result(
            scenario.name,
            scenario.faults,
            lost=sum(difference.lost for difference in differences),
            different=sum(difference.different for difference in differences),
            added=sum(difference.added for difference in differences),
            doubled=doubled,
            arrays_unlike=len(unlike),
            arrays=sum(map(len, expected.values())),
            slowest_ready_s=round(max(running.ready_s, default=0.0), 1),
            slowest_hand_over_s=round(max(running.hand_over_s, default=0.0), 1),
            leaks=len(leaks),
            passed=not wrong and (scenario.env == OFF or not any(each.doubled for each in differences if each.once)),
            first="".join(wrong[:1]),
        )


@dataclass(frozen=True)
class Scenario:
    """A row of the table: its name, how often it strikes, how, and the settings of the services.

    ``at_first`` replicas of each service run when it begins; None is all.
    """

    name: str
    faults: int
    act: Act
    env: dict[str, str]
    promotes: bool = False
    at_first: int | None = None


def events_on(broker: Broker) -> list[ModelEvent]:
    """Return what stands on the topic of model events."""
    return [ModelEvent.from_bytes(message.value() or b"") for message in broker.everything(topics.MODELS)]


def parser_of(description: str | None, *, sites: int, replicas: int, days: int) -> argparse.ArgumentParser:
    """Return the command line of a table, with what all of them take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=days, help="days to stream")
    parser.add_argument("--sites", type=int, default=sites, help="sites to stream")
    parser.add_argument("--replicas", type=int, default=replicas, help="processes of each service")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    return parser


@contextmanager
def at_kafka() -> Iterator[tuple[str, Path]]:
    """Yield the address of a Kafka and a folder, which goes with the block; ends the process where none answers."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(real_kafka())
        except KafkaMissingError as error:
            sys.exit(str(error))
        yield kafka.bootstrap, Path(stack.enter_context(tempfile.TemporaryDirectory()))


def run_all(arguments: argparse.Namespace, scenarios_of: Callable[[Lab], Iterable[Scenario]]) -> int:
    """Run the scenarios and print the table; 1 where one has failed."""
    console = Console()
    results: list[Result] = []
    with at_kafka() as (bootstrap, folder):
        lab = Lab(bootstrap, folder, arguments.days, arguments.sites, arguments.replicas)
        for scenario in scenarios_of(lab):
            if arguments.only in scenario.name:
                results.append(_run(scenario, lab))
                console.print(f"{scenario.name}: {results[-1].verdict}", highlight=False, markup=False)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in results], indent=1) + "\n", encoding="utf-8")
    Console(width=max(console.width, WIDEST)).print(_table(results))  # in a pipe it is 80 columns wide
    return int(not all(result.passed for result in results))


def _run(scenario: Scenario, lab: Lab) -> Result:
    """Run a scenario; one that comes to no end is a row of the table, too."""
    try:
        return lab.run(scenario)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return Result(scenario.name, scenario.faults, passed=False, first=str(error)[-500:])


def _table(results: list[Result]) -> Table:
    counted, seconds = ("faults", "lost", "different", "doubled", "arrays unlike"), ("ready s", "hand-over s")
    heads = ("scenario", *counted, *seconds, "leaks", "")
    table = Table(*(Column(head, no_wrap=True) for head in heads), box=SIMPLE)
    for row in results:
        counts = (row.faults, row.lost, row.different + row.added, row.doubled)
        unlike = f"{row.arrays_unlike} of {row.arrays}"
        times_s = (f"{row.slowest_ready_s:.1f}", f"{row.slowest_hand_over_s:.1f}")
        table.add_row(row.scenario, *map(str, counts), unlike, *times_s, str(row.leaks), row.verdict)
    return table
