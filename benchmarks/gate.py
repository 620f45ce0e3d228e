"""Whether the forecasts are still as good as those of the last release: a gate for whoever changes them.

``python -m benchmarks.gate [--data FILE] [--zones 1 2 3] [--json FILE] [--write]`` backtests the zones over the last
20 % of the published year and compares each lead group with ``accuracy.json`` beside this file. It ends
with 1 where the RMSE of a group is more than 1 % above its reference, or where either has no figure. ``--write`` puts
the figures of this run in place of those of the same zones: do so with a release, and say in the change log what moved.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from threadpoolctl import threadpool_limits

from backtest.run import backtest
from cli.provision import steps_shown, year_for
from cli.settings import HistorySettings
from cli.window import ReplayWindow
from shared.data.published import is_published
from shared.runtime.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backtest.result import Backtest

    Scores = Mapping[str, Mapping[str, float | None]]  # RMSE in kW by zone and lead group

__all__ = ["REFERENCE", "GatedGroup", "compared", "main"]

REFERENCE = Path(__file__).with_name("accuracy.json")
ALLOWED = 0.01
"""How much worse than its reference a group may be, as a share."""


@dataclass(frozen=True)
class GatedGroup:
    """One lead group of a zone beside its reference; RMSE in kW, None where there is none."""

    zone: str
    lead: str
    rmse_kw: float | None
    reference_kw: float | None

    @property
    def change(self) -> float | None:
        """How much worse it is, as a share; below 0 it is better."""
        if self.rmse_kw is None or self.reference_kw is None:
            return None
        return self.rmse_kw / self.reference_kw - 1.0

    @property
    def passes(self) -> bool:
        """Whether it is at most a little worse."""
        return self.change is not None and self.change <= ALLOWED

    @property
    def verdict(self) -> str:
        """What to say where it does not pass."""
        if self.reference_kw is None:
            return "no release has a figure of it: make this one the reference (--write)"
        if self.change is None:
            return "there is no figure any more: see why nothing of this lead is scored"
        return (
            f"{self.change:.1%} worse than the last release (at most {ALLOWED:.0%}): find what made it so, or say in "
            "the change log why it is worth it, and make it the reference (--write)"
        )


def compared(scores: Scores, reference: Scores) -> list[GatedGroup]:
    """Return each lead group of the zones that were scored beside its reference, those that have either."""
    groups = [
        GatedGroup(zone, lead, found.get(lead), reference.get(zone, {}).get(lead))
        for zone, found in scores.items()
        for lead in dict.fromkeys((*reference.get(zone, {}), *found))
    ]
    return [group for group in groups if (group.rmse_kw, group.reference_kw) != (None, None)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="the published year; default: that of the settings")
    parser.add_argument("--zones", type=int, nargs="+", help="the zones, all if none is named")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--write", action="store_true", help="make the figures of this run the references")
    arguments = parser.parse_args(argv)
    console, settings = Console(stderr=True), load(HistorySettings)
    year = year_for(arguments.data or settings.data, settings, console)
    if not is_published(year.sha256):
        parser.error(f"the references are of the published year, this is {year.label}: set TETOUAN_DATA, or --data")
    last_fifth = ReplayWindow(None, None, None).of(year)
    with threadpool_limits(1), steps_shown(console) as progress:
        scores = {
            str(zone): _rmse_kw(backtest(year, zone, *last_fifth, progress))
            for zone in dict.fromkeys(arguments.zones or year.site.load_zones)
        }
    reference = json.loads(REFERENCE.read_text(encoding="utf-8")) if REFERENCE.exists() else {}
    if arguments.write:
        _write(REFERENCE, {**reference, **scores})
    if arguments.json:
        _write(arguments.json, scores)
    groups = compared(scores, reference)
    Console().print(_table(groups))
    worse = [group for group in groups if not group.passes]
    for group in worse:
        console.print(f"zone {group.zone}, {group.lead}: {group.verdict}", soft_wrap=True, highlight=False)
    return 1 if worse and not arguments.write else 0


def _write(file: Path, scores: Scores) -> None:
    file.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


def _rmse_kw(result: Backtest) -> dict[str, float | None]:
    return {lead: figures["rmse_kw"] for lead, figures in result.table.leads(("rmse_kw",)).items()}


def _table(groups: Sequence[GatedGroup]) -> Table:
    headings = ("zone", "lead, minutes", "RMSE kW", "reference", "change")
    table = Table(*(Column(heading, justify="right") for heading in headings), "", box=SIMPLE)
    for group in groups:
        change = "-" if group.change is None else f"{group.change:+.2%}"
        verdict = "pass" if group.passes else "FAIL"
        table.add_row(group.zone, group.lead, _kw(group.rmse_kw), _kw(group.reference_kw), change, verdict)
    return table


def _kw(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
