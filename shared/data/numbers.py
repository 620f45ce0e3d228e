"""Numbers as people write them: which mark stands before the decimals, and what only groups the digits.

The mark of a column is decided from the whole file. Where two readings of it remain, the file is refused: no cell is
ever taken for another number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

__all__ = ["Mark", "is_number", "meant_by", "plain_numbers"]

Mark = Literal[".", ","]

SIGN = r"\s*[+-]?"
GROUP = r" \x{a0}\x{202f}'\x{2019}"  # blanks and apostrophes do nothing but group digits
MARKS: tuple[Mark, Mark] = (".", ",")
OTHER: Mapping[Mark, Mark] = {".": ",", ",": "."}


def _grammar(mark: Mark) -> str:
    """Return the pattern of the numbers with that mark before their decimals."""
    point, comma = re.escape(mark), re.escape(OTHER[mark])
    whole = rf"(?:[1-9]\d{{0,2}}(?:[{GROUP}]\d{{3}})+|[1-9]\d{{0,2}}(?:{comma}\d{{2,3}})*{comma}\d{{3}}|\d+)"
    return rf"^{SIGN}(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?\s*$"


def _evidence(mark: Mark) -> str:
    """Return the pattern of the numbers that can have no other mark before their decimals."""
    point, comma = re.escape(mark), re.escape(OTHER[mark])
    end = r"(?:[eE][+-]?\d+)?\s*$"
    ways = (
        rf"(?:\d+{point}\d{{0,2}}|\d*{point}\d{{4,}}|{point}\d{{1,2}}){end}",  # groups have three digits
        rf"(?:0\d*|\d{{4,}}|){point}\d{{3}}{end}",  # the first one has up to three and no leading zero
        rf"\d+{point}\d*[eE][+-]?\d+\s*$",
        rf"[1-9]\d{{0,2}}(?:[{GROUP}]\d{{3}})+{point}\d*{end}",
        rf"[1-9]\d{{0,2}}(?:{comma}\d{{2,3}})*{comma}\d{{3}}{point}\d*{end}",
        rf"[1-9]\d{{0,2}}(?:{comma}\d{{2,3}})+{comma}\d{{3}}\s*$",  # a mark that comes twice groups
    )
    return rf"^{SIGN}(?:{'|'.join(ways)})"


NUMBER = {mark: _grammar(mark) for mark in MARKS}
PROOF = {mark: _evidence(mark) for mark in MARKS}
OPEN = {mark: rf"^{SIGN}[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}\s*$" for mark in MARKS}
ODD = rf",|\..*\.|\d[{GROUP}]\d"  # what a number with a decimal point and nothing else never holds


def is_number(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return for each cell whether it is a number with whichever mark."""
    return pc.or_(*(pc.match_substring_regex(cells, NUMBER[mark]) for mark in MARKS))


def meant_by(text: str) -> tuple[str, ...]:
    """Return the numbers that a text can mean, as digits with a decimal point; several where that cannot be told."""
    cell = pa.chunked_array([pa.array([text], pa.large_string())])
    proven = [mark for mark in MARKS if _any(cell, PROOF[mark])]
    read = [mark for mark in proven or MARKS if _any(cell, NUMBER[mark])]
    return tuple(dict.fromkeys(_plain(cell, mark)[0].as_py().strip() for mark in read))


def plain_numbers(
    rows: pd.DataFrame, columns: Iterable[str], name: str, separator: str, decimal: Mark | None
) -> pd.DataFrame:
    """Return the table with the numbers of these columns as digits with a decimal point; other cells stay as they are.

    Parameters
    ----------
    rows
        Text; the index is the line of the file.
    separator
        What stands between two cells: beside a comma, a point can only be that before the decimals.
    decimal
        The mark before the decimals, None where it is to be found out.

    Raises
    ------
    DataError
        Where the mark cannot be told, or a cell has another one.
    """
    import pandas as pd  # noqa: PLC0415 - a second, for which those who read no file need not wait

    cells = {column: pa.array(rows[column].array) for column in columns}
    if decimal is None and separator == "," and not any(_any(text, ODD) for text in cells.values()):
        return rows
    named = {column: f"{name}: column {column!r}" for column in cells}
    found = {column: _mark_of(text, named[column], rows.index, decimal) for column, text in cells.items()}
    told = set(found.values()) - {None}
    common = told.pop() if len(told) == 1 else None
    for column, text in cells.items():
        mark = found[column] or common or _default(text, named[column], rows.index, separator)
        if mark == "," or _any(text, ODD):
            rows = rows.assign(**{column: pd.array(_plain(text, mark), dtype="str")})
    return rows


def _mark_of(text: pa.ChunkedArray, column: str, lines: pd.Index, decimal: Mark | None) -> Mark | None:
    """Return the mark that the cells prove, None where they prove none."""
    rows: dict[Mark, int] = {mark: row for mark in MARKS if (row := _first(text, PROOF[mark])) is not None}
    cells = " and ".join(f"{text[row].as_py()!r} (line {lines[row]})" for row in sorted(rows.values()))
    if len(rows) > 1:
        raise DataError(f"{column} holds {cells}: write all numbers of the column with one decimal mark")
    mark = next(iter(rows), None)
    if decimal is not None and mark not in (None, decimal):
        raise DataError(f"{column} holds {cells}: {decimal!r} is not its decimal mark, leave out --decimal or mend it")
    return decimal or mark


def _default(text: pa.ChunkedArray, column: str, lines: pd.Index, separator: str) -> Mark:
    """Return the mark of a column none of whose cells proves one; raises where there is a choice."""
    for mark in MARKS if separator != "," else MARKS[1:]:
        row = _first(text, OPEN[mark])
        if row is not None:
            cell = text[row].as_py().strip()
            either = f"{cell.replace(mark, '.')} or {cell.replace(mark, '')}"
            advice = "give --decimal point or --decimal comma"
            raise DataError(f"{column} holds {cell!r} (line {lines[row]}), which is {either}: {advice}")
    return "."


def _plain(text: pa.ChunkedArray, mark: Mark) -> pa.ChunkedArray:
    digits = pc.replace_substring_regex(text, rf"[{GROUP}{OTHER[mark]}]", "")
    written = pc.replace_substring(digits, mark, ".") if mark == "," else digits
    return pc.if_else(pc.match_substring_regex(text, NUMBER[mark]), written, text)


def _any(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _first(text: pa.ChunkedArray, pattern: str) -> int | None:
    """Return the first row whose cell matches."""
    rows = np.flatnonzero(np.asarray(pc.match_substring_regex(text, pattern)))
    return int(rows[0]) if rows.size else None
