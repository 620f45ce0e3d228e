"""What a command needs before it can start: the year of readings; and how it shows that it works."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from shared.data.doubts import doubts_of, step_doubt
from shared.data.hints import Hints
from shared.data.limits import beyond_limits, loads_refused
from shared.data.published import PUBLISHED_URL
from shared.data.toml import as_toml
from shared.data.year import SYNTHETIC, DataError, find_year
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import PREFIX, Refused, load, unwritable
from shared.sites.table import known_sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console
    from rich.progress import TaskID

    from cli.settings import HistorySettings
    from shared.data.year import Year
    from shared.forecasting.prior import Prior

__all__ = [
    "Borrowed",
    "prior_for",
    "require_loads",
    "say_doubts",
    "settled",
    "steps_shown",
    "year_for",
    "zone_for",
    "zones_for",
]

PATIENCE_S = 1.0

H = TypeVar("H", bound="HistorySettings")


def year_for(data: str | None, settings: HistorySettings, console: Console, hints: Hints | None = None) -> Year:
    """Find the year of readings and say which it is, and what was guessed of its site.

    ``hints`` is what the user says about the file; None where its site must be that of the settings. Raises ``Refused``
    where the year cannot be used.
    """
    hints = _allowed(hints, data, settings)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    download = Progress(*columns, console=console, transient=True, disable=not console.is_interactive)
    with steps_shown(console, patient=True) as progress, download as bar:
        task = bar.add_task("downloading the year", visible=False)
        try:
            year = find_year(
                data,
                settings.cache_dir,
                site=settings.chosen_site,
                url=settings.data_url or PUBLISHED_URL,
                progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
                told=lambda share: progress("reading the readings", share),
                hints=hints,
            )
        except DataError as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise unwritable(settings.cache_dir, error) from None
    _say(year, settings, console)
    return year


def say_doubts(year: Year, console: Console) -> None:
    """Say what speaks against the table of the site: the distance of the readings, their limits, and the loads."""
    if found := step_doubt(year):
        console.print(found, soft_wrap=True, highlight=False, markup=False)
    with steps_shown(console, patient=True) as progress:
        doubts = [*map(str, beyond_limits(year)), *doubts_of(year, lambda share: progress("watching the loads", share))]
    for line in doubts:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _allowed(hints: Hints | None, data: str | None, settings: HistorySettings) -> Hints:
    """Return the hints, with leave to guess where no site was chosen; raises ``Refused`` where they say too much."""
    chosen = sorted({"site", "sites"} & settings.model_fields_set)
    if hints is None:
        return Hints(guess=False)
    if hints.of_a_site and data in (None, SYNTHETIC):
        raise Refused("options that say what a file holds go with --data FILE: give one, or leave them out")
    if hints.of_a_site and chosen:
        names = " and ".join(f"TETOUAN_{name.upper()}" for name in chosen)
        raise Refused(
            f"{names} is set, and the table of the site says what the file holds: change it there, or unset it"
        )
    return replace(hints, guess=not chosen)


def _say(year: Year, settings: HistorySettings, console: Console) -> None:
    lines = [f"{year.label}, {year.counts}" + (f": {year.reason}" if year.reason else "")]
    if year.assumed:
        lines += ["no table describes the file, so this is assumed (the options say otherwise):"]
        lines += [f"  {line}" for line in year.assumed]
        lines += ["which is this table, to be saved in a file that TETOUAN_SITES names:", "", as_toml(year.site)]
    elif absent := [repr(column) for column in settings.chosen_site.columns if column not in year.site.columns]:
        lines += [f"without {', '.join(absent)}: the data have no such column"]
    if doubt := known_sites(settings.sites).doubts.get(year.site.name):
        lines += [f"{PREFIX}SITES={str(settings.sites)!r}: {doubt}"]
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def zones_for(year: Year, settings: HistorySettings) -> tuple[int, ...]:
    """Return the zones to forecast: those of the settings, of a guessed site its own.

    Raises ``Refused`` where the data lack the load of one.
    """
    if year.assumed and "zones" not in settings.model_fields_set:
        return year.site.zones
    settings.require_zones(year.site, year.label)
    return settings.zones


def zone_for(asked: int | None, year: Year, settings: HistorySettings) -> int:
    """Return the one zone to work on: what was asked for, else the first of :func:`zones_for`; raises as it does."""
    if asked is None:
        return zones_for(year, settings)[0]
    if asked not in year.site.load_zones:
        known = ", ".join(map(str, year.site.load_zones))
        raise Refused(f"--zone {asked}: {year.label} has no load of that zone: choose one of {known}")
    return asked


def require_loads(year: Year, zones: Iterable[int], *, accept_refused: bool) -> None:
    """Raise ``Refused`` where the limits refuse most loads of a zone to work on, unless the user accepts that."""
    if not accept_refused and (found := loads_refused(year, zones)):
        advice = "mend what the line above says, or go on with what is left with --accept-refused"
        raise Refused(f"{year.label}: the limits refuse most values of {found.field}: {advice}")


def settled(data: str | None, settings: H, console: Console, hints: Hints) -> tuple[H, Year | None]:
    """Return the settings with which a file can be streamed, and the file where it was read and needs no other ones.

    A site that had to be guessed gets its table in a file, by which the file is to be read. Raises ``Refused`` as
    :func:`year_for`, and where the table cannot be written.
    """
    hints = _allowed(hints, data, settings)
    if data in (None, SYNTHETIC) or not hints.guess:
        return settings, None
    year = year_for(data, settings, console, hints)
    if not year.assumed:
        return settings, year
    file = (settings.state_dir / "sites" / f"{year.site.name}.toml").absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_toml(year.site), encoding="utf-8")
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    zones = ",".join(map(str, zones_for(year, settings)))
    said = f"TETOUAN_SITES={file} TETOUAN_SITE={year.site.name} TETOUAN_ZONES={zones}"
    console.print(f"kept for services and other commands: {said}", soft_wrap=True, highlight=False)
    return load(type(settings), sites=file, site=year.site.name, zones=zones, data=data), None


@dataclass(frozen=True)
class Borrowed:
    """A prior that a command begins with, and how the user has named its file."""

    prior: Prior
    named: str

    def require_fair(self, year: Year, zone: int, start: datetime) -> None:
        """Raise ``Refused`` where the scores of a zone from a time on would be of what the prior was trained on."""
        if not self.prior.source.may_judge(year.sha256, zone, start):
            raise Refused(
                f"{self.named} was trained on {self.prior.source}, of these same data, and no test scores what a prior "
                "was trained on: train one on other zones up to the start (TETOUAN_ZONES, train --until), or on other "
                "data, or go without"
            )


def prior_for(given: Path | None, settings: HistorySettings, year: Year) -> Borrowed | None:
    """Return the prior of the file that was given, else of ``TETOUAN_PRIOR``; None where neither names one.

    Raises ``Refused`` where it cannot be read or does not fit the year.
    """
    file, named = (settings.prior, f"{PREFIX}PRIOR={settings.prior}") if given is None else (given, f"--prior {given}")
    if file is None:
        return None
    from shared.forecasting.prior import Prior  # noqa: PLC0415 - what has no prior need not wait for it

    try:
        prior = Prior.load(file)
        prior.require_fit(year.site.step_minutes, year.site.grid.day)
    except OSError as error:
        raise Refused(f"{named}: cannot be read ({error.strerror}): name a file of `tetouan train --prior`") from None
    except ValueError as error:
        raise Refused(f"{named}: {error}") from None
    return Borrowed(prior, named)


@contextmanager
def steps_shown(
    console: Console, before: str | None = None, *, patient: bool = False
) -> Iterator[Callable[[str, float], None]]:
    """Show a bar for each step of the work on a terminal, else a line when it begins; ``before`` the first, say so.

    To be ``patient`` is to show nothing of what takes less than a second.
    """
    started_s = monotonic_s()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_interactive) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, share: float) -> None:
            if patient and monotonic_s() < started_s + PATIENCE_S:
                return
            if before and not tasks:
                console.print(before, soft_wrap=True, highlight=False)
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
                if bars.disable:
                    console.print(what, highlight=False)
            bars.update(tasks[what], completed=share)

        yield show
        for task in tasks.values():
            bars.update(task, completed=1.0)
