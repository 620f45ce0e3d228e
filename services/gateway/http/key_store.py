"""Where API keys are kept: in the database of the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from services.gateway.database import why_away
from services.gateway.http.keys import ApiKey, hash_of, new_key
from services.gateway.tables import API_KEYS
from shared.runtime.clock import now
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from services.gateway.database import Database

__all__ = ["KeptKey", "KeyStore"]

LONGEST = 100  # characters of a name


@dataclass(frozen=True)
class KeptKey:
    """What can be said of a key: its name, when it was made, and when it was revoked; the key itself is not kept."""

    name: str
    created: datetime
    revoked: datetime | None


class KeyStore:
    """The keys in a database.

    Parameters
    ----------
    database
        Its tables are of the version of this code: see ``Database.migrate``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def hashes(self) -> list[ApiKey]:
        """Return name and hash of all keys, revoked ones too, to check requests; raises SQLAlchemy's errors."""
        return [ApiKey(row.name, row.hash, row.revoked_s is not None) for row in self._rows()]

    def listed(self) -> list[KeptKey]:
        """Return what is listed of each key, oldest first; raises SQLAlchemy's errors."""
        return [KeptKey(row.name, _time(row.created_s), row.revoked_s and _time(row.revoked_s)) for row in self._rows()]

    def create(self, name: str) -> str:
        """Make a key and return it, this once; raises ``Refused`` if the name is invalid or was used before."""
        if not name.isprintable() or not name.strip() or len(name) > LONGEST:
            raise Refused(f"a key cannot be named {name!r}: give up to {LONGEST} characters that can be printed")
        key = new_key()
        row = {"id": token_hex(8), "name": name, "hash": hash_of(key), "created_s": int(now().timestamp())}
        try:
            with self._database.writer.begin() as connection:
                connection.execute(insert(API_KEYS).values(row))
        except IntegrityError:
            raise Refused(
                f"there is a key named {name!r}, and a name is never used again, also where its key is revoked: give "
                "another one; `tetouan keys list` has them"
            ) from None
        return key

    def revoke(self, name: str) -> None:
        """Revoke a key, for good; raises ``Refused`` if no key of this name is in force."""
        holds = (API_KEYS.c.name == name) & API_KEYS.c.revoked_s.is_(None)
        with self._database.writer.begin() as connection:
            change = update(API_KEYS).where(holds).values(revoked_s=int(now().timestamp()))
            if connection.execute(change).rowcount == 0:
                place = self._database.place
                raise Refused(f"no key named {name!r} is in force in {place}: `tetouan keys list` shows which are")

    def holds_any(self) -> bool | None:
        """Migrate the tables, then tell whether a key is in force; None while the database is away."""
        try:
            self._database.migrate()
            return any(not key.is_revoked for key in self.hashes())
        except DBAPIError as error:
            if why_away(error) is None:
                raise
            return None

    def _rows(self) -> Sequence[Row[tuple[object, ...]]]:
        with self._database.reader.connect() as connection:
            return connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_s, API_KEYS.c.name)).all()


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
