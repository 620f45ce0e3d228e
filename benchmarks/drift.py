"""What the monitor finds of faults that were put into the load, how soon, and how often it cries wolf.

``python -m benchmarks.drift [--json FILE]`` takes the year of the settings (TETOUAN_DATA). The forecaster answers the
last 20 % as the stream would, and the monitor reads along: once the year as it is, where every event is a false alarm,
and from each of twenty random onsets for ten days with each fault in zone 2. River's detectors as they come stand
beside ours and see the same hours.
"""

from __future__ import annotations

import argparse
import json
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table
from threadpoolctl import threadpool_limits

from backtest.run import fitted, issued, judged
from cli.provision import steps_shown, year_for
from cli.settings import HistorySettings
from services.monitor.verification import SiteScores
from shared.contracts.messages import DriftEvent
from shared.drift.detectors import AdaptiveWindow, MeanShift, forecast_error_detectors
from shared.runtime.settings import load
from shared.sites.table import BUILT_IN, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from services.forecaster.issuing import ZoneModels
    from shared.data.year import Year
    from shared.drift.detectors import Detector

    Loads = NDArray[np.float64]
    Fault = Callable[[Loads, float], Loads]

ZONE, COLUMN = 2, "Zone 2  Power Consumption"
ONSETS, SEED = 20, 2017
WINDOW = timedelta(days=10)
WARM_UP = timedelta(days=60)  # the detectors have seen so much before the first onset
RATED_DAYS = 60

# what becomes of the loads in kW from the onset on, given the last one before it
FAULTS: dict[str, Fault] = {
    "load +15 %": lambda loads, _: 1.15 * loads,
    "stuck meter": np.full_like,
    "kW -> MW": lambda loads, _: loads / 1000,
}
OURS = tuple(forecast_error_detectors())


def detectors() -> dict[str, Detector]:
    """Return ours, and River's with its own defaults."""
    return {
        **forecast_error_detectors(),
        "page_hinkley_default": MeanShift(delta=0.005, threshold=50.0, min_instances=30, alpha=1 - 1e-4),
        "adwin_default": AdaptiveWindow(delta=0.002, clock=32),
    }


@dataclass
class StreamMoment:
    """The forecaster and the monitor at one moment of the year."""

    models: ZoneModels
    monitor: SiteScores = field(default_factory=lambda: SiteScores(site(BUILT_IN), detectors=detectors))

    def run(self, year: Year, start: datetime, until: datetime) -> Iterator[tuple[datetime, DriftEvent]]:
        """Answer the readings in [start, until); yield each event with the time of the reading that completed it."""
        readings = judged(year, start, until)
        for reading, forecast in zip(readings, issued(year, self.models, readings), strict=True):
            for finding in (*self.monitor.on_reading(reading), *self.monitor.on_forecast(forecast)):
                if isinstance(finding, DriftEvent):
                    yield reading.time, finding


def delays(stream: StreamMoment, year: Year, onset: datetime) -> dict[str, float]:
    """Return the hours from the onset to the first detection of each detector that has one."""
    found: dict[str, float] = {}
    for time, event in stream.run(year, onset, onset + WINDOW):
        if event.ended is None:
            found.setdefault(event.detector, (time - onset) / timedelta(hours=1))
        if len(found) == len(detectors()):
            break
    return found


def broken(year: Year, fault: Fault, onset: datetime) -> Year:
    """Return the days after the onset with the fault in them."""
    times = year.times.to_series()
    inside = ((times >= onset) & (times < onset + WINDOW)).to_numpy()
    loads = year.demand(ZONE)
    before = loads[np.flatnonzero(inside)[0] - 1]
    cells = [f"{load:.4f}" for load in fault(loads[inside], before)]
    return replace(year, rows=year.rows[inside].assign(**{COLUMN: cells}), times=year.times[inside])


@dataclass
class Outcome:
    """What was found by each detector: delays in hours by fault and onset, and the events of the unbroken year."""

    days: float
    found: dict[str, list[dict[str, float]]] = field(default_factory=lambda: {name: [] for name in FAULTS})
    false_alarms: dict[str, DriftEvent] = field(default_factory=dict)

    def case(self, name: str, by: tuple[str, ...]) -> dict[str, float | int | None]:
        """Return how often a fault was found by any of these detectors, and how soon."""
        first = [min(hours[one] for one in by if one in hours) for hours in self.found[name] if set(by) & set(hours)]
        return {
            "found": len(first),
            "of": len(self.found[name]),
            "median_hours": round(median(first), 1) if first else None,
        }

    def false_per_60_days(self, by: tuple[str, ...], severity: str | None = None) -> float:
        """Return the rate of events in the unbroken year."""
        count = sum(e.detector in by and severity in (None, e.severity) for e in self.false_alarms.values())
        return round(count * RATED_DAYS / self.days, 2)

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines; ``cases`` and ``per_60_days`` are those of our detectors together."""
        return {
            "cases": {name: self.case(name, OURS) for name in FAULTS},
            "per_60_days": {one: self.false_per_60_days(OURS, one) for one in ("critical", "warning")},
            "days": round(self.days, 1),
            "detectors": {
                one: {
                    "cases": {name: self.case(name, (one,)) for name in FAULTS},
                    "per_60_days": self.false_per_60_days((one,)),
                }
                for one in detectors()
            },
        }

    def table(self, title: str) -> Table:
        """Return the figures for people."""
        table = Table(Column("detector", no_wrap=True), *FAULTS, f"false in {RATED_DAYS} d", title=title)
        rows = {"either of ours": OURS, **{one: (one,) for one in detectors()}}
        for shown, by in rows.items():
            cases = (self.case(name, by) for name in FAULTS)
            cells = (f"{c['found']}/{c['of']}" + (f", {c['median_hours']} h" if c["found"] else "") for c in cases)
            table.add_row(shown, *cells, f"{self.false_per_60_days(by):.1f}")
        return table


def measure(year: Year, progress: Callable[[str, float], None]) -> Outcome:
    """Run the year as it is, and each fault from each onset."""
    start, end = year.test_start, year.times.max().to_pydatetime()
    stream = StreamMoment(fitted(year, ZONE, start - WARM_UP, progress))
    progress("warming up", 0.0)
    deque(stream.run(year, start - WARM_UP, start), maxlen=0)
    outcome = Outcome(days=(end - start) / timedelta(days=1))
    at = start
    for n, onset in enumerate(_onsets(year, start, end - WINDOW)):
        outcome.false_alarms |= _opened(stream.run(year, at, onset), start)
        at = onset
        for name, fault in FAULTS.items():
            progress("putting faults into the load", n / ONSETS)
            outcome.found[name].append(delays(deepcopy(stream), broken(year, fault, onset), onset))
    outcome.false_alarms |= _opened(stream.run(year, at, end), start)
    return outcome


def _onsets(year: Year, start: datetime, until: datetime) -> list[datetime]:
    times = year.times.to_series()
    times = times[(times > start) & (times < until)]
    chosen = np.random.default_rng(SEED).choice(len(times), ONSETS, replace=False)
    return [time.to_pydatetime() for time in times.iloc[np.sort(chosen)]]


def _opened(events: Iterator[tuple[datetime, DriftEvent]], since: datetime) -> dict[str, DriftEvent]:
    """Return the events that started since then, by id, as they were sent last."""
    return {event.id: event for _, event in events if event.started >= since}


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console, settings = Console(), load(HistorySettings)
    year = year_for(settings.data, settings, console)
    with threadpool_limits(1), steps_shown(console) as progress:
        outcome = measure(year, progress)
    console.print(outcome.table(f"zone {ZONE} of the {year.label}, {ONSETS} onsets, {outcome.days:.0f} clean days"))
    for event in outcome.false_alarms.values():
        console.print(f"{event.started:%Y-%m-%d %H:%M} {event.detector} {event.score} / {event.threshold}")
    if arguments.json:
        result = {"data": year.label, "synthetic": year.synthetic, **outcome.to_json()}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
