"""The history as Parquet files, for pandas, DuckDB and their like: one file a table, a row a reading, lead or event.

Times are in UTC, and demand is in kW. Files are written in pieces: a history of years does not have to fit the memory.
"""

from __future__ import annotations

import json
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Integer, Text, select

from services.gateway import tables
from services.gateway.packing import all_unpacked
from shared.contracts.messages import Score
from shared.runtime.settings import Refused
from shared.sites.likeness import closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Column, Connection, Row, Select, Table

__all__ = ["Chosen", "export", "require_site"]

SHOWN = 10  # names of sites
HELD = (
    tables.READINGS,
    tables.FORECASTS,
    tables.SCORES,
    tables.DRIFT_EVENTS,
    tables.MODEL_EVENTS,
    tables.DEAD_LETTERS,
)
AT_ONCE = 500  # rows of the history that are turned into one piece of a file
TIME = pa.timestamp("s", "UTC")
NAME = pa.dictionary(pa.int32(), pa.string())
ORDERING = ("topic_offset", "sent_ms")
KINDS = {Text: pa.string(), Integer: pa.int32(), BigInteger: pa.int64()}


class Chosen:
    """What is to be exported.

    Parameters
    ----------
    site
        That of the rows; None: all.
    start, until
        The first time and the one to end before, aware; None: no end.
    """

    def __init__(self, site: str | None = None, start: datetime | None = None, until: datetime | None = None) -> None:
        self.site = site
        self.start = start
        self.until = until

    def rows(self, table: Table, time: Column[Any]) -> Select[Any]:
        """Return the query for rows of a table whose time is that column, in the order of sites and times."""
        query = select(table).order_by(table.c.site, time)
        if self.site is not None:
            query = query.where(table.c.site == self.site)
        if self.start is not None:
            query = query.where(time >= int(self.start.timestamp()))
        if self.until is not None:
            query = query.where(time < int(self.until.timestamp()))
        return query


def require_site(connection: Connection, name: str) -> None:
    """Raise ``Refused`` where the history has nothing of a site."""
    for table in HELD:
        if connection.execute(select(table.c.site).where(table.c.site == name).limit(1)).first():
            return
    known = connection.execute(select(tables.SITES.c.site).order_by(tables.SITES.c.site)).scalars().all()
    like = closest(name, known)
    hint = f"did you mean {like}?" if like else f"it has {_shown(known)}"
    raise Refused(f"the history has no such site: {name!r}; {hint}")


def _shown(names: Sequence[str]) -> str:
    """Return names for people, of many the first."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "no readings of any site") + more


def export(connection: Connection, folder: Path, chosen: Chosen) -> dict[str, int]:
    """Write a file of each table to a folder; returns how many rows each has.

    Parameters
    ----------
    connection
        To the history.
    folder
        Where ``readings.parquet``, ``forecasts.parquet``, ``scores.parquet``, ``drift_events.parquet``,
        ``model_events.parquet`` and ``dead_letters.parquet`` are made.
    chosen
        Of which site, and from when to when: the time of a reading, an origin, an hour, the start of an event, and when
        a record was refused.
    """
    readings = chosen.rows(tables.READINGS, tables.READINGS.c.time_s)
    forecasts = chosen.rows(tables.FORECASTS, tables.FORECASTS.c.origin_s)
    fields = _found(connection, readings.with_only_columns(tables.READINGS.c.values_json))
    coverages = sorted(_found(connection, forecasts.with_only_columns(tables.FORECASTS.c.coverages_json).distinct()))
    pieces: dict[str, Iterable[pa.Table]] = {
        "readings": (_readings(rows, fields) for rows in _pieces(connection, readings)),
        "forecasts": (_forecasts(rows, coverages) for rows in _pieces(connection, forecasts)),
        "scores": map(_scores, _pieces(connection, chosen.rows(tables.SCORES, tables.SCORES.c.time_s))),
    }
    for table, time in (
        (tables.DRIFT_EVENTS, tables.DRIFT_EVENTS.c.started_s),
        (tables.MODEL_EVENTS, tables.MODEL_EVENTS.c.origin_s),
        (tables.DEAD_LETTERS, tables.DEAD_LETTERS.c.received_s),
    ):
        pieces[table.name] = map(partial(_events, table), _pieces(connection, chosen.rows(table, time)))
    return {name: _write(folder / f"{name}.parquet", of_file) for name, of_file in pieces.items()}


def _found(connection: Connection, query: Select[Any]) -> list[Any]:
    """Return what stands in JSON objects as names, or in lists, each once, in the order of appearance."""
    found: dict[Any, None] = {}
    for texts in connection.execution_options(yield_per=AT_ONCE).execute(query.order_by(None)).scalars():
        found |= dict.fromkeys(json.loads(texts))
    return list(found)


def _pieces(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of a query, in pieces; first none, so that a file has its columns in any case."""
    yield []
    yield from connection.execution_options(yield_per=AT_ONCE).execute(query).partitions()


def _write(file: Path, pieces: Iterable[pa.Table]) -> int:
    writer, count = None, 0
    try:
        for piece in pieces:
            writer = writer or pq.ParquetWriter(file, piece.schema, compression="zstd")
            writer.write_table(piece.cast(writer.schema))
            count += piece.num_rows
    finally:
        if writer is not None:
            writer.close()
    return count


def _readings(rows: Sequence[Row[Any]], fields: Sequence[str]) -> pa.Table:
    values = [json.loads(row.values_json) for row in rows]
    return pa.table(
        {
            "site": pa.array([row.site for row in rows], NAME),
            "time": pa.array([row.time_s for row in rows], TIME),
            "step_minutes": pa.array([row.step_minutes for row in rows], pa.int32()),
            "revision": pa.array([row.revision for row in rows], pa.int32()),
            **{field: pa.array([of_row.get(field) for of_row in values], pa.float64()) for field in fields},
            "flags_json": pa.array([row.flags_json for row in rows], pa.string()),
        }
    )


def _forecasts(rows: Sequence[Row[Any]], coverages: Sequence[float]) -> pa.Table:
    numbers = all_unpacked([row.arrays for row in rows])
    leads = [_leads(row, of_row.shape[1]) for row, of_row in zip(rows, numbers, strict=True)]
    counts = np.array([len(of_row) for of_row in leads], dtype=np.int64)
    lead = np.concatenate([np.zeros(0, np.int64), *leads])
    origin_s, step_minutes = (
        _spread([getattr(row, name) for row in rows], counts) for name in ("origin_s", "step_minutes")
    )
    columns: dict[str, Any] = {
        "site": _names([row.site for row in rows], counts),
        "zone": pa.array(_spread([row.zone for row in rows], counts), pa.int32()),
        "product": _names([row.product for row in rows], counts),
        "origin": pa.array(origin_s, pa.int64()).cast(TIME),
        "target": pa.array(origin_s + 60 * lead * step_minutes, pa.int64()).cast(TIME),
        "lead_minutes": pa.array(lead * step_minutes, pa.int32()),
        "median_kw": pa.array(np.concatenate([np.zeros(0), *(of_row[0] for of_row in numbers)])),
    }
    for coverage in coverages:
        for place, end in enumerate(("low", "high")):
            bounds = [_bound(row, of_row, coverage, place) for row, of_row in zip(rows, numbers, strict=True)]
            column = pa.array(np.concatenate([np.zeros(0), *bounds]), from_pandas=True)  # nan: there is none
            columns[f"{end}_{100 * coverage:g}_kw"] = column
    for name in ("level", "reason"):
        told = [_told(row, of_row, name) for row, of_row in zip(rows, leads, strict=True)]
        columns[name] = pa.array(np.concatenate([np.zeros(0, dtype=object), *told]), pa.string()).cast(NAME)
    for name in ("weather_estimate_kw", "weather_model_kw"):
        values = [np.nan if (value := getattr(row, name)) is None else value for row in rows]
        columns[name] = pa.array(np.repeat(np.array(values, np.float64), counts), from_pandas=True)
    for name in ("demand_model", "weather_model", "notes_json"):
        columns[name] = _names([getattr(row, name) for row in rows], counts)
    return pa.table(columns)


def _leads(row: Row[Any], columns: int) -> NDArray[np.int64]:
    kept = np.arange(1, columns + 1) if row.leads_json is None else json.loads(row.leads_json)
    return np.array(kept, dtype=np.int64)


def _spread(values: Sequence[int], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a value for each lead, where there is one a forecast."""
    return np.repeat(np.array(values, dtype=np.int64), counts)


def _names(values: Sequence[str | None], counts: NDArray[np.int64]) -> pa.Array:
    """Return a text for each lead, where there is one a forecast; each different text is kept once."""
    return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(values)), counts))).cast(NAME)


def _bound(row: Row[Any], numbers: NDArray[np.float64], coverage: float, place: int) -> NDArray[np.float64]:
    """Return one end of an interval of a forecast, nan where the forecast has no such interval."""
    coverages = json.loads(row.coverages_json)
    if coverage not in coverages:
        return np.full(numbers.shape[1], np.nan)
    found: NDArray[np.float64] = numbers[1 + 2 * coverages.index(coverage) + place]
    return found


def _told(row: Row[Any], leads: NDArray[np.int64], name: str) -> NDArray[np.object_]:
    """Return the fallback level that answered each lead, or the reason why it was not the best one."""
    told = np.full(len(leads), None, dtype=object)
    for span in json.loads(row.levels_json):
        told[(span["from_lead"] <= leads) & (leads <= span["to_lead"])] = span.get(name)
    return told


def _whole(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """Let pandas read columns as whole numbers, although some are missing; it would make them floats."""
    frame = pd.DataFrame({name: pd.array([], dtype="Int32") for name in names})
    return table.replace_schema_metadata(pa.Schema.from_pandas(frame, preserve_index=False).metadata)


def _scores(rows: Sequence[Row[Any]]) -> pa.Table:
    scores = [(row, score) for row in rows for score in json.loads(zlib.decompress(row.payload))]
    whole = [field for field in Score.model_fields if field.endswith(("_minutes", "_days"))]
    table = pa.table(
        {
            "site": pa.array([row.site for row, _ in scores], NAME),
            "zone": pa.array([row.zone for row, _ in scores], pa.int32()),
            "time": pa.array([row.time_s for row, _ in scores], TIME),
            **{
                field: pa.array(
                    [score.get(field) for _, score in scores], pa.int32() if field in whole else pa.float64()
                )
                for field in Score.model_fields
            },
        }
    )
    return _whole(table, whole)


def _events(table: Table, rows: Sequence[Row[Any]]) -> pa.Table:
    """Return events as they stand in the history, without what only orders them there; the message is JSON."""
    names = [column.name for column in table.columns if column.name not in ORDERING]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    made = pa.table(
        {
            name.removesuffix("_s"): pa.array(values, TIME if name.endswith("_s") else KINDS[type(table.c[name].type)])
            for name, values in columns.items()
        }
    )
    return _whole(made, [name for name in names if type(table.c[name].type) is Integer and table.c[name].nullable])
