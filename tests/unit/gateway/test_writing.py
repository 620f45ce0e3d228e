"""What is written again changes nothing, and what is older replaces nothing that is newer."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from services.gateway import tables
from services.gateway.writing import Row, write

if TYPE_CHECKING:
    from sqlalchemy import Table

    from services.gateway.database import Database

READING = {
    "site": "a",
    "time_s": 600,
    "step_minutes": 10,
    "revision": 0,
    "values_json": '{"zone_1_kw":1.0}',
    "flags_json": None,
}
FORECAST = {
    "site": "a",
    "zone": 1,
    "origin_s": 600,
    "product": tables.ROLLING,
    "step_minutes": 10,
    "leads_json": None,
    "arrays": b"\x00\xff",
    "coverages_json": "[0.9]",
    "levels_json": "[]",
    "notes_json": None,
    "moved_json": None,
    "weather_estimate_kw": 0.1,
    "weather_model_kw": None,
    "demand_model": "m/1",
    "weather_model": None,
}
SCORES = {"site": "a", "zone": 1, "time_s": 3600, "payload": b"\x00"}
DRIFT = {
    "id": "x",
    "site": "a",
    "zone": None,
    "kind": "sensor",
    "severity": "info",
    "started_s": 0,
    "ended_s": None,
    "payload_json": "{}",
    "sent_ms": -1,
    "topic_offset": 5,
}
MODEL = {
    "site": "a",
    "zone": 1,
    "model": "m",
    "version": "",
    "role": "champion",
    "change": "promoted",
    "origin_s": 0,
    "payload_json": "{}",
    "sent_ms": -1,
    "topic_offset": 5,
}
LETTER = {
    "topic": "readings.raw.v1",
    "partition": 0,
    "offset": 2**40,
    "site": None,
    "reason": "not_json",
    "field": None,
    "received_s": 0,
}
ROWS = [
    Row(tables.READINGS, READING),
    Row(tables.FORECASTS, FORECAST),
    Row(tables.SCORES, SCORES),
    Row(tables.DRIFT_EVENTS, DRIFT),
    Row(tables.MODEL_EVENTS, MODEL),
    Row(tables.DEAD_LETTERS, LETTER),
]


def written(database: Database, *rows: Row) -> dict[str, int]:
    """Write rows, each in a transaction of its own."""
    counts: dict[str, int] = {}
    for row in rows:
        with database.writer.begin() as connection:
            for name, count in write(connection, [row]).items():
                counts[name] = counts.get(name, 0) + count
    return counts


def read(database: Database, table: Table) -> list[dict[str, Any]]:
    """Return all rows of a table."""
    with database.reader.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def test_rows_come_back_as_they_were_written(database: Database) -> None:
    """Every column of every table holds what was given, once, however often it was."""
    assert written(database, *ROWS, *ROWS) == {row.table.name: 2 for row in ROWS}
    for row in ROWS:
        assert read(database, row.table) == [row.values]


@pytest.mark.parametrize(
    ("table", "row", "rising"),
    [
        (tables.READINGS, READING, "revision"),
        (tables.DRIFT_EVENTS, DRIFT, "topic_offset"),
        (tables.MODEL_EVENTS, MODEL, "topic_offset"),
    ],
)
def test_what_is_older_replaces_nothing(database: Database, table: Table, row: dict[str, Any], rising: str) -> None:
    """A batch that was frozen on its way comes too late; of one number the last is valid."""
    told = next(name for name in row if name.endswith("_json"))
    for number, text in ((8, "first"), (9, "newer"), (8, "older"), (9, "again")):
        written(database, Row(table, {**row, rising: number, told: text}))
    assert read(database, table) == [{**row, rising: 9, told: "again"}]


@pytest.mark.parametrize(("table", "row"), [(tables.DRIFT_EVENTS, DRIFT), (tables.MODEL_EVENTS, MODEL)])
def test_topics_that_were_made_anew_go_on_with_what_they_tell(
    database: Database, table: Table, row: dict[str, Any]
) -> None:
    """Offsets begin at 0 again: what was sent later is newer."""
    told = [{**row, "sent_ms": 1, "topic_offset": 900}, {**row, "sent_ms": 2, "topic_offset": 0}]
    written(database, *(Row(table, each) for each in told))
    assert read(database, table) == [told[-1]]


def test_the_widest_row_of_each_table_is_taken(database: Database) -> None:
    """Names of the lengths that the history takes fit into each index, though they cannot be compressed."""
    for row in ROWS:
        longest = {
            column.name: token_hex(tables.LONGEST_KEY_BYTES // 2)
            for column in row.table.primary_key
            if isinstance(row.values[column.name], str) and column.name not in {"role", "change", "product"}
        }
        wide = {**row.values, **longest}
        if "site" in wide:
            wide["site"] = token_hex(tables.LONGEST_SITE_BYTES // 2)
        written(database, Row(row.table, wide))
        assert read(database, row.table) == [wide]


def test_a_forecast_that_comes_again_is_whole_again(database: Database) -> None:
    """Of forecasts the last message is valid, whatever became of an earlier one."""
    with database.writer.begin() as connection:
        connection.execute(insert(tables.FORECASTS).values({**FORECAST, "leads_json": "[1]", "arrays": b""}))
    written(database, Row(tables.FORECASTS, FORECAST))
    assert read(database, tables.FORECASTS) == [FORECAST]


def test_rows_of_one_key_in_a_batch_follow_each_other(database: Database) -> None:
    """A reading and its correction may come together, in either order."""
    corrected = {**READING, "revision": 1, "values_json": "{}"}
    for rows in ([READING, corrected], [corrected, READING]):
        with database.writer.begin() as connection:
            write(connection, [Row(tables.READINGS, row) for row in rows])
        assert read(database, tables.READINGS) == [corrected]


def test_the_span_of_a_site_only_grows(database: Database) -> None:
    """The step is that of the newest reading."""
    for step, first_s, last_s in ((10, 600, 1200), (5, 900, 1500), (60, 0, 300), (10, 700, 800)):
        row = {"site": "a", "step_minutes": step, "first_s": first_s, "last_s": last_s}
        written(database, Row(tables.SITES, row))
    assert read(database, tables.SITES) == [{"site": "a", "step_minutes": 5, "first_s": 0, "last_s": 1500}]


@pytest.mark.parametrize("site", ['it\'s "quoted"', "../../etc", "a/b", "%2F", "'; DROP TABLE readings; --", "é" * 500])
def test_any_name_of_a_site_is_only_a_name(database: Database, site: str) -> None:
    """Names are parameters, never a part of a statement."""
    written(database, Row(tables.READINGS, {**READING, "site": site}))
    assert read(database, tables.READINGS) == [{**READING, "site": site}]
