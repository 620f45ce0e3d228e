"""Which bytes are a table of readings, and what is said of those that are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from shared.data.errors import DataError
from shared.data.table import present, times, told_apart
from tests.unit.data.tables import identity, parse

if TYPE_CHECKING:
    from shared.sites.site import Site


def test_line_ends_do_not_change_the_identity(table: bytes) -> None:
    """LF and CRLF give one sha256, another digit gives another."""
    assert identity(table) == identity(table.replace(b"\n", b"\r\n"))
    assert identity(table) != identity(table.replace(b"14.9", b"14.8", 1))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_every_cell_is_the_text_of_the_file(table: bytes, tetouan: Site, line_end: bytes) -> None:
    """No number is converted, no text taken for missing, whichever line ends the file has."""
    rows = parse(
        table.replace(b"14.9", b"NAN").replace(b",80.2", b", 080.20 ").replace(b"\n", line_end), tetouan, "t.csv"
    )
    assert list(rows.columns) == [tetouan.time_column, *tetouan.columns]
    assert rows.iloc[0].tolist() == [
        "3/3/2019 23:40", "NAN", " 080.20 ", "0.08", "0.1", "0.12", "25012.05", "15880.2", "9800.123456"
    ]  # fmt: skip


def test_a_row_that_is_too_short_is_kept_with_empty_cells(table: bytes, tetouan: Site) -> None:
    """A missing cell in the middle of the file is for the receiver to judge."""
    rows = parse(table.replace(b",15880.2,9800.123456\n", b"\n", 1), tetouan, "t.csv")
    assert len(rows) == 5
    assert rows.iloc[0, -2:].tolist() == ["", ""]


def test_a_byte_order_mark_is_no_part_of_the_header(table: bytes, tetouan: Site) -> None:
    """A file saved by a spreadsheet is read."""
    assert "DateTime" in parse(b"\xef\xbb\xbf" + table, tetouan, "t.csv").columns


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            b"Humidity",
            b"humidity",
            r"no column 'Humidity': did you mean 'humidity'\? Then name it so in the table of tetouan",
        ),
        (b"Zone 2  Power", b"Zone 2 Power", r"no column 'Zone 2  Power .*': did you mean 'Zone 2 Power Consumption'\?"),
        (b"Humidity", b"Hum", r"no column 'Humidity': did you mean 'Hum'\?"),
        (b"Wind Speed", b"Speed of Wind Speed", r"no column 'Wind Speed': did you mean 'Speed of Wind Speed'\?"),
        (b"Temperature,Humidity", b"Temperature,Rain", r"unknown column 'Rain': remove it"),
        (b"Power Consumption", b"Load", r"no column 'Zone 1 .*, 'Zone 2 .*, 'Zone 3 .*: it has .*'Zone 1 Load', "),
        (
            b"DateTime,Temperature",
            b"a,b",
            r"no column 'DateTime', 'Temperature': it has 'a', 'b', 'Humidity', .*: name",
        ),
        (b"DateTime,", b"DateTime,Zone 9,", r"unknown column 'Zone 9'"),
        (b"DateTime", b"DateTime\xff", r"no column 'DateTime': did you mean 'DateTimeÿ'\?"),
        (b"3/4/2019 0:00", b"\x81t\x81", r"line 4 is no UTF-8"),
        (b"9800.123456\n", b"9800.123456,1\n", r"line 2 has 10 cells, the header 9"),
        (b"3/4/2019 0:10,", b"3/4/2019 0:10,1,", r"line 5 has 10 cells, the header 9"),
        (b"3/4/2019 0:10,", b'"', r"no CSV table"),
    ],
)
def test_a_wrong_table_is_refused_with_one_line(table: bytes, tetouan: Site, old: bytes, new: bytes, said: str) -> None:
    """The line names the file, what is wrong and where."""
    with pytest.raises(DataError, match=rf"^t\.csv: .*{said}") as refusal:
        parse(table.replace(old, new), tetouan, "t.csv")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ((0, 7), ("zone_2_kw",)),
        ((0, 1, 7), ("temperature_c", "zone_2_kw")),
        ((6, 8, 0), ("zone_1_kw", "zone_3_kw")),
    ],
)
def test_columns_that_a_table_does_not_have_are_left_out(
    table: bytes, tetouan: Site, columns: tuple[int, ...], fields: tuple[str, ...]
) -> None:
    """A time and one load suffice; the site of such a table has the other fields no more, nor their limits."""
    lines = [line.split(b",") for line in table.splitlines()]
    kept = b"".join(b",".join(cells[column] for column in columns) + b"\n" for cells in lines)
    place = present(tetouan, parse(kept, tetouan, "t.csv"))
    assert place.fields == fields
    assert set(place.limits) == set(fields)
    assert (place.name, place.step_minutes, place.time_column) == ("tetouan", 10, "DateTime")


@pytest.mark.parametrize("cut", [1, 4, 40, 400])
def test_a_truncated_table_is_refused(table: bytes, tetouan: Site, cut: int) -> None:
    """Whichever cell the file breaks off in, the line says that it is not whole."""
    with pytest.raises(DataError, match=r"truncated|rows|no column"):
        parse(table[:-cut], tetouan, "t.csv")


@pytest.mark.parametrize("keep", [0, 1])
def test_a_table_without_rows_is_refused(table: bytes, tetouan: Site, keep: int) -> None:
    """Neither nothing nor a header alone is data."""
    with pytest.raises(DataError, match=r"empty|no rows"):
        parse(b"".join(table.splitlines(keepends=True)[:keep]), tetouan, "t.csv")


def test_a_column_to_ignore_is_no_part_of_the_rows(table: bytes, tetouan: Site) -> None:
    """What the site ignores is passed over in silence, whether the file has it or not."""
    silent = tetouan.model_copy(update={"ignore": ("note", "other")})
    noted = table.replace(b"DateTime,", b"DateTime,note,", 1).replace(b":40,", b":40,ok,").replace(b"0,14", b"0,,14")
    assert list(parse(noted, silent, "t.csv").columns) == [tetouan.time_column, *tetouan.columns]


def test_times_are_utc_and_nat_where_unreadable(table: bytes, tetouan: Site) -> None:
    """A time that cannot be read costs its own row only, and blanks around one do not matter."""
    rows = parse(
        table.replace(b"3/3/2019 23:50", b"yesterday").replace(b"3/4/2019 0:00", b" 3/4/2019 0:00 "), tetouan, "t.csv"
    )
    read = times(rows, tetouan, "t.csv").times
    assert read[0] == pd.Timestamp("2019-03-03T23:40Z")
    assert read[2] == pd.Timestamp("2019-03-04T00:00Z")
    assert read.isna().tolist() == [False, True, False, False, False]


def test_the_order_of_the_rows_tells_apart_the_hour_that_comes_twice(tetouan: Site) -> None:
    """Such a time gets its offset, all other cells stay; what the clock never shows is no time."""
    madrid = tetouan.model_copy(update={"time_zone": "Europe/Madrid"})
    rows = pd.DataFrame(
        {"DateTime": ["10/27/2019 2:50", "10/27/2019 2:00", "10/27/2019 3:00", "3/31/2019 2:00"], "a": 1}
    )
    read = times(rows, madrid, "t.csv")
    assert [time.isoformat()[11:16] for time in read.times[:3]] == ["00:50", "01:00", "02:00"]
    assert read.times.isna().tolist() == [False, False, False, True]
    told = told_apart(rows, madrid, read)
    written = ["2019-10-27T02:50:00+02:00", "2019-10-27T02:00:00+01:00", "10/27/2019 3:00", "3/31/2019 2:00"]
    assert told.to_dict("list") == {"DateTime": written, "a": [1] * 4}
    assert (times(told, madrid, "t.csv").times[:3] == read.times[:3]).all()


@pytest.mark.parametrize(
    ("written", "day_first", "said"),
    [
        ("13/2/2019 0:00", False, "the day stands first: set day_first = true in the table of tetouan"),
        (
            "2/13/2019 0:00",
            True,
            "the month stands first: set day_first = false or time_format in the table of tetouan",
        ),
        ("1.2.2019 0:00", False, "set day_first = true where the day stands first, time_format where the month does"),
    ],
)
def test_a_file_whose_days_and_months_change_places_is_refused(
    table: bytes, tetouan: Site, written: str, said: str, *, day_first: bool
) -> None:
    """One row tells that all others may be misread: the line names it and the key to set."""
    rows = parse(table.replace(b"3/4/2019 0:00", written.encode()).replace(b"/3/", b"/9/"), tetouan, "t.csv")
    rows["DateTime"] = rows["DateTime"].str.replace("/4/", "/3/")
    with pytest.raises(DataError, match=re.escape(f"t.csv: line 4: DateTime {written!r} is no time: {said}")):
        times(rows, tetouan.model_copy(update={"day_first": day_first}), "t.csv")


def test_a_table_with_no_readable_time_is_refused(table: bytes, tetouan: Site) -> None:
    """The line shows a time as found and one as it should be."""
    rows = parse(table.replace(b"3/", b"2019-03-"), tetouan, "t.csv")
    with pytest.raises(DataError, match=r"'2019-03-2019-03-2019 23:40' is no time: .*1/31/2018 0:10"):
        times(rows, tetouan, "t.csv")
