"""What is said of limits that refuse many values of a year."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from shared.data.limits import beyond_limits, loads_refused
from shared.data.year import find_year
from shared.sites.site import Measure, Site

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.data.year import Year

LIMITS = {"zone_1_kw": (0.0, 100.0), "temperature_c": (-30.0, 60.0)}


@pytest.fixture
def year(tmp_path: Path) -> Year:
    """Return 200 hours of a load of 1 to 200 kW and a temperature of 20 degrees, with limits that fit both."""
    return year_of(tmp_path, np.arange(1, 201), "power", 1.0)


def year_of(folder: Path, loads: NDArray[np.float64] | NDArray[np.int64], kind: str, unit_kw: float) -> Year:
    """Return hours of a load; its limits are 0 to 100 kW."""
    columns = {"load": "zone_1_kw", "air": "temperature_c"}
    unit = {1.0: "kW", 1e3: "MW"}[unit_kw]
    site = Site.model_validate(
        {
            "name": "plant",
            "step_minutes": 60,
            "time_zone": "UTC",
            "time_column": "time",
            "columns": columns,
            "measures": {"zone_1_kw": Measure.model_validate({"kind": kind, "unit": unit})},
            "limits": LIMITS,
        }
    )
    times = pd.date_range("2025-01-01", periods=len(loads), freq="h").strftime("%Y-%m-%d %H:%M")
    pd.DataFrame({"time": times, "load": loads, "air": 20}).to_csv(folder / "load.csv", index=False)
    return find_year(str(folder / "load.csv"), folder, site=site)


def test_limits_that_refuse_much_are_told(year: Year) -> None:
    """The share, the first line, the limits, what the values are, what to change; of weather within its own nothing."""
    (found,) = beyond_limits(year)
    assert str(found) == (
        "zone_1_kw ('load') of plant: 100 of 200 values (50.0%) are refused, the first in line 102: the limits are "
        "0 to 100, and the values go from 1 to 200: change plant.limits.zone_1_kw, or the unit of the column "
        "(TETOUAN_SITES)"
    )


@pytest.mark.parametrize(("refused", "told"), [(0, False), (2, False), (3, True)])
def test_some_outliers_are_no_fault_of_the_limits(tmp_path: Path, refused: int, told: bool) -> None:  # noqa: FBT001 - of the table above
    """Up to a hundredth of the values is what meters do."""
    loads = np.full(200, 50.0)
    loads[:refused] = 1e6
    assert any(beyond_limits(year_of(tmp_path, loads, "power", 1.0))) is told


def test_weather_has_limits_too(year: Year) -> None:
    """A thermometer of kelvins is told, and stops nobody who works on the load."""
    cold = year.site.model_copy(update={"limits": {"temperature_c": (-60.0, 10.0)}})
    (found,) = beyond_limits(replace(year, site=cold))
    assert (found.field, found.refused, found.numbers) == ("temperature_c", 200, 200)
    assert loads_refused(replace(year, site=cold), (1,)) is None


@pytest.mark.parametrize(
    ("kind", "unit_kw", "loads"),
    [
        ("energy", 1.0, np.full(50, 150.0)),
        ("power", 1e3, np.full(50, 0.15)),
        ("register", 1.0, 1000 + 150 * np.arange(51)),
    ],
)
def test_values_are_those_of_the_stream(tmp_path: Path, kind: str, unit_kw: float, loads: NDArray[np.float64]) -> None:
    """In kW, whatever the column holds: each of these is 150 kW."""
    (found,) = beyond_limits(year_of(tmp_path, loads, kind, unit_kw))
    assert (found.refused, found.numbers, found.lowest, found.highest) == (50, 50, 150.0, 150.0)


@pytest.mark.parametrize(("beyond", "refuses"), [(100, False), (101, True)])
def test_most_loads_of_a_zone_must_be_left(tmp_path: Path, beyond: int, refuses: bool) -> None:  # noqa: FBT001 - of the table above
    """More than half of them refused: that zone is not worked on, another one is none of its business."""
    loads = np.where(np.arange(200) < beyond, 500.0, 50.0)
    year = year_of(tmp_path, loads, "power", 1.0)
    assert (loads_refused(year, (1, 2)) is not None) is refuses
    assert loads_refused(year, (2,)) is None


@pytest.mark.real_data
def test_the_limits_of_the_built_in_site_fit_its_year(real_data_path: Path, tmp_path: Path) -> None:
    """Nothing is said of the published year."""
    assert list(beyond_limits(find_year(str(real_data_path), tmp_path))) == []
