"""Ordering reports: what is due, what waits, and what befalls the process that makes them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING, Literal

import pytest
from prometheus_client import CollectorRegistry

from services.monitor.recent import Recent
from services.monitor.reports import scheduler as module
from services.monitor.reports.metrics import ReportMetrics
from services.monitor.reports.request import ReportSchedule
from services.monitor.reports.scheduler import ReportScheduler
from services.monitor.settings import MonitorSettings
from services.monitor.verification import ScoredHour
from shared.forecasting.scores import RollingScores
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import load
from shared.sites.grid import Grid
from tests.unit.monitor.reports.written import MIDNIGHT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

DAY = timedelta(days=1)
STEP_S = 600
PATIENCE_S = 20.0

# answers each request with what its zone says: 1 is written, 2 refused, 3 kills the process, 4 tells and takes for ever
STAND_IN = """
import json, os, pathlib, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["zone"] == 3:
        sys.exit(9)
    if request["zone"] == 4:
        pathlib.Path(request["report_dir"], "pid").write_text(str(os.getpid()))
        sys.stdin.read()
    same = {key: request[key] for key in ("site", "zone", "window_days", "until", "model")}
    report = {**same, "since": request["until"], "drift_method": "", "drift_threshold": 0.1, "drift": {},
              "drift_share": 0.5, "quality": [], "insufficient": []}
    print(json.dumps({"error": "no: do this"} if request["zone"] == 2 else {"report": report}), flush=True)
"""


class Watched(ReportMetrics):
    """Metrics that say when an outcome was counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.counted = asyncio.Event()

    def count(self, outcome: Literal["written", "failed", "skipped"]) -> None:
        """Count, and say so."""
        super().count(outcome)
        self.counted.set()


class Bench:
    """A scheduler with a stand-in for the process that makes reports, and a full ring of readings."""

    def __init__(self, tmp_path: Path) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Watched(self.registry)
        self.scheduler = ReportScheduler(load(MonitorSettings, state_dir=tmp_path), self.metrics)
        self.schedule = ReportSchedule(24)
        self.recent = Recent(("zone_2_kw",), Grid(10))
        self.recent.model = "zone-demand-tetouan-2/1"
        for step in range(int((MIDNIGHT - 8 * DAY).timestamp()) // STEP_S, int(MIDNIGHT.timestamp()) // STEP_S + 1):
            self.recent.append(step, (1.0,))

    def request(self, zone: int, days: int = 0) -> None:
        """Tell the scheduler of a midnight."""
        time = MIDNIGHT + days * DAY
        hour = ScoredHour("tetouan", zone, time, RollingScores(24, 24).standing())
        due = self.schedule.due(hour, int(time.timestamp()) // STEP_S, self.recent)
        self.scheduler.on_hour(hour, due, self.recent)

    def counted(self) -> dict[str, float]:
        """Return how many reports had each outcome, without those that had none."""
        counts = {
            outcome: self.registry.get_sample_value("tetouan_reports_total", {"outcome": outcome}) or 0.0
            for outcome in ("written", "failed", "skipped")
        }
        return {outcome: count for outcome, count in counts.items() if count}

    async def settled(self, **expected: float) -> None:
        """Wait until the outcomes are as expected."""
        async with asyncio.timeout(PATIENCE_S):
            while self.counted() != expected:
                self.metrics.counted.clear()
                await self.metrics.counted.wait()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a scheduler whose process is the stand-in."""
    monkeypatch.setattr(module, "COMMAND", ("-c", STAND_IN))
    return Bench(tmp_path)


def accompanied(bench: Bench, scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario (a coroutine function) beside the scheduler, which must still run at its end; then stop it."""

    async def both() -> None:
        running = asyncio.create_task(bench.scheduler.run())
        await scenario()
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, PATIENCE_S)

    asyncio.run(both())


def test_a_due_report_is_made_and_shown(bench: Bench) -> None:
    """The seven days are reported once a day, the 28 that are not there are not, and the gauges show the report."""

    async def scenario() -> None:
        bench.request(1)
        bench.request(1)
        await bench.settled(written=1)

    accompanied(bench, scenario)
    window = {"site": "tetouan", "zone": "1", "window_days": "7"}
    assert bench.registry.get_sample_value("tetouan_report_drift_share_ratio", window) == 0.5
    assert bench.registry.get_sample_value("tetouan_report_age_seconds", window) == 0
    assert bench.registry.get_sample_value("tetouan_report_handover_duration_seconds_count") == 1


def test_without_a_model_nothing_is_requested(bench: Bench) -> None:
    """As long as no forecast names a model there is nothing to compare with; then the report comes at once."""
    bench.recent.model = None
    bench.request(1)
    assert bench.registry.get_sample_value("tetouan_report_handover_duration_seconds_count") == 0
    bench.recent.model = "zone-demand-tetouan-2/1"
    bench.request(1)
    assert bench.registry.get_sample_value("tetouan_report_handover_duration_seconds_count") == 1


def test_the_newest_waiting_request_takes_the_place_of_an_older_one(bench: Bench) -> None:
    """Of three days that become due while no report can be made, one report comes and two are skipped."""
    for day in range(3):
        bench.request(1, day)
    assert bench.counted() == {"skipped": 2}
    accompanied(bench, lambda: bench.settled(skipped=2, written=1))
    window = {"site": "tetouan", "zone": "1", "window_days": "7"}
    assert bench.registry.get_sample_value("tetouan_report_age_seconds", window) == 0


def test_a_refused_report_is_counted_and_the_next_is_made(bench: Bench) -> None:
    """What cannot be reported costs nothing but itself."""

    async def scenario() -> None:
        bench.request(2)
        await bench.settled(failed=1)
        bench.request(1)
        await bench.settled(failed=1, written=1)

    accompanied(bench, scenario)


def test_a_process_that_dies_is_started_again(bench: Bench) -> None:
    """The report that it died of is counted as failed, the next one is made by a new process."""

    async def scenario() -> None:
        bench.request(3)
        await bench.settled(failed=1)
        bench.request(1)
        await bench.settled(failed=1, written=1)

    accompanied(bench, scenario)


def test_a_process_that_hangs_is_ended(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience has an end, and the one after it is made."""
    (tmp_path / "reports").mkdir()
    monkeypatch.setattr(module, "PATIENCE_S", 1.0)

    async def scenario() -> None:
        bench.request(4)
        await bench.settled(failed=1)
        bench.request(1)
        await bench.settled(failed=1, written=1)

    accompanied(bench, scenario)


def test_a_monitor_that_stops_waits_for_no_report(bench: Bench, tmp_path: Path) -> None:
    """A report that is being made when the service stops is given up, and its process is gone."""
    written = tmp_path / "reports" / "pid"
    written.parent.mkdir()

    def wait() -> None:
        deadline_s = monotonic_s() + PATIENCE_S
        while not (written.exists() and written.read_text()):
            assert monotonic_s() < deadline_s, "the process was not started"
            sleep(0.01)

    async def scenario() -> None:
        bench.request(4)
        await asyncio.to_thread(wait)

    accompanied(bench, scenario)
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)


def test_a_process_that_cannot_be_started_harms_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory or interpreter the reports fail, one by one, and the monitor goes on."""
    monkeypatch.setattr(sys, "executable", "/nothing/here")

    async def scenario() -> None:
        bench.request(1)
        await bench.settled(failed=1)
        bench.request(1, days=1)
        await bench.settled(failed=2)

    accompanied(bench, scenario)


def test_an_idle_process_is_ended_and_comes_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a gigabyte is not kept for one report a day; the next request finds a new process."""
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    ended = asyncio.Event()
    end = module._Reporting.end  # noqa: SLF001 - the end of the process shows nowhere else

    async def told(reporting: module._Reporting) -> None:
        await end(reporting)
        ended.set()

    monkeypatch.setattr(module._Reporting, "end", told)  # noqa: SLF001 - see above

    async def scenario() -> None:
        bench.request(1)
        await bench.settled(written=1)
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        bench.request(1, days=1)
        await bench.settled(written=2)

    accompanied(bench, scenario)


def test_the_monitor_imports_neither_evidently_nor_mlflow() -> None:
    """What takes seconds and hundreds of megabytes stays out of the process that scores."""
    program = "import sys, services.monitor.app; sys.exit(not sys.modules.keys().isdisjoint({'evidently', 'mlflow'}))"
    ran = subprocess.run([sys.executable, "-c", program], check=False)
    assert ran.returncode == 0


def test_a_site_that_is_forgotten_shows_nothing(bench: Bench) -> None:
    """What is on its way is not shown either, and what waits is let go; the scheduler goes on with others."""

    async def scenario() -> None:
        bench.request(1)
        await bench.settled(written=1)
        bench.request(1, days=1)
        bench.request(2, days=1)
        bench.scheduler.forget("tetouan")
        shown = [
            sample for family in bench.registry.collect() for sample in family.samples if sample.labels.get("site")
        ]
        assert shown == []
        bench.request(1, days=2)
        await bench.settled(written=2)
        window = {"site": "tetouan", "zone": "1", "window_days": "7"}
        assert bench.registry.get_sample_value("tetouan_report_drift_share_ratio", window) == 0.5

    accompanied(bench, scenario)
