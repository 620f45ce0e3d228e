"""How the services carry many sites: each sends one reading a round, and all are answered before the next round.

``python -m benchmarks.scale [--sites N] [--rounds N] [--json FILE]`` runs ingestor, forecaster and monitor as processes
on the Kafka in TETOUAN_TEST_KAFKA, else on that of TETOUAN_KAFKA_BOOTSTRAP, for N synthetic sites of one zone and ten
minutes, and beside them the same services for ten of these sites: what a forecast costs at N and at ten is measured in
the same minutes. The sites begin cold, with a prior, and are days old when the rounds begin, so that the adapted model
answers: the clean readings of the first days are put on the topic for the services to restore, those of the last day
stream through all three. Three more rounds at the end of a UTC day follow, when there is most to do.

- ``round_s``: from the first reading of a round sent to its last forecast seen, the median of all ordinary rounds;
  ``slowest_round_ratio``: that of the slowest round to it, those at the end of the day included.
- ``forecasts_per_cpu_second``, ``monitor_us_per_reading``, ``ingestor_us_per_reading``: CPU of the process over the
  rounds and the time between them, what it writes and puts off included; what the end of the day costs more is shared
  by all readings of the day. What the same service costs at rest in the time between the rounds is deducted
  (``idle_ms_per_s``, measured on the ten sites; `benchmarks.stream` has the bar for it); ``with_idle`` has the ordinary
  rounds without that deduction. What it takes to answer this benchmark's own questions is not among it.
- ``scrape_ms``: CPU of the process for one answer to `/metrics`, with N sites.
- ``us_ratio_1000_to_10``: CPU of the forecaster's core for a forecast at N sites, to that at ten, ordinary rounds.
- ``mb_per_zone``: what a further site adds to the resident memory: N sites less ten, the highest of all rounds.
- ``snapshot_cpu_share``: CPU for copying and writing snapshots, of all that the forecaster took in ordinary rounds: the
  bar of 5 % means this one; ``snapshot_processor_share``: of one processor. ``snapshot_us_per_reading`` and
  ``core_us_per_reading`` say of each service how much of its CPU these two are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import sleep
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.fleet import STEP, bootstrap_of_kafka, fleet_of, prepared_sites
from harness.february import START
from harness.streaming import NAMES
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from benchmarks.fleet import Fleet, Usage

SITES, ROUNDS, DAYS = 1000, 12, 9  # ordinary rounds: two hours, as hours have work of their own
DAY_END = 3  # rounds: the last reading of a day and two after it
A_DAY = timedelta(days=1) // STEP
FEW = 10
WARM_UP = 2  # rounds
PACE_S, IDLE_S = 10.0, 10.0


@dataclass(frozen=True)
class SitesLoad:
    """How many sites send how many readings each, how many days they have sent before, and how fast."""

    sites: int
    rounds: int
    days: int
    pace_s: float = PACE_S
    idle_s: float = IDLE_S


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
        """Return the CPU of a service for each reading, less a share of a processor in the time between the rounds.

        At least a microsecond: a few readings cost less than the clock of a process can tell.
        """
        return max(1.0, 1e6 * (self.usage.cpu_s[name] - idle_share * self.idle_s) / self.readings)

    def of_day_us(self, name: str, idle_share: float, day_end: Measured) -> float:
        """Return the CPU of a service for each reading of a whole day, the end of which costs more."""
        ordinary_us = self.busy_us(name, idle_share)
        more_us = len(day_end.round_s) * max(0.0, day_end.busy_us(name, idle_share) - ordinary_us)
        return ordinary_us + more_us / A_DAY

    @property
    def wall_s(self) -> float:
        """From the first round to the end of the last."""
        return sum(self.round_s) + self.idle_s

    @property
    def core_us(self) -> float:
        """CPU of the forecaster's core for a forecast."""
        return 1e6 * self.usage.core_cpu_s["forecaster"] / self.readings


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=SITES, help="synthetic sites")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="ordinary readings of each site; three more follow")
    parser.add_argument("--days", type=int, default=DAYS, help="days of history before")
    parser.add_argument("--pace", type=float, default=PACE_S, help="seconds from one round to the next")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    if arguments.sites < 2:
        parser.error("--sites: give at least 2")
    console = Console()
    load = SitesLoad(arguments.sites, arguments.rounds, arguments.days, arguments.pace)
    result = measure(bootstrap_of_kafka(), load, console)
    console.print(_table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(bootstrap: str, load: SitesLoad, console: Console) -> dict[str, Any]:
    """Return the figures by the names of the JSON."""
    few = min(FEW, load.sites // 2)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("fitting the prior")
        every, prior = prepared_sites(load.sites, folder)
        last_reading = START + timedelta(days=load.days) - STEP
        first_round = last_reading - load.rounds * STEP
        streamed_from = START + timedelta(days=max(0, load.days - 1))
        fleets = []
        for count in (few, load.sites):
            console.print(f"{count} sites: {load.days} days of history")
            fleet = stack.enter_context(fleet_of(bootstrap, folder / str(count), every[:count], prior))
            fleet.start(START, streamed_from, first_round - WARM_UP * STEP)
            fleets.append(fleet)
        _rounds(fleets, first_round - WARM_UP * STEP, WARM_UP, load.pace_s)
        idle_share = _idle_shares(fleets[0], load.idle_s)
        console.print(f"{load.rounds} rounds, {load.pace_s:.0f} s each")
        ordinary = _rounds(fleets, first_round, load.rounds, load.pace_s)
        day_end = _rounds(fleets, last_reading, DAY_END, load.pace_s)
        doubled, levels = fleets[1].doubled, fleets[1].levels
    return figures_of(ordinary, day_end[1], idle_share) | {
        "late_rounds": sum(taken_s > load.pace_s for taken_s in ordinary[1].round_s + day_end[1].round_s),
        "doubled": doubled,
        "adapted_share": levels["adapted"] / levels.total(),
        "days_of_history": load.days,
    }


def _idle_shares(fleet: Fleet, idle_s: float) -> dict[str, float]:
    """Return what share of a processor each service takes where nothing comes in."""
    sleep(idle_s)  # the snapshots of the last round are written by then
    before_s = fleet.cpu_s()
    sleep(idle_s)
    return {name: (after_s - before_s[name]) / idle_s for name, after_s in fleet.cpu_s().items()}


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


def figures_of(ordinary: Sequence[Measured], day_end: Measured, idle_share: dict[str, float]) -> dict[str, Any]:
    """Return what rounds come to: ordinary ones of few and of many sites, and the end of the day of the many.

    ``idle_share`` is what share of a processor each service takes at rest.
    """
    few, many = ordinary
    cost_us = {name: many.of_day_us(name, idle_share[name], day_end) for name in NAMES}
    with_idle_us = {name: many.busy_us(name, 0.0) for name in NAMES}
    snapshots_s = many.usage.snapshot_cpu_s["forecaster"]
    more = many.sites - few.sites
    return {
        "sites": many.sites,
        "rounds": len(many.round_s),
        **_costs(cost_us),
        "round_s": median(many.round_s),
        "slowest_round_ratio": max(many.round_s + day_end.round_s) / median(many.round_s),
        "us_ratio_1000_to_10": many.core_us / few.core_us,
        "mb_per_zone": {name: (day_end.rss_mb[name] - few.rss_mb[name]) / more for name in ("forecaster", "monitor")},
        "snapshot_cpu_share": snapshots_s / many.usage.cpu_s["forecaster"],
        "snapshot_processor_share": snapshots_s / many.wall_s,
        "snapshot_us_per_reading": _each_us(many.usage.snapshot_cpu_s, many.readings),
        "core_us_per_reading": _each_us(many.usage.core_cpu_s, many.readings),
        "core_us_per_forecast": many.core_us,
        "core_us_per_forecast_at_10": few.core_us,
        "core_us_per_forecast_at_day_end": day_end.core_us,
        "scrape_ms": {name: 1000 * spent_s for name, spent_s in many.usage.scrape_cpu_s.items()},
        "idle_ms_per_s": {name: 1000 * share for name, share in idle_share.items()},
        "with_idle": _costs(with_idle_us),
        "rss_mb": day_end.rss_mb,
    }


def _each_us(cpu_s: dict[str, float], readings: int) -> dict[str, float]:
    return {name: 1e6 * spent_s / readings for name, spent_s in cpu_s.items()}


def _costs(cost_us: dict[str, float]) -> dict[str, float]:
    return {
        "forecasts_per_cpu_second": 1e6 / cost_us["forecaster"],
        "monitor_us_per_reading": cost_us["monitor"],
        "ingestor_us_per_reading": cost_us["ingestor"],
    }


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
    for name, cost_us in result["snapshot_us_per_reading"].items():
        parts_us = f"{result['core_us_per_reading'][name]:.0f} core, {cost_us:.0f} snapshots"
        table.add_row(f"{name}, us a reading: two parts", parts_us)
    for name, scrape_ms in result["scrape_ms"].items():
        table.add_row(f"{name}, ms of CPU an answer to /metrics", f"{scrape_ms:.0f}")
    table.add_row("answered by the adapted model", f"{result['adapted_share']:.0%}")
    return table


if __name__ == "__main__":
    main()
