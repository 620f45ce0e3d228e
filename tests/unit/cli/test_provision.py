"""The data of a command: which year it is, and what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cli.provision import require_zones, year_for
from shared.runtime.settings import Refused, Settings, load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Return a file of times and loads of zone 2."""
    file = tmp_path / "loads.csv"
    file.write_text("DateTime,Zone 2  Power Consumption\n3/3/2019 23:40,15880\n3/3/2019 23:50,15890\n")
    return str(file)


def test_columns_that_the_data_lack_are_named(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says which, and the site of the year is without them."""
    year = year_for(data, load(Settings, state_dir=tmp_path), Console())
    said = capsys.readouterr().out
    assert "file loads.csv, 2 readings\n" in said
    assert "without 'Temperature', 'Humidity', 'Wind Speed', 'general diffuse flows', 'diffuse flows', " in said
    assert "'Zone 3  Power Consumption': the data have no such column" in said
    assert year.site.fields == ("zone_2_kw",)
    assert list(year.rows) == ["DateTime", "Zone 2  Power Consumption"]


def test_a_zone_without_a_load_in_the_data_is_refused(data: str, tmp_path: Path) -> None:
    """The line says which zones there are."""
    settings = load(Settings, state_dir=tmp_path, zones=(2, 3))
    with pytest.raises(
        Refused, match=r"^TETOUAN_ZONES=2,3: file loads.csv has no load of zone 3: set it to some of 2$"
    ):
        require_zones(year_for(data, settings, Console()), settings)
