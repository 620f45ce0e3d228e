"""The whole stream on one machine with Python alone: broker, services and replay as children of this process."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from backtest.record import Record
from cli.audit import GROUP, Audit
from cli.children import Children
from cli.progress import Ticker
from cli.provision import models_for, year_for
from cli.replaying import ReplayWindow
from cli.summary import balanced, show_summary, summary
from shared.runtime import embedded
from shared.runtime.clock import monotonic_s, now
from shared.runtime.settings import PREFIX, Refused, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console

    from shared.data.year import Year
    from shared.runtime.embedded import EmbeddedBroker

__all__ = ["DemoOptions", "run_demo"]

SERVICES = {"ingestor": 8001, "forecaster": 8002, "monitor": 8003}
MAX_LAG = 256  # records on their way; a forecast takes 5 kB of the 5 MiB that the embedded broker keeps
READY_S = 120.0
STALLED_S = 60.0
REST_S = 5.0
POLL_S = 0.1
ANSWER_S = 2.0


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What to stream: from ``start`` (None: the last 20 %), for ``days`` (None: to the end, and then stay up)."""

    data: str | None
    days: int | None
    start: datetime | None
    rate_per_s: float
    headless: bool
    json_file: Path | None


def run_demo(options: DemoOptions, settings: Settings, console: Console) -> int:
    """Stream the year: 0 where every reading was answered once, else 1; ``Refused`` where it cannot be done."""
    run_dir = _run_dir(settings.state_dir)
    year = year_for(options.data or settings.data, settings, console)
    start, until = ReplayWindow(options.start, None, options.days).of(year)
    with ExitStack() as stack:
        stack.enter_context(_stopping_on_signals())
        demo = _Demo(
            options=options,
            settings=settings,
            console=console,
            year=year,
            run_dir=run_dir,
            broker=stack.enter_context(embedded.start()),
            children=stack.enter_context(Children(run_dir)),
        )
        demo.start_services(start)
        demo.start_replay(start, until)
        demo.wait_until_ready()
        stack.enter_context(demo.announced())
        records = tuple(Record(zone, start, until, year.site.step_minutes) for zone in settings.zones)
        with Audit(demo.bootstrap, records) as audit:
            return demo.follow(audit)


class _Demo:
    """A running demo: its children and what they were told."""

    def __init__(
        self,
        *,
        options: DemoOptions,
        settings: Settings,
        console: Console,
        year: Year,
        run_dir: Path,
        broker: EmbeddedBroker,
        children: Children,
    ) -> None:
        self._options = options
        self._settings = settings
        self._console = console
        self._year = year
        self._run_dir = run_dir
        self.bootstrap = broker.bootstrap
        self._broker = broker.process
        self._children = children
        self._started_s = monotonic_s()
        self._first_forecast_s: float | None = None
        self._addresses: dict[str, str] = {}
        self._env = {
            PREFIX + "KAFKA_BOOTSTRAP": broker.bootstrap,
            PREFIX + "TOPIC_PREFIX": "",
            PREFIX + "STATE_DIR": str(settings.state_dir.absolute()),
            PREFIX + "LOG_FORMAT": "json",
            PREFIX + "MAX_LAG": str(MAX_LAG),
            PREFIX + "LAG_GROUPS": ",".join([*SERVICES, GROUP]),
            "OPENBLAS_NUM_THREADS": "1",
        }

    def start_services(self, start: datetime) -> None:
        """Start the services; those without a model join their groups while the models are found or fitted."""
        for name in ("ingestor", "monitor"):
            self._start_service(name)
        models = models_for(self._year, start, self._settings, self._console)
        self._env[PREFIX + "MODELS"] = ",".join(models)
        self._start_service("forecaster")

    def _start_service(self, name: str) -> None:
        port = _free_port(self._settings.http_host, SERVICES[name])
        self._addresses[name] = f"http://{self._settings.http_host}:{port}"
        self._children.start(name, ["-m", f"services.{name}"], {**self._env, PREFIX + "HTTP_PORT": str(port)})

    def wait_until_ready(self) -> None:
        """Wait until every service is ready; raises ``Refused`` where one dies or takes too long."""
        deadline_s = monotonic_s() + READY_S
        waiting = dict(self._addresses)
        with self._console.status("starting the services") as status, httpx.Client(timeout=ANSWER_S) as client:
            while waiting:
                self._check_children()
                if monotonic_s() > deadline_s:
                    raise Refused(
                        f"{', '.join(waiting)} not ready after {READY_S:.0f} s: see the logs in {self._run_dir}"
                    )
                waiting = {name: url for name, url in waiting.items() if not _ready(client, url)}
                status.update(f"waiting for {', '.join(waiting)}")

    def _check_children(self) -> None:
        """Raise ``Refused`` with the last log lines of a process that has died."""
        if self._broker.poll() is not None:
            raise Refused(
                f"the embedded broker has died with exit code {self._broker.returncode}: start the demo again"
            )
        dead = self._children.ended()
        if dead is not None:
            raise Refused(
                f"{dead.name} has died with exit code {dead.process.returncode}; the end of {dead.log}:\n"
                f"{dead.last_lines()}"
            )

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Write the addresses where `tetouan watch` and `tetouan replay` look for them, as long as the demo runs."""
        current = self._settings.state_dir / "current.json"
        addresses = {
            "kafka_bootstrap": self.bootstrap,
            "http": self._addresses,
            "pid": os.getpid(),
        }
        current.write_text(json.dumps(addresses, indent=1), encoding="utf-8")
        self._console.print("  ".join(f"{name} {url}" for name, url in self._addresses.items()), soft_wrap=True)
        self._console.print(f"Kafka {addresses['kafka_bootstrap']} (embedded)  logs {self._run_dir}", soft_wrap=True)
        try:
            yield
        finally:
            current.unlink(missing_ok=True)

    def start_replay(self, start: datetime, until: datetime) -> None:
        """Start the replay of the readings in [start, until); it lets the services come up before it runs ahead."""
        data = "synthetic" if self._year.synthetic else self._options.data or self._settings.data
        args = ["-m", "cli", "replay", "--from", start.isoformat(), "--until", until.isoformat()]
        args += ["--speed", str(self._options.rate_per_s), "--json", str(self._run_dir / "replay.json")]
        args += ["--data", data] if data else []
        self._replay = self._children.start("replay", args, self._env)

    def follow(self, audit: Audit) -> int:
        """Show the stream until it is done or somebody has seen enough, then write the summary."""
        try:
            with Ticker(self._console, self._year.label, headless=self._options.headless) as ticker:
                self._until_done(audit, ticker)
        except KeyboardInterrupt:
            self._console.print("stopping")
            self._book_the_rest(audit)
            return self._summarise(audit)
        code = self._summarise(audit)
        if self._options.days is None:
            with suppress(KeyboardInterrupt):
                self._stay_up(audit)
        return code

    def _until_done(self, audit: Audit, ticker: Ticker) -> None:
        """Book and show until everything sent is accounted for, or nothing has moved for a minute."""
        moved_s = monotonic_s()
        while not self._settled(audit):
            self._check_children()
            if audit.poll(POLL_S):
                moved_s = monotonic_s()
            if self._first_forecast_s is None and audit.issued:
                self._first_forecast_s = monotonic_s() - self._started_s
                self._console.print(f"first forecast {self._first_forecast_s:.1f} s after the start")
            ticker.show(audit, self._settings.zones[0])
            if monotonic_s() - moved_s > STALLED_S and self._replay.process.poll() is not None:
                self._console.print(f"nothing has moved for {STALLED_S:.0f} s: see the logs in {self._run_dir}")
                return

    def _settled(self, audit: Audit) -> bool:
        """Tell whether the replay has ended and every reading that it sent has its outcome and its forecasts."""
        if self._replay.process.poll() is None or audit.accepted * len(self._settings.zones) > audit.issued:
            return False
        return audit.accepted + audit.rejected + self._merged() == self._sent()

    def _sent(self) -> int:
        replayed = self._run_dir / "replay.json"
        return int(json.loads(replayed.read_text(encoding="utf-8"))["sent"]) if replayed.exists() else 0

    def _merged(self) -> int:
        """Return how many readings the ingestor says it has merged: they leave no trace on a topic."""
        exported = httpx.get(self._addresses["ingestor"] + "/metrics", timeout=ANSWER_S).text
        samples = [sample for family in text_string_to_metric_families(exported) for sample in family.samples]
        return int(sum(sample.value for sample in samples if sample.name == "tetouan_merged_readings_total"))

    def _book_the_rest(self, audit: Audit) -> None:
        """After Ctrl-C: end the replay, and give what is on its way a few seconds to arrive."""
        self._children.end(self._replay)
        deadline_s = monotonic_s() + REST_S
        while not self._settled(audit) and monotonic_s() < deadline_s:
            audit.poll(POLL_S)

    def _summarise(self, audit: Audit) -> int:
        """Print and write the summary; returns 0 where the books balance and every reading was answered once."""
        result = {
            **summary(audit, sent=self._sent(), merged=self._merged()),
            "data": self._year.label,
            "synthetic": self._year.synthetic,
            "first_forecast_s": self._first_forecast_s,
            "wall_s": round(monotonic_s() - self._started_s, 1),
        }
        text = json.dumps(result, indent=1)
        for path in (self._run_dir / "summary.json", self._options.json_file):
            if path is not None:
                path.write_text(text + "\n", encoding="utf-8")
        show_summary(result, audit, self._console)
        return 0 if balanced(result) else 1

    def _stay_up(self, audit: Audit) -> None:
        self._console.print("the year is over; everything stays up for you to look at: Ctrl-C ends it")
        while True:
            self._check_children()
            audit.poll(1.0)


def _run_dir(state_dir: Path) -> Path:
    run_dir = state_dir / "runs" / f"{now():%Y%m%dT%H%M%S}-{os.getpid()}"
    try:
        run_dir.mkdir(parents=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise Refused(f"cannot write to {state_dir} ({why}): set TETOUAN_STATE_DIR to a folder of yours") from None
    return run_dir


def _free_port(host: str, wanted: int) -> int:
    """Return the port, or a free one where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _ready(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(address + "/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:  # it does not listen yet
        return False


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Take SIGTERM and SIGHUP for Ctrl-C, so that no child outlives the demo."""
    former = {order: signal.signal(order, signal.default_int_handler) for order in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for order, handler in former.items():
            signal.signal(order, handler)
