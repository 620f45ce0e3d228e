"""The gateway's database, as commands open it: TETOUAN_DATABASE_URL, else the running demo's, else the default."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from cli.runs import current, last_history
from services.gateway.database import Database, url_of, why_away
from services.gateway.settings import DatabaseSettings
from shared.runtime.settings import PREFIX, Refused, load

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["history", "migrated", "require_made"]


@contextmanager
def migrated(database: Database) -> Iterator[Database]:
    """Migrate the tables to this release, yield the database, and close it at the end of the block.

    Raises
    ------
    Refused
        If the database does not answer (here or in the block), cannot be opened, or is of a later release.
    """
    try:
        database.migrate()
        yield database
    except DBAPIError as error:
        if (why := why_away(error)) is None:
            raise
        raise Refused(f"the database {database.place} is away ({why}): start it, or see TETOUAN_DATABASE_URL") from None
    finally:
        database.close()


def history() -> Database:
    """Return the database; no connection to it is open yet."""
    return Database(url_of(_settings()))


def require_made(database: Database) -> None:
    """Raise ``Refused`` if the SQLite file does not exist; the message names the last demo's file, if one is left."""
    if not database.is_empty_place:
        return
    left = last_history(load(DatabaseSettings).state_dir)
    raise Refused(
        f"there is no history at {database.place}: run the gateway first, or set TETOUAN_DATABASE_URL to where it "
        "keeps its history" + (f"; that of the last demo is TETOUAN_DATABASE_URL={left}" if left else "")
    )


def _settings() -> DatabaseSettings:
    """Return the settings, with the history of a running demo where the environment names none."""
    settings = load(DatabaseSettings)
    running = current(settings.state_dir)
    if running is None or "database_url" not in running or os.environ.get(PREFIX + "DATABASE_URL"):
        return settings
    return settings.model_copy(update={"database_url": SecretStr(running["database_url"])})
