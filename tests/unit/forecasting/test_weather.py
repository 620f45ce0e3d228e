"""The weather model: its features, its fit, its correction with labels a day old, and its artefact."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from shared.forecasting.weather import COLUMNS, WeatherDemand, WeatherFeatures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

STEP_MINUTES = 30
DAY = 48
FIRST = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp()) // (60 * STEP_MINUTES)
ROWS = 20 * DAY
MUST_RMSE_KW = 2964
MUST_CORRECTED_RMSE_KW = 1300


def _weather(rows: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(15, 5, (rows, len(COLUMNS)))


def _steps(rows: int) -> NDArray[np.int64]:
    return FIRST + np.arange(rows)


def _demand_kw(steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
    return 20_000 + 3_000 * np.sin(2 * np.pi * (steps % DAY) / DAY) + 50 * weather[:, 0]


@pytest.fixture(scope="module")
def fitted() -> WeatherDemand:
    """Fit a small model on twenty days."""
    steps, weather = _steps(ROWS), _weather(ROWS)
    model = WeatherDemand(step_minutes=STEP_MINUTES, n_estimators=40, learning_rate=0.1)
    return model.fit(steps, weather, _demand_kw(steps, weather))


@pytest.fixture
def unseen(fitted: WeatherDemand) -> WeatherDemand:
    """Return the same model without any residual."""
    model: WeatherDemand = clone(fitted)
    model.pipeline_ = fitted.pipeline_
    model.last_step_ = fitted.last_step_
    model.residual_step_ = np.full_like(fitted.residual_step_, -1)
    model.residual_kw_ = np.zeros_like(fitted.residual_kw_)
    return model


def test_features_are_those_of_the_calendar() -> None:
    """The seven calendar columns equal what pandas says of the same times, through leap days and year ends."""
    times = pd.date_range("2015-12-30", "2017-03-02", freq="7h10min")
    steps = times.to_numpy().astype("datetime64[s]").astype(np.int64) // 600
    weather = _weather(len(steps))
    features = WeatherFeatures(10).fit_transform(np.column_stack((steps, weather)))
    expected = np.column_stack(
        (times.day, times.month, times.hour, times.minute, times.weekday, times.quarter, times.dayofyear)
    )
    assert (features[:, :5] == weather).all()
    assert (features[:, 5:] == expected).all()


def test_constructor_only_stores() -> None:
    """A clone has the same parameters and no state, as scikit-learn asks."""
    model = WeatherDemand(step_minutes=STEP_MINUTES, n_estimators=7)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.get_params()["n_estimators"] == 7
    assert not hasattr(copy, "pipeline_")


def test_fit_learns_the_day(fitted: WeatherDemand) -> None:
    """On days it has not seen the estimate is far nearer to the load than the load's own mean."""
    steps, weather = _steps(3 * DAY) + ROWS, _weather(3 * DAY)
    demand_kw = _demand_kw(steps, weather)
    error_kw = fitted.predict(steps, weather) - demand_kw
    assert np.sqrt(np.mean(error_kw**2)) < 0.3 * demand_kw.std()


def test_rows_with_a_missing_value_are_not_trained_on(fitted: WeatherDemand) -> None:
    """Rows that lack the label or a weather value leave the fitted trees as they were without them."""
    steps, weather = _steps(ROWS + 2), np.vstack((_weather(ROWS), np.ones((2, 5))))
    demand_kw = _demand_kw(steps, weather)
    demand_kw[ROWS] = np.nan
    weather[ROWS + 1, 3] = np.nan
    model = clone(fitted).fit(steps, weather, demand_kw)
    assert (model.predict(steps[:ROWS], weather[:ROWS]) == fitted.predict(steps[:ROWS], weather[:ROWS])).all()
    assert model.last_step_ == fitted.last_step_ + 2


def test_fit_on_nothing_is_refused() -> None:
    """Where no row is whole, the error names the fields and the number of rows."""
    with pytest.raises(ValueError, match="weather, demand_kw: none of 10 rows"):
        WeatherDemand().fit(_steps(10), np.full((10, 5), np.nan), np.ones(10))


def test_fit_reports_its_progress() -> None:
    """The share of trees grown rises to one."""
    shares: list[float] = []
    steps, weather = _steps(DAY), _weather(DAY)
    WeatherDemand(n_estimators=4).fit(steps, weather, _demand_kw(steps, weather), progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_a_row_does_not_depend_on_its_neighbours(fitted: WeatherDemand) -> None:
    """Whether rows come alone, in sevens, reversed or all at once, each has the same bits."""
    steps, weather = _steps(200), _weather(200)
    at_once = fitted.predict(steps, weather)
    for size in (1, 7):
        parts = [fitted.predict(steps[i : i + size], weather[i : i + size]) for i in range(0, 200, size)]
        assert np.concatenate(parts).tobytes() == at_once.tobytes()
    assert fitted.predict(steps[::-1], weather[::-1])[::-1].tobytes() == at_once.tobytes()


def test_missing_weather_gives_nan_for_its_row_alone(fitted: WeatherDemand) -> None:
    """A NaN among the weather of one row makes that estimate NaN and changes no other."""
    steps, weather = _steps(5), _weather(5)
    whole = fitted.predict(steps, weather)
    weather[2, 4] = np.nan
    estimate = fitted.predict(steps, weather)
    assert np.isnan(estimate).tolist() == [False, False, True, False, False]
    assert (np.delete(estimate, 2) == np.delete(whole, 2)).all()
    assert np.isnan(fitted.predict(steps[2:3], weather[2:3])).all()


def test_correction_is_the_residual_of_a_day_before(unseen: WeatherDemand) -> None:
    """Of the labels seen, only the one of exactly 24 hours before shifts the estimate, before and after its own."""
    first = unseen.last_step_ + 1
    for step in range(first, first + 2 * DAY):
        unseen.partial_fit(step, 1000.0, 1000.0 + step - first)
    step = first + 2 * DAY
    assert unseen.correct(step, 500.0) == 500.0 + DAY
    unseen.partial_fit(step, 500.0, 9999.0)
    assert unseen.correct(step, 500.0) == 500.0 + DAY


def test_without_the_label_of_a_day_before_the_next_older_one_is_used(unseen: WeatherDemand) -> None:
    """A gap falls back on the youngest label that is at least a day old, and past two days on none."""
    first = unseen.last_step_ + 1
    unseen.partial_fit(first, 100.0, 110.0).partial_fit(first + 1, 100.0, 130.0).partial_fit(first + 2, 100.0, np.nan)
    assert unseen.correct(first + DAY - 1, 50.0) == 50.0
    assert unseen.correct(first + DAY, 50.0) == 60.0
    assert unseen.correct(first + DAY + 5, 50.0) == 80.0
    assert unseen.correct(first + 1 + 2 * DAY, 50.0) == 50.0


def test_an_estimate_is_never_below_zero_and_nan_stays_nan(unseen: WeatherDemand) -> None:
    """A large negative residual stops at zero; an estimate that is missing stays missing."""
    step = unseen.last_step_ + 1
    unseen.partial_fit(step, 5000.0, 100.0)
    assert unseen.correct(step + DAY, 3000.0) == 0.0
    assert np.isnan(unseen.correct(step + DAY, np.nan))


def test_a_label_is_learned_once(unseen: WeatherDemand) -> None:
    """A step that has been seen is refused with its number."""
    step = unseen.last_step_
    with pytest.raises(ValueError, match=f"step {step} is not after {step}"):
        unseen.partial_fit(step, 1.0, 1.0)


def test_fit_leaves_the_residuals_of_its_last_days(fitted: WeatherDemand) -> None:
    """After a fit, the first day to come is corrected with what the fit left of the day before."""
    steps, weather = _steps(ROWS)[-DAY:], _weather(ROWS)[-DAY:]
    left_kw = _demand_kw(steps, weather) - fitted.predict(steps, weather)
    assert fitted.last_step_ == steps[-1]
    assert [fitted.correct(step + DAY, 10_000.0) - 10_000 for step in steps.tolist()] == pytest.approx(left_kw.tolist())


def test_reloaded_model_is_the_same_to_the_bit(fitted: WeatherDemand, tmp_path: Path) -> None:
    """A model that went through its artefact estimates, corrects and goes on learning as if it had not."""
    fitted.save(tmp_path)
    loaded = WeatherDemand.load(tmp_path)
    steps, weather = _steps(100) + ROWS, _weather(100)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.last_step_ == fitted.last_step_
    assert loaded.predict(steps, weather).tobytes() == fitted.predict(steps, weather).tobytes()
    assert [loaded.correct(step, 1e4) for step in steps.tolist()] == [
        fitted.correct(step, 1e4) for step in steps.tolist()
    ]
    step = loaded.last_step_ + 1
    assert loaded.partial_fit(step, 1.0, 8.0).correct(step + DAY, 1.0) == 8.0


def test_artefact_with_a_foreign_type_is_refused(fitted: WeatherDemand, tmp_path: Path) -> None:
    """A pipeline that holds anything but our constant list of types is not loaded; the error names the type."""
    fitted.save(tmp_path)
    foreign = Pipeline([("features", FunctionTransformer(np.linalg.inv)), ("booster", Ridge())])
    skops.io.dump(foreign, tmp_path / "pipeline.skops")
    with pytest.raises(ValueError, match=r"pipeline\.skops holds numpy\.linalg.*inv, which we do not trust"):
        WeatherDemand.load(tmp_path)


def test_artefact_holds_no_pickle(fitted: WeatherDemand, tmp_path: Path) -> None:
    """Everything in the artefact is JSON or an array without objects."""
    fitted.save(tmp_path)
    with zipfile.ZipFile(tmp_path / "pipeline.skops") as archive:
        assert {name.rpartition(".")[2] for name in archive.namelist()} <= {"json", "npy"}
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        assert all(state[name].dtype != object for name in state.files)


@pytest.mark.parametrize("name", ["state.npz", "pipeline.skops"])
def test_broken_artefact_is_refused(fitted: WeatherDemand, tmp_path: Path, name: str) -> None:
    """A file that was cut short is an error that says what to do."""
    fitted.save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"holds no whole weather-demand state .*; run `tetouan train`"):
        WeatherDemand.load(tmp_path)


@pytest.mark.parametrize("absurd", [1e39, -1e308, np.inf])
def test_an_absurd_weather_value_is_no_weather(fitted: WeatherDemand, absurd: float) -> None:
    """What single precision cannot hold gives no estimate instead of an error."""
    steps, weather = _steps(3), _weather(3)
    weather[1, 1] = absurd
    assert np.isnan(fitted.predict(steps, weather)).tolist() == [False, True, False]


def test_artefact_of_another_format_is_refused(fitted: WeatherDemand, tmp_path: Path) -> None:
    """A format that we do not read is named, and what to do about it."""
    fitted.save(tmp_path)
    np.savez(tmp_path / "state.npz", format=99)
    with pytest.raises(ValueError, match="format 99 is not 1; run `tetouan train`"):
        WeatherDemand.load(tmp_path)


@pytest.mark.real_data
def test_accuracy_on_the_last_fifth_of_the_year(real_data_path: Path) -> None:
    """Zone 2, fitted on the first 80 %: uncorrected RMSE <= 2964 kW, with labels at least a day old <= 1300 kW."""
    table = pd.read_csv(real_data_path)
    steps = (
        pd.to_datetime(table["DateTime"], format="%m/%d/%Y %H:%M").to_numpy().astype("datetime64[s]").astype(np.int64)
        // 600
    )
    weather, demand_kw = table.iloc[:, 1:6].to_numpy(), table.iloc[:, 7].round(1).to_numpy()
    seen = len(table) * 4 // 5
    model = WeatherDemand().fit(steps[:seen], weather[:seen], demand_kw[:seen])
    uncorrected_kw = model.predict(steps[seen:], weather[seen:])
    corrected_kw = []
    for step, estimate_kw, label_kw in zip(
        steps[seen:].tolist(), uncorrected_kw.tolist(), demand_kw[seen:].tolist(), strict=True
    ):
        corrected_kw.append(model.correct(step, estimate_kw))
        model.partial_fit(step, estimate_kw, label_kw)
    assert np.sqrt(np.mean((uncorrected_kw - demand_kw[seen:]) ** 2)) <= MUST_RMSE_KW
    assert np.sqrt(np.mean((np.array(corrected_kw) - demand_kw[seen:]) ** 2)) <= MUST_CORRECTED_RMSE_KW
