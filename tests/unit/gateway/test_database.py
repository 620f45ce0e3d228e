"""The tables are those of the newest version, whoever made them and however often it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, insert, inspect, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from services.gateway import tables
from services.gateway.database import Database, alembic_config, url_of, why_away, why_refused
from services.gateway.settings import DatabaseSettings
from shared.runtime.settings import Refused, load

if TYPE_CHECKING:
    from pathlib import Path


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    """After all steps nothing is left that Alembic would change."""
    with database.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.METADATA) == []


def test_gateways_that_start_together_make_the_tables_once(url: URL) -> None:
    """Of several that bring the tables to their version at once none fails."""
    databases = [Database(url) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(Database.migrate, databases))
    assert set(tables.METADATA.tables) < set(inspect(databases[0].reader).get_table_names())
    for each in databases:
        each.close()


def test_every_version_becomes_the_newest_and_keeps_its_rows(url: URL) -> None:
    """A history that an earlier release has made and filled is read by this one."""
    database = Database(url)
    with database.writer.begin() as connection:
        steps = ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()
    versions = [step.revision for step in steps][::-1]
    for version in versions:
        with database.writer.begin() as connection:
            command.upgrade(alembic_config(connection), version)
            if version == versions[0]:
                connection.execute(insert(tables.SITES).values(site="a", step_minutes=10, first_s=0, last_s=600))
        with database.reader.connect() as connection:
            assert connection.execute(select(tables.SITES.c.last_s)).scalars().all() == [600]
    database.migrate()
    database.close()


def test_a_history_of_a_later_release_is_refused(database: Database) -> None:
    """One line says that the tables are of another release, and where they are."""
    with database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Refused, match=r"is not of this release.*9999"):
        database.migrate()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """It is left as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("nothing that SQLite has written\n" * 100)
    database = Database(URL.create("sqlite", database=str(file)))
    with pytest.raises(Refused, match="is no SQLite database"):
        database.migrate()
    assert file.read_text().startswith("nothing")


def test_readers_of_sqlite_cannot_write(tmp_path: Path) -> None:
    """Whoever answers requests has no way to change the history."""
    database = Database(URL.create("sqlite", database=str(tmp_path / "history.db")))
    database.migrate()
    with pytest.raises(OperationalError, match="readonly"), database.reader.begin() as connection:
        connection.execute(insert(tables.SITES).values(site="a", step_minutes=10, first_s=0, last_s=0))
    database.close()


def test_a_server_that_does_not_answer_is_away() -> None:
    """Nobody listens: that is waited for, and the password is not in what is said."""
    database = Database(URL.create("postgresql+psycopg", "me", "secret", "127.0.0.1", 1, "history"))
    with pytest.raises(OperationalError) as raised:
        database.migrate()
    why = why_away(raised.value)
    assert why is not None
    assert "refused" in why
    assert "secret" not in why + database.place


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("postgresql://secret@db:5433/history?password=secret&sslpassword=secret", "postgresql://db:5433/history"),
        ("postgresql://secret:secret@db/history", "postgresql://db/history"),
        ("sqlite:////var/history.db", "sqlite:////var/history.db"),
    ],
)
def test_a_place_shows_no_secret(address: str, place: str) -> None:
    """Wherever a password stands in the address."""
    database = Database(url_of(load(DatabaseSettings, database_url=address)))
    assert database.place == place
    database.close()


def test_those_who_read_leave_a_connection_to_those_who_write(database: Database) -> None:
    """Readers that hold all their connections are told so, as of a database that is away."""
    with ExitStack() as held:
        pool = database.reader.pool
        assert isinstance(pool, QueuePool)
        for _ in range(pool.size() + pool._max_overflow):  # noqa: SLF001 - it has no other name
            held.enter_context(database.reader.connect())
        with database.writer.begin() as connection:
            connection.execute(insert(tables.SITES).values(site="a", step_minutes=10, first_s=0, last_s=0))
    assert why_away(PoolTimeoutError("QueuePool limit of size 5 overflow 10 reached")) == (
        "all its connections are busy"
    )


def test_a_row_that_is_refused_is_told_from_a_database_that_is_away(database: Database) -> None:
    """Its values are the reason, and come back every time."""
    with pytest.raises(IntegrityError) as raised, database.writer.begin() as connection:
        connection.execute(insert(tables.SITES).values(site="a", step_minutes=None, first_s=0, last_s=0))
    assert why_away(raised.value) is None
    assert "step_minutes" in (why_refused(raised.value) or "")
    with pytest.raises(Exception, match="nowhere") as wrong, database.reader.begin() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert why_refused(wrong.value) is None


def test_a_wrong_statement_is_no_server_that_is_away(database: Database) -> None:
    """A table that is not there is our fault."""
    with pytest.raises(Exception, match="nowhere") as raised, database.reader.begin() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert why_away(raised.value) is None


def test_the_history_lies_in_the_state_folder_by_default(tmp_path: Path) -> None:
    """Without a setting it is one file."""
    url = url_of(load(DatabaseSettings, state_dir=tmp_path))
    assert url == URL.create("sqlite", database=str(tmp_path / "history" / "history.db"))


def test_an_address_of_postgresql_is_taken_with_our_driver() -> None:
    """The form that PostgreSQL's own tools take will do."""
    url = url_of(load(DatabaseSettings, database_url="postgresql://me:a%40b@db:5433/history"))
    assert url == URL.create("postgresql+psycopg", "me", "a@b", "db", 5433, "history")


@pytest.mark.parametrize("given", ["mysql://me:secret@db/x", "sqlite:///relative.db", "me:secret@db"])
def test_other_databases_are_refused_without_the_password(given: str) -> None:
    """The line names the setting and what to give, and no secret."""
    with pytest.raises(Refused, match=r"TETOUAN_DATABASE_URL=.*give sqlite") as raised:
        load(DatabaseSettings, database_url=given)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("given", ["postgresql://me:secret@db:port/x", "postgresql://me:secret@db"])
def test_half_an_address_is_refused_without_the_password(given: str) -> None:
    """What no driver can use is told at the start."""
    with pytest.raises(Refused, match="TETOUAN_DATABASE_URL") as raised:
        url_of(load(DatabaseSettings, database_url=given))
    assert "secret" not in str(raised.value)
