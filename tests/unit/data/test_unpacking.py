"""The bytes of a table come out of whatever they are packed in, or one line says why not."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

import pytest

from shared.data.errors import DataError
from shared.data.unpacking import MEMBER, unpacked
from tests.unit.data.archive import zipped


def table_bytes(raw: bytes, name: str) -> bytes:
    """Return what is packed in the bytes."""
    with unpacked(lambda: io.BytesIO(raw), name)() as file:
        return file.read()


def archive_of(*members: str) -> bytes:
    """Return a zip archive with these members, each of which says its name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for member in members:
            opened.writestr(member, member)
    return archive.getvalue()


def test_the_table_comes_out_of_what_it_is_packed_in(table: bytes) -> None:
    """A zip gives its member, gzip what was packed, anything else is taken for the table."""
    assert table_bytes(zipped(table), "t.zip") == table
    assert table_bytes(zipped(table, "readings.csv"), "t.zip") == table
    assert table_bytes(gzip.compress(table), "t.csv.gz") == table
    assert table_bytes(table, "t.csv") == table


def test_the_published_member_is_taken_of_several() -> None:
    """What else lies in the published archive does not matter, nor what a system adds to any."""
    assert table_bytes(archive_of("readme.txt", MEMBER), "t.zip") == MEMBER.encode()
    members = ("year/", "year/load.csv", "__MACOSX/year/._load.csv", "year/.DS_Store")
    assert table_bytes(archive_of(*members), "t.zip") == b"year/load.csv"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (("a.csv", "b.csv"), "holds 'a.csv', 'b.csv': unpack it"),
        (("folder/",), "holds no file: unpack it"),
        (("[Content_Types].xml", "xl/workbook.xml"), "workbook of a spreadsheet: save its sheet as CSV"),
        (("mimetype", "content.xml", "meta.xml"), "workbook of a spreadsheet: save its sheet as CSV"),
        (("Index/Document.iwa", "Data/a.jpg"), "workbook of a spreadsheet: save its sheet as CSV"),
        (("[Content_Types].xml", "word/document.xml"), "document of an office program, or a workbook: save its"),
    ],
)
def test_an_archive_that_is_no_table_is_refused(members: tuple[str, ...], said: str) -> None:
    """The line says what is in it and what to give."""
    with pytest.raises(DataError) as refusal:
        table_bytes(archive_of(*members), "t.zip")
    assert said in str(refusal.value)


def test_an_archive_that_unpacks_to_too_much_is_refused(table: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a zip is judged before anything is unpacked, that of gzip as it comes."""
    monkeypatch.setattr("shared.data.unpacking.LIMIT_BYTES", len(table) - 1)
    with pytest.raises(DataError, match=f"unpacks to {len(table)} bytes"):
        table_bytes(zipped(table), "t.zip")
    with pytest.raises(DataError, match=f"unpacks to more than {len(table) - 1} bytes"):
        table_bytes(gzip.compress(table), "t.csv.gz")


@pytest.mark.parametrize("pack", [zipped, gzip.compress])
def test_a_damaged_archive_is_refused_whatever_is_damaged(table: bytes, pack: object) -> None:
    """A changed byte, or a missing end, gives the table unharmed or one line; never another error."""
    assert callable(pack)
    chance, whole = random.Random(849), pack(table * 50)  # noqa: S311 - no secret, a repeatable choice
    for _ in range(500):
        damaged = bytearray(whole[: chance.choice((len(whole), chance.randrange(4, len(whole))))])
        damaged[chance.randrange(2, len(damaged))] ^= chance.randrange(1, 256)
        try:
            assert table_bytes(bytes(damaged), "t.zip") in (table * 50, bytes(damaged))
        except DataError as refusal:
            assert str(refusal).startswith("t.zip: ")  # noqa: PT017 - either outcome is right
