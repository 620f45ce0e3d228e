"""The database of the history: its connections, its version, and whether an error means that it is away.

SQLite is one file beside a log of what was written last; whoever reads does not wait for whoever writes, and there is
one writer at a time. PostgreSQL is asked over a pool of connections.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.runtime.settings import Refused, unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from services.gateway.settings import DatabaseSettings


__all__ = ["Database", "alembic_config", "url_of", "why_away", "why_refused"]

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_838_216_842  # any number, of ours alone: who has it brings the tables to their version
BUSY_S = 30.0  # that a writer of SQLite waits for another process
CONNECT_S = 5
LOST_MS = 30_000  # from which on a server that does not answer is taken for away
AWAY_STATES = ("08", "25006", "40", "42501", "53", "55", "57", "58")
"""How the codes of PostgreSQL begin that tell of the server: connections, resources, permissions, its operator."""

TOO_LARGE_STATE = "54"  # such as a row that an index cannot take


def url_of(settings: DatabaseSettings) -> URL:
    """Return where the history is, with the driver to use; raises ``Refused`` where nobody can know."""
    if settings.database_url is None:
        return URL.create("sqlite", database=str((settings.state_dir / "history" / "history.db").absolute()))
    try:
        url = make_url(settings.database_url.get_secret_value())
    except (ArgumentError, ValueError):
        raise Refused(
            "TETOUAN_DATABASE_URL is no address: write special characters of a password like %40, the port as a number"
        ) from None
    if not url.database:
        raise Refused("TETOUAN_DATABASE_URL names no database: give postgresql://user:password@host/database")
    return url if url.get_backend_name() == "sqlite" else url.set(drivername="postgresql+psycopg")


class Database:
    """The connections of a process to the history.

    Parameters
    ----------
    url
        Where it is: SQLite or PostgreSQL.

    Attributes
    ----------
    reader
        For those who read; on SQLite it can write nothing.
    writer
        For those who write; on SQLite each transaction has the file to itself from its beginning.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.writer = _sqlite(url, "BEGIN IMMEDIATE")
            self.reader = _sqlite(url, "BEGIN", "PRAGMA query_only = ON")
        else:
            # a pool each: those who read cannot take the last connection from those who write
            self.writer, self.reader = _postgresql(url), _postgresql(url)

    @property
    def place(self) -> str:
        """Where it is, without what may hold a secret: user, password and options."""
        place = URL.create(
            self.url.get_backend_name(), host=self.url.host, port=self.url.port, database=self.url.database
        )
        return place.render_as_string()

    @property
    def is_empty_place(self) -> bool:
        """Whether there is no file yet where one would be; nobody knows of a server before it is asked."""
        return self.is_sqlite and not Path(self.url.database or "").exists()

    def migrate(self) -> None:
        """Bring the tables to the version of this code: none is there, or those of an earlier one.

        Several processes may do so together: one does it, the others wait.

        Raises
        ------
        Refused
            If the folder cannot be made, the file is no database, or the tables are of a later release.
        """
        with self._alone() as connection, self._of_this_release():
            command.upgrade(alembic_config(connection), "head")

    def check_file(self) -> None:
        """Raise ``Refused`` where the history is a file that cannot be made, or is none that :meth:`migrate` takes.

        Nobody knows of a server before it is asked, and a file that another process holds is waited for then.
        """
        if not self.is_sqlite:
            return
        with self._held() as file:
            if not file.exists():
                return
            try:
                _log_ahead(file)
                with self.reader.connect() as connection, self._of_this_release():
                    scripts = ScriptDirectory.from_config(alembic_config(connection))
                    for version in MigrationContext.configure(connection).get_current_heads():
                        scripts.get_revision(version)
            except (DBAPIError, sqlite3.Error) as error:
                if why_away(error) is None:
                    raise

    @contextmanager
    def _of_this_release(self) -> Iterator[None]:
        """Raise ``Refused`` where Alembic does not know the version of the tables."""
        try:
            yield
        except CommandError as error:
            raise Refused(
                f"the history in {self.place} is not of this release ({error}): run the release that wrote it, or "
                "set TETOUAN_DATABASE_URL to another database"
            ) from None

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Begin a transaction that nobody else has begun this way."""
        if not self.is_sqlite:
            with self.writer.begin() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
                yield connection
            return
        with self._held() as file:
            _log_ahead(file)
            with self.writer.begin() as connection:
                yield connection

    @contextmanager
    def _held(self) -> Iterator[Path]:
        """Keep the file of SQLite from others who ask for it this way; yields it, whether or not it is there."""
        file = Path(self.url.database or "").absolute()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            held = FileLock(f"{file}.lock").acquire()
        except OSError as error:
            raise unwritable(file.parent, error) from None
        with held:
            yield file

    def close(self) -> None:
        """Close all connections."""
        self.writer.dispose()
        self.reader.dispose()


def _log_ahead(file: Path) -> None:
    """Let readers of a file not wait for writers, for good; raises ``Refused`` where it is no database."""
    with closing(sqlite3.connect(file)) as plain:
        try:
            plain.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            raise Refused(
                f"{file} is no SQLite database, or damaged: move it away, or set TETOUAN_DATABASE_URL to another file"
            ) from None


def alembic_config(connection: Connection) -> Config:
    """Return what Alembic has to know to change the tables behind a connection, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _sqlite(url: URL, begin: str, *pragmas: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, also around changes of tables
        for pragma in ("PRAGMA synchronous = FULL", *pragmas):
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_S,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": LOST_MS,
        },
    )


def why_away(error: BaseException) -> str | None:
    """Return what the database says where the error is no fault of a statement but of its server or file, else None.

    Such an error goes away when somebody mends the server or the disk: what was to be done is done again then.
    """
    if isinstance(error, PoolTimeoutError):
        return "all its connections are busy"
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError):
        is_away = cause.sqlite_errorcode != sqlite3.SQLITE_ERROR
    elif isinstance(cause, psycopg.Error):
        is_away = _is_of_the_server(cause)
    else:
        is_away = False
    return " ".join(str(cause).split()) if is_away else None


def why_refused(error: BaseException) -> str | None:
    """Return what the database says where it does not take the values of a row, else None.

    Such an error comes again however often the row is written.
    """
    if not isinstance(error, DBAPIError):
        return None
    is_too_large = isinstance(error.orig, psycopg.Error) and (error.orig.sqlstate or "").startswith(TOO_LARGE_STATE)
    is_refused = is_too_large or isinstance(error, DataError | IntegrityError)
    return " ".join(str(error.orig).split()) if is_refused else None


def _is_of_the_server(error: psycopg.Error) -> bool:
    if error.sqlstate is None:  # no answer came, or no connection
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(AWAY_STATES)
