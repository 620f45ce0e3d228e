"""The year that nobody measured behaves like one that somebody did."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from shared.data.synthetic import synthetic_csv
from shared.data.year import Year, find_year

if TYPE_CHECKING:
    from pathlib import Path

    from shared.sites.site import Site

SHA256 = "31a09e22d95c412b21255984448c97b1098b65c937c2d579d3d5f3c5e108a12a"
DAY = 144


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """Return the synthetic year."""
    return find_year("synthetic", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def loads(year: Year) -> pd.DataFrame:
    """Return the load of each zone in kW by time."""
    return pd.DataFrame({zone: year.demand(zone) for zone in year.site.load_zones}, index=year.times)


def test_the_bytes_are_the_same_for_ever(tetouan: Site, year: Year) -> None:
    """Whatever is computed from this year can be compared with what was computed from it elsewhere."""
    assert hashlib.sha256(synthetic_csv(tetouan)).hexdigest() == SHA256
    assert year.sha256 == SHA256


def test_it_says_what_it_is(year: Year) -> None:
    """Nothing that shows its label can be taken for a measurement."""
    assert year.synthetic
    assert year.source == "synthetic"
    assert year.label == "SYNTHETIC year 2018"
    assert year.reason is None


def test_the_grid_is_complete(year: Year) -> None:
    """Every ten minutes of 2018 once, every cell a number."""
    assert year.times.equals(pd.date_range("2018-01-01", "2018-12-31 23:50", freq="10min", tz="UTC"))
    assert np.isfinite(year.rows.drop(columns=year.site.time_column).astype(float)).all(axis=None)


def test_the_text_is_that_of_the_published_file(year: Year) -> None:
    """Times without leading zeros, weather with at most three decimals, loads with at most ten digits."""
    form = dict.fromkeys(year.site.columns, r"\d+(\.\d{1,3})?")
    form |= {column: r"\d{4,5}(\.\d{1,6})?" for column, field in year.site.columns.items() if field.startswith("zone")}
    form[year.site.time_column] = r"[1-9]\d?/[1-9]\d?/2018 (0|[1-9]\d?):\d\d"
    for column, pattern in form.items():
        assert year.rows[column].str.fullmatch(re.compile(pattern)).all(), column


@pytest.mark.parametrize(("zone", "mean_kw"), [(1, 32300), (2, 21000), (3, 17800)])
def test_levels_and_memory_are_those_of_the_zones(loads: pd.DataFrame, zone: int, mean_kw: float) -> None:
    """The mean is right within 5 %, and ten minutes later the load is nearly the same."""
    assert loads[zone].mean() == pytest.approx(mean_kw, rel=0.05)
    assert 0.995 < loads[zone].autocorr(1) < 0.9985
    assert loads[zone].min() > 0


@pytest.mark.parametrize(("zone", "measured_kw"), [(1, 1493), (2, 1771), (3, 1213)])
def test_it_is_about_as_hard_to_forecast_as_a_measured_year(loads: pd.DataFrame, zone: int, measured_kw: float) -> None:
    """The error of "same time yesterday" on the last 20 % is within a quarter of that of 2017."""
    error_kw = loads[zone].diff(DAY).iloc[len(loads) * 4 // 5 :]
    assert np.sqrt((error_kw**2).mean()) == pytest.approx(measured_kw, rel=0.25)


def test_load_moves_for_good_from_zone_1_to_zone_2(loads: pd.DataFrame) -> None:
    """The two weeks before and after late October differ by about 2.5 MW, and December still does."""
    before = loads[slice("2018-10-10", "2018-10-23")].mean()
    after = loads[slice("2018-10-30", "2018-11-12")].mean()
    december = loads[slice("2018-12-01", "2018-12-28")].mean()
    assert -3200 < after[1] - before[1] < -1800
    assert 1800 < after[2] - before[2] < 3200
    assert december[2] - before[2] > 1800


def test_sunday_rests(loads: pd.DataFrame) -> None:
    """Zone 2 draws some 10 % less on a Sunday than on a Wednesday."""
    weekday = loads[2].groupby(pd.DatetimeIndex(loads.index).dayofweek).mean()
    assert 0.85 < weekday[6] / weekday[2] < 0.93


def test_ramadan_turns_the_night_into_day(loads: pd.DataFrame) -> None:
    """At two in the morning the load is far above that of the weeks before; at nine it is below."""
    hour = pd.DatetimeIndex(loads.index).hour
    before, fasting = slice("2018-05-01", "2018-05-15"), slice("2018-05-19", "2018-06-13")
    assert loads[2][hour == 2][fasting].mean() > 1.3 * loads[2][hour == 2][before].mean()
    assert loads[2][hour == 9][fasting].mean() < 0.95 * loads[2][hour == 9][before].mean()


def test_a_feast_rests_more_than_a_sunday(loads: pd.DataFrame) -> None:
    """On 22 August zone 1 draws at least 12 % less than a week before and after."""
    daily = loads[1].resample("D").mean()
    assert daily["2018-08-22"] < 0.88 * (daily["2018-08-15"] + daily["2018-08-29"]) / 2


def test_heat_asks_for_more_load(year: Year, loads: pd.DataFrame) -> None:
    """Over the summer the hotter afternoons are those with more load in zone 1."""
    temperature = pd.Series(year.rows["Temperature"].astype(float).to_numpy(), index=year.times)
    summer = slice("2018-06-20", "2018-09-10")
    hot, load = (series[summer].at_time("15:00") for series in (temperature, loads[1]))
    assert hot.corr(load) > 0.3


def test_the_wind_gauge_is_nearly_binary(year: Year) -> None:
    """Calm or a breeze of 4.9 m/s, and both for hours."""
    wind = year.rows["Wind Speed"].astype(float)
    breeze = wind > 1
    assert (wind[breeze].between(4.85, 5.0)).all()
    assert (wind[~breeze] < 0.12).all()
    assert 0.2 < breeze.mean() < 0.6
    assert breeze.astype(int).diff().abs().sum() < 300


def test_the_sun_shines_by_day_only(year: Year) -> None:
    """Flows are near nought at midnight and the diffuse one stays below the general one at noon."""
    flows = year.rows[["general diffuse flows", "diffuse flows"]].astype(float)
    assert flows[year.times.hour == 0].max().max() < 0.5
    noon = flows[year.times.hour == 13]
    assert (noon["diffuse flows"] < noon["general diffuse flows"]).all()
    assert noon["general diffuse flows"].max() > 700


@pytest.mark.real_data
@pytest.mark.parametrize("zone", [1, 2, 3])
def test_measured_and_synthetic_are_of_one_kind(
    real_data_path: Path, tmp_path: Path, loads: pd.DataFrame, zone: int
) -> None:
    """Lag-1 autocorrelation within 0.002 and spread within 15 % of the published year."""
    measured = pd.Series(find_year(str(real_data_path), tmp_path).demand(zone))
    assert loads[zone].autocorr(1) == pytest.approx(measured.autocorr(1), abs=0.002)
    assert loads[zone].std() == pytest.approx(measured.std(), rel=0.15)
