"""The clean readings of a file: they are the ingestor's, and no row vanishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from backtest.cleaning import RowFate, cleaned, write_table
from backtest.outcomes import END_OF_TIME
from backtest.run import judged
from shared.data.errors import DataError
from shared.data.hints import Hints
from shared.data.year import find_year
from shared.sites.site import Site
from shared.sites.table import site
from tests.unit.years import small_year

if TYPE_CHECKING:
    from pathlib import Path

    from shared.contracts.messages import CleanReading
    from shared.data.year import Year

TETOUAN = site("tetouan")
ZONE_2 = "Zone 2  Power Consumption"


def _quiet(_what: str, _share: float) -> None:
    """Take no notice of progress."""


def troubled_file(folder: Path) -> Path:
    """Write a day of the built-in site with one row of each kind of trouble."""
    rows = small_year(1, "").rows.reset_index(drop=True)
    rows.loc[3, ZONE_2] = "1977356.96"  # beyond the limits
    rows.loc[4, ZONE_2] = ""
    rows.loc[5, "Temperature"] = "n/a"
    rows.loc[6, "DateTime"] = "yesterday"
    again, other = rows.loc[[8]], rows.loc[[9]].assign(**{ZONE_2: "1.0"})
    file = folder / "troubled.csv"
    pd.concat([rows, again, other]).to_csv(file, index=False)
    return file


def read(file: Path, place: Site = TETOUAN) -> Year:
    """Return the readings of a file."""
    return find_year(str(file), file.parent, site=place, hints=Hints(guess=False))


def readings_of(year: Year) -> list[CleanReading]:
    """Return what an ingestor publishes of a year."""
    return judged(year, year.times.min().to_pydatetime(), END_OF_TIME)


def told(year: Year) -> list[object]:
    """Return times and values of the clean readings; a value that was left out is flagged ``missing`` from then on."""
    return [reading.model_dump(include={"time", "values"}) for reading in readings_of(year)]


def test_each_row_has_one_fate_and_says_why(tmp_path: Path) -> None:
    """Counts add up to the rows; each kind names its first line, time and value."""
    result = cleaned(read(troubled_file(tmp_path)), _quiet)
    assert result.counts == {"as_it_was": 140, "flagged": 3, "repeated": 1, "refused": 2}
    assert sum(result.counts.values()) == len(result.year.rows)
    kinds = {(kind.fate, kind.reason, kind.field): kind for kind in result.kinds}
    assert kinds.keys() == {
        ("flagged", "outlier", "zone_2_kw"),
        ("flagged", "missing", "zone_2_kw"),
        ("flagged", "missing", "temperature_c"),
        ("refused", "no_time", "DateTime"),
        ("repeated", "repeats a reading", None),
        ("refused", "contradicts", ZONE_2),
    }
    outlier = kinds["flagged", "outlier", "zone_2_kw"]
    assert (outlier.rows, outlier.first_line, outlier.first_value) == (1, 5, "1977356.96")
    assert outlier.first_time == "2017-03-01T00:30:00+00:00"
    assert result.steps_without_reading == 1


def test_the_table_of_rows_has_every_line_of_the_file(tmp_path: Path) -> None:
    """A row that passed has no reason; one that was flagged names field and value."""
    result = cleaned(read(troubled_file(tmp_path)), _quiet)
    rows = result.rows()
    assert set(rows["line"]) == set(range(2, 148))
    assert list(rows.columns) == ["line", "time", "fate", "reason", "field", "value"]
    flagged = rows[rows["line"] == 5].iloc[0]
    assert tuple(flagged[["fate", "reason", "field", "value"]]) == ("flagged", "outlier", "zone_2_kw", "1977356.96")
    assert rows.loc[rows["fate"] == RowFate.AS_IT_WAS.shown, "reason"].isna().all()


@pytest.mark.parametrize("name", ["clean.csv", "clean.parquet"])
def test_the_clean_file_holds_just_the_clean_readings(tmp_path: Path, name: str) -> None:
    """Read again, nothing of it is refused or repeated, and an ingestor publishes the same readings."""
    year = read(troubled_file(tmp_path))
    result = cleaned(year, _quiet)
    write_table(result.readings(), tmp_path / name, tuple(year.site.columns))
    again = read(tmp_path / name)
    counts = cleaned(again, _quiet).counts
    assert (counts["repeated"], counts["refused"]) == (0, 0)
    assert told(again) == told(year)


SITES: dict[str, dict[str, Any]] = {
    "dates in a column of their own": {"time_column": "clock", "date_column": "date"},
    "a form of its own": {"time_column": "clock", "time_format": "%d.%m.%Y %H.%M"},
    "a clock with summer time": {"time_column": "clock", "time_zone": "Europe/Madrid"},
    "energy in MWh": {"time_column": "clock", "measures": {"zone_1_kw": {"kind": "energy", "unit": "MWh"}}},
    "a register": {"time_column": "clock", "measures": {"zone_1_kw": {"kind": "register", "unit": "kWh"}}},
}


def file_of(place: Site, folder: Path) -> Path:
    """Write two days around the end of summer time, with the second register lower than the first."""
    times = pd.date_range("2018-10-27", periods=48, freq="h", tz="UTC").tz_convert(place.time_zone)
    loads = [f"{900 + 7 * hour}" for hour in range(48)]
    loads[5] = "3"
    loads[9] = ""
    table = {"clock": times.strftime("%Y-%m-%d %H:%M"), "load": loads}
    if place.date_column:
        table = {"date": times.strftime("%Y-%m-%d"), "clock": times.strftime("%H:%M"), "load": loads}
    if place.time_format:
        table["clock"] = times.strftime(place.time_format)
    pd.DataFrame(table).to_csv(folder / "load.csv", index=False)
    return folder / "load.csv"


@pytest.mark.parametrize("changes", SITES.values(), ids=SITES)
def test_a_site_of_any_table_reads_its_clean_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Times and units are written as the table of the site says: the same readings come out."""
    table = {"name": "town", "step_minutes": 60, "time_zone": "UTC", "columns": {"load": "zone_1_kw"}}
    place = Site.model_validate(table | changes, strict=False)
    year = read(file_of(place, tmp_path), place)
    write_table(cleaned(year, _quiet).readings(), tmp_path / "clean.csv", ("load",))
    again = told(read(tmp_path / "clean.csv", place))
    assert len(again) == 48
    assert again == told(year)


def test_a_form_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The line says what to change in the table of the site."""
    table = {"name": "town", "step_minutes": 60, "time_zone": "UTC", "columns": {"load": "zone_1_kw"}}
    form = {"date_column": "date", "time_column": "clock", "time_format": "%Y-%m-%d %H:%M"}
    place = Site.model_validate(table | form)
    pd.DataFrame({"date": ["2018-10-27"] * 8, "clock": [f"{hour:02}:00" for hour in range(8)], "load": "9"}).to_csv(
        tmp_path / "load.csv", index=False
    )
    with pytest.raises(DataError, match="date_column and a time_format, which cannot be written: put both into one"):
        cleaned(read(tmp_path / "load.csv", place), _quiet).readings()
