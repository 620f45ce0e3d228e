"""What a file without a table of its site is taken for, and what is refused because it cannot be told."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from shared.data.errors import DataError
from shared.data.hints import Hints
from shared.data.toml import as_toml
from shared.data.year import find_year
from shared.sites.table import known_sites

if TYPE_CHECKING:
    from pathlib import Path

    from shared.data.year import Year

DAYS = 20


def table(step_minutes: int = 60, start: str = "2023-02-20", days: int = DAYS, zone: str = "UTC") -> pd.DataFrame:
    """Return a load with a daily shape, times as the clock of a zone shows them."""
    at = pd.date_range(start, periods=days * 1440 // step_minutes, freq=f"{step_minutes}min", tz="UTC")
    turn = 2 * np.pi * (at.hour + at.minute / 60).to_numpy() / 24
    load = 1000 + 200 * np.sin(turn) + np.arange(len(at)) % 7
    return pd.DataFrame({"time": at.tz_convert(zone).tz_localize(None), "load": np.round(load, 2)})


def split(day: str, clock: str, data: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the load with the times in two columns, in these layouts."""
    data = table() if data is None else data
    times = data["time"].dt
    return pd.DataFrame({"Date": times.strftime(day), "Time": times.strftime(clock), "load": data["load"]})


def guess(data: pd.DataFrame | str, folder: Path, name: str = "load.csv", **hints: object) -> Year:
    """Return the readings of a file about which nothing is said but the hints."""
    text = data if isinstance(data, str) else data.to_csv(index=False)
    (folder / name).write_text(text, encoding="utf-8")
    return find_year(str(folder / name), folder, hints=Hints(**hints))  # type: ignore[arg-type]  # hints of a test


@pytest.mark.parametrize("step_minutes", [5, 10, 15, 30, 60])
def test_a_plain_file_needs_no_word(step_minutes: int, tmp_path: Path) -> None:
    """Times, step and load are told; times without an offset are UTC; no holidays are made up."""
    data = table(step_minutes)
    year = guess(data, tmp_path, "My meter (1).csv.gz.csv")
    site = year.site
    assert (site.name, site.step_minutes, site.time_zone, site.country) == ("My-meter-1", step_minutes, "UTC", None)
    assert (site.time_column, site.columns, site.ignore) == ("time", {"load": "zone_1_kw"}, ())
    assert year.times.tolist() == data["time"].dt.tz_localize("UTC").tolist()
    assert any("no public holidays: give --country" in line for line in year.assumed)


def test_the_table_that_is_printed_says_the_same(tmp_path: Path) -> None:
    """Saved and chosen, it reads the file into the same readings."""
    data = table().assign(time=lambda frame: frame["time"].dt.strftime("%d/%m/%Y %H:%M"), note="x")
    data = data.rename(columns={"load": 'Verbrauch "Süd" [MWh]'})
    year = guess(data, tmp_path, country="ES", time_zone="UTC")
    sites = tmp_path / "sites.toml"
    sites.write_text(as_toml(year.site), encoding="utf-8")
    known = known_sites(sites)["load"]
    assert known == year.site
    again = find_year(str(tmp_path / "load.csv"), tmp_path, site=known)
    pd.testing.assert_frame_equal(again.rows, year.rows)
    assert tomllib.loads(as_toml(year.site))["load"]["columns"] == {
        'Verbrauch "Süd" [MWh]': {"field": "zone_1_kw", "kind": "energy", "unit": "MWh"}
    }


@pytest.mark.parametrize(
    ("layout", "form"),
    [
        ("%d/%m/%Y %H:%M", {"day_first": True}),
        ("%d.%m.%Y %H:%M:%S", {"day_first": True}),
        ("%m/%d/%Y %H:%M", {}),
        ("%Y/%m/%d %H:%M", {}),
        ("%Y-%m-%dT%H:%M:%SZ", {}),
        ("%s", {"time_format": "epoch_s"}),
        ("%s000", {"time_format": "epoch_ms"}),
    ],
)
def test_the_form_of_the_times_is_told(layout: str, form: dict[str, object], tmp_path: Path) -> None:
    """Day first where that alone reads every row, epochs by the name of their column."""
    data = table(start="2023-01-05")
    written = data["time"].dt.tz_localize("UTC").map(lambda time: time.strftime(layout))
    year = guess(data.assign(time=written), tmp_path)
    assert {"day_first": year.site.day_first, "time_format": year.site.time_format} == {
        "day_first": False,
        "time_format": None,
    } | form
    assert year.times.tolist() == data["time"].dt.tz_localize("UTC").tolist()


def test_an_order_of_day_and_month_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    """Where each day of the file could be a month the user says which it is."""
    data = table(start="2023-03-01", days=12)
    written = data.assign(time=data["time"].dt.strftime("%d/%m/%Y %H:%M"))
    with pytest.raises(DataError, match=r"'01/03/2023 00:00' can be 3 January or 1 March: give --day-first or"):
        guess(written, tmp_path)
    assert guess(written, tmp_path, day_first=True).times[-1] == pd.Timestamp("2023-03-12T23:00Z")


def test_what_the_user_says_of_the_order_must_fit(tmp_path: Path) -> None:
    """No row is lost to a wrong word."""
    data = table(start="2023-01-05")
    written = data.assign(time=data["time"].dt.strftime("%m/%d/%Y %H:%M"))
    with pytest.raises(DataError, match=r"'01/13/2023 00:00' is no time with the day first: leave out --day-first"):
        guess(written, tmp_path, day_first=True)


SPLIT = {
    "Date": ("%Y-%m-%d", "%H:%M"),
    "German": ("%d.%m.%Y", "%H:%M:%S"),
    "American": ("%m/%d/%Y", "%I:%M %p"),
    "day first": ("%d/%m/%Y", "%H:%M"),
    "compact": ("%Y%m%d", "%H:%M"),
    "decimals": ("%Y/%m/%d", "%H:%M:%S.000"),
    "dates at midnight": ("%Y-%m-%d 00:00:00", "%H:%M"),
    "dates at midnight, ISO": ("%Y-%m-%dT00:00:00.000", "%H:%M:%S"),
    "day first at midnight": ("%d.%m.%Y 00:00", "%H:%M"),
}


@pytest.mark.parametrize("turned", [False, True], ids=["date first", "time of day first"])
@pytest.mark.parametrize(("day", "clock"), SPLIT.values(), ids=SPLIT)
def test_date_and_time_of_day_may_stand_in_two_columns(day: str, clock: str, tmp_path: Path, *, turned: bool) -> None:
    """They are joined, which is said; and the site table that is printed reads the file into the same readings."""
    data = split(day, clock)
    data = data.iloc[:, [1, 0, 2]] if turned else data
    year = guess(data.to_csv(index=False, sep=";"), tmp_path)
    assert (year.site.date_column, year.site.time_column, year.site.ignore) == ("Date", "Time", ())
    assert year.times.tolist() == table()["time"].dt.tz_localize("UTC").tolist()
    np.testing.assert_array_equal(year.demand(1), table()["load"])
    shown = f"{re.split('[ T]00:00', data['Date'][0])[0]} {data['Time'][0]}"
    assert year.assumed[0].startswith(f"times are in 'Date' and 'Time', as in '{shown}'")
    (tmp_path / "sites.toml").write_text(as_toml(year.site))
    known = known_sites(tmp_path / "sites.toml")["load"]
    assert known == year.site
    again = find_year(str(tmp_path / "load.csv"), tmp_path, site=known, hints=Hints())
    assert again.assumed == ()
    pd.testing.assert_frame_equal(again.rows, year.rows)


@pytest.mark.parametrize("asked", ["Date", "Time"])
def test_either_of_two_columns_may_be_asked_for(asked: str, tmp_path: Path) -> None:
    """Another column of dates does not matter then, where it is a date that is asked for."""
    data = split("%Y-%m-%d", "%H:%M")
    data = data.assign(Sent=data["Date"]) if asked == "Date" else data
    year = guess(data, tmp_path, time_column=asked)
    assert (year.site.date_column, year.site.time_column) == ("Date", "Time")


def test_a_column_of_whole_times_goes_before_two_of_parts(tmp_path: Path) -> None:
    """Date and time of day beside it are ignored."""
    data = split("%Y-%m-%d", "%H:%M").assign(at=table()["time"].dt.strftime("%Y-%m-%d %H:%M"))
    year = guess(data, tmp_path)
    assert (year.site.date_column, year.site.time_column) == (None, "at")
    assert set(year.site.ignore) == {"Date", "Time"}


def test_two_columns_by_a_clock_with_summer_time_are_told_apart(tmp_path: Path) -> None:
    """The hour that comes twice, and 24:00 for the end of a day, are read as in one column; days decide the order."""
    data = table(start="2023-10-20", zone="Europe/Madrid")
    parts = split("%d.%m.%Y", "%H:%M", data)
    ends = parts["Time"] == "00:00"
    parts.loc[ends, "Date"] = (data["time"] - pd.Timedelta(days=1))[ends].dt.strftime("%d.%m.%Y")
    parts.loc[ends, "Time"] = "24:00"
    year = guess(parts, tmp_path, time_zone="Europe/Madrid")
    assert year.times.tolist() == table(start="2023-10-20")["time"].dt.tz_localize("UTC").tolist()


def test_two_columns_of_parquet_are_joined_too(tmp_path: Path) -> None:
    """Days and times of day have types of their own there."""
    data = table()
    parts = data.assign(day=data["time"].dt.date, clock=data["time"].dt.time).drop(columns="time")
    parts.to_parquet(tmp_path / "load.parquet")
    year = find_year(str(tmp_path / "load.parquet"), tmp_path, hints=Hints())
    assert (year.site.date_column, year.site.time_column) == ("day", "clock")
    parts.assign(day=data["time"].dt.normalize()).to_parquet(tmp_path / "midnights.parquet")
    midnights = find_year(str(tmp_path / "midnights.parquet"), tmp_path, hints=Hints())
    assert (midnights.site.date_column, midnights.times.tolist()) == ("day", year.times.tolist())
    assert year.times.tolist() == data["time"].dt.tz_localize("UTC").tolist()


@pytest.mark.parametrize("seen", ["skips 2023-03-26 02:00", "repeats 2023-10-29 02:00"])
def test_times_of_a_clock_with_summer_time_are_refused_with_the_option(seen: str, tmp_path: Path) -> None:
    """UTC neither skips nor repeats an hour; with the zone the readings are whole."""
    start = {"s": "2023-03-10", "r": "2023-10-15"}[seen[0]]
    data = table(15, start, zone="Europe/Madrid")
    with pytest.raises(DataError, match=f"column 'time' {seen}, as the clock of .* give --time-zone"):
        guess(data, tmp_path)
    year = guess(data, tmp_path, time_zone="Europe/Madrid")
    utc = pd.date_range(start, periods=len(data), freq="15min", tz="UTC")
    assert year.times.tolist() == utc.tolist()
    assert year.site.time_zone == "Europe/Madrid"
    with pytest.raises(DataError, match=r"--time-zone 'Madrid': no such time zone"):
        guess(data, tmp_path, time_zone="Madrid")


def test_an_outage_is_no_summer_time(tmp_path: Path) -> None:
    """An hour that is missing at another time is missing, and so is that one where the user says UTC."""
    data = table(start="2023-03-10")
    assert guess(data.drop(index=100), tmp_path).site.time_zone == "UTC"
    skipped = data[data["time"] != "2023-03-26 02:00"]
    assert len(guess(skipped, tmp_path, time_zone="UTC").rows) == len(data) - 1


def test_loads_are_the_numeric_columns_that_can_be_loads(tmp_path: Path) -> None:
    """Weather is known by the names of its fields; indices, constants, calendar, notes and other quantities are not."""
    data = table()
    n = len(data)
    data = pd.DataFrame(
        {
            "Unnamed: 0": range(n),
            **data,
            "feeder 2": np.where(np.arange(n) % 9, -data["load"], np.nan),
            "temperature_c": np.round(15 + np.sin(np.arange(n)), 1),
            "Air temperature": np.round(59 + np.sin(np.arange(n)), 1),
            "hour": data["time"].dt.hour,
            "flag": 1,
            "spare": "",
            "quality": ["ok", "bad"] * (n // 2),
        }
    )
    year = guess(data, tmp_path)
    assert year.site.columns == {"load": "zone_1_kw", "feeder 2": "zone_2_kw", "temperature_c": "temperature_c"}
    (ignored,) = (line for line in year.assumed if line.startswith("ignored"))
    for why in (
        "'Unnamed: 0' (counts the rows)",
        "'Air temperature' (no load by its name)",
        "'flag' (always the same)",
    ):
        assert why in ignored


def test_columns_that_are_asked_for_are_the_zones_in_their_order(tmp_path: Path) -> None:
    """The first is zone 1, others are ignored, whatever they are called."""
    data = table().assign(temp=lambda frame: frame["load"] / 2, rest=lambda frame: frame["load"] * 2)
    year = guess(data, tmp_path, columns=("temp", "load"))
    assert year.site.columns == {"temp": "zone_1_kw", "load": "zone_2_kw"}
    assert year.site.ignore == ("rest",)
    with pytest.raises(DataError, match=r"no column 'lode': give --column one of 'load', 'temp', 'rest'"):
        guess(data, tmp_path, columns=("lode",))


@pytest.mark.parametrize(
    ("column", "hints", "measure"),
    [
        ("load", {}, None),
        ("load", {"unit": "W"}, ("power", "W")),
        ("Load MW", {}, ("power", "MW")),
        ("load_kw", {}, None),
        ("Consumption (kWh)", {}, ("energy", "kWh")),
        ("load", {"unit": "MWh"}, ("energy", "MWh")),
        ("load", {"kind": "energy"}, ("energy", "kW")),
    ],
)
def test_the_unit_is_that_of_the_name_or_of_the_user(
    column: str, hints: dict[str, Any], measure: tuple[str, str] | None, tmp_path: Path
) -> None:
    """Power in kW where neither says anything."""
    found = guess(table().rename(columns={"load": column}), tmp_path, **hints).site.measures.get("zone_1_kw")
    assert (found and (found.kind, found.unit)) == measure


def test_a_column_that_only_rises_is_a_register(tmp_path: Path) -> None:
    """The load is not what a meter has counted since it was mounted."""
    data = table()
    year = guess(data.assign(load=data["load"].cumsum().round(1)), tmp_path)
    assert year.site.measures["zone_1_kw"].kind == "register"
    assert any("the register of a meter in kWh, as they only rise" in line for line in year.assumed)


@pytest.mark.parametrize(("step_minutes", "asked"), [(60, 30), (10, 30), (10, 5), (1, 10)])
def test_a_step_that_the_file_does_not_have_is_refused(step_minutes: int, asked: int, tmp_path: Path) -> None:
    """The line names both: half of the steps would be without a reading, or most readings between two steps."""
    said = (
        f"--step {asked}, and a reading comes every {step_minutes} minutes: leave out --step, or resample it to 5, 10"
    )
    with pytest.raises(DataError, match=said):
        guess(table(step_minutes), tmp_path, step_minutes=asked)


def test_a_step_that_some_readings_have_is_believed(tmp_path: Path) -> None:
    """A meter that leaves out two of three readings has them on this step all the same."""
    data = table(30)
    kept = data[(data.index % 6 == 0) | (data.index % 6 == 1)]
    assert guess(kept, tmp_path).site.step_minutes == 30
    sparse = data[(data.index % 2 == 0) | (data.index % 20 == 1)]
    assert guess(sparse, tmp_path).site.step_minutes == 60
    assert guess(sparse, tmp_path, step_minutes=30).site.step_minutes == 30


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (table(1, days=2), "a reading every 1 minutes: resample it to 5, 10, 15, 30 or 60 minutes"),
        (pd.concat([table(days=5)] * 3), "240 of 360 times come again, as where several meters stand one below"),
        (table().assign(load="x"), "no column of loads beside 'time' ('load': no numbers): name it with --column"),
        (table().assign(time="noon"), "no column holds times of day, of 'time' ('noon')"),
        (split("%Y-%m-%d", "%H"), "no column holds times of day, of 'Date' ('2023-02-20'), 'Time' ('00'), 'load'"),
        (split("%Y-%m-%d", "%H:%M-24:00"), "give a column of days and one of times of day such as 13:45, write both"),
        (
            split("%Y-%m-%d", "%H:%M").assign(Traded=lambda frame: frame["Date"]),
            "give a column of days and one of times",
        ),
        (split("%d %b %Y", "%H:%M"), "give a column of days and one of times of day such as 13:45"),
    ],
)
def test_what_cannot_be_told_is_refused(data: pd.DataFrame, said: str, tmp_path: Path) -> None:
    """One line that names what was seen and what to give."""
    with pytest.raises(DataError) as refusal:
        guess(data, tmp_path)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_country_that_is_none_is_refused(tmp_path: Path) -> None:
    """One line that names the option and says what a country is."""
    with pytest.raises(DataError, match=r"--country XX: .*use an ISO 3166-1 code"):
        guess(table(), tmp_path, country="XX")
    with pytest.raises(DataError, match=r"--country Spain: .*did you mean ES \(Spain\)\? Use an ISO 3166-1 code"):
        guess(table(), tmp_path, country="Spain")


def test_a_time_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    """One line that names the option and the zone that was meant."""
    with pytest.raises(DataError, match=r"--time-zone 'Madrid': .*did you mean Europe/Madrid\?"):
        guess(table(), tmp_path, time_zone="Madrid")


def test_a_file_of_the_site_is_read_by_its_table(table: bytes, tmp_path: Path) -> None:
    """Nothing is guessed where a table fits, or where one was chosen; what the user says of the file is."""
    (tmp_path / "year.csv").write_bytes(table)
    year = find_year(str(tmp_path / "year.csv"), tmp_path, hints=Hints())
    assert (year.site.name, year.assumed) == ("tetouan", ())
    with pytest.raises(DataError, match="no column 'DateTime'"):
        guess("time,load\n2023-01-01T00:00Z,1\n", tmp_path, guess=False)
    hints = Hints(columns=("Zone 1 Power Consumption",), day_first=False)
    said = find_year(str(tmp_path / "year.csv"), tmp_path, hints=hints)
    assert said.site.zones == (1,)
    assert replace(Hints(), guess=False) == Hints().dialect
