"""Orders reports, which compare a zone's last 7 or 28 days with its training, and waits beside the consume loop.

Reports are made one at a time by a process of their own (`services.monitor.reports.process`), which is started for the
first one, ended when nothing was requested for some minutes, and started again where it has died. A request that is
due while another report is made waits; a later one of the same zone and window takes its place.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from services.monitor.reports.request import ReportRequest, ReportResult
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.monitor.recent import Recent
    from services.monitor.reports.metrics import ReportMetrics
    from services.monitor.settings import MonitorSettings
    from services.monitor.verification import ScoredHour

__all__ = ["ReportScheduler"]

IDLE_S = 300.0
PATIENCE_S = 900.0  # the stream goes first: on a busy machine ten seconds of work take minutes
STOP_S = 3.0
COMMAND = ("-W", "ignore", "-m", "services.monitor.reports.process")
ENVIRONMENT = {"DO_NOT_TRACK": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

log = structlog.get_logger()


class ReportScheduler:
    """Has due reports made, one at a time, for all sites of this process.

    Parameters
    ----------
    settings
        Where models, and reports, lie.
    metrics
        Shows the figures of the reports.
    """

    def __init__(self, settings: MonitorSettings, metrics: ReportMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._waiting: dict[tuple[str, int, int], ReportRequest] = {}
        self._served: set[str] = set()  # sites of which scores have come
        self._asked = asyncio.Event()
        self._reporting = _Reporting()
        self._in_hand: ReportRequest | None = None

    def under_way(self) -> list[ReportRequest]:
        """Return what is being made, and what waits for it."""
        in_hand = self._in_hand  # the page asks from a thread of its own
        return [*([in_hand] if in_hand else []), *list(self._waiting.values())]

    def on_hour(self, hour: ScoredHour, due: Sequence[int], recent: Recent) -> None:
        """Request a report of each due window; the consume loop waits only for this."""
        started_s = monotonic_s()
        self._served.add(hour.site)
        self._metrics.pass_to(hour.site, hour.zone, hour.time)
        for days in due:
            self._place(hour, days, recent)
        if due:
            self._metrics.handover_s.observe(monotonic_s() - started_s)

    def forget(self, site: str) -> None:
        """Drop the metrics and waiting requests of a site that has left this process."""
        self._served.discard(site)
        self._metrics.forget(site)
        for key in [key for key in self._waiting if key[0] == site]:
            del self._waiting[key]

    def _place(self, hour: ScoredHour, window_days: int, recent: Recent) -> None:
        settings, key = self._settings, (hour.site, hour.zone, window_days)
        if key in self._waiting:
            self._metrics.count("skipped")
        self._waiting[key] = ReportRequest(
            site=hour.site,
            zone=hour.zone,
            window_days=window_days,
            until=hour.time,
            step_minutes=recent.grid.step_minutes,
            model=recent.model or "",
            columns=recent.columns,
            rows=recent.window(recent.grid.step_of(hour.time), window_days).tobytes(),
            registry_uri=settings.registry_uri,
            artifact_root=settings.artifact_root,
            report_dir=settings.reports_dir,
            kept=settings.reports_kept,
        )
        self._asked.set()

    async def run(self) -> None:
        """Have the requests carried out, one after the other, until cancelled."""
        try:
            while True:
                await self._wait_for_requests()
                if self._waiting:  # empty if forget() dropped the request
                    await self._carry_out(self._waiting.pop(next(iter(self._waiting))))
                if not self._waiting:
                    self._asked.clear()
        finally:
            await self._reporting.end()

    async def _wait_for_requests(self) -> None:
        """Wait for the next request; after some minutes without one the process is not kept in memory for it."""
        try:
            async with asyncio.timeout(IDLE_S):
                await self._asked.wait()
        except TimeoutError:
            await self._reporting.end()
            await self._asked.wait()

    async def _carry_out(self, request: ReportRequest) -> None:
        started_s = monotonic_s()
        self._in_hand = request
        try:
            answer = await self._reporting.ask(request)
        finally:
            self._in_hand = None
        until = request.until.isoformat()
        about = {"site": request.site, "zone": request.zone, "window_days": request.window_days, "until": until}
        if answer.report is None:
            self._metrics.count("failed")
            log.warning("no report was made", why=answer.error, **about)
            return
        self._metrics.count("written")
        if request.site in self._served:
            self._metrics.show(answer.report)
        log.info("report written", seconds=round(monotonic_s() - started_s, 1), **about)


class _Reporting:
    """The process that makes the reports; a thread starts it and talks to it.

    The event loop would fork to start it, which copies the page tables of this process and takes tens of milliseconds;
    ``subprocess`` does not, and takes one.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    async def ask(self, request: ReportRequest) -> ReportResult:
        """Have a report made; what goes wrong is in the answer, and costs the process."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.to_thread(self._converse, request)
        except TimeoutError:
            error = f"the process that makes reports took more than {PATIENCE_S:.0f} s: check that MLflow answers"
        except (EOFError, OSError, ValueError) as failure:
            error = f"the process that makes reports cannot be talked to ({failure!r}): see its lines in this log"
        await self.end()
        return ReportResult(error=error)

    def _converse(self, request: ReportRequest) -> ReportResult:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, *COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ENVIRONMENT},
                start_new_session=True,  # Ctrl-C reaches only the monitor, which ends it
            )
        process = self._process
        assert process.stdin is not None  # noqa: S101 - both are pipes; this tells the type checker
        assert process.stdout is not None  # noqa: S101 - see above
        process.stdin.write(request.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise EOFError(f"it has ended with exit code {process.wait()}")
        return ReportResult.model_validate_json(line)

    async def end(self) -> None:
        """End the process, in the middle of a report if there is one: that lets the thread go that waits for it."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            await asyncio.to_thread(_reap, process)


def _reap(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError), process:  # what it had not read is lost
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
