"""What a command needs before it can start: the year of readings; and how it shows that it works."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from shared.data.doubts import doubts_of
from shared.data.download import PUBLISHED_URL
from shared.data.hints import Hints
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

    from shared.data.year import Year
    from shared.forecasting.prior import Prior
    from shared.runtime.settings import Settings

__all__ = ["prior_for", "require_zones", "settled", "steps_shown", "year_for", "zones_for"]

PATIENCE_S = 1.0


def year_for(data: str | None, settings: Settings, console: Console, hints: Hints | None = None) -> Year:
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
                place=settings.place,
                url=settings.data_url or PUBLISHED_URL,
                progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
                told=lambda share: progress("reading the readings", share),
                hints=hints,
            )
        except DataError as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise unwritable(settings.cache_dir, error) from None
        doubts = tuple(doubts_of(year, lambda share: progress("watching the loads", share)))
    _say(year, doubts, settings, console)
    return year


def _allowed(hints: Hints | None, data: str | None, settings: Settings) -> Hints:
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


def _say(year: Year, doubts: Iterable[str], settings: Settings, console: Console) -> None:
    lines = [f"{year.label}, {year.counts}" + (f": {year.reason}" if year.reason else "")]
    if year.assumed:
        lines += ["no table describes the file, so this is assumed (the options say otherwise):"]
        lines += [f"  {line}" for line in year.assumed]
        lines += ["which is this table, to be saved in a file that TETOUAN_SITES names:", "", as_toml(year.site)]
    elif absent := [repr(column) for column in settings.place.columns if column not in year.site.columns]:
        lines += [f"without {', '.join(absent)}: the data have no such column"]
    if doubt := known_sites(settings.sites).doubts.get(year.site.name):
        lines += [f"{PREFIX}SITES={str(settings.sites)!r}: {doubt}"]
    lines += doubts
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def zones_for(year: Year, settings: Settings) -> tuple[int, ...]:
    """Return the zones to forecast: those of the settings, of a guessed site its own."""
    return year.site.zones if year.assumed and "zones" not in settings.model_fields_set else settings.zones


def settled(data: str | None, settings: Settings, console: Console, hints: Hints) -> Settings:
    """Return the settings with which a file can be streamed: a site that had to be guessed gets its table in a file.

    Raises ``Refused`` as :func:`year_for`, and where the table cannot be written.
    """
    hints = _allowed(hints, data, settings)
    if data in (None, SYNTHETIC) or not hints.guess:
        return settings
    year = year_for(data, settings, console, hints)
    if not year.assumed:
        return settings
    file = (settings.state_dir / "sites" / f"{year.site.name}.toml").absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_toml(year.site), encoding="utf-8")
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    zones = ",".join(map(str, zones_for(year, settings)))
    said = f"TETOUAN_SITES={file} TETOUAN_SITE={year.site.name} TETOUAN_ZONES={zones}"
    console.print(f"kept for services and other commands: {said}", soft_wrap=True, highlight=False)
    return load(type(settings), sites=file, site=year.site.name, zones=zones, data=data)


def prior_for(file: Path | None, year: Year, zone: int, start: datetime | None = None) -> Prior | None:
    """Return the prior of a file for a zone of a year that is scored from ``start`` on; None without a file.

    Raises ``Refused`` where it cannot be read or does not fit, or where the scores would be of what it was trained on.
    """
    if file is None:
        return None
    from shared.forecasting.prior import Prior  # noqa: PLC0415 - what has no prior need not wait for it

    try:
        prior = Prior.load(file)
        prior.require_fit(year.site.step_minutes, year.site.grid.day)
    except OSError as error:
        raise Refused(
            f"--prior {file}: cannot be read ({error.strerror}): name a file of `tetouan train --prior`"
        ) from None
    except ValueError as error:
        raise Refused(f"--prior: {error}") from None
    if not prior.source.may_judge(year.sha256, zone, start or year.span[0]):
        raise Refused(
            f"--prior {file} was trained on {prior.source}, of these same data, and no test scores what a prior was "
            "trained on: train one on other zones up to the start (TETOUAN_ZONES, train --until), or on other data"
        )
    return prior


def require_zones(year: Year, settings: Settings) -> None:
    """Raise ``Refused`` where the data lack the load of a zone that is to be forecast."""
    if lacking := set(settings.zones) - set(year.site.load_zones):
        known, asked = (",".join(map(str, zones)) for zones in (year.site.load_zones, settings.zones))
        raise Refused(
            f"TETOUAN_ZONES={asked}: {year.label} has no load of zone {min(lacking)}: set it to some of {known}"
        )


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
