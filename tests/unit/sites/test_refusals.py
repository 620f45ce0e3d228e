"""What a mistake in a file of sites is answered with: one line in plain words that says what to write instead."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

import pytest

from shared.sites.site import Column, Measure, Overrides, Site
from shared.sites.table import known_sites

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import BaseModel

WHOLE = {
    "step_minutes": "15",
    "country": '"ES"',
    "time_zone": '"Europe/Madrid"',
    "time_column": '"time"',
    "columns": '{"Load" = "zone_1_kw"}',
}
PLACES = {
    **{f"alcala.{key}": (key, "%s") for key in Site.model_fields if key != "name"},
    **{f"alcala.holidays.{key}": ("holidays", f"{{{key} = %s}}") for key in Overrides.model_fields},
    "alcala.limits.zone_1_kw": ("limits", "{zone_1_kw = %s}"),
    "alcala.measures.zone_1_kw": ("measures", "{zone_1_kw = %s}"),
    "alcala.columns.Load": ("columns", '{"Load" = %s}'),
    **{
        f"alcala.columns.Load.{key}": ("columns", f'{{"Load" = {{field = "zone_1_kw", {key} = %s}}}}')
        for key in Measure.model_fields
    },
    "alcala.columns.Load.field": ("columns", '{"Load" = {field = %s, unit = "kW"}}'),
}
VALUES = {
    *("1", "1.5", "nan", "true", "'x'", "''", "2019-08-06", "2019-08-06T10:00:00", "10:00:00", "{a = 1}", "{a = 'x'}"),
    *("[]", "[0.5]", "['x']", "[true]", "[[1]]", "[['x', 'y']]", "[2019-08-06]", "[2019-08-06T10:00:00]", "[{}]"),
    *("[2019-05-06, 2019-06-03]", "[[2019-05-06]]", "[[2019-05-06, 2019-06-03, 2019-07-01]]", "[0]", "[0, 1, 2]"),
}
FITS = {
    "time_column": {"'x'", "''"},
    "date_column": {"'x'", "''"},
    "day_first": {"true"},
    "ignore": {"[]", "['x']"},
    "add": {"[]", "[2019-08-06]", "[2019-05-06, 2019-06-03]"},
    "remove": {"[]", "[2019-08-06]", "[2019-05-06, 2019-06-03]"},
    "ramadan": {"[]"},
}
FOREIGN = re.compile(r"[Ii]nput|valid |instance|tuple|dictionary|datetime\.|True|None|validation|pydantic|pattern")


def alcala(**changed: str) -> str:
    """Return the table of a site with some keys changed."""
    return "[alcala]\n" + "".join(f"{key} = {value}\n" for key, value in {**WHOLE, **changed}.items())


@pytest.mark.parametrize(("path", "value"), list(product(PLACES, sorted(VALUES))))
def test_any_key_with_a_value_of_another_kind(written: Callable[[str], Path], path: str, value: str) -> None:
    """Site, key and value are named, and what to write: in the words of who writes the file, not of the program."""
    key, place = PLACES[path]
    sites = known_sites(written(alcala(**{key: place % value})))
    if value in FITS.get(path.rpartition(".")[2], ()):
        assert "alcala" in sites
        return
    line = sites.refused["alcala"]
    where, _, advice = line.partition(": ")
    assert re.match(r"alcala\.\w+", where)
    assert where.startswith((path, f"alcala.{key}"))
    assert re.search(r"\b([Uu]se|write|give|name|leave|take|keep)\b", advice) or "is no field: use" in line
    assert not FOREIGN.search(line)
    assert "\n" not in line


@pytest.mark.parametrize("table", [Site, Overrides, Column])
def test_every_key_says_what_to_write(table: type[BaseModel]) -> None:
    """A key without a description would answer a mistake with nothing."""
    assert all(field.description for field in table.model_fields.values())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (alcala(zones="1"), "alcala.zones = 1: write numbers of zones in brackets, such as [1, 2]"),
        (
            alcala(holidays="{ramadan = [2019-05-06, 2019-06-03]}"),
            (
                "alcala.holidays.ramadan[0] = 2019-05-06: write the first and the last day of each in brackets, such "
                "as [[2019-05-06, 2019-06-03]]"
            ),
        ),
        (
            alcala(limits="{zone_1_kw = [0]}"),
            (
                "alcala.limits.zone_1_kw = [0]: write each field with its lowest and highest value, such as "
                "zone_1_kw = [0, 40_000]"
            ),
        ),
        (
            alcala(holidays="{ramadan = [[2019-05-06, 2019-06-03], [2019-06-03, 2019-06-20]]}"),
            "one begins on 2019-06-03 and another ends on 2019-06-03: keep one, or mend the dates",
        ),
        (
            alcala(holidays="{ramadan = [[2020-04-24, 2020-05-23], [2019-05-06, 2020-05-01]]}"),
            "2019-05-06 to 2020-05-01 are 362 days: give each Ramadan, of 29 or 30 days, on its own",
        ),
        (alcala(name='"north"'), "alcala.name = 'north': the heading [alcala] is the name: leave the key out"),
        (
            '[alcala]\ntime_zone = "UTC"\ncolumns = {}',
            "alcala.step_minutes is missing: give 5, 10, 15, 30 or 60, without quotes; so is time_column",
        ),
        (alcala(zone="[1]"), "alcala.zone is no field: did you mean zones? Use one of step_minutes, country"),
        (alcala(time="1"), "alcala.time is no field: did you mean time_"),
    ],
)
def test_a_mistake_is_answered_in_one_line(written: Callable[[str], Path], text: str, line: str) -> None:
    """The line is what a user reads, so it is spelt out here."""
    assert line in known_sites(written(text)).refused["alcala"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            f"{alcala()}[alcala.holidays]\nadd = [2019-13-01]\n",
            (
                "no TOML in line 8, below [alcala.holidays]: 'add = [2019-13-01]': 2019-13-01 is no date: write "
                "year-month-day in four, two and two digits, such as 2019-08-06"
            ),
        ),
        (f"{alcala()}holidays = {{add = [2019-02-30]}}", "2019-02-30 is no date: write year-month-day"),
        (f"{alcala()}holidays = {{add = [2019-8-6]}}", "2019-8-6 is no date: write year-month-day"),
        (
            f"{alcala()}\n[north]\n\n{alcala()}",
            "no TOML in line 10: '[alcala]': it stands above already: merge the two, or give one of them another name",
        ),
        (f"{alcala()}time_zone = 'UTC'\nzones = [1]\n", "line 7, below [alcala]: \"time_zone = 'UTC'\": this key stan"),
        ("[alcala]\ntime_zone = Europe/Madrid\n", "'time_zone = Europe/Madrid': no value: write text in quotes; numb"),
        ("[alcala]\nday_first = yes\n", "line 2, below [alcala]: 'day_first = yes': no value: write text in quotes"),
        ('[alcala]\ntime_zone = "UTC\n', "line 2, below [alcala]: 'time_zone = \"UTC': a text has no closing quote"),
        ("[alcala]\nzones = [1, 2\n", "below [alcala]: 'zones = [1, 2': an opening [ has no ] behind its last value"),
        ("[alcala\n", "no TOML in line 1: '[alcala': Expected ']' at the end of a table declaration: mend it there"),
        ("zones = [1]\n", "zones = [1] belongs to no site: write [NAME], its name, above it"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_its_line(written: Callable[[str], Path], text: str, line: str) -> None:
    """The line is shown with the heading above it, and what to write there."""
    with pytest.raises(ValueError, match=re.escape(line)) as refused:
        known_sites(written(text))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("holidays", "doubt"),
    [
        ("{remove = [2019-12-06]}", None),
        ("{remove = [2019-12-07, 2019-12-06]}", "alcala.holidays.remove has 2019-12-07, which is no public holiday"),
        ("{remove = [2019-05-02]}", "which is no public holiday of ES: mend the date, or take it out"),
        ("{remove = [2019-05-03, 2019-05-04]}", "has 2019-05-03, 2019-05-04, which are no public holiday of ES"),
        ("{add = [2019-12-06, 2019-12-07]}", None),
    ],
)
def test_a_day_that_is_no_holiday_cannot_be_removed(
    written: Callable[[str], Path], holidays: str, doubt: str | None
) -> None:
    """The site is there all the same, as a later version of the calendar may list other days; a line says so."""
    sites = known_sites(written(alcala(holidays=holidays)))
    assert "alcala" in sites
    assert (doubt in sites.doubts["alcala"]) if doubt else (not sites.doubts)


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        (alcala(holidays="{remove = [2019-05-02]}", subdivision='"MD"'), {}),
        ("[tetouan]\nday_first = true", {}),
        (
            alcala(holidays="{remove = [2019-01-01]}").replace('country = "ES"\n', ""),
            {
                "alcala": "alcala.holidays.remove has 2019-01-01, which is no public holiday of a site without a "
                "country: mend the date, or take it out"
            },
        ),
    ],
)
def test_what_counts_are_the_holidays_of_the_place(
    written: Callable[[str], Path], text: str, doubts: dict[str, str]
) -> None:
    """Madrid's 2 May is none of Spain; the built-in site removes nothing in vain; without a country all is in vain."""
    assert known_sites(written(text)).doubts == doubts
