"""The table of a site as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.data.toml import as_toml
from shared.sites.table import known_sites, site

if TYPE_CHECKING:
    from pathlib import Path

ALCALA = """
[alcala]
step_minutes = 15
country = "ES"
subdivision = "MD"
time_zone = "Europe/Madrid"
time_column = "time"
date_column = "Datum"
day_first = true
ignore = ["note \\\\ and \\"more\\""]

[alcala.columns]
"Load Ñ" = "zone_1_kw"
"Energy" = { field = "zone_2_kw", kind = "energy", unit = "MWh" }

[alcala.limits]
zone_2_kw = [-0.5, 40_000]

[alcala.holidays]
ramadan = [[2019-05-06, 2019-06-03], [2020-04-24, 2020-05-23]]
add = [2019-08-06]
"""


@pytest.mark.parametrize("name", ["tetouan", "alcala"])
def test_a_table_that_is_read_again_is_the_same_site(name: str, tmp_path: Path) -> None:
    """Every key comes back: how times are written, measures, limits, the holidays of a subdivision."""
    given, written = tmp_path / "given.toml", tmp_path / "written.toml"
    given.write_text(ALCALA, encoding="utf-8")
    place = site(name, given)
    written.write_text(as_toml(place), encoding="utf-8")
    assert known_sites(written)[name] == place


def test_a_built_in_site_with_fewer_columns_comes_back_so(tmp_path: Path) -> None:
    """Its own columns and limits replace those that are built in."""
    tetouan, file = site("tetouan"), tmp_path / "sites.toml"
    fewer = tetouan.model_copy(
        update={
            "columns": {"Zone 2  Power Consumption": "zone_2_kw"},
            "limits": {"zone_2_kw": tetouan.limits["zone_2_kw"]},
        }
    )
    file.write_text(as_toml(fewer), encoding="utf-8")
    assert known_sites(file)["tetouan"] == fewer
