"""`tetouan history export`: writes the history to Parquet files.

The history is that of TETOUAN_DATABASE_URL, else of the running demo, else of the state folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.history_database import history, migrated, require_made
from cli.outputs import whole_files
from services.gateway.export import Chosen, export, require_site

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["run_export"]


def run_export(folder: Path, site: str | None, start: datetime | None, until: datetime | None) -> list[str]:
    """Bring the tables to this release, write a file for each, and return a line for each file.

    Raises ``Refused`` where there is no history, or no row of the site.
    """
    database = history()
    require_made(database)
    with migrated(database), database.reader.connect() as connection:
        if site is not None:
            require_site(connection, site)
        with whole_files(folder) as drafts:
            counts = export(connection, drafts, Chosen(site, start, until))
    return [f"wrote {folder / name}.parquet: {count:,} rows" for name, count in counts.items()]
