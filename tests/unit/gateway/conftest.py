"""Databases for the tests of the gateway: the same tests run on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL

from services.gateway.database import Database
from tests.servers import served
from tests.unit.gateway.api.filled import small_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.postgresql import PostgreSQL
    from shared.forecasting.weather import WeatherDemand


@pytest.fixture(scope="session")
def postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    """PostgreSQL for the session, or a skip that says how to provide it."""
    yield from served(request.config)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real_postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """Every kind of database there is, one after the other, each empty."""
    if request.param == "sqlite":
        yield URL.create("sqlite", database=str(tmp_path / "history.db"))
        return
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    with server.database() as address:
        yield address


@pytest.fixture
def database(url: URL) -> Iterator[Database]:
    """A history without a row."""
    found = Database(url)
    found.migrate()
    yield found
    found.close()


@pytest.fixture(scope="session")
def weather_model() -> WeatherDemand:
    """A small one."""
    return small_model()
