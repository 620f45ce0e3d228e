"""The history is whole after gateways were killed and the database was away: a sample of what `gateways` runs long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL

from services.gateway.database import Database
from tests.integration.gateways import (
    Days,
    Gateways,
    Rows,
    days_of,
    differences,
    killed_at_random,
    rows_of,
    undisturbed,
    with_database_away,
)
from tests.servers import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.brokers import Broker
    from harness.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    """Three days of two sites."""
    return days_of(3, tmp_path_factory.mktemp("days"))


@pytest.fixture(scope="module")
def expected(days: Days, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What an undisturbed core writes of them."""
    return undisturbed(days, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    """PostgreSQL for the session, or a skip that says how to provide it."""
    yield from served(request.config)


def test_a_killed_gateway_leaves_no_gap_and_no_double(
    broker: Broker, days: Days, expected: Rows, tmp_path: Path
) -> None:
    """Every message comes twice, and the gateway is killed twice: the tables are those of an undisturbed run."""
    url = URL.create("sqlite", database=str(tmp_path / "history.db"))
    with Gateways(broker, url, tmp_path) as gateways:
        killed_at_random(gateways, days, kills=2)
        found = gateways.settle()
    assert differences(found, expected) == {}
    assert found["forecasts"]


@pytest.mark.real_kafka
@pytest.mark.real_postgresql
def test_two_gateways_outlive_a_database_that_is_away(
    real_broker: Broker, postgresql_server: PostgreSQL, days: Days, expected: Rows, tmp_path: Path
) -> None:
    """They share the partitions, wait while nobody may connect, are alive meanwhile, and then write all of it."""
    with postgresql_server.database() as url:
        with Gateways(real_broker, url, tmp_path, count=2) as gateways:
            waited = with_database_away(gateways, days, postgresql_server)
            found = gateways.settle()
        assert rows_of(Database(url)) == found
    assert waited > 0
    assert differences(found, expected) == {}
