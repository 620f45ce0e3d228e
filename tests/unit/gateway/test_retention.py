"""Of old forecasts the lead groups stay, of young ones all leads."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from services.gateway import tables
from services.gateway.database import Database
from services.gateway.packing import packed, unpacked
from services.gateway.retention import thin, thinned
from services.gateway.writing import Row, write
from tests.unit.gateway.test_writing import FORECAST, read, written

if TYPE_CHECKING:
    from harness.postgresql import PostgreSQL

DAY_S = 86_400
LATER = datetime(2017, 1, 1, tzinfo=UTC)
NUMBERS = np.arange(5 * 144, dtype=np.float64).reshape(5, 144)


def forecast(site: str, origin_s: int) -> Row:
    """Return a whole forecast."""
    return Row(tables.FORECASTS, {**FORECAST, "site": site, "origin_s": origin_s, "arrays": packed(NUMBERS)})


def site(name: str, last_s: int) -> Row:
    """Return a site whose newest reading is of this time."""
    return Row(tables.SITES, {"site": name, "step_minutes": 10, "first_s": 0, "last_s": last_s})


def thin_all(database: Database, days: int, most: int = 2, until: datetime = LATER) -> int:
    """Thin in pieces until there is nothing to thin; returns how many were."""
    count = 0
    while True:
        with database.writer.begin() as connection:
            done = thin(connection, days, most, until)
        count += done
        if not done:
            return count


@pytest.mark.parametrize(("step", "leads"), [(10, [1, 6, 36, 144]), (60, [1, 6, 24]), (5, [2, 12, 72])])
def test_the_lead_groups_of_any_step_stay(step: int, leads: list[int]) -> None:
    """The numbers of these leads are what they were; what lies beyond the last lead is no lead."""
    kept, arrays = thinned(packed(NUMBERS), step)
    assert json.loads(kept) == leads
    assert unpacked(arrays).tolist() == NUMBERS[:, [lead - 1 for lead in leads]].tolist()


def test_only_what_is_old_for_its_site_is_thinned(database: Database) -> None:
    """A site that stands still keeps what it has, however far another has gone on; each is thinned once."""
    far = 100 * DAY_S
    rows = [forecast("a", origin_s) for origin_s in (0, 600, 10 * DAY_S - 600, 10 * DAY_S)] + [forecast("b", 0)]
    written(database, *rows, site("a", far), site("b", DAY_S))
    assert thin_all(database, 90) == 3
    kept: dict[Any, list[int] | None] = {
        (row["site"], row["origin_s"]): row["leads_json"] and json.loads(row["leads_json"])
        for row in read(database, tables.FORECASTS)
    }
    groups = [1, 6, 36, 144]
    assert kept == {
        ("a", 0): groups,
        ("a", 600): groups,
        ("a", 10 * DAY_S - 600): groups,
        ("a", 10 * DAY_S): None,
        ("b", 0): None,
    }
    assert thin_all(database, 90) == 0


def test_a_thinned_forecast_says_the_same_of_its_leads(database: Database) -> None:
    """Everything but leads and numbers stays as it was."""
    written(database, forecast("a", 0), site("a", 100 * DAY_S))
    before = read(database, tables.FORECASTS)[0]
    thin_all(database, 90)
    after = read(database, tables.FORECASTS)[0]
    changed = {"leads_json", "arrays"}
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert unpacked(after["arrays"])[:, 3].tolist() == NUMBERS[:, 143].tolist()


def test_a_reading_of_the_future_thins_nothing(database: Database) -> None:
    """One wrong time would take from a site what it has for good."""
    written(database, forecast("a", 0), forecast("a", 10 * DAY_S), site("a", 10**10))
    assert thin_all(database, 90, until=datetime.fromtimestamp(95 * DAY_S, UTC)) == 1
    assert {row["origin_s"]: row["leads_json"] is None for row in read(database, tables.FORECASTS)} == {
        0: False,
        10 * DAY_S: True,
    }


@pytest.mark.real_postgresql
def test_a_forecast_that_comes_again_meanwhile_is_not_overwritten(postgresql_server: PostgreSQL) -> None:
    """It waits for who thins the one before it, and stands whole then."""
    newer = Row(tables.FORECASTS, {**FORECAST, "origin_s": 0, "arrays": packed(NUMBERS + 1.0)})
    with postgresql_server.database() as url:
        database, other = Database(url), Database(url)
        database.migrate()
        written(database, forecast("a", 0), site("a", 100 * DAY_S))

        @event.listens_for(database.writer, "before_cursor_execute")
        def come_between(*said: Any) -> None:
            if said[2].startswith("UPDATE"):
                with suppress(OperationalError), other.writer.begin() as connection:
                    connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
                    write(connection, [newer])
                    came.append(newer)

        came: list[Row] = []
        with database.writer.begin() as connection:
            assert thin(connection, 90, 10, LATER) == 1
        if not came:
            written(other, newer)
        assert read(database, tables.FORECASTS) == [newer.values]
        database.close()
        other.close()
