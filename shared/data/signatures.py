"""What a file that is no table looks like, by its first bytes, and what to do with it."""

from __future__ import annotations

import codecs
import re

__all__ = ["no_table"]

DATABASE = "export the readings as CSV and give that file"
WORKBOOK = "save its sheet as CSV and give that file"
PICTURE = "give the readings themselves, as CSV or Parquet"
UNPACK = "unpack it and give the file with the table"
SIGNATURES = (
    (b"%PDF", "a PDF document", "copy its table into a CSV file, or ask its publisher for one"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", PICTURE),
    (b"\xff\xd8\xff", "a JPEG picture", PICTURE),
    (b"GIF8", "a GIF picture", PICTURE),
    (b"II*\0", "a TIFF picture", PICTURE),
    (b"MM\0*", "a TIFF picture", PICTURE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook or document of Office (.xls, .doc)", WORKBOOK),
    (b"{\\rtf", "an RTF document", "save it as plain text: CSV"),
    (b"SQLite format 3\0", "an SQLite database", DATABASE),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 or NetCDF file", DATABASE),
    (b"CDF\x01", "a NetCDF file", DATABASE),
    (b"CDF\x02", "a NetCDF file", DATABASE),
    (b"ARROW1", "an Arrow (Feather) file", "write it as Parquet or CSV"),
    (b"FEA1", "a Feather file", "write it as Parquet or CSV"),
    (b"ORC", "an ORC file", "write it as Parquet or CSV"),
    (b"Obj\x01", "an Avro file", "write it as Parquet or CSV"),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"\x93NUMPY", "an array of NumPy", DATABASE),
    *((b"\x80" + version, "a Python pickle", "write it as Parquet or CSV") for version in (b"\x04", b"\x05")),
    (b"MATLAB 5.0", "a MATLAB file", DATABASE),
    (b"PK\x03\x04", "a zip file, or a workbook of a spreadsheet, within another archive", UNPACK),
    (b"\x1f\x8b", "a gzip file within another archive", UNPACK),
    (b"BZh", "a bzip2 file", UNPACK),
    (b"\xfd7zXZ\0", "an xz file", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
    (b"\x04\x22\x4d\x18", "an lz4 file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
)
CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1f]")
TAR = (257, b"ustar")  # where its name stands
TEXTS = (
    (
        re.compile(r"<(?:!doctype html|html\b|head\b|body\b|table\b)", re.IGNORECASE),
        "a web page (HTML)",
        "download the file that it links to, or open it in a spreadsheet and save its table as CSV",
    ),
    (
        re.compile(r"<(?:\?xml|!--|!doctype)|<[a-z][^<>]*>\s*<", re.IGNORECASE),
        "XML",
        "convert it to CSV, one row a reading",
    ),
    # a list of names in brackets is a line of names, as some databases write it
    (
        re.compile(r"\{\s*(?:[\"}]|$)|\[\s*(?:[\[{\"\]]|-?\d+(?:\.\d+)?\s*[,\]])"),
        "JSON",
        "convert it to CSV, one row a reading",
    ),
)
COMMENT = re.compile(r"(?:\s*<!--.*?-->)*\s*", re.DOTALL)
HEAD_BYTES = 4096


def no_table(head: bytes) -> str | None:
    """Return what a file looks like and what to do, None where it may be a table.

    Parameters
    ----------
    head
        The first bytes of the file, unpacked.
    """
    for mark, what, advice in SIGNATURES:
        if head.startswith(mark) and not (mark.isalnum() and _is_text(head)):
            return f"is {what}: {advice}"
    begin, mark = TAR
    if head[begin : begin + len(mark)] == mark:
        return f"is a tar archive: {UNPACK}"
    text = _text(head[:HEAD_BYTES])
    for begins, what, advice in TEXTS:
        if begins.match(text):
            return f"is {what}: {advice}"
    return None


def _is_text(head: bytes) -> bool:
    """Tell whether the first bytes are a text, whose first word may look like a mark."""
    return CONTROLS.search(head) is None


def _text(head: bytes) -> str:
    """Return the first characters, without the blanks and comments before them."""
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = head.decode("utf-16" if utf16 else "utf-8", "replace").removeprefix("\ufeff").lstrip()
    page = text[COMMENT.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    return page if page[:1] == "<" else text
