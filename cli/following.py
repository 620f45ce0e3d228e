"""Follows a demo whose processes have begun: shows the stream until it is over, then sums it up."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx
from confluent_kafka import KafkaException
from rich.console import Console

from backtest.transcript import Transcript
from cli.audit import Audit
from cli.live import DemoStream, LiveView, merged_readings
from cli.outputs import whole
from cli.printing import waiting
from cli.processes import LATE, SERVICES
from cli.runs import announced, history_of
from cli.summary import balanced, show_summary, summary
from replay.backlog import Backlog
from replay.interruption import set_by_signals
from shared.runtime.access import Access
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cli.demo import Begun, DemoOptions

__all__ = ["Following", "introduced"]

READY_S = 120.0
READY_EVERY_S = 0.1  # each look costs the services that are starting
STALLED_S = 60.0
REST_S = 5.0
QUIET_S = 1.0
POLL_S = 0.1
ANSWER_S = 2.0


class Following:
    """A running demo, seen from outside.

    Parameters
    ----------
    begun
        What streams.
    options
        How it is shown, and what is written at its end.
    console
        Where it is shown.
    """

    def __init__(self, begun: Begun, options: DemoOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._processes = begun.processes
        self._run_dir = begun.processes.run_dir
        self._begun = begun
        # once records are being read a signal must not interrupt a call that has them in its hands
        self._stop = Event()
        self._first_forecast_s: float | None = None
        self._audit = Audit(self._processes.bootstrap, begun.year.site.name, _transcripts(begun))
        self._view = LiveView(console, self._stream(), self._audit, headless=options.headless)

    def _wait_until_ready(self) -> None:
        """Wait until those who answer a reading are ready; raises ``Refused`` where one dies or takes too long."""
        deadline_s = monotonic_s() + READY_S
        starting = [name for name in SERVICES if name not in LATE]
        with waiting(self._console, "starting the services") as say, httpx.Client(timeout=ANSWER_S) as client:
            while starting and not self._stop.is_set():
                self._check_children()
                if monotonic_s() > deadline_s:
                    raise Refused(
                        f"{', '.join(starting)} not ready after {READY_S:.0f} s: see the logs in {self._run_dir}"
                    )
                if starting := [name for name in starting if not _ready(client, self._processes.addresses[name])]:
                    say(f"waiting for {', '.join(starting)} to be ready")
                    time.sleep(READY_EVERY_S)

    def _check_children(self) -> None:
        """Raise ``Refused`` with the last log lines of a process that has died."""
        if (dead := self._processes.dead()) is None:
            return
        why, child = dead
        if child is not None:
            self._view.say(f"the end of {child.log}:\n{child.last_lines()}")
        raise Refused(why)

    @contextmanager
    def _announced(self) -> Iterator[None]:
        """Write the addresses where `tetouan watch` and `tetouan replay` look for them, as long as the demo runs."""
        addresses = {
            "kafka_bootstrap": self._processes.bootstrap,
            "http": self._processes.addresses,
            "data": self._begun.data,
            "database_url": history_of(self._run_dir),
        }
        with announced(self._begun.settings.state_dir, addresses) as other:
            if other is not None:
                self._view.say(
                    f"another demo (pid {other['pid']}) runs too: `tetouan watch` listens to this one until it ends"
                )
            yield

    def follow(self) -> int:
        """Show the stream until it is done or somebody has seen enough, then write the summary."""
        with self._audit, self._announced(), set_by_signals(self._stop):
            self._wait_until_ready()
            self._introduce()
            with self._view:
                self._until_done()
            if self._stop.is_set():
                self._console.print("stopping")
                self._count_the_rest()
            if self._options.picture is not None:
                self._draw(self._options.picture)
            code = self._summarise()
            if self._options.days is None and not self._stop.is_set():
                self._stay_up()
            return code

    def _stream(self) -> DemoStream:
        return DemoStream(
            label=self._begun.year.label,
            synthetic=self._begun.year.synthetic,
            start=self._begun.start,
            until=self._begun.until,
            zones=self._begun.settings.zones,
            bootstrap=self._processes.bootstrap,
            addresses=self._processes.addresses,
        )

    def _draw(self, picture: Path) -> None:
        """Write the picture once the monitor's last scores have come, too."""
        deadline_s = monotonic_s() + REST_S
        while self._audit.poll(QUIET_S) and monotonic_s() < deadline_s:
            pass
        with whole(picture) as draft:
            self._view.save_picture(draft)

    def _introduce(self) -> None:
        """Say where to look."""
        for line in introduced(self._processes.addresses):
            self._console.print(line, soft_wrap=True, highlight=False)
        where = f"Kafka {self._processes.bootstrap} (embedded)  logs {self._run_dir}"
        self._console.print(where, soft_wrap=True, highlight=False)

    def _until_done(self) -> None:
        """Count and show until everything sent is accounted for, or nothing has moved for a minute."""
        moved_s, is_late_begun = monotonic_s(), False
        while not self._stop.is_set() and not (self._settled() and self._are_late_ready() and self._is_kept()):
            self._check_children()
            if self._audit.poll(POLL_S):
                moved_s = monotonic_s()
            if self._first_forecast_s is None and self._audit.issued:
                self._first_forecast_s = monotonic_s() - self._options.started_s
                self._view.say(f"first forecast {self._first_forecast_s:.1f} s after the start")
            if not is_late_begun and (self._audit.issued or not self._processes.is_replaying):
                is_late_begun = True
                for name in LATE:  # the others need the processors before
                    self._processes.start(name)
                    self._processes.begin(name, self._begun.env)
            self._view.show()
            if monotonic_s() - moved_s > STALLED_S and not self._processes.is_replaying:
                self._view.say(f"nothing has moved for {STALLED_S:.0f} s: see the logs in {self._run_dir}")
                return

    def _settled(self) -> bool:
        """Tell whether the replay has ended and every reading that it sent has its outcome and its forecasts."""
        due = (self._audit.accepted - self._audit.of_others) * len(self._begun.settings.zones)
        if self._processes.is_replaying or due > self._audit.issued:
            return False
        outcomes = self._audit.accepted + self._audit.rejected + self._merged() + self._audit.amended
        return outcomes == int(self._replayed()["sent"]) + self._others_sent()

    def _are_late_ready(self) -> bool:
        """Tell whether the services that are started last have come up."""
        with httpx.Client(timeout=ANSWER_S) as client:
            return self._first_forecast_s is None or all(
                _ready(client, self._processes.addresses[name]) for name in LATE
            )

    def _is_kept(self) -> bool:
        """Tell whether all that was sent stands in the history."""
        try:
            with Backlog(Access(self._processes.bootstrap), ["gateway"]) as backlog:
                return not any(lag.records for lag in backlog.lags())
        except KafkaException:  # the broker has died: the next look at it says so
            return False

    def _replayed(self) -> dict[str, Any]:
        """Return the summary of the replay; there is none until it has ended."""
        file = self._run_dir / "replay.json"
        written = file.read_text(encoding="utf-8") if file.exists() else "{}"
        return {"sent": 0, "waited_s": 0.0, **json.loads(written)}

    def _others_sent(self) -> int:
        """Return how many records came on the raw topic that are not of the replay; 0 while it runs."""
        try:
            return max(0, self._audit.sent() - int(self._replayed()["sent"]))
        except KafkaException:  # the broker has died: the next look at it says so
            return 0

    def _merged(self) -> int:
        """Return how many readings were merged; where the ingestor has died, the next look at the children says so."""
        return merged_readings(self._processes.addresses["ingestor"]) or 0

    def _count_the_rest(self) -> None:
        """After Ctrl-C: end the replay, and give what is on its way a few seconds to arrive."""
        self._processes.end_replay()
        deadline_s = monotonic_s() + REST_S
        while not self._settled() and monotonic_s() < deadline_s:
            self._audit.poll(POLL_S)

    def _summarise(self) -> int:
        """Print and write the summary; returns 0 where the counts balance and every reading was answered once."""
        replayed = self._replayed()
        result = {
            **summary(self._audit, sent=replayed["sent"], others_sent=self._others_sent(), merged=self._merged()),
            "waited_s": round(replayed["waited_s"], 1),
            "data": self._begun.year.label,
            "synthetic": self._begun.year.synthetic,
            "first_forecast_s": self._first_forecast_s,
            "wall_s": round(monotonic_s() - self._options.started_s, 1),
        }
        show_summary(result, self._audit, Console())
        for path in (self._run_dir / "summary.json", self._options.json_file):
            if path is not None:
                with whole(path) as draft:
                    draft.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        return 0 if balanced(result) else 1

    def _stay_up(self) -> None:
        self._console.print("the year is over; everything stays up for you to look at: Ctrl-C ends it")
        while not self._stop.is_set():
            self._check_children()
            self._audit.poll(POLL_S)


def introduced(addresses: Mapping[str, str]) -> list[str]:
    """Return the addresses of the services for people: of those that answer, and of those that will."""
    now, later = (
        "  ".join(f"{name} {url}" for name, url in addresses.items() if (name in LATE) is late)
        for late in (False, True)
    )
    return [f"{now}  (/healthz /readyz /metrics)", f"some time after the first forecast: {later}"]


def _transcripts(begun: Begun) -> tuple[Transcript, ...]:
    """Return an empty transcript of each zone that is forecast."""
    site = begun.year.site
    return tuple(
        Transcript(zone, begun.start, begun.until, site.step_minutes, calendar=site.calendar)
        for zone in begun.settings.zones
    )


def _ready(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(address + "/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:  # it does not listen yet
        return False
