"""The whole stream on one machine with Python alone: broker, services and replay as children of this process."""

from __future__ import annotations

import errno
import json
import signal
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx
from confluent_kafka import KafkaException
from rich.console import Console

from backtest.record import Record
from cli.audit import GROUP, Audit
from cli.children import Children
from cli.live import LiveView, Stream, merged_readings
from cli.outputs import whole
from cli.printing import waiting
from cli.replaying import ReplayWindow
from cli.runs import announced, new_run
from cli.summary import balanced, show_summary, summary
from replay.interruption import handled_by, set_by_signals
from shared.data.toml import as_toml
from shared.runtime import embedded
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import PREFIX, Refused, Settings
from shared.sites.table import known_sites

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from shared.data.hints import Hints
    from shared.runtime.embedded import EmbeddedBroker
    from shared.sites.site import Site

__all__ = ["DemoOptions", "environment", "run_demo"]

SERVICES = {"ingestor": 8001, "forecaster": 8002, "monitor": 8003}
MAX_LAG = 256  # records on their way; a forecast takes 5 kB of the 5 MiB that the embedded broker keeps
READY_S = 120.0
STALLED_S = 60.0
REST_S = 5.0
QUIET_S = 1.0
INTERRUPTED = 130
POLL_S = 0.1
ANSWER_S = 2.0


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What to stream: from ``start`` (None: the last 20 %), for ``days`` (None: to the end, and then stay up).

    ``started_s`` is the monotonic time at which somebody began to wait.
    """

    data: str | None
    days: int | None
    start: datetime | None
    rate_per_s: float
    headless: bool
    json_file: Path | None
    picture: Path | None
    started_s: float
    hints: Hints | None = None


def run_demo(options: DemoOptions, settings: Settings, console: Console) -> int:
    """Stream the year: 0 where every reading was answered once, else 1; ``Refused`` where it cannot be done."""
    run_dir = new_run(settings.state_dir)
    with ExitStack() as stack:
        stack.enter_context(handled_by(signal.default_int_handler))
        broker = stack.enter_context(embedded.start())
        children = stack.enter_context(Children(run_dir))
        demo = _Demo(options, settings, console, run_dir, broker, children)
        try:
            demo.start_services()
        except KeyboardInterrupt:
            console.print("stopped before the stream began")
            return INTERRUPTED
        return demo.follow()


def environment(settings: Settings, bootstrap: str, run_dir: Path) -> dict[str, str]:
    """Return what the processes of a demo find in their environment, over what is there: the demo shares no broker."""
    return {
        **{PREFIX + name.upper(): "" for name in Settings.model_fields if name.startswith(("kafka_", "group"))},
        PREFIX + "KAFKA_BOOTSTRAP": bootstrap,  # the demo's own broker has no password
        PREFIX + "TOPIC_PREFIX": "",
        PREFIX + "TRANSACTIONS": "false",  # the embedded broker takes them and honours none
        PREFIX + "STATE_DIR": str(settings.state_dir.absolute()),
        **({PREFIX + "SITES": str(settings.sites.absolute())} if settings.sites else {}),
        PREFIX + "SITE": settings.site,
        PREFIX + "ZONES": ",".join(map(str, settings.zones)),
        PREFIX + "SNAPSHOTS": str(run_dir.absolute() / "snapshots"),
        PREFIX + "REPORT_DIR": str(run_dir.absolute() / "reports"),
        PREFIX + "LOG_FORMAT": "console",
        PREFIX + "MAX_LAG": str(MAX_LAG),
        PREFIX + "LAG_GROUPS": ",".join([*SERVICES, GROUP]),
        "OPENBLAS_NUM_THREADS": "1",
    }


class _Demo:
    """A running demo: its children and what they were told."""

    def __init__(
        self,
        options: DemoOptions,
        settings: Settings,
        console: Console,
        run_dir: Path,
        broker: EmbeddedBroker,
        children: Children,
    ) -> None:
        self._options = options
        self._settings = settings
        self._console = console
        self._run_dir = run_dir
        self._bootstrap = broker.bootstrap
        self._broker = broker.process
        self._children = children
        # once records are being read a signal must not interrupt a call that has them in its hands
        self._stop = Event()
        self._first_forecast_s: float | None = None
        self._view: LiveView | None = None
        self._addresses: dict[str, str] = {}
        self._env = environment(settings, broker.bootstrap, run_dir)

    def start_services(self) -> None:
        """Start all processes, each as early as it can be: they load and join while the models are found or fitted."""
        data, hints = self._options.data or self._settings.data, self._options.hints
        readers, whole = ("ingestor", "monitor"), data in (None, "synthetic")  # a file may lack columns
        if whole:
            self._settings.require_zones(self._settings.chosen_site, self._settings.site)
            self._tell_table(self._settings.chosen_site)
            self._start_all(readers)
        # what takes long to import is imported while those two start
        with waiting(self._console, "loading what reads the data"):
            from cli.provision import year_for  # noqa: PLC0415 - see above

        self._year = year_for(data, self._settings, self._console, hints)
        self._settings.require_zones(self._year.site, self._year.label)
        if not whole:
            self._tell_table(self._year.site)
            self._start_all(readers)
        self._data = "synthetic" if self._year.synthetic else data
        self._start, self._until = ReplayWindow(self._options.start, None, self._options.days).of(self._year)
        with waiting(self._console, "loading what fits the models"):
            from cli.training import ensure_models  # noqa: PLC0415 - see above

        with ensure_models(self._year, self._start, self._settings, self._console) as tags:
            self._env[PREFIX + "MODEL_TAGS"] = ",".join(f"{name}={value}" for name, value in tags.items())
            self._start_service("forecaster")
            self._start_replay()

    def _tell_table(self, published: Site) -> None:
        """Let the services forecast the zones that are asked for, and know the columns that the data have.

        What the data lack must not look like a fault. The other sites of the table stay as they are.
        """
        site = published.model_copy(update={"zones": self._settings.zones})
        if site != self._settings.chosen_site:
            file = self._run_dir.absolute() / "sites.toml"
            sites = {**known_sites(self._settings.sites), site.name: site}
            file.write_text("\n".join(map(as_toml, sites.values())), encoding="utf-8")
            self._env[PREFIX + "SITES"] = str(file)

    def _start_all(self, names: Iterable[str]) -> None:
        for name in names:
            self._start_service(name)

    def _start_service(self, name: str) -> None:
        with _listener(self._settings.http_host, SERVICES[name]) as listener:
            host, port = listener.getsockname()[:2]
            if port != SERVICES[name]:
                self._console.print(f"port {SERVICES[name]} is taken: the {name} listens on {port}", highlight=False)
            self._addresses[name] = f"http://{host}:{port}"
            env = {**self._env, PREFIX + "HTTP_FD": str(listener.fileno())}
            self._children.start(name, ["-m", f"services.{name}"], env, pass_fds=(listener.fileno(),))

    def _wait_until_ready(self) -> None:
        """Wait until every service is ready; raises ``Refused`` where one dies or takes too long."""
        deadline_s = monotonic_s() + READY_S
        starting = dict(self._addresses)
        with waiting(self._console, "starting the services") as say, httpx.Client(timeout=ANSWER_S) as client:
            while starting and not self._stop.is_set():
                self._check_children()
                if monotonic_s() > deadline_s:
                    raise Refused(
                        f"{', '.join(starting)} not ready after {READY_S:.0f} s: see the logs in {self._run_dir}"
                    )
                starting = {name: url for name, url in starting.items() if not _ready(client, url)}
                say(f"waiting for {', '.join(starting)} to be ready")

    def _check_children(self) -> None:
        """Raise ``Refused`` with the last log lines of a process that has died."""
        if self._broker.poll() is not None:
            raise Refused(
                f"the embedded broker has died with exit code {self._broker.returncode}: start the demo again"
            )
        dead = self._children.ended()
        if dead is not None:
            self._say(f"the end of {dead.log}:\n{dead.last_lines()}")
            raise Refused(
                f"{dead.name} has died with exit code {dead.process.returncode}: see above, start the demo again"
            )

    @contextmanager
    def _announced(self) -> Iterator[None]:
        """Write the addresses where `tetouan watch` and `tetouan replay` look for them, as long as the demo runs."""
        addresses = {"kafka_bootstrap": self._bootstrap, "http": self._addresses, "data": self._data}
        with announced(self._settings.state_dir, addresses) as other:
            if other is not None:
                self._say(
                    f"another demo (pid {other['pid']}) runs too: `tetouan watch` listens to this one until it ends"
                )
            yield

    def _start_replay(self) -> None:
        """Start the replay; it lets the consumers come up before it runs ahead of them."""
        start, until = self._start.isoformat(), self._until.isoformat()
        args = ["-m", "cli", "replay", "--from", start, "--until", until]
        args += ["--speed", str(self._options.rate_per_s), "--json", str(self._run_dir / "replay.json")]
        args += ["--data", self._data] if self._data else []
        if hints := self._options.hints:
            args += ["--separator", hints.separator] if hints.separator else []
            args += ["--decimal", hints.decimal] if hints.decimal else []
        self._replay = self._children.start("replay", args, self._env)

    def follow(self) -> int:
        """Show the stream until it is done or somebody has seen enough, then write the summary."""
        site, zones = self._year.site, self._settings.zones
        calendar = site.calendar
        records = tuple(Record(zone, self._start, self._until, site.step_minutes, calendar=calendar) for zone in zones)
        with self._announced(), Audit(self._bootstrap, site.name, records) as audit, set_by_signals(self._stop):
            self._wait_until_ready()
            self._introduce()
            with self._viewing(audit) as view:
                self._until_done(audit, view)
            if self._stop.is_set():
                self._console.print("stopping")
                self._book_the_rest(audit)
            if self._options.picture is not None:
                self._draw(self._options.picture, audit, view)
            code = self._summarise(audit)
            if self._options.days is None and not self._stop.is_set():
                self._stay_up(audit)
            return code

    def _viewing(self, audit: Audit) -> LiveView:
        stream = Stream(
            label=self._year.label,
            synthetic=self._year.synthetic,
            start=self._start,
            until=self._until,
            zone=self._settings.zones[0],
            bootstrap=self._bootstrap,
            addresses=self._addresses,
        )
        self._view = LiveView(self._console, stream, audit, headless=self._options.headless)
        return self._view

    def _draw(self, picture: Path, audit: Audit, view: LiveView) -> None:
        """Write the picture once the monitor's last scores have come, too."""
        deadline_s = monotonic_s() + REST_S
        while audit.poll(QUIET_S) and monotonic_s() < deadline_s:
            pass
        with whole(picture) as draft:
            view.save_picture(draft)

    def _say(self, text: str) -> None:
        """Print a remark, or keep it until the live view has left the terminal."""
        if self._view is not None:
            self._view.say(text)
        else:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _introduce(self) -> None:
        """Say where to look."""
        addresses = "  ".join(f"{name} {url}" for name, url in self._addresses.items())
        self._console.print(f"{addresses}  (/healthz /readyz /metrics)", soft_wrap=True, highlight=False)
        where = f"Kafka {self._bootstrap} (embedded)  logs {self._run_dir}"
        self._console.print(where, soft_wrap=True, highlight=False)

    def _until_done(self, audit: Audit, view: LiveView) -> None:
        """Count and show until everything sent is accounted for, or nothing has moved for a minute."""
        moved_s = monotonic_s()
        while not self._stop.is_set() and not self._settled(audit):
            self._check_children()
            if audit.poll(POLL_S):
                moved_s = monotonic_s()
            if self._first_forecast_s is None and audit.issued:
                self._first_forecast_s = monotonic_s() - self._options.started_s
                view.say(f"first forecast {self._first_forecast_s:.1f} s after the start")
            view.show()
            if monotonic_s() - moved_s > STALLED_S and self._replay.process.poll() is not None:
                view.say(f"nothing has moved for {STALLED_S:.0f} s: see the logs in {self._run_dir}")
                return

    def _settled(self, audit: Audit) -> bool:
        """Tell whether the replay has ended and every reading that it sent has its outcome and its forecasts."""
        due = (audit.accepted - audit.of_others) * len(self._settings.zones)
        if self._replay.process.poll() is None or due > audit.issued:
            return False
        outcomes = audit.accepted + audit.rejected + self._merged() + audit.amended
        return outcomes == int(self._replayed()["sent"]) + self._others_sent(audit)

    def _replayed(self) -> dict[str, Any]:
        """Return the summary of the replay; there is none until it has ended."""
        file = self._run_dir / "replay.json"
        written = file.read_text(encoding="utf-8") if file.exists() else "{}"
        return {"sent": 0, "waited_s": 0.0, **json.loads(written)}

    def _others_sent(self, audit: Audit) -> int:
        """Return how many records came on the raw topic that are not of the replay; 0 while it runs."""
        try:
            return max(0, audit.sent() - int(self._replayed()["sent"]))
        except KafkaException:  # the broker has died: the next look at it says so
            return 0

    def _merged(self) -> int:
        """Return how many readings were merged; where the ingestor has died, the next look at the children says so."""
        return merged_readings(self._addresses["ingestor"]) or 0

    def _book_the_rest(self, audit: Audit) -> None:
        """After Ctrl-C: end the replay, and give what is on its way a few seconds to arrive."""
        self._children.end(self._replay)
        deadline_s = monotonic_s() + REST_S
        while not self._settled(audit) and monotonic_s() < deadline_s:
            audit.poll(POLL_S)

    def _summarise(self, audit: Audit) -> int:
        """Print and write the summary; returns 0 where the counts balance and every reading was answered once."""
        replayed = self._replayed()
        result = {
            **summary(audit, sent=replayed["sent"], others_sent=self._others_sent(audit), merged=self._merged()),
            "waited_s": round(replayed["waited_s"], 1),
            "data": self._year.label,
            "synthetic": self._year.synthetic,
            "first_forecast_s": self._first_forecast_s,
            "wall_s": round(monotonic_s() - self._options.started_s, 1),
        }
        show_summary(result, audit, Console())
        for path in (self._run_dir / "summary.json", self._options.json_file):
            if path is not None:
                with whole(path) as draft:
                    draft.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        return 0 if balanced(result) else 1

    def _stay_up(self, audit: Audit) -> None:
        self._console.print("the year is over; everything stays up for you to look at: Ctrl-C ends it")
        while not self._stop.is_set():
            self._check_children()
            audit.poll(POLL_S)


def _listener(host: str, wanted: int) -> socket.socket:
    """Return a socket that listens on the port, or on a free one where it is taken.

    The service inherits it, so that nobody else can take the port meanwhile.
    """
    try:
        return socket.create_server((host, wanted))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return socket.create_server((host, 0))
        raise Refused(
            f"TETOUAN_HTTP_HOST={host!r} is no address of this machine ({error.strerror}): give one that is"
        ) from None


def _ready(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(address + "/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:  # it does not listen yet
        return False
