"""Where the file of a year is, and what tells it from others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.data.year import CACHED_NAME
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from cli.settings import HistorySettings
    from shared.data.year import Year

__all__ = ["file_of", "report_of"]


def file_of(year: Year, chosen: str | None, settings: HistorySettings) -> Path:
    """Return the absolute path of the file of a year.

    Parameters
    ----------
    year
        What was found.
    chosen
        The file that was asked for; None for the published year, which is kept in the cache.
    settings
        Say where the cache is.

    Raises
    ------
    Refused
        The year is synthetic: it has no file.
    """
    if year.synthetic:
        raise Refused(f"a synthetic year has no file: {year.reason or 'give one with --data'}")
    return Path(chosen).expanduser().absolute() if chosen else (settings.cache_dir / CACHED_NAME).absolute()


def report_of(year: Year, file: Path) -> dict[str, Any]:
    """Return what tells a file from others: its path, checksum, label, rows, and first and last time."""
    first, last = year.span
    return {
        "file": str(file),
        "sha256": year.sha256,
        "source": year.source,
        "label": year.label,
        "rows": len(year.rows),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "zones": list(year.site.zones),
    }
