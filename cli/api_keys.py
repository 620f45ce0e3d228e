"""The API keys of the gateway, from the command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.table import Table

from cli.history_database import history, migrated
from services.gateway.http.key_store import KeyStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from services.gateway.http.key_store import KeptKey

__all__ = ["key_store", "key_table", "told"]


@contextmanager
def key_store() -> Iterator[KeyStore]:
    """Open the keys of the gateway's database, which is made where there is none; raises ``Refused`` as it does."""
    with migrated(history()) as database:
        yield KeyStore(database)


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
