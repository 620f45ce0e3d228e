"""The table in a file, in whichever form: every cell as text, under the names that the file gives."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.data.dialect import Survey, dialect_of
from shared.data.errors import DataError
from shared.data.signatures import no_table
from shared.data.unpacking import unpacked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from shared.data.dialect import Dialect
    from shared.data.unpacking import Open

__all__ = ["Share", "Table", "read_table"]

BATCH_ROWS = 8192
TEXT = pa.large_string()
INDEX = "__index_level_0__"  # what Parquet calls an index without a name

Share = Callable[[float], None]
"""Told the share of the work that is done, 0..1."""


@dataclass(frozen=True, eq=False)
class Table:
    """What a file holds.

    Attributes
    ----------
    rows
        Text, in the order of the file; the index is the line of the file, of Parquet the row, which begin with 1.
    sha256
        Of the bytes, with LF line ends.
    separator
        What stands between two cells.
    """

    rows: pd.DataFrame
    sha256: str
    separator: str


def read_table(
    opened: Open, name: str, *, separator: str | None = None, known: Collection[str] = (), told: Share | None = None
) -> Table:
    """Read CSV of any dialect, or Parquet, either as it is or compressed.

    Parameters
    ----------
    opened
        Opens the file.
    name
        What an error calls the file.
    separator, known
        As in `shared.data.dialect.dialect_of`.

    Raises
    ------
    DataError
        Where the file is broken, cut off, or no table.
    """
    table = unpacked(opened, name)
    with table() as file:
        survey = Survey.of(file)
    if survey.head.startswith(b"PAR1"):
        rows, separator = _parquet(table, name, known, told or _untold), ","
    elif looks := no_table(survey.head):
        raise DataError(f"{name}: {looks}")
    else:
        dialect = dialect_of(survey, name, separator, known)
        rows, separator = _text(table, dialect, name, told or _untold, survey.size), dialect.separator
        if len(rows) and not survey.whole:
            advice = "get a complete copy, or end the last line if it is whole"
            raise DataError(f"{name}: the last line has no line end, the file looks truncated: {advice}")
    if rows.empty:
        raise DataError(f"{name}: a header but no rows: get a complete copy")
    return Table(rows, survey.sha256, separator)


def _text(opened: Open, dialect: Dialect, name: str, told: Share, size: int) -> pd.DataFrame:
    """Return the cells; one that a row lacks is empty."""
    columns: list[list[pa.Array]] = [[] for _ in dialect.columns]
    lines: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
    with opened() as file, io.TextIOWrapper(file, dialect.encoding, newline="") as text:
        rows = _rows(text, dialect, name)
        while batch := list(islice(rows, BATCH_ROWS)):
            numbers, *cells = zip(*batch, strict=True)
            lines.append(np.array(numbers, np.int32))
            for column, values in zip(columns, cells, strict=True):
                column.append(pa.array(values, TEXT))
            told(min(1.0, _position(file) / size))
    named = {
        column: _array(chunks) for column, chunks in zip(dialect.columns, columns, strict=True) if column is not None
    }
    return pd.DataFrame(named, index=pd.Index(np.concatenate([np.empty(0, np.int32), *lines])), copy=False)


def _rows(text: io.TextIOWrapper, dialect: Dialect, name: str) -> Iterator[tuple[int | str, ...]]:
    """Yield the line and the cells of each row below the header, as many as there are columns."""
    for _ in range(dialect.header_line - 1):
        next(text)
    above, width = dialect.header_line - 1, len(dialect.columns)
    rows = csv.reader(text, delimiter=dialect.separator, quotechar=dialect.quote, strict=True)
    try:
        next(rows, None)
        for cells in rows:
            if not cells or _is_comment(cells):
                continue
            if len(cells) != width:
                cells = _fitted(cells, width, above + rows.line_num, name)  # noqa: PLW2901 - it stands in for the row
            yield (above + rows.line_num, *cells)
    except csv.Error as error:
        where = f"line {above + rows.line_num}"
        raise DataError(f"{name}: no CSV table ({where}: {error}): mend the line or get a complete copy") from None
    except UnicodeError:
        where = f"below line {above + rows.line_num}"
        raise DataError(f"{name}: no {dialect.encoding} {where}: save the file as UTF-8 CSV") from None


def _is_comment(cells: list[str]) -> bool:
    """Tell whether a line below the header is a comment, and no row whose time a spreadsheet wrote as ``#REF!``."""
    return len(cells) == 1 and cells[0].startswith("# ")


def _fitted(cells: list[str], width: int, line: int, name: str) -> list[str]:
    """Return a row with empty cells for those that it lacks; raises where it has more than there are columns."""
    if any(cells[width:]):
        seen = f"line {line} has {len(cells)} cells, the header {width}"
        raise DataError(f"{name}: {seen}: remove what follows the last column, or quote a cell with a separator in it")
    return cells[:width] + [""] * (width - len(cells))


def _position(file: BinaryIO) -> int:
    try:
        return file.tell()
    except OSError:
        return 0


def _array(chunks: list[pa.Array]) -> pd.api.extensions.ExtensionArray:
    """Return the text of a column, in one piece, and let go of the pieces."""
    whole: pd.api.extensions.ExtensionArray = pd.array(pa.concat_arrays([pa.array([], TEXT), *chunks]), dtype="str")
    chunks.clear()
    return whole


def _parquet(opened: Open, name: str, known: Collection[str], told: Share) -> pd.DataFrame:
    """Return the cells as the text of a CSV file: numbers in digits, times in ISO 8601, nothing for null."""
    try:
        with opened() as file:
            parquet = pq.ParquetFile(file if file.seekable() else io.BytesIO(file.read()))
            names = [field.name for field in parquet.schema_arrow]
            columns: list[list[pa.Array]] = [[] for _ in names]
            done, rows = 0, max(1, parquet.metadata.num_rows)
            for batch in parquet.iter_batches(BATCH_ROWS):
                for column, cells in zip(columns, batch.columns, strict=True):
                    column.append(_written(cells))
                done += batch.num_rows
                told(done / rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: no whole Parquet table ({error}): get a complete copy") from None
    named = {
        _called(column, place, known): _array(chunks)
        for place, (column, chunks) in enumerate(zip(names, columns, strict=True))
    }
    return pd.DataFrame(named, index=pd.RangeIndex(1, parquet.metadata.num_rows + 1), copy=False)


def _called(column: str, place: int, known: Collection[str]) -> str:
    """Return what a column is called: an index without a name is a column without one."""
    if column != INDEX or column in known:
        return column
    return "" if "" in known else f"Unnamed: {place}"


def _written(cells: pa.Array) -> pa.Array:
    """Return the cells as text; raises ``ArrowException`` where they are lists, structures or bytes."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    return pc.fill_null(cells.cast(TEXT), "")


def _untold(share: float) -> None:
    """Take no notice of progress."""
