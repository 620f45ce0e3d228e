"""The sites of the package and of a file of one's own."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.forecasting.weather import COLUMNS
from shared.sites.country import in_its_country
from shared.sites.site import EPOCHS, WEATHER_FIELDS, Measure, Site
from shared.sites.table import BUILT_IN, known_sites, site

if TYPE_CHECKING:
    from collections.abc import Callable

OWN_DATA = Path(__file__).parents[3] / "docs" / "own-data.md"

TETOUAN = Site(
    name="tetouan",
    step_minutes=10,
    country="MA",
    time_zone="UTC",
    time_column="DateTime",
    zones=(2,),
    columns={
        "Temperature": "temperature_c",
        "Humidity": "humidity_pct",
        "Wind Speed": "wind_speed_ms",
        "general diffuse flows": "general_diffuse_flows_wm2",
        "diffuse flows": "diffuse_flows_wm2",
        "Zone 1 Power Consumption": "zone_1_kw",
        "Zone 2  Power Consumption": "zone_2_kw",
        "Zone 3  Power Consumption": "zone_3_kw",
    },
    limits={
        "temperature_c": (-30, 60),
        "humidity_pct": (0, 100),
        "wind_speed_ms": (0, 75),
        "general_diffuse_flows_wm2": (-10, 1500),
        "diffuse_flows_wm2": (-10, 1500),
        "zone_1_kw": (0, 150_000),
        "zone_2_kw": (0, 150_000),
        "zone_3_kw": (0, 150_000),
    },
    holidays={  # type: ignore[arg-type]  # pydantic makes the model of it
        "add": (date(2017, 6, 27), date(2017, 9, 22), date(2017, 12, 2)),
        "remove": (date(2017, 6, 25), date(2017, 9, 21), date(2017, 11, 30)),
        "ramadan": ((date(2017, 5, 27), date(2017, 6, 25)),),
    },
)

ALCALA = """
[alcala]
step_minutes = 15
country = "ES"
time_zone = "Europe/Madrid"
time_column = "time"
columns = {"Load" = "zone_1_kw", "Outdoor" = "temperature_c"}
"""

NORTH = """
[north]
step_minutes = 60
time_zone = "UTC"
time_column = "t"
columns = {"Load" = "zone_1_kw"}
"""


def test_the_site_of_the_package_is_a_file_like_any_other() -> None:
    """What the file beside the module says of Tetouan, to the last number; it is the only site that is built in."""
    assert known_sites() == {BUILT_IN: TETOUAN}
    assert site(BUILT_IN) == TETOUAN
    assert (TETOUAN.fields[:5], TETOUAN.load_zones) == (WEATHER_FIELDS, (1, 2, 3))


def test_the_weather_of_a_site_is_what_the_weather_model_reads() -> None:
    """Both rooms name the same fields, in one order."""
    assert WEATHER_FIELDS == COLUMNS


def test_a_file_adds_sites_and_leaves_what_is_built_in(written: Callable[[str], Path]) -> None:
    """A site of another country and step stands beside that of the package, with all that may be left out empty."""
    known = known_sites(written(ALCALA))
    assert known[BUILT_IN] == TETOUAN
    alcala = known["alcala"]
    assert (alcala.country, alcala.time_zone, alcala.step_minutes, alcala.zones) == ("ES", "Europe/Madrid", 15, (1,))
    assert (alcala.limits, alcala.holidays.add, alcala.holidays.remove) == ({}, (), ())


def test_a_file_changes_what_is_built_in_key_by_key(written: Callable[[str], Path]) -> None:
    """New holidays replace the old ones whole, and nothing else changes."""
    changed = known_sites(written("[tetouan.holidays]\nadd = [2018-06-16]"))[BUILT_IN]
    assert (changed.holidays.add, changed.holidays.remove) == ((date(2018, 6, 16),), ())
    assert changed.model_copy(update={"holidays": TETOUAN.holidays}) == TETOUAN


BOTH = ALCALA.replace('"zone_1_kw",', '"zone_1_kw", "Norte" = "zone_3_kw",')
CHANGED = '[tetouan]\nlimits = {}\ncolumns = {"Load" = "zone_1_kw", "Norte" = "zone_3_kw"}\n'


@pytest.mark.parametrize(
    ("name", "text", "zones"),
    [
        *(("alcala", BOTH, (1, 3)), ("alcala", f"{BOTH}zones = [3]", (3,))),
        *(("tetouan", CHANGED, (1, 3)), ("tetouan", f"{CHANGED}zones = [3]", (3,))),
    ],
)
def test_the_zones_to_forecast_are_all_loads_or_those_that_the_table_names(
    written: Callable[[str], Path], name: str, text: str, zones: tuple[int, ...]
) -> None:
    """The loads are the same; the zone that the package names for its own columns need not be among others."""
    place = known_sites(written(text))[name]
    assert (place.zones, place.load_zones) == (zones, (1, 3))


def test_a_site_with_fewer_columns_has_what_belongs_to_them() -> None:
    """Zones, limits and the columns themselves; a zone to forecast may be among those that go."""
    third = TETOUAN.narrowed({"Temperature", "Zone 3  Power Consumption", "note"})
    assert (third.fields, third.load_zones, third.zones) == (("temperature_c", "zone_3_kw"), (3,), ())
    assert third.limits.keys() == {"temperature_c", "zone_3_kw"}


def test_a_subdivision_brings_its_own_holidays(written: Callable[[str], Path]) -> None:
    """Madrid's 2 May is added to Spain's holidays, and what the file removes stays removed."""
    text = ALCALA.replace('"ES"', '"ES"\nsubdivision = "MD"') + "holidays = {add = [2019-08-06], remove = [2020-05-02]}"
    own = known_sites(written(text))["alcala"].holidays
    spain = holidays.country_holidays("ES", years=2019)
    madrid = holidays.country_holidays("ES", subdiv="MD", years=2019)
    assert date(2019, 5, 2) in own.add
    assert date(2020, 5, 2) not in own.add
    of_2019 = {day for day in own.add if day.year == 2019}
    assert of_2019 | set(spain) == set(madrid) | {date(2019, 8, 6)}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[alcala]",
            "alcala.step_minutes is missing: give 5, 10, 15, 30 or 60, without quotes; so are time_zone, time_col",
        ),
        (ALCALA.replace("15", "20"), "alcala.step_minutes = 20: write 5, 10, 15, 30 or 60, without quotes"),
        (ALCALA.replace("15", '"15"'), "alcala.step_minutes = '15': write 5, 10, 15, 30 or 60, without quotes"),
        (
            ALCALA.replace("ES", "es"),
            "alcala.country = 'es': no holidays are known of it: did you mean ES (Spain)? Use an ISO 3166-1 code",
        ),
        (ALCALA.replace("ES", "xx"), "alcala.country = 'xx': no holidays are known of it: use an ISO 3166-1 code"),
        (ALCALA.replace('country = "ES"', 'subdivision = "MD"'), "alcala.country is missing: give that of MD"),
        (ALCALA + 'subdivision = "XX"', "alcala.subdivision = 'XX': no part of ES: use one of AN, AR, "),
        (
            ALCALA.replace("ES", "MA") + 'subdivision = "XX"',
            "alcala.subdivision = 'XX': no part of MA: leave it out",
        ),
        (
            ALCALA.replace("Europe/", ""),
            "alcala.time_zone = 'Madrid': no such time zone: did you mean Europe/Madrid? Use an IANA name",
        ),
        (ALCALA.replace("Europe/Madrid", "../x"), "alcala.time_zone = '../x': no such time zone"),
        (ALCALA.replace("time_zone", "time_zome"), "alcala.time_zome is no field: did you mean time_zone? Use one of"),
        (ALCALA.replace("time_zone", "timezone"), "alcala.timezone is no field: did you mean time_zone? Use one of"),
        (ALCALA.replace("time_zone", "Time-Zone"), "alcala.Time-Zone is no field: did you mean time_zone? Use one of"),
        (
            ALCALA.replace("step_minutes", "step"),
            "alcala.step is no field: did you mean step_minutes? Use one of step_minutes, country, ",
        ),
        (
            ALCALA.replace('time_column = "time"', 'time_column = "site"'),
            "alcala.time_column = 'site': a message names",
        ),
        (ALCALA + 'date_column = "time"', "alcala.date_column = 'time': it is another column already: leave it out"),
        (ALCALA + 'date_column = "Load"', "'Load' is no load and no weather: take it out of the columns"),
        (ALCALA + 'date_column = "day"\nignore = ["day"]', "'day' is read: take it out here, or out of the columns"),
        (ALCALA + "limit = {}", "alcala.limit is no field: did you mean limits? Use one of "),
        (ALCALA + "dayfirst = true", "alcala.dayfirst is no field: did you mean day_first? Use one of "),
        (ALCALA + "horizon = 96", "alcala.horizon is no field: use one of step_minutes, country, "),
        (ALCALA + "holidays = {added = []}", "alcala.holidays.added is no field: did you mean add? Use one of add"),
        (
            ALCALA + 'holidays = {add = ["2019-08-06"]}',
            "alcala.holidays.add[0] = '2019-08-06': write dates in brackets, w",
        ),
        (
            ALCALA + "holidays = {ramadan = [[2019-06-03, 2019-05-06]]}",
            "2019-06-03 is after 2019-05-06: give the first day, then the last",
        ),
        (
            ALCALA + "holidays = {add = [2019-08-06], remove = [2019-08-06]}",
            "alcala.holidays.remove = [2019-08-06]: 2019-08-06 is added too: keep one of the two",
        ),
        (ALCALA.replace("zone_1_kw", "zone_0_kw"), "no field 'zone_0_kw': use zone_1_kw, zone_2_kw, ... or temp"),
        (ALCALA.replace("zone_1_kw", "humidity_pct"), "no load: name a column zone_1_kw"),
        (ALCALA.replace("temperature_c", "zone_1_kw"), "zone_1_kw stands for 2 columns: keep one of them"),
        (ALCALA.replace("Outdoor", "site"), "'site' is no load and no weather: take it out of the columns"),
        (ALCALA.replace("Outdoor", "time"), "'time' is no load and no weather: take it out of the columns"),
        (ALCALA + "limits = {zone_2_kw = [0, 1]}", "no column is 'zone_2_kw': use zone_1_kw, temperature_c"),
        (ALCALA + "limits = {zone_1_kw = [9, 1]}", "zone_1_kw from 9 to 1 lets nothing through: give the lower one"),
        (ALCALA + "limits = {zone_1_kw = [nan, 1]}", "zone_1_kw from nan to 1 lets nothing through"),
        (
            ALCALA.replace('"zone_1_kw"', '{field = "zone_1_kw", unit = "kWh"}'),
            "alcala.columns.Load.unit = 'kWh': kWh is energy, no power: set kind = \"energy\"",
        ),
        (
            ALCALA.replace('"zone_1_kw"', '{field = "zone_1_kw", unit = "GW"}'),
            'alcala.columns.Load.unit = \'GW\': write "W", "kW" or "MW", of energy also "Wh", "kWh" or "MWh"',
        ),
        (
            ALCALA.replace('"zone_1_kw"', '{field = "zone_1_kw", king = "energy"}'),
            "alcala.columns.Load.king is no field: did you mean kind? Use one of kind, unit, field",
        ),
        (
            ALCALA.replace('"zone_1_kw"', '{field = "zone_1_kw", unitt = "MW"}'),
            "alcala.columns.Load.unitt is no field: did you mean unit? Use one of kind, unit, field",
        ),
        (
            ALCALA.replace('"zone_1_kw"', '{fields = "zone_1_kw", unit = "MW"}'),
            "alcala.columns.Load.fields is no field: did you mean field? Use one of kind, unit, field",
        ),
        (
            ALCALA.replace('"zone_1_kw"', '{unit = "W"}'),
            "alcala.columns.Load.field is missing: give the field of the column",
        ),
        (
            ALCALA.replace('"temperature_c"', '{field = "temperature_c", unit = "W"}'),
            'weather has no unit and no kind: write "temperature_c" alone',
        ),
        (ALCALA + "[alcala.measures.zone_2_kw]", "no load is 'zone_2_kw': use zone_1_kw"),
        (
            ALCALA + "[alcala.measures.zone_1_kw]\nking = 1",
            "alcala.measures.zone_1_kw.king is no field: did you mean kind? Use one of kind",
        ),
        (ALCALA + "zones = [1, 2]", "alcala.zones = [1, 2]: name one or more different zones of 1; all: leave it out"),
        (ALCALA + "zones = [1, 1]", "alcala.zones = [1, 1]: name one or more different zones of 1"),
        (ALCALA + "zones = []", "alcala.zones = []: name one or more different zones of 1"),
        (ALCALA + "zones = 1", "alcala.zones = 1: write numbers of zones in brackets, such as [1, 2]"),
        (ALCALA + 'ignore = ["note", "Load"]', "'Load' is read: take it out here, or out of the columns"),
        (ALCALA + 'ignore = "note"', "alcala.ignore = 'note': write names of columns in brackets, such as ["),
        (ALCALA + "day_first = 1", "alcala.day_first = 1: write true or false, without quotes"),
        (
            ALCALA + 'day_first = true\ntime_format = "epoch_s"',
            "alcala.time_format = 'epoch_s': day_first is set too: keep one of the two",
        ),
        (
            ALCALA + 'time_format = "%d.%m.%Y"',
            "it does not tell year, month, day, hour and minute: use one like %d.%m.%Y %H:%M (strptime), or epoch_s,",
        ),
        (ALCALA + 'time_format = "%d/%m/%Y %I:%M"', "it does not tell year, month, day, hour and minute"),
        (ALCALA + 'time_format = "%Y%m%d%H"', "it does not tell year, month, day, hour and minute"),
        (ALCALA + 'time_format = "%H:%M %d.%m.%Y %H"', "it does not tell year, month, day, hour and minute"),
        (ALCALA + 'time_format = "epoch"', "it does not tell year, month, day, hour and minute"),
        (
            ALCALA + 'time_format = "%c %Z"',
            "names of time zones are not read: write %z for an offset, or set time_zone",
        ),
        (ALCALA.replace("[alcala]", '["al calá"]'), "al calá.name = 'al calá': write a name of letters, digits, dots"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(written: Callable[[str], Path], text: str, line: str) -> None:
    """The line names site, field and value, and says what would do; the other sites are there."""
    sites = known_sites(written(text + NORTH))
    ((name, refusal),) = sites.refused.items()
    assert line in refusal
    assert "\n" not in refusal
    assert list(sites) == [BUILT_IN, "north"]
    with pytest.raises(ValueError, match=re.escape(refusal)):
        sites.require(name)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[alcala", "no TOML in line 1: '[alcala': Expected ']' at the end of a table declaration: mend it there"),
        ('country = "ES"', "country = 'ES' belongs to no site: write [NAME], its name, above it"),
    ],
)
def test_what_is_no_file_of_tables_is_refused_as_a_whole(written: Callable[[str], Path], text: str, line: str) -> None:
    """Nobody knows which sites it was to hold."""
    with pytest.raises(ValueError, match=re.escape(line)):
        known_sites(written(text))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("Spain", "ES (Spain)"), ("spian", "ES (Spain)"), ("Morroco", "MA (Morocco)"), ("UK", "GB (United Kingdom)")),
        *(("us", "US (United States)"), ("United States", "US (United States)"), ("South-Korea", "KR (South Korea)")),
        *(("xx", None), ("Atlantis", None), ("", None)),
    ],
)
def test_a_country_that_is_none_gets_a_hint(written: str, meant: str | None) -> None:
    """Its code is named where a code in lower case, a name, or one misspelt was given; nothing is hinted at random."""
    with pytest.raises(ValueError, match=r"[uU]se an ISO 3166-1 code") as refusal:
        in_its_country(known_sites()["tetouan"].model_copy(update={"country": written}))
    assert ("did you mean" in str(refusal.value)) == (meant is not None)
    assert meant is None or f"did you mean {meant}?" in str(refusal.value)


@pytest.mark.parametrize("code", ["ES", "ESP", "GB", "MA"])
def test_a_country_is_an_iso_code_of_two_or_three_letters(code: str) -> None:
    """Both kinds name the country."""
    place = known_sites()["tetouan"].model_copy(update={"country": code})
    assert in_its_country(place) == place


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("Madrid", "Europe/Madrid"), ("Europe/Madird", "Europe/Madrid"), ("europe/madrid", "Europe/Madrid")),
        *(("New York", "America/New_York"), ("America/New-York", "America/New_York"), ("utc", "UTC")),
        *(("GMT+1", None), ("Spain", None), ("", None), ("../x", None)),
    ],
)
def test_a_time_zone_that_is_none_gets_a_hint(written: str, meant: str | None) -> None:
    """The zone of a city, whatever the case, and of one misspelt."""
    with pytest.raises(ValidationError, match="no such time zone") as refusal:
        Site.model_validate(known_sites()["tetouan"].model_dump() | {"time_zone": written})
    assert ("did you mean" in str(refusal.value)) == (meant is not None)
    assert meant is None or f"did you mean {meant}?" in str(refusal.value)


def test_a_column_tells_its_unit_and_kind(written: Callable[[str], Path]) -> None:
    """The columns stay names and fields; what is not power in kW stands beside them, by field."""
    described = ALCALA.replace('"zone_1_kw"', '{field = "zone_1_kw", unit = "MWh", kind = "energy"}')
    alcala = known_sites(written(described))["alcala"]
    assert alcala.columns == {"Load": "zone_1_kw", "Outdoor": "temperature_c"}
    assert alcala.measure("zone_1_kw") == Measure(kind="energy", unit="MWh")
    assert (alcala.measure("zone_1_kw").kilo, Measure(unit="W").kilo) == (1000.0, 0.001)
    assert alcala.measure("temperature_c") == TETOUAN.measure("zone_2_kw") == Measure(kind="power", unit="kW")


@pytest.mark.parametrize("column", ["", "Unnamed: 0"])
def test_the_time_column_may_have_no_name(written: Callable[[str], Path], column: str) -> None:
    """What pandas writes as an index has an empty header."""
    known = known_sites(written(ALCALA.replace('"time"', f'"{column}"') + 'ignore = ["note"]'))
    assert (known["alcala"].time_column, known["alcala"].ignore) == (column, ("note",))


@pytest.mark.parametrize(
    "layout", ["%d.%m.%Y %H:%M", "%y%m%d%H%M", "%d %b %Y %I:%M:%S.%f %p", "%Y-%j %H:%M %z", *EPOCHS]
)
def test_any_format_that_tells_a_time_will_do(written: Callable[[str], Path], layout: str) -> None:
    """A format of strptime from which year, month, day, hour and minute can be read, or a word for an epoch."""
    assert known_sites(written(f"{ALCALA}time_format = '{layout}'"))["alcala"].time_format == layout


def test_hours_tell_the_time_of_an_hourly_site(written: Callable[[str], Path]) -> None:
    """Minutes may be left out where there are none."""
    text = f"{ALCALA}time_format = '%Y%m%d%H'"
    assert known_sites(written(text.replace("15", "60")))["alcala"].time_format == "%Y%m%d%H"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Neither a missing path, nor a folder, nor bytes that are no text."""
    with pytest.raises(ValueError, match=r"No such file .*: give the path of a TOML file"):
        known_sites(tmp_path / "none.toml")
    with pytest.raises(ValueError, match=r"Is a directory: give the path of a TOML file"):
        known_sites(tmp_path)
    (tmp_path / "latin.toml").write_bytes('# Alcalá\n"'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"no UTF-8 at byte 7: save the file as UTF-8"):
        known_sites(tmp_path / "latin.toml")


@given(st.text(max_size=40))
def test_no_text_does_more_than_be_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in the file, the site of the package is there, or a line says why not."""
    path = tmp_path_factory.mktemp("any") / "sites.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with suppress(ValueError):
        sites = known_sites(path)
        assert BUILT_IN in {*sites, *sites.refused}


def test_a_site_is_found_by_its_name(written: Callable[[str], Path]) -> None:
    """Those of the file beside those of the package; for an unknown one the known ones are listed."""
    path = written(ALCALA)
    assert (site("alcala", path).name, site(BUILT_IN, path)) == ("alcala", TETOUAN)
    with pytest.raises(ValueError, match="site 'atlantis' is not known: choose one of tetouan, alcala"):
        site("atlantis", path)


def test_the_example_of_the_documents_is_a_site(written: Callable[[str], Path]) -> None:
    """What a reader copies works as it stands: another country, another step, a clock with summer time."""
    (example,) = re.findall(r"^```toml\n(.*?)^```", OWN_DATA.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (name,) = known_sites(written(example)).keys() - {BUILT_IN}
    place = known_sites(written(example))[name]
    assert (place.step_minutes, place.country, place.time_zone) == (15, "ES", "Europe/Madrid")
    assert set(WEATHER_FIELDS) < set(place.fields)
