"""What a command needs before it can start: the year of readings; and how it shows that it works."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from shared.data.download import PUBLISHED_URL
from shared.data.year import DataError, find_year
from shared.runtime.settings import Refused, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import TaskID

    from shared.data.year import Year
    from shared.runtime.settings import Settings

__all__ = ["require_zones", "steps_shown", "year_for"]


def year_for(data: str | None, settings: Settings, console: Console) -> Year:
    """Find the year of readings and say which it is; raises ``Refused`` where it cannot be used."""
    columns = (TextColumn("downloading the year"), BarColumn(), DownloadColumn())
    download = Progress(*columns, console=console, transient=True, disable=not console.is_interactive)
    with console.status("reading the year of readings"), download as bar:
        task = bar.add_task("download", visible=False)
        try:
            year = find_year(
                data,
                settings.cache_dir,
                place=settings.place,
                url=settings.data_url or PUBLISHED_URL,
                progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
            )
        except DataError as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise unwritable(settings.cache_dir, error) from None
    reason = f": {year.reason}" if year.reason else ""
    console.print(f"{year.label}, {len(year.rows):,} readings{reason}", soft_wrap=True, highlight=False)
    if absent := [repr(column) for column in settings.place.columns if column not in year.site.columns]:
        console.print(f"without {', '.join(absent)}: the data have no such column", soft_wrap=True, highlight=False)
    return year


def require_zones(year: Year, settings: Settings) -> None:
    """Raise ``Refused`` where the data lack the load of a zone that is to be forecast."""
    if lacking := set(settings.zones) - set(year.site.zones):
        known, asked = (",".join(map(str, zones)) for zones in (year.site.zones, settings.zones))
        raise Refused(
            f"TETOUAN_ZONES={asked}: {year.label} has no load of zone {min(lacking)}: set it to some of {known}"
        )


@contextmanager
def steps_shown(console: Console, before: str | None = None) -> Iterator[Callable[[str, float], None]]:
    """Show a bar for each step of the work on a terminal, else a line when it begins; ``before`` the first, say so."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_interactive) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, share: float) -> None:
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
