"""The table of readings as a site publishes it: which columns it has, and when its rows were measured."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pandas as pd

from shared.data.errors import DataError
from shared.data.numbers import plain_numbers

if TYPE_CHECKING:
    from shared.data.numbers import Mark
    from shared.data.reading import Table
    from shared.data.sites import Site

__all__ = ["fits", "of_site", "present", "times"]

TIME_FORMAT = "%m/%d/%Y %H:%M"
OFFSET = r"(?:Z|[+-]\d\d(?::?\d\d)?)"
ISO_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"


def of_site(table: Table, site: Site, name: str, decimal: Mark | None = None) -> pd.DataFrame:
    """Return the cells that the site publishes, its numbers with a decimal point, in file order.

    A table may lack columns of the site, but not the times, and not all of the loads.

    Parameters
    ----------
    name
        What an error calls the file.
    decimal
        The mark before the decimals, None where it is to be found out.

    Raises
    ------
    DataError
        Where the table is not one of the site, or a number can be read in two ways.
    """
    _check_columns(table.rows, site, name)
    read = [column for column in table.rows.columns if column not in site.ignore]
    loads_and_weather = [column for column in read if column in site.columns]
    return plain_numbers(table.rows[read], loads_and_weather, name, table.separator, decimal)


def fits(rows: pd.DataFrame, site: Site) -> bool:
    """Tell whether the columns are those of the site."""
    try:
        _check_columns(rows, site, "")
    except DataError:
        return False
    return True


def times(rows: pd.DataFrame, site: Site, name: str) -> pd.DatetimeIndex:
    """Return the time of each row in UTC, NaT where its text is no readable time; raises `DataError` if none is.

    A time without an offset is in the site's time zone. NaT is also one that its clock shows twice or never, when
    summer time ends and begins.
    """
    written = rows[site.time_column].str.strip()
    bare, aware = (
        written.where(written.str.fullmatch(ISO_TIME)),
        written.where(written.str.fullmatch(ISO_TIME + OFFSET)),
    )
    local = _read_times(written, TIME_FORMAT).fillna(_read_times(bare, "ISO8601"))
    shown = pd.DatetimeIndex(local).tz_localize(site.time_zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    known = shown.to_series().reset_index(drop=True).fillna(_read_times(aware, "ISO8601").dt.tz_localize("UTC"))
    if local.isna().all() and known.isna().all():
        found = f"{name}: {site.time_column} {written.iloc[0]!r} is no time"
        raise DataError(f"{found}: write month/day/year hour:minute, as in 1/31/2018 0:10, or ISO 8601")
    return pd.DatetimeIndex(known)


def _read_times(written: pd.Series[str], layout: str) -> pd.Series[pd.Timestamp]:
    """Return the naive times, in UTC where they have an offset, and NaT where the text is none."""
    return pd.to_datetime(written, format=layout, errors="coerce", utc=True).dt.tz_localize(None)


def present(site: Site, rows: pd.DataFrame) -> Site:
    """Return the site without the columns that the table does not have."""
    columns = {column: field for column, field in site.columns.items() if column in rows.columns}
    limits = {field: limits for field, limits in site.limits.items() if field in columns.values()}
    measures = {field: measure for field, measure in site.measures.items() if field in columns.values()}
    return site.model_copy(update={"columns": columns, "limits": limits, "measures": measures})


def _check_columns(rows: pd.DataFrame, site: Site, name: str) -> None:
    """Refuse a table without times or without any load, and a column that the site does not name."""
    expected = {site.time_column, *site.columns, *site.ignore}
    missing = [column for column in (site.time_column, *site.columns) if column not in rows.columns]
    unknown = [column for column in rows.columns if column not in expected]
    advice = "name the columns as published, to the space"
    if site.time_column in missing or not present(site, rows).zones:
        found = f", but {_quoted(unknown)}" if unknown else ""
        raise DataError(f"{name}: no column {_quoted(missing)}{found}: {advice}")
    for column in unknown:
        if meant := difflib.get_close_matches(column, missing, n=1):
            raise DataError(f"{name}: no column {meant[0]!r}, but {column!r}: {advice}")
    if unknown:
        advice = f"remove it, or name it in the columns or in ignore of {site.name} (TETOUAN_SITES)"
        raise DataError(f"{name}: unknown column {_quoted(unknown)}: {advice}")


def _quoted(columns: list[str]) -> str:
    return ", ".join(map(repr, columns))
