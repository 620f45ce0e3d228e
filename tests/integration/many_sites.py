"""Many sites on one Kafka: ``python -m tests.integration.many_sites`` compares each of them with itself run alone.

Sites of 10 and 15 minutes, in countries and time zones of their own, send in turn; each record that the services have
published for a site, and each array of their states, must be that of the site's own readings through the cores of the
services in this process, to the byte. Kafka is a container where a Docker engine answers, else the one in
TETOUAN_TEST_KAFKA. 100 sites of three weeks take half an hour.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console

from harness.brokers import Broker, free_port
from harness.rows import placed
from harness.synthetic_sites import synthetic_sites, table_of
from shared.contracts import topics
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s
from tests.integration.faults import rig
from tests.integration.lab import at_kafka, parser_of
from tests.integration.outcome import compare, compare_states, of_sites
from tests.integration.undisturbed import Undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.data.year import Year
    from tests.integration.outcome import Difference, Outcome

__all__ = ["Comparison", "settings_for", "stream_sites"]

START = datetime(2018, 3, 5, tzinfo=UTC)  # clocks of half of the countries change in the three weeks from then on
AHEAD, CHUNK = 6000, 500


@dataclass(frozen=True)
class Comparison:
    """How what was published for some sites, and kept of them, differs from each of them run alone."""

    sites: int
    rows: int
    records: int
    lost: int
    different: int
    added: int
    doubled: int
    arrays_unlike: int
    stream_s: float
    wrong: list[str]

    @classmethod
    def of(cls, differences: list[Difference], unlike: list[str], **counts: int | float) -> Comparison:
        """Return what the differences of all sites and topics come to."""
        return cls(
            lost=sum(each.lost for each in differences),
            different=sum(each.different for each in differences),
            added=sum(each.added for each in differences),
            doubled=sum(each.doubled for each in differences),
            arrays_unlike=len(unlike),
            wrong=[str(each) for each in differences if each.wrong or each.doubled] + unlike,
            **counts,  # type: ignore[arg-type]  # the others
        )


def settings_for(folder: Path, sites: str) -> dict[str, str]:
    """Write the table of the sites; return the settings of services that begin with each at its first reading."""
    table = folder / "sites.toml"
    table.write_text(sites, encoding="utf-8")
    return {"TETOUAN_SITES": str(table), "TETOUAN_MODELS_WAIT_S": "0"}


def stream_sites(
    broker: Broker, folder: Path, year: Year, port: Callable[[], int], *, sites: int, days: int, replicas: int = 1
) -> Comparison:
    """Stream some days of so many sites in turn through the services, and compare each site with itself run alone."""
    every = synthetic_sites(year, sites)
    rows = placed(every, START, START + timedelta(days=days, minutes=10), topics.PARTITIONS)
    settings = settings_for(folder, table_of(every))
    begun_s = monotonic_s()
    with rig(broker, folder, folder / "registry", port, settings, replicas=replicas) as running:
        running.ahead, running.chunk = AHEAD, CHUNK
        running.send(rows)
        found = running.follower.settle()
        stream_s = monotonic_s() - begun_s
        states = running.states()
    undisturbed = Undisturbed(folder / "registry", [rows], settings)
    by_site = of_sites(found)
    nothing: Outcome = {topic: [] for topic in found}
    differences = [
        difference
        for site in sorted({site.name for site in every} | by_site.keys())  # one at a time: all take gigabytes
        for difference in compare(undisturbed.of(site), by_site.get(site, nothing))
    ]
    unlike = compare_states(undisturbed.states(states), undisturbed.resumed(states))
    records = sum(map(len, found.values()))
    return Comparison.of(differences, unlike, sites=sites, rows=len(rows), records=records, stream_s=stream_s)


def main() -> int:
    """Stream, compare and print; 1 where something differs."""
    arguments = parser_of(__doc__, sites=100, replicas=1, days=21).parse_args()
    console = Console()
    with at_kafka() as (bootstrap, folder):
        broker = Broker("kafka", bootstrap, f"sites-{uuid4().hex[:8]}.")
        ensure_topics(broker.access, broker.prefix)
        year = find_year("synthetic", folder / "cache")
        counts = {"sites": arguments.sites, "days": arguments.days, "replicas": arguments.replicas}
        result = stream_sites(broker, folder, year, free_port, **counts)
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    for line in result.wrong[:20]:
        console.print(line, highlight=False, markup=False)
    counts_line = f"{result.lost} lost, {result.different + result.added} different, {result.doubled} doubled"
    console.print(
        f"{result.sites} sites, {result.rows:,} readings, {result.records:,} records published in "
        f"{result.stream_s:.0f} s: {counts_line}, {result.arrays_unlike} arrays unlike"
    )
    return int(bool(result.wrong))


if __name__ == "__main__":
    sys.exit(main())
