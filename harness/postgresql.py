"""PostgreSQL for the tests: a container where a Docker engine answers, else the server that is named."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import URL, NullPool, create_engine, make_url
from testcontainers.community.postgres import PostgresContainer

from harness.kafka import KafkaMissingError, engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

__all__ = ["ADDRESS", "PostgreSQL", "PostgreSQLMissingError", "postgresql"]

ADDRESS = "TETOUAN_TEST_POSTGRES"
IMAGE = "postgres:17"


class PostgreSQLMissingError(Exception):
    """There is no PostgreSQL to test on; the message says how to provide one."""


@dataclass(frozen=True)
class PostgreSQL:
    """A running server, why it was chosen, and its container if it has one of ours."""

    url: URL
    why: str
    container: Container | None = None

    @contextmanager
    def database(self) -> Iterator[URL]:
        """Make an empty database of a name of its own, and drop it at the end."""
        name = f"test_{uuid4().hex[:12]}"
        server = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            yield self.url.set(database=name)
        finally:
            with server.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            server.dispose()


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Yield a container's server, else the one in ``TETOUAN_TEST_POSTGRES``; raises ``PostgreSQLMissingError``."""
    with ExitStack() as stack:
        try:
            address = engine()
        except KafkaMissingError as error:
            named = os.environ.get(ADDRESS)
            if not named:
                raise PostgreSQLMissingError(
                    f"real_postgresql: {error}, and {ADDRESS} is not set: start Docker, or give "
                    "postgresql://user:password@host/database of a user that may make databases"
                ) from error
            url = make_url(named).set(drivername="postgresql+psycopg")
            yield PostgreSQL(url, f"named by {ADDRESS}, as {error}")
            return
        container = PostgresContainer(IMAGE, driver="psycopg")
        try:
            stack.enter_context(container)
        except Exception as error:
            raise PostgreSQLMissingError(f"{IMAGE} does not start on the Docker engine ({str(error)[:200]})") from error
        why = f"{IMAGE} by testcontainers, as a Docker engine answers at {address}"
        yield PostgreSQL(make_url(container.get_connection_url()), why, container.get_wrapped_container())
