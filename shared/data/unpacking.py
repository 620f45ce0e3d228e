"""The bytes of a table, wherever they lie: in a file as it is, compressed with gzip, or as a member of a zip archive.

Nothing is read whole: a table may be larger than the memory.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, TypeVar

from shared.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import Buffer

__all__ = ["MEMBER", "Open", "unpacked"]

MEMBER = "Tetuan City power consumption.csv"  # of the published archive
LIMIT_BYTES = 4 * 2**30
PATIENCE_BYTES = 2**20  # what is read at a time, and how often the progress is told
# what zipfile and gzip let through when bytes of an archive are wrong
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)

T = TypeVar("T")

Open = Callable[[], BinaryIO]
"""Opens the bytes of a table anew, at their beginning."""


def unpacked(opened: Open, name: str) -> Open:
    """Return what opens the table in a file: the file itself, what gzip has packed, or the member of a zip archive.

    ``name`` is what an error calls the file. Raises `DataError` for a broken archive, or one that holds no table or
    several; so does reading what is broken.
    """
    with opened() as file:
        magic = file.read(4)
    if magic.startswith(b"PK"):
        member = _member(opened, name)
        return lambda: _Guarded(opened, lambda file: zipfile.ZipFile(file).open(member), f"{name}: the zip").buffered()
    if magic.startswith(b"\x1f\x8b"):
        return lambda: _Guarded(opened, lambda file: gzip.GzipFile(fileobj=file), f"{name}: the gzip file").buffered()
    return opened


def _member(opened: Open, name: str) -> str:
    """Return the name of the member that is the table."""
    try:
        with opened() as file, zipfile.ZipFile(file) as archive:
            members = {info.filename: info.file_size for info in archive.infolist() if not _aside(info)}
    except BROKEN as error:
        raise DataError(f"{name}: the zip is broken ({error}): get a complete copy") from error
    if looks := _document(members):
        raise DataError(f"{name}: is {looks}: save its sheet as CSV and give that file")
    if MEMBER not in members and len(members) != 1:
        held = f"holds {', '.join(map(repr, sorted(members)[:5]))}" if members else "holds no file"
        raise DataError(f"{name}: the zip {held}: unpack it and give the file with the table")
    chosen = MEMBER if MEMBER in members else next(iter(members))
    if members[chosen] > LIMIT_BYTES:
        unpacks = f"{chosen!r} unpacks to {members[chosen]:,} bytes"
        raise DataError(f"{name}: {unpacks}: give a file up to {LIMIT_BYTES:,} bytes")
    return chosen


def _document(members: Collection[str]) -> str | None:
    """Return what an office program calls an archive of these members, None where it wrote none of them."""
    if "[Content_Types].xml" in members and not any(member.startswith("xl/") for member in members):
        return "a document of an office program, or a workbook"
    if {"[Content_Types].xml", "content.xml", "Index/Document.iwa"} & set(members):
        return "a workbook of a spreadsheet"
    return None


def _aside(info: zipfile.ZipInfo) -> bool:
    """Tell whether a member is no file of the user's: a folder, or what a system adds by itself."""
    path = PurePosixPath(info.filename)
    return info.is_dir() or "__MACOSX" in path.parts or path.name.startswith(".")


class _Guarded(io.RawIOBase):
    """What is unpacked from an archive, read once; raises `DataError` where the archive is broken."""

    def __init__(self, opened: Open, unpack: Callable[[BinaryIO], IO[bytes] | gzip.GzipFile], name: str) -> None:
        self._name = name
        self._left_bytes = LIMIT_BYTES
        self._archive = opened()
        self._inner = self._tried(lambda: unpack(self._archive))

    def buffered(self) -> BinaryIO:
        """Return a reader of it that reads ahead."""
        return io.BufferedReader(self, PATIENCE_BYTES)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer as far as there is something; returns how many bytes that is."""
        view = memoryview(buffer)
        chunk = self._tried(lambda: self._inner.read(len(view)))
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            raise DataError(f"{self._name} unpacks to more than {LIMIT_BYTES:,} bytes: give a smaller file")
        view[: len(chunk)] = chunk
        return len(chunk)

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return LIMIT_BYTES - self._left_bytes

    def close(self) -> None:
        """Close what lies beneath."""
        if not self.closed:
            self._inner.close()
            self._archive.close()
        super().close()

    def _tried(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except BROKEN as error:
            self._archive.close()
            raise DataError(f"{self._name} is broken ({error}): get a complete copy") from error
