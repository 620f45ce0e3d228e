"""The API keys of the gateway, from the command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.table import Table
from sqlalchemy.exc import DBAPIError

from services.gateway.database import Database, url_of, why_away
from services.gateway.http.key_store import KeyStore
from services.gateway.settings import DatabaseSettings
from shared.runtime.settings import Refused, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from services.gateway.http.key_store import KeptKey

__all__ = ["key_store", "key_table", "told"]


@contextmanager
def key_store() -> Iterator[KeyStore]:
    """Open the keys of the gateway's database, which is made where there is none.

    Raises
    ------
    Refused
        If the database does not answer, or is of a later release.
    """
    database = Database(url_of(load(DatabaseSettings)))
    try:
        database.migrate()
        yield KeyStore(database)
    except DBAPIError as error:
        if (why := why_away(error)) is None:
            raise
        raise Refused(
            f"the database {database.place} does not answer ({why}): start it, or set TETOUAN_DATABASE_URL"
        ) from None
    finally:
        database.close()


def told(keys: Sequence[KeptKey]) -> dict[str, list[dict[str, str | None]]]:
    """Return what is known of the keys, for JSON."""
    return {
        "keys": [
            {
                "name": key.name,
                "created": key.created.isoformat(),
                "revoked": key.revoked.isoformat() if key.revoked else None,
            }
            for key in keys
        ]
    }


def key_table(keys: Sequence[KeptKey]) -> Table:
    """Return what is known of the keys, for people."""
    table = Table("name", "made", "revoked", title="API keys (times are UTC)")
    for key in keys:
        table.add_row(key.name, _time(key.created), _time(key.revoked) if key.revoked else "")
    return table


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
