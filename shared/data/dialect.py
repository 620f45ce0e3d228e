"""How a file writes its table: encoding, separator, quotes, and the line with the names of the columns."""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

import clevercsv

from shared.data.errors import DataError
from shared.data.hints import SEPARATORS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Dialect", "Survey", "dialect_of"]

HEAD_BYTES = 256 * 1024  # what the dialect is told from
SNIFFED_CHARS = 16 * 1024  # what the library looks at: its effort grows with it
CHUNK_BYTES = 2**20
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)  # the first line of some spreadsheets' exports
VALUE = re.compile(r"[\d\s.,:/+\-TZ'\u2019]*\d[\d\s.,:/+\-TZ'\u2019]*")  # a number or a time, and no name


@dataclass(frozen=True)
class Survey:
    """What one pass over the bytes of a table tells.

    Attributes
    ----------
    sha256
        Of the bytes with LF line ends: the same whether lines end in LF or CRLF.
    head, tail
        The first and the last bytes.
    foreign
        The line and the byte at which it is no UTF-8; None where it is.
    size
        How many bytes it has.
    """

    sha256: str
    head: bytes
    tail: bytes
    foreign: tuple[int, int] | None
    size: int

    @classmethod
    def of(cls, table: BinaryIO) -> Self:
        """Read the table to its end."""
        digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
        head, tail, held, foreign, lines, done = b"", b"", b"", None, 1, 0
        while chunk := table.read(CHUNK_BYTES):
            if foreign is None:
                foreign = _foreign(decoder, chunk, lines, done)
            lines, done = lines + chunk.count(b"\n"), done + len(chunk)
            head, tail = head or chunk[:HEAD_BYTES], (tail + chunk)[-4:]
            whole = held + chunk
            held = whole[-1:] if whole.endswith(b"\r") else b""  # its line feed may stand in the next chunk
            digest.update(whole[: len(whole) - len(held)].replace(b"\r\n", b"\n"))
        digest.update(held)
        return cls(digest.hexdigest(), head, tail, foreign, done)

    @property
    def whole(self) -> bool:
        """Whether the last line has its line end, in whichever encoding."""
        return self.tail.strip(b"\0")[-1:] in {b"\n", b"\r"}


def _foreign(decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int, done: int) -> tuple[int, int] | None:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        start = max(0, error.start)
        return lines + chunk.count(b"\n", 0, start), done + start
    return None


@dataclass(frozen=True)
class Dialect:
    """How to read a table of text.

    Attributes
    ----------
    columns
        The names of the columns, None for one that is empty in every row looked at and has no name.
    header_line
        The line that holds them; the first is 1.
    """

    encoding: str
    separator: str
    quote: str
    columns: tuple[str | None, ...]
    header_line: int


def dialect_of(survey: Survey, name: str, separator: str | None, known: Collection[str] = ()) -> Dialect:
    """Return the dialect of the table.

    Parameters
    ----------
    name
        What an error calls the file.
    separator
        What stands between two cells, None where it is to be found out.
    known
        The names that columns of the site have: one of them is taken as it is, others without the blanks around them.
        A column without a name is called ``Unnamed: 0`` after its place, or nothing at all where that is among them.

    Raises
    ------
    DataError
        Where the file is empty or no text, where the separator cannot be told, or where there is no line of names.
    """
    encoding = _encoding(survey, name)
    lines = _lines(survey.head, encoding)
    separator_line = SEPARATOR_LINE.fullmatch(lines[0][1]) if lines else None
    if separator_line:
        separator, lines = separator or separator_line[1], lines[1:]
    if not lines:
        raise DataError(f"{name}: the file is empty: get a complete copy")
    separator, quote = _sniffed("\n".join(text for _, text in lines), name, separator)
    rows = _rows(lines, separator, quote)
    header_line, header = _header(rows, known)
    if not set(header) & set(known) and all(VALUE.fullmatch(cell) for cell in header if cell.strip()):
        advice = "give the file a first line with the names of its columns"
        raise DataError(f"{name}: line {header_line} holds values ({header[0]!r}): {advice}")
    body = [cells for line, cells in rows if line > header_line]
    return Dialect(encoding, separator, quote, _named(header, body, name, known), header_line)


def _encoding(survey: Survey, name: str) -> str:
    """Return the encoding: what the first bytes say, UTF-8 where it is, else the one of Western European Windows."""
    for bom, encoding in BOMS.items():
        if survey.head.startswith(bom):
            return encoding
    even, odd = survey.head[:4096:2], survey.head[1:4096:2]
    if b"\0" in survey.head:
        for encoding, zeros in (("utf-16-le", odd), ("utf-16-be", even)):
            if zeros.count(0) > 0.9 * len(zeros):
                return encoding
        raise DataError(f"{name}: is no text: give a CSV file, or a Parquet file")
    if survey.foreign is None:
        return "utf-8"
    try:
        survey.head.decode("cp1252")
    except UnicodeDecodeError:
        line, byte = survey.foreign
        raise DataError(f"{name}: line {line} is no UTF-8 (byte {byte}): save the file as UTF-8 CSV") from None
    return "cp1252"


def _lines(head: bytes, encoding: str) -> list[tuple[int, str]]:
    """Return the whole lines of the head with their numbers, without blank ones and comments."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    lines = text.splitlines()
    if len(head) >= HEAD_BYTES:
        lines = lines[:-1]
    return [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]


def _sniffed(text: str, name: str, separator: str | None) -> tuple[str, str]:
    """Return the separator and the quotation mark."""
    sample = text[:SNIFFED_CHARS].rpartition("\n")[0] if len(text) > SNIFFED_CHARS else text
    found = clevercsv.Detector().detect(sample, delimiters=[separator] if separator else list(SEPARATORS))
    quote = found.quotechar if found is not None and found.quotechar == "'" else '"'
    if separator is not None:
        return separator, quote
    if found is None or not found.delimiter:
        first = text.partition("\n")[0][:60]
        known = ", ".join(SEPARATORS.values())
        raise DataError(f"{name}: no column beside the first is found in {first!r}: give --separator ({known})")
    return found.delimiter, quote


def _rows(lines: list[tuple[int, str]], separator: str, quote: str) -> list[tuple[int, list[str]]]:
    """Return the cells of the lines, as far as they can be read, each with the line in which it begins."""
    rows = csv.reader((text + "\n" for _, text in lines), delimiter=separator, quotechar=quote)
    read: list[tuple[int, list[str]]] = []
    begin = 0
    with suppress(csv.Error):  # reading the whole table says where
        for cells in rows:
            read.append((lines[begin][0], cells))
            begin = rows.line_num
    return read or [(lines[0][0], lines[0][1].split(separator))]


def _header(rows: list[tuple[int, list[str]]], known: Collection[str]) -> tuple[int, list[str]]:
    """Return the row with the names, and its line: that of the site's names, else the first as wide as most rows."""
    for line, cells in rows:
        if len({cell.strip() for cell in cells} & set(known)) > 1:
            return line, cells
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    below = [cells for _, cells in rows[1:] if len(cells) == width]
    if below and len(rows[0][1]) == width - 1 and not any(cells[-1] for cells in below):
        return rows[0]  # each row but that of the names ends with a separator
    return next((line, cells) for line, cells in rows if len(cells) == width)


def _named(header: list[str], body: list[list[str]], name: str, known: Collection[str]) -> tuple[str | None, ...]:
    columns: list[str | None] = []
    for place, cell in enumerate(header):
        named, nameless = cell if cell in known else cell.strip(), f"Unnamed: {place}"
        if named or ("" in known and "" not in columns):
            columns.append(named)
        elif nameless in known or any(cells[place].strip() for cells in body if len(cells) > place):
            columns.append(nameless)
        else:
            columns.append(None)
    for column, times in Counter(columns).items():
        if column is not None and times > 1:
            raise DataError(f"{name}: {times} columns are called {column!r}: give each a name of its own")
    return tuple(columns)
