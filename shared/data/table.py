"""The table of readings as a site publishes it: which bytes are it, and what makes a file unreadable."""

from __future__ import annotations

import difflib
import hashlib
import io
import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from shared.data.sites import Site

__all__ = ["DataError", "identity", "is_published", "parse", "present", "table_bytes", "times"]

# of the published year with LF line ends; the same year with CRLF line ends has the same identity
PUBLISHED_SHA256 = "d5f8e1062bbc30c0f4855d61d33103f5185ad4e70ed0e5a42393975d536dcb55"
MEMBER = "Tetuan City power consumption.csv"
LIMIT_BYTES = 256 * 2**20
TIME_FORMAT = "%m/%d/%Y %H:%M"
OFFSET = r"(?:Z|[+-]\d\d(?::?\d\d)?)"
ISO_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"
# what zipfile lets through when bytes of an archive are wrong
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)


class DataError(Exception):
    """The data cannot be used; the message is one line that says what to change."""


def identity(table: bytes) -> str:
    """Return the sha256 of the table: the same whether its lines end in LF or CRLF."""
    return hashlib.sha256(table.replace(b"\r\n", b"\n")).hexdigest()


def is_published(table: bytes) -> bool:
    """Return whether this is the year that the UCI repository publishes (dataset 849, doi 10.24432/C5B034)."""
    return identity(table) == PUBLISHED_SHA256


def table_bytes(raw: bytes, name: str) -> bytes:
    """Return the CSV table in ``raw``: itself, or the published member where it is a zip archive.

    ``name`` is what an error calls it. Raises `DataError` for a broken archive, or one without the member.
    """
    if not raw.startswith(b"PK"):
        return raw
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            info = archive.getinfo(MEMBER)
            if info.file_size <= LIMIT_BYTES:
                return archive.read(info)
    except KeyError:
        raise DataError(f"{name}: the zip has no {MEMBER!r}: unpack it and give the CSV file") from None
    except BROKEN_ZIP as error:
        raise DataError(f"{name}: the zip is broken ({error}): get a complete copy") from error
    raise DataError(f"{name}: {MEMBER!r} unpacks to {info.file_size:,} bytes: give a file up to {LIMIT_BYTES:,} bytes")


def parse(table: bytes, site: Site, name: str) -> pd.DataFrame:
    """Return the cells as text, in file order under the published names; a cell that a row lacks is empty.

    A table may lack columns of the site, but not the times, and not all of the loads. ``name`` is what an error calls
    the file. Raises `DataError` where the bytes are not a whole table of the site.
    """
    try:
        text = table.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = table.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line} is no UTF-8 (byte {error.start}): save the file as UTF-8 CSV") from None
    try:
        rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_filter=False)
    except pd.errors.EmptyDataError:
        raise DataError(f"{name}: the file is empty: get a complete copy") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{name}: no CSV table ({str(error).strip()}): mend the line or get a complete copy") from None
    _check_columns(rows, site, name)
    rows = rows.drop(columns=[column for column in site.ignore if column in rows.columns])
    if rows.empty:
        raise DataError(f"{name}: a header but no rows: get a complete copy")
    if not text.endswith("\n"):
        raise DataError(f"{name}: the last line has no line end, the file looks truncated: get a complete copy")
    return rows


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
    return site.model_copy(update={"columns": columns, "limits": limits})


def _check_columns(rows: pd.DataFrame, site: Site, name: str) -> None:
    """Refuse a table without times or without any load, and a column that the site does not name."""
    expected = {site.time_column, *site.columns, *site.ignore}
    missing = [column for column in (site.time_column, *site.columns) if column not in rows.columns]
    unknown = [column for column in rows.columns if column not in expected]
    advice = "name the columns as published, to the space, with commas between"
    if site.time_column in missing or not present(site, rows).zones:
        found = f", but {_quoted(unknown)}" if unknown else ""
        raise DataError(f"{name}: no column {_quoted(missing)}{found}: {advice}")
    for column in unknown:
        if meant := difflib.get_close_matches(column, missing, n=1):
            raise DataError(f"{name}: no column {meant[0]!r}, but {column!r}: {advice}")
    if unknown:
        advice = f"remove it, or name it in the columns or in ignore of {site.name} (TETOUAN_SITES)"
        raise DataError(f"{name}: unknown column {_quoted(unknown)}: {advice}")
    # pandas takes the surplus of a first row that is longer than the header for row names
    if not isinstance(rows.index, pd.RangeIndex):
        raise DataError(f"{name}: line 2 has more cells than the header: remove what follows the last column")


def _quoted(columns: list[str]) -> str:
    return ", ".join(map(repr, columns))
