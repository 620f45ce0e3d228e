"""What a backtest comes to, for machines."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from backtest.page import page_of
from backtest.result import TABLES, Backtest
from backtest.run import uncorrected_estimate
from shared.contracts.messages import CleanReading, Flagged
from shared.forecasting.forest import Forest
from shared.forecasting.weather import COLUMNS, WeatherDemand
from shared.forecasting.weather_trees import WeatherTrees
from tests.unit.backtest.transcripts import DAY, START, flat_transcript, result_of, shift_targets, year

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class WarmDemand(WeatherDemand):
    """A weather model that asks 1 MW a degree, and nothing of the load."""

    def predict(self, steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1000 kW a degree."""
        assert len(steps) == len(weather)
        return 1000 * weather[:, 0]


def warm() -> WarmDemand:
    """Return one without trees."""
    return WarmDemand(
        WeatherTrees(Forest((), np.zeros(1), 0.0), 10, COLUMNS, np.zeros((2, 12)), np.zeros(2, np.int64)), 0
    )


class TestResult:
    """Figures under their keys."""

    def test_the_weather_model_stands_beside_its_correction(self) -> None:
        """100 kW too much on 20 MW uncorrected, 30 kW corrected; the level load leaves R2 open."""
        result = result_of(flat_transcript(2)).to_json()
        assert result["seed"] == {"rmse_kw": 100.0, "mae_kw": 100.0, "mape": 0.005, "r2": None}
        assert result["weather_estimate"]["rmse_kw"] == 30.0

    def test_without_weather_there_is_no_estimate(self) -> None:
        """Not figures that are null one by one: there is nothing."""
        transcript = flat_transcript(2)
        transcript.weather_estimate_kw[:] = np.nan
        uncorrected = np.full(transcript.rows, np.nan)
        result = Backtest.of(
            transcript, year(), uncorrected, 0.0005, result_of(transcript).accounting, "no weather at this site"
        )
        assert (result.to_json()["weather_estimate"], result.to_json()["seed"]) == (None, None)
        assert "there is no weather model: no weather at this site." in page_of(result)

    @pytest.mark.parametrize("days", [1 / DAY, 0.5, 2, 16])
    def test_any_window_gives_valid_json(self, days: float) -> None:
        """The promised keys are there, and what cannot be computed is null."""
        result = result_of(flat_transcript(days), year(label="SYNTHETIC year 2018", synthetic=True)).to_json()
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert set(result) == {
            "zone",
            "test_from",
            "rows",
            "outages",
            "unbelieved",
            "leads",
            "weather_estimate",
            "seed",
            "worst_weeks",
            "months",
            "seasons",
            "site",
            "until",
            "data",
            "data_sha256",
            "synthetic",
            "trained",
            "seconds_per_forecast",
        }
        assert (result["data"], result["synthetic"]) == ("SYNTHETIC year 2018", True)
        assert bool(result["worst_weeks"]) == (days > 8)

    def test_the_holidays_are_those_of_the_site(self) -> None:
        """The second day of Mawlid 2017, which the site adds, is a holiday; the day before it too; Sunday is none."""
        holidays = result_of(flat_transcript(5)).frames["holidays"].query("lead_minutes == 10")
        assert dict(zip(holidays["day_type"], holidays["pairs"], strict=True)) == {
            "ordinary day": 3 * DAY - 1,
            "holiday": 2 * DAY,
        }


class TestCsv:
    """The frames as files."""

    @pytest.mark.parametrize("days", [1 / DAY, 2, 16])
    def test_each_frame_is_a_file(self, tmp_path: Path, days: float) -> None:
        """Eight files whose columns and rows are those of the frames, whatever the window."""
        result = result_of(flat_transcript(days))
        assert tuple(result.frames) == TABLES
        result.write_csv(tmp_path)
        assert {file.name for file in tmp_path.iterdir()} == {f"{name}.csv" for name in TABLES}
        for name, frame in result.frames.items():
            written = pd.read_csv(tmp_path / f"{name}.csv")
            assert written.columns.tolist() == frame.columns.tolist()
            assert len(written) == len(frame)

    def test_the_figures_survive_the_file(self, tmp_path: Path) -> None:
        """Six digits are kept: a tenth of a kW of what the readings can be."""
        transcript = flat_transcript(16)
        shift_targets(transcript, 7 * DAY, 8 * DAY, 1234.5)
        result = result_of(transcript)
        result.write_csv(tmp_path)
        days = pd.read_csv(tmp_path / "days.csv")
        assert days["rmse_kw"].to_numpy() == pytest.approx(result.frames["days"]["rmse_kw"].to_numpy(), rel=1e-5)
        assert 1224.5 in days["rmse_kw"].to_numpy()


class TestUncorrectedEstimate:
    """What the weather model alone says at each origin."""

    def test_each_origin_has_what_its_weather_says(self) -> None:
        """Readings fall to their rows; without a reading or its weather the origin stays absent."""
        transcript = flat_transcript(4 / DAY)
        missing = {field: Flagged(flag="missing") for field in COLUMNS}
        readings = [
            CleanReading(
                site="tetouan",
                time=START + row * timedelta(minutes=10),
                step_minutes=10,
                values=dict.fromkeys(COLUMNS, degrees),
                flags={} if degrees else missing,
            )
            for row, degrees in ((0, 15.0), (2, None), (3, 17.25))
        ]
        estimate_kw = uncorrected_estimate(warm(), transcript, readings)
        np.testing.assert_array_equal(estimate_kw, [15_000, np.nan, np.nan, 17_250])

    def test_no_reading_gives_no_estimate(self) -> None:
        """All origins are absent."""
        assert np.isnan(uncorrected_estimate(warm(), flat_transcript(4 / DAY), [])).all()
