"""One table in every dialect: the same numbers come out, or one line says what is wrong."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from shared.data.errors import DataError
from shared.data.hints import Hints
from shared.data.reading import read_table
from shared.data.year import find_year
from shared.sites.site import Site
from tests.unit.data.archive import zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.data.year import Year

HOURS = 60
LOAD_KW = np.round(900 + 300 * np.sin(np.arange(HOURS) / 4) + np.arange(HOURS) / 7, 3)
RAIN = np.round(np.abs(np.cos(np.arange(HOURS))) * 9, 1)
TIMES = pd.date_range("2023-01-15", periods=HOURS, freq="h")


def town(**changes: object) -> Site:
    """Return a site with a load and a column to ignore."""
    table: dict[str, object] = {
        "name": "town",
        "step_minutes": 60,
        "country": "ES",
        "time_zone": "UTC",
        "time_column": "time",
        "columns": {"load": "zone_1_kw"},
        "ignore": ("rain",),
    }
    return Site.model_validate(table | changes)


def frame(layout: str = "%Y-%m-%d %H:%M:%S") -> pd.DataFrame:
    """Return the table with times in a layout."""
    return pd.DataFrame({"time": TIMES.strftime(layout), "load": LOAD_KW, "rain": RAIN})


def csv(**how: object) -> str:
    """Return the table as text."""
    return str(frame().to_csv(index=False, **how))  # type: ignore[call-overload]  # any way of writing


def year_of(
    raw: bytes, folder: Path, place: Site | None = None, name: str = "load.csv", hints: Hints | None = None
) -> Year:
    """Return the readings in a file of these bytes."""
    (folder / name).write_bytes(raw)
    return find_year(str(folder / name), folder, site=place or town(), hints=hints or Hints())


def grouped(mark: str) -> str:
    """Return the table with grouped thousands, every load a thousand times itself, and that mark before decimals."""
    other = "." if mark == "," else ","
    loads = (f"{1000 * load:,.1f}".translate({ord(","): other, ord("."): mark}) for load in LOAD_KW)
    return frame().assign(load=list(loads)).to_csv(index=False, sep=";")


PLAIN = csv()
DIALECTS = {
    "comma": PLAIN.encode(),
    "comma, CRLF, UTF-8 with a mark": PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
    "semicolon, decimal comma": csv(sep=";", decimal=",").encode(),
    "semicolon, decimal comma, all quoted": csv(sep=";", decimal=",", quoting=1).encode(),
    "comma, decimal comma in quotes": csv(decimal=",", quoting=1).encode(),
    "tab": csv(sep="\t").encode(),
    "tab, decimal comma, UTF-16": csv(sep="\t", decimal=",").encode("utf-16"),
    "pipe, UTF-16 without a mark": csv(sep="|").encode("utf-16-le"),
    "comments and blank lines": f"# a meter; of 3 kW, or so\n\n{PLAIN.replace(chr(10), chr(10) * 2)}# end\n".encode(),
    "the separator in a line of its own": f"sep=;\r\n{csv(sep=';')}".encode(),
    "a separator at the end of each line": csv(sep=";").replace("\n", ";\n").encode(),
    "a separator at the end of each row": csv(sep=";").replace("\n", ";\n").replace("rain;", "rain", 1).encode(),
    "lines above the table": f"Lastgang\nZähler;17\n{csv(sep=';', decimal=',')}".encode("cp1252"),
    "names with blanks around them": csv(sep=";").replace("time;load;rain", "time; load ;rain").encode(),
    "single quotes": csv(quoting=1, quotechar="'").encode(),
    "old line ends": PLAIN.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("raw", DIALECTS.values(), ids=DIALECTS)
def test_the_same_numbers_come_out_of_every_dialect(raw: bytes, tmp_path: Path) -> None:
    """Times and loads are those of the plain file, in what is judged and in what a replay would send."""
    year = year_of(raw, tmp_path)
    assert year.times.tolist() == TIMES.tz_localize("UTC").tolist()
    np.testing.assert_array_equal(year.demand(1), LOAD_KW)
    sent = [json.loads(raw) for _, raw in year.raw_messages(*(datetime(y, 1, 1, tzinfo=UTC) for y in (2023, 2024)))]
    assert [float(message["load"]) for message in sent] == LOAD_KW.tolist()
    assert set(sent[0]) == {"site", "time", "load"}


@pytest.mark.parametrize("row", ["#REF!,17.5,0\n", "#REF!\n", "#,,\n"])
def test_a_row_that_begins_with_a_hash_is_a_row(row: str, tmp_path: Path) -> None:
    """A spreadsheet writes #REF! for a lost time: the row is there to be refused, not passed over as a comment."""
    assert len(year_of((PLAIN + row).encode(), tmp_path).rows) == len(TIMES) + 1


@pytest.mark.parametrize("mark", [".", ","])
def test_grouped_thousands_are_read(mark: str, tmp_path: Path) -> None:
    """1.234,5 and 1,234.5 are the same number."""
    np.testing.assert_allclose(year_of(grouped(mark).encode(), tmp_path).demand(1), np.round(1000 * LOAD_KW, 1))


@pytest.mark.parametrize(
    ("name", "pack"),
    [("load.csv.gz", gzip.compress), ("load.zip", lambda raw: zipped(raw, "load.csv")), ("load.CSV", bytes)],
)
def test_a_packed_file_is_the_file(name: str, pack: object, tmp_path: Path) -> None:
    """Compression changes neither the readings nor what they are known by; the name does not matter."""
    assert callable(pack)
    plain, packed = year_of(PLAIN.encode(), tmp_path), year_of(pack(PLAIN.encode()), tmp_path, name=name)
    assert packed.sha256 == plain.sha256
    pd.testing.assert_frame_equal(packed.rows, plain.rows)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("zone", [None, "Europe/Madrid"])
def test_parquet_is_read(named: bool, zone: str | None, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of pytest
    """Times with a zone or without one, as a column or as the index, and numbers of any width."""
    times = TIMES.tz_localize("UTC")
    shown = times.tz_convert(zone) if zone else times.tz_localize(None)
    table = pd.DataFrame({"load": LOAD_KW.astype("float32"), "rain": [None, *RAIN[1:]]}, index=shown)
    table.rename_axis("time" if named else None).to_parquet(tmp_path / "load.parquet")
    place = town() if named else town(time_column="")
    year = year_of((tmp_path / "load.parquet").read_bytes(), tmp_path, place, "copy")
    assert year.times.tolist() == times.tolist()
    np.testing.assert_array_equal(year.demand(1), LOAD_KW.astype("float32").astype(str).astype(float))


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_without_a_name_can_be_that_of_the_times(name: str, tmp_path: Path) -> None:
    """It is asked for by nothing, or by its place."""
    raw = PLAIN.replace("time,", ",", 1).encode()
    assert len(year_of(raw, tmp_path, town(time_column=name)).times.dropna()) == HOURS


def test_names_in_another_encoding_are_told_by_the_table_of_the_site(tmp_path: Path) -> None:
    """A file that is no UTF-8 is read as Western European."""
    raw = PLAIN.replace("load", "Zählpunkt").encode("cp1252")
    assert year_of(raw, tmp_path, town(columns={"Zählpunkt": "zone_1_kw"})).demand(1)[0] == LOAD_KW[0]


def test_the_line_of_each_row_is_known(tmp_path: Path) -> None:
    """Blank lines and comments count, and so do the lines of a cell that has several."""
    text = '# note\ntime,load\n2023-01-15 00:00:00,1\n\n2023-01-15 01:00:00,2\n"2023-01-15\n02:00",3\n'
    assert year_of(text.encode(), tmp_path).rows.index.tolist() == [3, 5, 7]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n# nothing\n", "the file is empty"),
        (b"time,load\n", "a header but no rows"),
        (b"\x00\x01\x02\x03" * 99, "is no text: give a CSV file, or a Parquet file"),
        (PLAIN[:-1].encode(), "the last line has no line end, the file looks truncated"),
        (PLAIN.replace("time,load,rain\n", "").encode(), "line 1 holds values ('2023-01-15 00:00:00')"),
        (PLAIN.replace("rain", "load", 1).encode(), "2 columns are called 'load'"),
        (PLAIN.replace(",load,rain", "").encode(), "line 2 holds values"),
        (b"load\n" + b"1\n" * 30, "no column beside the first is found in 'load': give --separator"),
        (PLAIN.encode() + b'"2023-01-19,', "no CSV table (line 62: "),
        (b"PAR1" + b"\0" * 50, "no whole Parquet table"),
    ],
)
def test_what_is_no_table_is_refused_with_one_line(raw: bytes, said: str) -> None:
    """The line names the file, what is wrong, and what to do."""
    with pytest.raises(DataError) as refusal:
        read_table(lambda: io.BytesIO(raw), "f.csv")
    assert str(refusal.value).startswith("f.csv: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


PAGE = "<html><head><title>Log in</title></head><body>a;b</body></html>\n"
NO_TABLES = {
    "PDF": (
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\n",
        "is a PDF document: copy its table into a CSV",
    ),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "is a PNG picture: give the readings themselves"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "is a JPEG picture"),
    "XLS": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        "is an old workbook or document of Office (.xls, .doc): save",
    ),
    "SQLite": (b"SQLite format 3\0\x10\0", "is an SQLite database: export the readings as CSV"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\0", "is an HDF5 or NetCDF file"),
    "Feather": (b"ARROW1\0\0\xff\xff", "is an Arrow (Feather) file: write it as Parquet or CSV"),
    "ORC": (b"ORC\x0a\x04\x08\x01", "is an ORC file: write it as Parquet or CSV"),
    "bzip2": (b"BZh91AY&SY\0", "is a bzip2 file: unpack it"),
    "xz": (b"\xfd7zXZ\0\0\x04", "is an xz file: unpack it"),
    "zstd": (b"\x28\xb5\x2f\xfd\x24\x05", "is a zstd file: unpack it"),
    "tar": (b"load.csv" + bytes(249) + b"ustar\x0000" + bytes(99), "is a tar archive: unpack it"),
    "JSON": (b'{"data": [{"time": "2023-01-15", "load": 1}]}\n', "is JSON: convert it to CSV, one row a reading"),
    "pickle": (b"\x80\x05\x95\0\0\0", "is a Python pickle: write it as Parquet or CSV"),
    "JSON lines": (b'{"time": "2023-01-15T00:00", "load": 1}\n' * 9, "is JSON: convert it to CSV"),
    "JSON list": (b' \n[\n  {"time": 1, "load": 2}]\n', "is JSON: convert it to CSV"),
    "JSON rows": (b"[[1, 2], [3, 4]]\n", "is JSON: convert it to CSV"),
    "JSON numbers": (b"[1.5, 2]\n", "is JSON: convert it to CSV"),
    "JSON, UTF-16": ('{"time": 1}\n'.encode("utf-16"), "is JSON: convert it to CSV"),
    "HTML": (
        f"\n<!DOCTYPE html>\n{PAGE}".encode(),
        "is a web page (HTML): download the file that it links to",
    ),
    "HTML, no type": (PAGE.encode(), "is a web page (HTML)"),
    "HTML, comment first": (f"\ufeff<!-- saved -->\n{PAGE}".encode(), "is a web page (HTML)"),
    "HTML table as .xls": (b"<table><tr><td>time</td><td>load</td></tr></table>", "is a web page (HTML)"),
    "XML": (b'<?xml version="1.0"?>\n<TimeSeries/>\n', "is XML: convert it to CSV, one row a reading"),
    "XML, no head": (b"<meter>\n <reading>1</reading></meter>", "is XML: convert it to CSV"),
}


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda raw: zipped(raw, "load.csv")], ids=["plain", "gz", "zip"]
)
@pytest.mark.parametrize(("raw", "said"), NO_TABLES.values(), ids=NO_TABLES)
def test_a_file_that_is_no_table_is_told_what_it_looks_like(
    raw: bytes, said: str, pack: Callable[[bytes], bytes]
) -> None:
    """Whatever the file is called, and packed or not: one line with what it is and what to do."""
    with pytest.raises(DataError) as refusal:
        read_table(lambda: io.BytesIO(pack(raw)), "load.csv")
    assert str(refusal.value).startswith(f"load.csv: {said}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("pack", [gzip.compress, lambda raw: zipped(raw, "load.csv")], ids=["gz", "zip"])
@pytest.mark.parametrize("inner", [gzip.compress, lambda raw: zipped(raw, "xl/workbook.xml")], ids=["gz", "xlsx"])
def test_what_is_packed_twice_is_to_be_unpacked(
    inner: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]
) -> None:
    """An archive within an archive is named, not read as text."""
    with pytest.raises(DataError, match="within another archive: unpack it"):
        read_table(lambda: io.BytesIO(pack(inner(PLAIN.encode()))), "load.csv")


@pytest.mark.parametrize(
    "header",
    [
        *("<DATE>,<LOAD>,<RAIN>", "[time],[load],[rain]", "{time},{load},{rain}", "<time>,a,b"),
        *("ORC_kW,time,rain", "BZh,time,rain"),
    ],
)
def test_the_names_of_columns_are_no_mark_of_another_form(header: str) -> None:
    """Some databases write names in brackets, and a name may begin like an ORC file: it is a table still."""
    raw = PLAIN.replace("time,load,rain", header).encode()
    assert ",".join(read_table(lambda: io.BytesIO(raw), "load.csv").rows.columns) == header


def test_a_late_row_with_more_cells_is_refused(tmp_path: Path) -> None:
    """No cell is lost without a word, wherever in the file it stands."""
    rows = [f"{time},1" for time in pd.date_range("2020-01-01", periods=20_000, freq="h")]
    rows[16_384] += ",2"
    with pytest.raises(DataError, match="line 16386 has 3 cells, the header 2"):
        year_of("\n".join(("time,load", *rows, "")).encode(), tmp_path)


def test_what_the_user_says_of_the_dialect_holds(tmp_path: Path) -> None:
    """The decimal mark of 1,234 is the user's to give."""
    raw = csv(sep=";").replace(".", ",")
    loads = "\n".join(line.split(";")[0] + f";{500 + n},125;0" for n, line in enumerate(raw.splitlines()[1:]))
    table = f"time;load;rain\n{loads}\n".encode()
    with pytest.raises(DataError, match=r"'500,125' \(line 2\), which is 500\.125 or 500125: give --decimal"):
        year_of(table, tmp_path)
    assert year_of(table, tmp_path, hints=Hints(decimal=",")).demand(1)[0] == 500.125
    assert year_of(table, tmp_path, hints=Hints(decimal=".", separator=";")).demand(1)[0] == 500_125


def test_reading_tells_how_far_it_is() -> None:
    """The share rises to the whole, packed or not."""
    rows = "".join(f"{time},1\n" for time in pd.date_range("2020-01-01", periods=30_000, freq="h"))
    raw = f"time,load\n{rows}".encode()
    for packed in (raw, gzip.compress(raw)):
        shares: list[float] = []
        read_table(lambda: io.BytesIO(packed), "f.csv", told=shares.append)  # noqa: B023 - called at once
        assert shares == sorted(shares)
        assert len(shares) > 3
        assert shares[0] < 0.9
        assert shares[-1] == 1
