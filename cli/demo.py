"""The whole stream on one machine with Python alone: broker, services and replay as children of this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.known_models import are_known
from cli.printing import waiting
from cli.processes import AUDIT, REPLAY, SERVICES
from cli.provision import say_doubts, settled, year_for
from cli.runs import history_of
from cli.window import ReplayWindow
from shared.data.errors import DataError
from shared.data.toml import as_toml
from shared.data.year import SYNTHETIC
from shared.runtime.settings import PREFIX, Refused, names
from shared.sites.table import known_sites
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console

    from cli.processes import Processes
    from cli.settings import CommandSettings
    from shared.data.hints import Hints
    from shared.data.year import Year

__all__ = ["Begun", "DemoOptions", "environment", "run_demo"]

MAX_LAG = 256  # records on their way; a forecast takes 5 kB of the 5 MiB that the embedded broker keeps
INTERRUPTED = 130


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
    hints: Hints


@dataclass(frozen=True)
class Begun:
    """A demo whose processes have begun: what is streamed, [start, until) of the year, and what they were told."""

    year: Year
    start: datetime
    until: datetime
    data: str | None
    settings: CommandSettings
    env: dict[str, str]
    processes: Processes


def run_demo(options: DemoOptions, settings: CommandSettings, processes: Processes, console: Console) -> int:
    """Stream the year: 0 where every reading was answered once, else 1; ``Refused`` where it cannot be done."""
    try:
        begun = _begin(options, settings, processes, console)
        from cli.following import Following  # noqa: PLC0415 - while the processes join their groups
    except KeyboardInterrupt:
        console.print("stopped before the stream began")
        return INTERRUPTED
    return Following(begun, options, console).follow()


def environment(settings: CommandSettings, bootstrap: str, run_dir: Path) -> dict[str, str]:
    """Return what the processes of a demo find in their environment, over what is there: the demo shares no broker."""
    return {
        **{PREFIX + name.upper(): "" for name in names() if name.startswith(("kafka_", "group"))},
        PREFIX + "KAFKA_BOOTSTRAP": bootstrap,  # the demo's own broker has no password
        PREFIX + "TOPIC_PREFIX": "",
        PREFIX + "TRANSACTIONS": "false",  # the embedded broker takes them and honours none
        PREFIX + "STATE_DIR": str(settings.state_dir.absolute()),
        **({PREFIX + "SITES": str(settings.sites.absolute())} if settings.sites else {}),
        PREFIX + "SITE": settings.site,
        PREFIX + "ZONES": ",".join(map(str, settings.zones)),
        PREFIX + "SNAPSHOTS": str(run_dir.absolute() / "snapshots"),
        PREFIX + "DATABASE_URL": history_of(run_dir),
        PREFIX + "HISTORY_DAYS": "0",
        PREFIX + "REPORT_DIR": str(run_dir.absolute() / "reports"),
        PREFIX + "LOG_FORMAT": "console",
        PREFIX + "MAX_LAG": str(MAX_LAG),
        PREFIX + "LAG_PATIENCE_S": "86400",  # models may be fitted for as long as it takes; the demo sees who dies
        PREFIX + "LAG_GROUPS": ",".join([*SERVICES, AUDIT]),
    }


def _begin(options: DemoOptions, settings: CommandSettings, processes: Processes, console: Console) -> Begun:
    """Let all processes begin, and have the models that they wait for fitted where there are none."""
    asked = options.data or settings.data
    if asked in (None, SYNTHETIC):
        settings.require_zones(settings.chosen_site, settings.site)  # a file may lack columns
    settings, read = settled(asked, settings, console, options.hints)
    year = read or year_for(asked, settings, console, options.hints.dialect)
    settings.require_zones(year.site, year.label)
    data = SYNTHETIC if year.synthetic else asked
    start, until = ReplayWindow(options.start, None, options.days).of(year)
    wanted = tags(year, start)
    env = {
        **environment(settings, processes.bootstrap, processes.run_dir),
        **_table(year, settings, processes.run_dir),
        PREFIX + "REPLAY_CONTROL": processes.control,
        PREFIX + "MODEL_TAGS": ",".join(f"{name}={value}" for name, value in wanted.items()),
    }
    begun = Begun(year, start, until, data, settings, env, processes)
    processes.begin("forecaster", env)
    processes.begin(REPLAY, env, _replay_args(begun, options))
    processes.begin("ingestor", env)
    if not are_known(wanted, settings):
        with waiting(console, "loading what fits the models"):
            from cli.training import ensure_models  # noqa: PLC0415 - it takes seconds, and is seldom needed

        ensure_models(year, start, settings, console)
    say_doubts(year, console)
    return begun


def tags(year: Year, start: datetime) -> dict[str, str]:
    """Return the tags of the models that have seen just the readings before the start.

    Raises ``Refused`` where there are none.
    """
    try:
        return TrainingData.of(year, year.site.load_zones[0], start).identity(year)
    except DataError as error:
        raise Refused(str(error)) from None


def _table(year: Year, settings: CommandSettings, run_dir: Path) -> dict[str, str]:
    """Let the services forecast the zones that are asked for, and know the columns that the data have.

    What the data lack must not look like a fault. The other sites of the table stay as they are.
    """
    site = year.site.model_copy(update={"zones": settings.zones})
    if site == settings.chosen_site:
        return {}
    file = run_dir.absolute() / "sites.toml"
    sites = {**known_sites(settings.sites), site.name: site}
    file.write_text("\n".join(map(as_toml, sites.values())), encoding="utf-8")
    return {PREFIX + "SITES": str(file)}


def _replay_args(begun: Begun, options: DemoOptions) -> list[str]:
    """Return the command line of the replay."""
    args = ["replay", "--from", begun.start.isoformat(), "--until", begun.until.isoformat()]
    args += ["--no-doubts", "--speed", str(options.rate_per_s), "--json", str(begun.processes.run_dir / "replay.json")]
    args += ["--data", begun.data] if begun.data else []
    hints = options.hints
    args += ["--separator", hints.separator] if hints.separator else []
    args += ["--decimal", hints.decimal] if hints.decimal else []
    return args
