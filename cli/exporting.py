"""`tetouan history export`: the history of the settings, or of the demo that runs, as Parquet files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from cli.outputs import whole_files
from cli.runs import current
from services.gateway.database import Database, url_of, why_away
from services.gateway.export import Chosen, export
from services.gateway.settings import DatabaseSettings
from shared.runtime.settings import PREFIX, Refused, load

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["run_export", "settings_of_history"]


def run_export(folder: Path, site: str | None, start: datetime | None, until: datetime | None) -> list[str]:
    """Write the files; returns a line for each, ``Refused`` where there is no history or it is away."""
    database = Database(url_of(settings_of_history()))
    if database.is_empty_place:
        raise Refused(
            f"there is no history at {database.place}: run the gateway first, or set TETOUAN_DATABASE_URL to where it "
            "keeps its history"
        )
    try:
        database.migrate()
        with whole_files(folder) as drafts, database.reader.connect() as connection:
            counts = export(connection, drafts, Chosen(site, start, until))
    except DBAPIError as error:
        if (why := why_away(error)) is None:
            raise
        raise Refused(f"the database {database.place} is away ({why}): start it, or see TETOUAN_DATABASE_URL") from None
    finally:
        database.close()
    return [f"wrote {folder / name}.parquet: {count:,} rows" for name, count in counts.items()]


def settings_of_history() -> DatabaseSettings:
    """Return the settings, with the history of a running demo where the environment names none."""
    settings = load(DatabaseSettings)
    running = current(settings.state_dir)
    if running is None or "database_url" not in running or os.environ.get(PREFIX + "DATABASE_URL"):
        return settings
    return settings.model_copy(update={"database_url": SecretStr(running["database_url"])})
