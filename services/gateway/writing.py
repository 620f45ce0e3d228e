"""Writes rows so that what is written again changes nothing, and what is older replaces nothing that is newer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from services.gateway import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Table
    from sqlalchemy.sql.dml import Insert

    from shared.runtime.records import Record

__all__ = ["Row", "write"]

ORDERED_BY = {
    tables.READINGS.name: ("revision",),
    tables.DRIFT_EVENTS.name: ("sent_ms", "topic_offset"),
    tables.MODEL_EVENTS.name: ("sent_ms", "topic_offset"),
}
"""Of tables whose rows are replaced only by newer ones: what rises from one to the next of a key."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write, and the record that it was made of, if it is one of a single record."""

    table: Table
    values: Mapping[str, Any]
    record: Record | None = field(default=None, compare=False)


def write(connection: Connection, rows: Iterable[Row]) -> dict[str, int]:
    """Write rows, those of a table in their order; returns how many were written of each table."""
    by_table: dict[Table, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_table[row.table].append(row.values)
    for table, values in by_table.items():
        connection.execute(_upsert(table, connection.dialect.name), values)
    return {table.name: len(values) for table, values in by_table.items()}


@cache
def _upsert(table: Table, dialect: str) -> Insert:
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    new = insert.excluded
    changed = {column.name: new[column.name] for column in table.columns if column.name not in keys}
    if table is tables.SITES:
        return insert.on_conflict_do_update(index_elements=keys, set_=_widened(new))  # type: ignore[no-any-return]
    order = ORDERED_BY.get(table.name)
    newer = tuple_(*(new[name] for name in order)) >= tuple_(*(table.c[name] for name in order)) if order else None
    return insert.on_conflict_do_update(index_elements=keys, set_=changed, where=newer)  # type: ignore[no-any-return]


def _widened(new: Any) -> dict[str, Any]:
    """Return what becomes of a site of which readings come: the span grows, and the step is that of the newest."""
    old = tables.SITES.c
    return {
        "first_s": case((new.first_s < old.first_s, new.first_s), else_=old.first_s),
        "last_s": case((new.last_s > old.last_s, new.last_s), else_=old.last_s),
        "step_minutes": case((new.last_s >= old.last_s, new.step_minutes), else_=old.step_minutes),
    }
