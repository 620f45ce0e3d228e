"""The reference that zone-demand keeps beside its state, for reports to compare the stream with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from services.monitor.verification import SiteScores
from shared.forecasting import reference
from shared.forecasting.method import METHOD
from shared.forecasting.weather import COLUMNS
from shared.training.candidates import ZoneCandidate
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.data.year import Year

DAYS = 18
UNTIL = datetime(2017, 3, 1, tzinfo=UTC) + timedelta(days=DAYS, minutes=-20)
FORECAST_HOURS = 24


@pytest.fixture(scope="module")
def history(make_year: Callable[..., Year]) -> TrainingData:
    """Return eighteen days with a gap in weather and load, of which the last two readings have not been seen."""
    whole = TrainingData.of(make_year(DAYS, "reference"), 2, UNTIL)
    whole.weather[600, 1] = np.nan
    whole.demand_kw[-30:-20] = np.nan
    return whole


@pytest.fixture(scope="module")
def candidate(history: TrainingData) -> ZoneCandidate:
    """Return the model that was fitted on them, with forecasts for the last day instead of the last four weeks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "FORECAST_DAYS", FORECAST_HOURS // 24)
        return ZoneCandidate.fit(history, lambda _: None)


def test_every_constant_of_the_method_is_a_parameter(candidate: ZoneCandidate) -> None:
    """A run in the registry says each constant by its name, beside the parameters of the site."""
    names = {name for name in candidate.parameters if not name.startswith("method.")}
    assert names == {"calendar", "step_minutes", "horizon_steps", "floor_kw", "prior"}
    assert candidate.parameters["method.regression.clip_rms"] == METHOD.regression.clip_rms
    assert len(candidate.parameters) == len(names) + len(METHOD.named())


def test_the_reference_is_the_full_hours_that_were_seen(candidate: ZoneCandidate, history: TrainingData) -> None:
    """One row an hour has time, weather and load of the reading at that time; what is missing there is missing."""
    hours, rows = candidate.reference_hours, slice(0, history.seen, 6)
    assert len(hours) == DAYS * 24
    assert hours["time"].iloc[[0, -1]].tolist() == [history.time_of(history.first_step), UNTIL - timedelta(minutes=40)]
    np.testing.assert_array_equal(hours[list(COLUMNS)], history.weather[rows])
    np.testing.assert_array_equal(hours["zone_2_kw"], history.demand_kw[rows])
    assert np.flatnonzero(hours["humidity_pct"].isna()).tolist() == [100]


def test_its_forecasts_had_never_seen_their_target(candidate: ZoneCandidate, history: TrainingData) -> None:
    """Each is what a model that was fed up to its origin says, as on the wire; before the last day there is none."""
    model = ZoneCandidate.fit(history, lambda _: None).model.anew()
    issued_kw = {}
    for row, demand_kw in enumerate(history.demand_kw[: history.seen].tolist()):
        model.partial_fit(history.first_step + row, demand_kw)
        if model.ready:
            issued_kw[row] = model.predict().median_kw
    for lead in (6, 144):
        written = candidate.reference_hours[f"forecast_{10 * lead}_min_kw"].to_numpy()
        rows = np.arange(len(written)) * 6
        expected = [
            round(issued_kw[row - lead][lead - 1], 1)
            if row >= history.seen - 144 and row - lead in issued_kw
            else np.nan
            for row in rows.tolist()
        ]
        np.testing.assert_allclose(written, expected, rtol=0, atol=1e-9)
        assert np.isfinite(written).sum() >= FORECAST_HOURS - 1


def test_state_and_reference_are_saved_and_loaded_together(candidate: ZoneCandidate, tmp_path: Path) -> None:
    """The folder has both files, and what is read is what was written."""
    candidate.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"state.npz", "reference.parquet"}
    loaded = ZoneCandidate.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.reference_hours, candidate.reference_hours, check_dtype=False)
    assert loaded.model.last_step == candidate.model.last_step


@pytest.mark.parametrize("content", [None, b"", b"PAR1 torn"])
def test_a_version_without_a_whole_reference_cannot_be_used(
    candidate: ZoneCandidate, tmp_path: Path, content: bytes | None
) -> None:
    """A missing or torn file is an error of the kinds for which a training fits anew."""
    candidate.save(tmp_path)
    file = tmp_path / reference.FILE
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises((OSError, ValueError)):
        ZoneCandidate.load(tmp_path)


def test_the_reference_has_what_the_monitor_compares(candidate: ZoneCandidate, history: TrainingData) -> None:
    """Every column that the monitor keeps of a reading stands in the reference under the same name."""
    monitor = SiteScores(history.site)
    assert ("time", *monitor.zones[2].recent.columns) == tuple(candidate.reference_hours)
