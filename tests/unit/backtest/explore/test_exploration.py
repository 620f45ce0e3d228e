"""What is found out about a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from backtest.explore.exploration import explored
from backtest.explore.patterns import typical_day, typical_week
from shared.data.year import find_year
from tests.unit.backtest.explore.files import load_kw, look_at, times

if TYPE_CHECKING:
    from pathlib import Path

    from backtest.explore.exploration import Exploration


@pytest.fixture(scope="module")
def ten_weeks(tmp_path_factory: pytest.TempPathFactory) -> Exploration:
    """Look at ten weeks of two zones and a temperature, the second zone with half the load from the 43rd day on."""
    at = times(70)
    first = load_kw(at)
    second = np.where(at < at[42 * 24], first, first / 2)
    temperature = 10 + 5 * np.cos(2 * np.pi * (at.hour - 18) / 24)
    return look_at(tmp_path_factory.mktemp("eda"), at, load_1=first, load_2=second, Temperature=temperature)


class TestFigures:
    """They are those of the file."""

    def test_columns(self, ten_weeks: Exploration) -> None:
        """Each column has its mean, its extremes and its numbers."""
        row = ten_weeks.frames["columns"].set_index("column").loc["load_1"]
        assert row["field"] == "zone_1_kw"
        counts = [row.to_dict()[name] for name in ("numbers", "empty", "text", "beyond_limits")]
        assert counts == [1680, 0, 0, 0]
        assert row["mean"] == pytest.approx(1000 - 100 / 7)
        assert (row["lowest"], row["highest"]) == pytest.approx((600, 1300))

    def test_day_and_week(self, ten_weeks: Exploration) -> None:
        """The busiest hour is 18:00, the lowest day Sunday, and the hour explains most of the variance."""
        day = typical_day(ten_weeks.series).query("field == 'zone_1_kw'").set_index("minute")
        assert day["median_kw"].idxmax() == 18 * 60
        assert day.loc[18 * 60, "median_kw"] == pytest.approx(1300)
        week = typical_week(ten_weeks.series).query("field == 'zone_1_kw'").groupby("weekday")["mean_kw"].mean()
        assert week[6] == pytest.approx(week[0] - 100)
        explained = ten_weeks.frames["explained"].set_index("field").loc["zone_1_kw"]
        assert explained["hour of the day_ratio"] == pytest.approx(45_000 / (45_000 + 10_000 * 6 / 49))
        assert explained["weekday_ratio"] == pytest.approx(1 - explained["hour of the day_ratio"])
        assert np.isnan(explained["month_ratio"])  # of ten weeks nobody knows the year

    def test_past_and_weather(self, ten_weeks: Exploration) -> None:
        """A load that repeats each week is in step with the week before; the temperature goes with its day alone."""
        lagged = ten_weeks.frames["lagged"].set_index("field").loc["zone_1_kw"]
        assert lagged["1 week"] == pytest.approx(1)
        assert lagged["1 h"] < lagged["1 day"] < 1
        pair = ten_weeks.frames["weather_correlations"].set_index("field").loc["zone_1_kw"]
        assert pair["pearson"] > 0.95
        assert abs(pair["same_hour"]) < 1e-9 or np.isnan(pair["same_hour"])

    def test_a_level_that_changes_is_found(self, ten_weeks: Exploration) -> None:
        """The second zone loses half of its load; the first one changes nothing."""
        shifts = ten_weeks.frames["shifts"]
        assert set(shifts["field"]) == {"zone_2_kw"}
        first = shifts.iloc[0]
        assert "2019-02-18" <= first["local_date"] <= "2019-02-22"
        assert first["change_ratio"] < -0.3

    def test_zones(self, ten_weeks: Exploration) -> None:
        """The sum of the zones peaks with both, before one of them loses load."""
        zones = ten_weeks.frames["zones"].set_index("field")
        assert zones.loc["sum of the zones", "peak_kw"] == pytest.approx(2600)
        assert zones.loc["zone_1_kw", "load_factor_ratio"] == pytest.approx((1000 - 100 / 7) / 1300)

    def test_json_holds_no_nan(self, ten_weeks: Exploration) -> None:
        """What cannot be computed is null."""
        told = json.loads(json.dumps(ten_weeks.to_json(), allow_nan=False))
        assert told["cleaning"]["as_it_was"] == 1680
        assert told["explained"][0]["month_ratio"] is None


class TestDisturbed:
    """What is wrong with a file is found."""

    def test_gaps_and_repeats(self, tmp_path: Path) -> None:
        """A gap of five hours, a row that stands twice, a text, and a load that jumps are told apart."""
        at = times(30)
        cells = load_kw(at).astype(object)
        cells[100], cells[200] = "broken", 40_000.0
        kept = np.r_[0:300, 305:720, 719]
        found = look_at(tmp_path, at[kept], load=cells[kept])
        assert found.times["without_reading"] == 5
        assert found.times["repeated_times"] == 1
        gap = found.frames["gaps"].iloc[0]
        assert (gap["first_missing"], gap["steps"], gap["length_h"]) == ("2019-01-19 12:00 +0000", 5, 5.0)
        assert found.frames["columns"].loc[0, "text"] == 1
        unusual = found.frames["unusual"].iloc[0]
        assert unusual["load_kw"] == 40_000
        assert found.frames["jumps"].iloc[0]["when"] in {"2019-01-15 08:00 +0000", "2019-01-15 09:00 +0000"}
        kinds = {(kind.fate, kind.reason) for kind in found.cleaned.kinds}
        assert ("flagged", "missing") in kinds
        assert ("repeated", "repeats a reading") in kinds

    def test_days_with_holes_keep_their_level(self, tmp_path: Path) -> None:
        """Of quarter hours of which two in five are missing, every day is known, and a lost half is found."""
        at = times(70, 15)
        load = np.where(at < at[42 * 96], load_kw(at), load_kw(at) / 2)
        load[np.random.default_rng(1).random(len(at)) < 0.4] = np.nan
        shifts = look_at(tmp_path, at, load=load).frames["shifts"]
        assert "2019-02-18" <= shifts["local_date"].iloc[0] <= "2019-02-25"

    def test_a_holiday_is_compared_with_its_weekday(self, tmp_path: Path) -> None:
        """1 May 2019, a Wednesday in Spain, has half the load of the Wednesdays around it."""
        at = times(150)
        load = load_kw(at)
        load[at.normalize() == "2019-05-01"] /= 2
        holidays = look_at(tmp_path, at, load=load).frames["holidays"].set_index("local_date")
        assert holidays.loc["2019-05-01", "weekday"] == "Wed"
        assert holidays.loc["2019-05-01", "difference_ratio"] == pytest.approx(-0.5)

    @pytest.mark.parametrize(("follows", "moved"), [(True, -60), (False, 0)])
    def test_a_load_that_follows_the_clock_is_told(self, tmp_path: Path, *, follows: bool, moved: int) -> None:
        """Spain puts its clocks forward on 31 March 2019: a load by the clock is an hour earlier in UTC then."""
        at = times(120)
        clock = at.tz_localize("UTC").tz_convert("Europe/Madrid").tz_localize(None) if follows else at
        (change,) = look_at(tmp_path, at, load=load_kw(clock)).clock_changes
        assert (change.when, change.turned_minutes) == ("2019-03-31 01:00 UTC", 60)
        assert change.moved_minutes == {"zone_1_kw": moved}
        assert change.followed == {"zone_1_kw": follows}


@pytest.mark.real_data
def test_the_published_year(real_data_path: Path) -> None:
    """The figures of the published year are those that are known of it."""
    found = explored(find_year(str(real_data_path), real_data_path.parent), lambda *_: None)
    columns = found.frames["columns"].set_index("field")
    means = {
        "zone_1_kw": 32_344.97,
        "zone_2_kw": 21_042.51,
        "zone_3_kw": 17_835.41,
        "temperature_c": 18.81,
        "humidity_pct": 68.26,
        "wind_speed_ms": 1.96,
        "general_diffuse_flows_wm2": 182.70,
        "diffuse_flows_wm2": 75.03,
    }
    assert columns["mean"].round(2).to_dict() == means
    assert (columns["numbers"] == 52_416).all()
    assert found.cleaned.counts == {"as_it_was": 52_416, "flagged": 0, "repeated": 0, "refused": 0}
    assert not found.doubts
    shifts = found.frames["shifts"]
    transfer = shifts[(shifts["local_date"] >= "2017-10-25") & (shifts["local_date"] <= "2017-10-31")]
    assert set(transfer["field"]) == {"zone_1_kw", "zone_2_kw"}  # load moved from zone 1 to zone 2
    moved = [abs(minutes) for change in found.clock_changes for minutes in change.moved_minutes.values()]
    assert len(found.clock_changes) == 4
    assert max(moved) <= 30  # its stamps follow one clock the whole year
