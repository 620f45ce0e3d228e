"""A year of readings: what it says of itself, and what it puts on the wire."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.data.year import DataError, Year, find_year
from shared.sites.table import site
from tests.unit.data.archive import zipped

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def year_of(table: bytes, folder: Path) -> Year:
    """Return the year in a file of one's own."""
    path = folder / "readings.csv"
    path.write_bytes(table)
    return find_year(str(path), folder)


def test_a_file_of_ones_own_is_a_year(table: bytes, tmp_path: Path) -> None:
    """The columns of the site and any dates will do; the label names the file."""
    year = year_of(table, tmp_path)
    assert (year.source, year.label, year.reason) == ("file", "file readings.csv", None)
    assert not year.synthetic
    assert year.site.name == "tetouan"
    assert len(year.rows) == len(year.times) == 5


def test_both_line_ends_are_one_year(table: bytes, tmp_path: Path) -> None:
    """The sha256 and the cells are the same."""
    unix, dos = year_of(table, tmp_path), year_of(table.replace(b"\n", b"\r\n"), tmp_path)
    assert unix.sha256 == dos.sha256 == hashlib.sha256(table).hexdigest()
    assert unix.rows.equals(dos.rows)


def test_the_published_year_is_known_wherever_it_lies(published: bytes, tmp_path: Path) -> None:
    """The content decides, not the path: unpacked, zipped, with either line end."""
    zip_path = tmp_path / "year.zip"
    zip_path.write_bytes(zipped(published.replace(b"\n", b"\r\n")))
    for year in (year_of(published, tmp_path), find_year(str(zip_path), tmp_path)):
        assert (year.source, year.label) == ("uci", "UCI Tetouan 2017")


@pytest.mark.parametrize(("name", "said"), [("nowhere.csv", "No such file"), ("", "is a folder")])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """One line with the path and what to give instead."""
    with pytest.raises(DataError, match=rf"{said}.*: give ") as refusal:
        find_year(str(tmp_path / name), tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path / name}: ")


def test_a_raw_message_is_the_row_as_text(table: bytes, tmp_path: Path) -> None:
    """The site first, then every column under its published name, compact."""
    (time, raw), *_ = year_of(table, tmp_path).raw_messages(*ALWAYS)
    assert time == datetime(2019, 3, 3, 23, 40, tzinfo=UTC)
    assert raw == (
        b'{"site":"tetouan","DateTime":"3/3/2019 23:40","Temperature":"14.9","Humidity":"80.2","Wind Speed":"0.08",'
        b'"general diffuse flows":"0.1","diffuse flows":"0.12","Zone 1 Power Consumption":"25012.05",'
        b'"Zone 2  Power Consumption":"15880.2","Zone 3  Power Consumption":"9800.123456"}'
    )


def test_raw_messages_start_at_start_and_end_before_until(table: bytes, tmp_path: Path) -> None:
    """The interval is half open, so that two that touch share no reading."""
    year = year_of(table, tmp_path)
    start, until = datetime(2019, 3, 3, 23, 50, tzinfo=UTC), datetime(2019, 3, 4, 0, 10, tzinfo=UTC)
    assert [time for time, _ in year.raw_messages(start, until)] == [start, datetime(2019, 3, 4, tzinfo=UTC)]


def test_a_row_without_a_time_goes_out_with_the_row_before(table: bytes, tmp_path: Path) -> None:
    """Nothing in the file vanishes: its receiver refuses it in the open."""
    year = year_of(table.replace(b"3/4/2019 0:00", b"midnight"), tmp_path)
    sent = list(year.raw_messages(datetime(2019, 3, 3, 23, 50, tzinfo=UTC), datetime(2019, 3, 4, tzinfo=UTC)))
    assert [json.loads(raw)["DateTime"] for _, raw in sent] == ["3/3/2019 23:50", "midnight"]


def test_rows_come_in_order_of_time(table: bytes, tmp_path: Path) -> None:
    """An export with the newest row first is the same year; two rows of one time stay as they are in the file."""
    header, *rows = table.splitlines(keepends=True)
    again = rows[2].replace(b"25012.25", b"1.0")
    turned = year_of(b"".join((header, *rows[:1:-1], again, *rows[1::-1])), tmp_path)
    sent = [json.loads(raw) for _, raw in turned.raw_messages(*ALWAYS)]
    assert [message["DateTime"] for message in sent] == [
        *("3/3/2019 23:40", "3/3/2019 23:50", "3/4/2019 0:00", "3/4/2019 0:00", "3/4/2019 0:10", "3/4/2019 0:20")
    ]
    assert turned.demand(1).tolist()[2:4] == [25012.25, 1.0]
    assert turned.times.is_monotonic_increasing


def test_demand_is_rounded_as_on_the_wire(table: bytes, tmp_path: Path) -> None:
    """Nine digits are kept; what is no finite number is NaN."""
    broken = (
        table.replace(b"25012.05", b"25012.0512499999")
        .replace(b"25012.15", b"?")
        .replace(b"25012.25", b"inf")
        .replace(b"25012.35", b"")
    )
    demand_kw = year_of(broken, tmp_path).demand(1)
    np.testing.assert_array_equal(demand_kw, [25012.0512, np.nan, np.nan, np.nan, 25012.45])
    assert demand_kw.dtype == np.float64


def test_what_a_site_does_not_publish_is_missing(table: bytes, tmp_path: Path) -> None:
    """A field without a column is NaN in every row, as it is null in every reading."""
    assert np.isnan(year_of(table, tmp_path).demand(4)).all()


@pytest.mark.parametrize("data", [None, "synthetic"])
@pytest.mark.parametrize("name", ["alcala", "tetouan"])
def test_no_year_is_made_up_for_another_site(tmp_path: Path, data: str | None, name: str) -> None:
    """Neither the published year nor the synthetic one stands in where the table is another: a file is asked for."""
    sites = tmp_path / "sites.toml"
    sites.write_text(
        f"[{name}]\n"
        'country = "ES"\nstep_minutes = 15\ntime_zone = "Europe/Madrid"\ntime_column = "time"\n'
        'limits = {}\ncolumns = {"Load" = "zone_1_kw"}\n',
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=f"no year of {name} is published: give its readings, a CSV file"):
        find_year(data, tmp_path, site=site(name, sites))


def test_the_test_starts_at_the_last_fifth_of_the_readable_rows(table: bytes, tmp_path: Path) -> None:
    """Of five rows it is the last one; a row without a time does not count."""
    assert year_of(table, tmp_path).test_start == datetime(2019, 3, 4, 0, 20, tzinfo=UTC)
    unreadable = table.replace(b"3/4/2019 0:20", b"soon")
    assert year_of(unreadable, tmp_path).test_start == datetime(2019, 3, 4, 0, 10, tzinfo=UTC)


@pytest.mark.real_data
def test_the_published_year_is_recognised(real_data_path: Path, tmp_path: Path) -> None:
    """52,416 readings, the last 20 % (10,484) from 2017-10-19 04:40 on, under the published checksum."""
    year = find_year(str(real_data_path), tmp_path)
    assert (year.source, year.label, len(year.rows)) == ("uci", "UCI Tetouan 2017", 52_416)
    assert year.sha256 == "d5f8e1062bbc30c0f4855d61d33103f5185ad4e70ed0e5a42393975d536dcb55"
    assert year.test_start == datetime(2017, 10, 19, 4, 40, tzinfo=UTC)
    assert sum(1 for _ in year.raw_messages(year.test_start, ALWAYS[1])) == 10_484


@pytest.mark.real_data
def test_the_published_year_with_crlf_is_the_first_published_one(real_data_path: Path, tmp_path: Path) -> None:
    """The checksum that the repository's own file has belongs to the same year."""
    crlf = real_data_path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert hashlib.sha256(crlf).hexdigest() == "ca8b2f30cf07dd872cb7f2aa45dac110ee38dbe5fc5910a6ff4bcc530dae3a40"
    assert year_of(crlf, tmp_path).source == "uci"


def test_a_row_far_away_from_all_others_does_not_stretch_the_year(table: bytes, tmp_path: Path) -> None:
    """Six of a kind are believed; a date of another century is left to its receiver, which counts it."""
    header, *rows = table.splitlines(keepends=True)
    more = rows[0].replace(b"3/3/2019 23:40", b"3/4/2019 0:30")
    odd = [rows[0].replace(b"3/3/2019", date) for date in (b"1/1/1970", b"1/1/2917")]
    year = year_of(b"".join((header, *rows, more, *odd)), tmp_path)
    assert year.span == (datetime(2019, 3, 3, 23, 40, tzinfo=UTC), datetime(2019, 3, 4, 0, 30, tzinfo=UTC))
    assert year.together.tolist() == [False, *(True,) * 6, False]
    assert len(list(year.raw_messages(datetime(1900, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)))) == 8
    assert year.test_start == datetime(2019, 3, 4, 0, 20, tzinfo=UTC)
