"""The API keys of the gateway, from the command line."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.table import Table

from cli.history_database import history, migrated, require_made
from services.gateway.http.key_store import KeyStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from services.gateway.http.key_store import KeptKey

__all__ = ["key_store", "key_table", "told"]


@contextmanager
def key_store(*, makes: bool = False) -> Iterator[KeyStore]:
    """Open the keys of the gateway's database; where the block has done its work, say which that was.

    Raises ``Refused`` as it does, and where there is none, unless it is to be made: an address that others reach
    needs a key before the first start of the gateway.
    """
    database = history()
    is_new = database.is_empty_place
    if not makes:
        require_made(database)
    with migrated(database):
        yield KeyStore(database)
    made = ", which is new: a gateway reads it with the same settings" if is_new else ""
    sys.stderr.write(f"in {database.place}{made}\n")


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
