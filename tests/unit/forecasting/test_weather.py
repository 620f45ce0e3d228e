"""The weather model: its features, its fit, its correction with labels a day old, and its artefact."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from shared.forecasting import artefact
from shared.forecasting.boosting import Boosting, known_rows
from shared.forecasting.forest import Forest
from shared.forecasting.method import WeatherMethod
from shared.forecasting.weather import COLUMNS, VERSION, Correction, WeatherDemand
from shared.forecasting.weather_trees import WeatherTrees, features_of
from tests.unit.states import assert_same

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

STEP_MINUTES = 30
DAY = 48
FIRST = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp()) // (60 * STEP_MINUTES)
ROWS = 20 * DAY
BOOSTING = Boosting(step_minutes=STEP_MINUTES, method=WeatherMethod(n_estimators=40))
MUST_RMSE_KW = 3214
MUST_CORRECTED_RMSE_KW = 1060
MUST_CORRECTED_R2 = 0.96


def _weather(rows: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(15, 5, (rows, len(COLUMNS)))


def _steps(rows: int) -> NDArray[np.int64]:
    return FIRST + np.arange(rows)


def _header(parameters: dict[str, Any]) -> NDArray[np.uint8]:
    return artefact.headed("weather-demand", VERSION, parameters)["header"]


def _demand_kw(steps: NDArray[np.int64], weather: NDArray[np.float64]) -> NDArray[np.float64]:
    return 20_000 + 3_000 * np.sin(2 * np.pi * (steps % DAY) / DAY) + 50 * weather[:, 0]


@pytest.fixture(scope="module")
def fitted() -> WeatherDemand:
    """Fit a small model on twenty days."""
    steps, weather = _steps(ROWS), _weather(ROWS)
    return BOOSTING.fit(steps, weather, _demand_kw(steps, weather))


@pytest.fixture
def unseen(fitted: WeatherDemand) -> WeatherDemand:
    """Return the same model without any residual and with nothing learned from them."""
    return WeatherDemand(fitted.trees, fitted.last_step)


def _feed(model: WeatherDemand, residual_kw: NDArray[np.float64], uncorrected_kw: float = 20_000.0) -> list[float]:
    """Let the stream go on with these residuals of a constant estimate; returns what it was corrected to."""
    corrected_kw = []
    for kw in residual_kw.tolist():
        step = model.last_step + 1
        corrected_kw.append(model.correct(step, uncorrected_kw))
        model.partial_fit(step, uncorrected_kw, uncorrected_kw + kw)
    return corrected_kw


def _noise_kw(rows: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.0, 1000.0, rows)


def test_features_are_those_of_the_calendar() -> None:
    """The seven calendar columns equal what pandas says of the same times, through leap days and year ends."""
    times = pd.date_range("2015-12-30", "2017-03-02", freq="7h10min")
    steps = times.to_numpy().astype("datetime64[s]").astype(np.int64) // 600
    weather = _weather(len(steps))
    features = features_of(steps, weather, 10)
    expected = np.column_stack(
        (times.day, times.month, times.hour, times.minute, times.weekday, times.quarter, times.dayofyear)
    )
    assert (features[:, :5] == weather).all()
    assert (features[:, 5:] == expected).all()


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
    model = BOOSTING.fit(steps, weather, demand_kw)
    assert (model.predict(steps[:ROWS], weather[:ROWS]) == fitted.predict(steps[:ROWS], weather[:ROWS])).all()
    assert model.last_step == fitted.last_step + 2


@pytest.mark.parametrize("whole", [0, 14])
def test_fit_on_next_to_nothing_is_refused(whole: int) -> None:
    """Where fewer than fifteen rows are whole, the error names the fields and the number of rows."""
    weather = np.full((20, 5), np.nan)
    weather[:whole] = 1.0
    with pytest.raises(ValueError, match=f"weather, demand_kw: {whole} of 20 rows are without a missing value"):
        Boosting().fit(_steps(20), weather, np.ones(20))


def test_fifteen_rows_are_enough_to_fit() -> None:
    """The fewest rows that are not refused give an estimate."""
    steps, weather = _steps(15), _weather(15)
    model = Boosting(step_minutes=STEP_MINUTES, method=WeatherMethod(n_estimators=2)).fit(steps, weather, np.ones(15))
    assert model.predict(steps, weather) == pytest.approx(np.ones(15))


def test_fit_reports_its_progress() -> None:
    """The share done rises to one, by the rows that each tree of the three forests grows on."""
    shares: list[float] = []
    steps, weather = _steps(DAY), _weather(DAY)
    boosting = Boosting(method=WeatherMethod(n_estimators=2))
    boosting.fit(steps, weather, _demand_kw(steps, weather), progress=shares.append)
    assert shares == pytest.approx([1 / 12, 2 / 12, 4 / 12, 6 / 12, 9 / 12, 1.0])


def test_a_row_does_not_depend_on_its_neighbours(fitted: WeatherDemand) -> None:
    """Whether rows come alone, in sevens, reversed or all at once, each has the same bits."""
    steps, weather = _steps(200), _weather(200)
    at_once = fitted.predict(steps, weather)
    for size in (1, 7):
        parts = [fitted.predict(steps[i : i + size], weather[i : i + size]) for i in range(0, 200, size)]
        assert np.concatenate(parts).tobytes() == at_once.tobytes()
    assert fitted.predict(steps[::-1], weather[::-1])[::-1].tobytes() == at_once.tobytes()


def _booster(depth: int) -> GradientBoostingRegressor:
    features = _weather(700)
    booster = GradientBoostingRegressor(n_estimators=9, max_depth=depth, min_samples_leaf=20, random_state=1)
    return booster.fit(features, _demand_kw(_steps(700), features))


@pytest.mark.parametrize("depth", [1, 5, 12])
def test_flat_trees_answer_as_those_they_were_taken_from(depth: int) -> None:
    """Whatever the depth, and with leaves at every depth, the numbers are scikit-learn's own, but for rounding."""
    booster, features = _booster(depth), _weather(500)
    assert Forest.of(booster).predict(features) == pytest.approx(booster.predict(features), rel=1e-12)


def test_flat_trees_agree_with_scikit_learn_on_which_side_a_threshold_is() -> None:
    """Rows that lie on a threshold, or as near as single precision tells, go where scikit-learn sends them."""
    booster = _booster(depth=3)
    forest = Forest.of(booster)
    columns, thresholds = (np.concatenate(parts) for parts in zip(*forest.levels, strict=True))
    inner = np.isfinite(thresholds)
    near = np.concatenate([np.nextafter(thresholds[inner], to) for to in (-np.inf, np.inf)] + [thresholds[inner]])
    features = _weather(len(near))
    features[np.arange(len(near)), np.tile(columns[inner], 3)] = near
    assert forest.predict(features) == pytest.approx(booster.predict(features), rel=1e-12)


def test_missing_weather_gives_nan_for_its_row_alone(fitted: WeatherDemand) -> None:
    """A NaN among the weather of one row makes that estimate NaN and changes no other."""
    steps, weather = _steps(5), _weather(5)
    whole = fitted.predict(steps, weather)
    weather[2, 4] = np.nan
    estimate = fitted.predict(steps, weather)
    assert np.isnan(estimate).tolist() == [False, False, True, False, False]
    assert (np.delete(estimate, 2) == np.delete(whole, 2)).all()
    assert np.isnan(fitted.predict(steps[2:3], weather[2:3])).all()


def test_before_anything_is_learned_the_correction_is_the_residual_of_a_day_before(unseen: WeatherDemand) -> None:
    """The first day leaves estimates as they are; those of the second are shifted by the label a day before."""
    residual_kw = np.arange(1, DAY + 1, dtype=np.float64)
    first = unseen.last_step + 1
    assert _feed(unseen, residual_kw) == [20_000.0] * DAY
    assert [unseen.correct(first + DAY + i, 500.0) for i in range(DAY)] == (500.0 + residual_kw).tolist()


def test_no_label_younger_than_a_day_counts(fitted: WeatherDemand) -> None:
    """Up to a day after an origin the correction is the same to the bit whatever the labels after it; then it is not.

    So the target a day after an origin can be answered at the origin.
    """
    one, other = deepcopy(fitted), deepcopy(fitted)
    for model in (one, other):
        _feed(model, _noise_kw(9 * DAY, seed=2))
    ahead_kw = one.correct(one.last_step + DAY, 20_000.0)
    one_kw, other_kw = _feed(one, _noise_kw(DAY + 1, seed=3)), _feed(other, _noise_kw(DAY + 1, seed=4))
    assert one_kw[:DAY] == other_kw[:DAY]
    assert one_kw[DAY] != other_kw[DAY]
    assert ahead_kw == pytest.approx(one_kw[DAY - 1], abs=100.0)  # it is River that has learned on for a day


def test_an_estimate_for_a_day_ahead_knows_the_label_of_its_origin_and_leaves_no_trace(unseen: WeatherDemand) -> None:
    """At an origin the target a day later is shifted by the origin's own residual, and nothing else has moved."""
    _feed(unseen, np.array([10.0, 70.0]))
    before = deepcopy(unseen.correction.state())
    assert unseen.correct(unseen.last_step + DAY, 500.0) == 570.0
    assert all(before[name].tobytes() == now.tobytes() for name, now in unseen.correction.state().items())


def test_correction_learns_what_comes_back_every_week(unseen: WeatherDemand) -> None:
    """Weekends that miss 3 MW, which the residual of a day before never foresees, are foreseen after two months."""
    steps = unseen.last_step + 1 + np.arange(63 * DAY)
    residual_kw = np.where((steps // DAY + 3) % 7 >= 5, 3000.0, 0.0).astype(np.float64)
    error_kw = np.array(_feed(unseen, residual_kw)) - 20_000.0 - residual_kw
    day_old_error_kw = residual_kw[:-DAY] - residual_kw[DAY:]
    last = slice(-7 * DAY, None)
    assert np.sqrt(np.mean(error_kw[last] ** 2)) < 0.1 * np.sqrt(np.mean(day_old_error_kw[last] ** 2))


def test_of_ten_minutes_one_label_of_each_half_hour_is_learned() -> None:
    """The weights move at every third step and stay to the bit at the others, whichever step came first."""
    correction, day = Correction(10, 90.0), 144
    for step in range(FIRST, FIRST + 9 * day):
        correction.remember(step, 20_000.0, 20_000.0 + step % 7)
    moved = []
    for step in range(FIRST + 8 * day + 1, FIRST + 8 * day + 10):
        before = correction.state()["regression._eta_arr"].tobytes()
        correction.learn(step)
        if correction.state()["regression._eta_arr"].tobytes() != before:
            moved.append(step)
    assert [step % 3 for step in moved] == [0, 0, 0]


def test_nothing_is_left_of_a_shift_that_stays(unseen: WeatherDemand) -> None:
    """From the ninth day after a shift of 5 MW the estimates are as good as before it: no level has been learned."""
    shift_kw = np.repeat([0.0, 5000.0], [60 * DAY, 30 * DAY])
    residual_kw = shift_kw + 0.3 * _noise_kw(90 * DAY, seed=10)
    error_kw = np.array(_feed(unseen, residual_kw)) - 20_000.0 - residual_kw
    before, after = error_kw[50 * DAY : 60 * DAY], error_kw[69 * DAY :]
    assert abs(after.mean()) < 50.0
    assert after.std() < 1.1 * before.std()


def test_without_the_label_of_a_day_before_the_nearest_of_that_time_of_day_is_used(unseen: WeatherDemand) -> None:
    """A gap falls back on the hour before, then on the same time a day earlier, and past a week on nothing."""
    first = unseen.last_step + 1
    _feed(unseen, np.array([10.0, 30.0, np.nan, np.nan]))
    assert unseen.correct(first + 1 + DAY, 50.0) == 80.0
    assert unseen.correct(first + 2 + DAY, 50.0) == 80.0
    assert unseen.correct(first + 3 + DAY, 50.0) == 50.0
    assert unseen.correct(first + 1 + 7 * DAY, 50.0) == 80.0
    assert unseen.correct(first + 1 + 8 * DAY, 50.0) == 50.0


def test_missing_labels_teach_nothing(fitted: WeatherDemand) -> None:
    """A label or an estimate that is NaN a day ago, or a reading that never came, leaves all weights as they are."""
    model = deepcopy(fitted)
    _feed(model, np.full(DAY, np.nan))
    learned = deepcopy(model.correction.state())
    _feed(model, np.zeros(DAY), uncorrected_kw=np.nan)
    model.last_step += DAY
    _feed(model, np.zeros(DAY))
    now = model.correction.state()
    names = [name for name in now if name.startswith("regression.")]
    assert names
    assert all((now[name] == learned[name]).all() for name in names)


def test_an_estimate_comes_out_whatever_labels_are_missing(fitted: WeatherDemand) -> None:
    """With every fifth label and then nine whole days missing, the correction is a number all the time."""
    model = deepcopy(fitted)
    residual_kw = _noise_kw(40 * DAY, seed=5)
    residual_kw[::5] = np.nan
    residual_kw[20 * DAY : 29 * DAY] = np.nan
    assert np.isfinite(_feed(model, residual_kw)).all()


def test_an_estimate_may_be_below_zero_and_nan_stays_nan(unseen: WeatherDemand) -> None:
    """A large negative residual goes on below it; an estimate that is missing stays missing."""
    step = unseen.last_step + 1
    unseen.partial_fit(step, 5000.0, 100.0)
    assert unseen.correct(step + DAY, 3000.0) == -1900.0
    assert np.isnan(unseen.correct(step + DAY, np.nan))


def test_a_label_is_learned_once(unseen: WeatherDemand) -> None:
    """A step that has been seen is refused with its number."""
    step = unseen.last_step
    with pytest.raises(ValueError, match=f"step {step} is not after {step}"):
        unseen.partial_fit(step, 1.0, 1.0)


def test_fit_leaves_the_residuals_of_its_last_days(fitted: WeatherDemand) -> None:
    """After a fit, the days to come go by what the trees that grew on all rows left of the last nine."""
    steps, weather = _steps(ROWS)[-9 * DAY :], _weather(ROWS)[-9 * DAY :]
    slots = steps % (9 * DAY)
    estimate_kw = fitted.predict(steps, weather)
    assert fitted.last_step == steps[-1]
    assert (fitted.correction.steps[slots] == steps).all()
    assert (fitted.correction.estimate_kw[slots] == estimate_kw).all()
    assert (fitted.correction.residual_kw[slots] == _demand_kw(steps, weather) - estimate_kw).all()


def test_fit_teaches_how_far_to_trust_the_trees() -> None:
    """Where the load is mere noise, a rise of the estimate since yesterday is taken back by more than a third.

    Trees know by heart what they grew on: their own residuals there would teach to add to it instead.
    """
    steps, weather = _steps(42 * DAY), _weather(42 * DAY)
    demand_kw = 20_000.0 + _noise_kw(42 * DAY, seed=9)
    model = Boosting(step_minutes=STEP_MINUTES).fit(steps, weather, demand_kw)
    rise_kw = {"estimate_1_day": 1.0}
    rest_kw = model.correction.regression.predict_one(rise_kw)  # type: ignore[no-untyped-call]  # River annotates in part
    assert rest_kw < -1 / 3


def test_it_knows_what_it_has_grown_on(fitted: WeatherDemand) -> None:
    """The lowest and the highest value of each feature, by name, of the rows with weather and load."""
    weather = _weather(ROWS)
    seen = dict(zip(fitted.trees.features, fitted.trees.seen.T.tolist(), strict=True))
    assert seen["temperature_c"] == [weather[:, 0].min(), weather[:, 0].max()]
    assert seen["hour"] == [0, 23]
    assert seen["weekday"] == [0, 6]
    assert list(seen)[:5] == list(COLUMNS)
    assert fitted.trees.seen_steps.tolist() == [FIRST, FIRST + ROWS - 1]


def test_its_trees_can_be_read_alone(fitted: WeatherDemand, saved: Path) -> None:
    """They answer as the model does; what the model has learned is not read."""
    steps, weather = _steps(100) + ROWS, _weather(100)
    fitted.save(saved)
    trees = WeatherTrees.load(saved)
    assert trees.predict(steps, weather).tobytes() == fitted.predict(steps, weather).tobytes()
    assert trees.seen.tobytes() == fitted.trees.seen.tobytes()
    assert trees.seen_steps.tolist() == fitted.trees.seen_steps.tolist()


def test_reloaded_model_is_the_same_to_the_bit(fitted: WeatherDemand, tmp_path: Path) -> None:
    """A model that went through its file estimates, corrects and goes on learning as if it had not."""
    original = deepcopy(fitted)
    _feed(original, _noise_kw(3 * DAY, seed=6))
    original.save(tmp_path / "state.npz")
    loaded = WeatherDemand.load(tmp_path / "state.npz")
    steps, weather = _steps(100) + ROWS, _weather(100)
    assert loaded.parameters == original.parameters == {**vars(BOOSTING), "fields": list(COLUMNS)}
    assert loaded.last_step == original.last_step
    assert loaded.predict(steps, weather).tobytes() == original.predict(steps, weather).tobytes()
    residual_kw = _noise_kw(10 * DAY, seed=7)
    residual_kw[::7] = np.nan
    assert _feed(loaded, residual_kw) == _feed(original, residual_kw)
    assert_same(loaded.state(), original.state())


@pytest.mark.parametrize("depth", [1, 5, 12])
def test_trees_of_any_depth_come_back(depth: int) -> None:
    """As arrays and back they answer to the bit as before."""
    forest, features = Forest.of(_booster(depth)), _weather(500)
    assert Forest.of_state(forest.state(), 5).predict(features).tobytes() == forest.predict(features).tobytes()


@pytest.mark.parametrize(
    ("name", "wrong", "named"),
    [
        ("feature", np.full(62, 12), "feature"),
        ("feature", np.full(62, -1), "feature"),
        ("feature", np.zeros(61, np.int64), "leaves_kw"),
        ("threshold", np.zeros(61), "leaves_kw"),
        ("leaves_kw", np.zeros(62), "leaves_kw"),
        ("leaves_kw", np.full(64, np.nan), "leaves_kw"),
        ("start_kw", np.array(np.inf), "start_kw"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(name: str, wrong: NDArray[np.float64], named: str) -> None:
    """What would fail, or answer with nonsense, at the first reading is refused by its name."""
    nodes = {"feature": np.zeros(62, np.int64), "threshold": np.zeros(62)}
    state = {**nodes, "leaves_kw": np.zeros(64), "start_kw": np.array(0.0)}
    Forest.of_state(state, 12)
    with pytest.raises(ValueError, match=named):
        Forest.of_state({**state, name: wrong}, 12)


def test_batches_of_any_size_end_alike(fitted: WeatherDemand) -> None:
    """Whether the estimates come one by one, in sevens or all at once, corrections and weights have the same bits."""
    steps, weather = _steps(3 * DAY) + ROWS, _weather(3 * DAY)
    labels_kw = _demand_kw(steps, weather) + _noise_kw(3 * DAY, seed=8)

    def stream(size: int) -> tuple[list[float], bytes]:
        model, corrected_kw = deepcopy(fitted), []
        for start in range(0, len(steps), size):
            part = slice(start, start + size)
            estimate_kw = model.predict(steps[part], weather[part])
            for row in zip(steps[part].tolist(), estimate_kw.tolist(), labels_kw[part].tolist(), strict=True):
                corrected_kw.append(model.correct(*row[:2]))
                model.partial_fit(*row)
        return corrected_kw, b"".join(array.tobytes() for array in model.correction.state().values())

    assert stream(1) == stream(7) == stream(3 * DAY)


@pytest.mark.parametrize("columns", [(0,), (2,), (0, 3, 4)])
def test_a_fit_on_some_of_the_fields_looks_at_no_other(columns: tuple[int, ...], tmp_path: Path) -> None:
    """Fields that nobody has do not enter: what they hold later, numbers or nothing, changes no bit of an estimate."""
    steps, weather = _steps(ROWS), _weather(ROWS)
    demand_kw = _demand_kw(steps, weather)
    absent = [column for column in range(len(COLUMNS)) if column not in columns]
    known = weather.copy()
    known[:, absent] = np.nan
    BOOSTING.fit(steps, known, demand_kw).save(tmp_path / "state.npz")
    model = WeatherDemand.load(tmp_path / "state.npz")
    assert model.fields == tuple(COLUMNS[column] for column in columns)
    estimate_kw = model.predict(steps, known)
    assert np.isfinite(estimate_kw).all()
    assert estimate_kw.tobytes() == model.predict(steps, weather).tobytes()
    assert np.sqrt(np.mean((estimate_kw - demand_kw) ** 2)) < 0.5 * demand_kw.std()


def test_a_field_that_is_mostly_missing_is_left_out() -> None:
    """With it too few rows would be whole; one that has gaps is kept, and its gaps are not learned."""
    weather, demand_kw = _weather(100), np.full(100, 20_000.0)
    weather[:, 1] = np.nan
    weather[20:, 2] = np.nan
    weather[::4, 3] = np.nan
    demand_kw[1] = np.nan
    fields, whole = known_rows(weather, demand_kw)
    assert fields == (COLUMNS[0], COLUMNS[3], COLUMNS[4])
    assert np.flatnonzero(~whole).tolist() == [0, 1, *range(4, 100, 4)]
    weather[:] = np.nan
    fields, whole = known_rows(weather, demand_kw)
    assert not fields
    assert not whole.any()


@pytest.fixture
def saved(fitted: WeatherDemand, tmp_path: Path) -> Path:
    """Return the file of the small model."""
    fitted.save(tmp_path / "state.npz")
    return tmp_path / "state.npz"


def test_a_file_that_was_cut_short_is_refused(saved: Path) -> None:
    """The error names the file and says what to do."""
    whole = saved.read_bytes()
    saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"state\.npz is no whole weather-demand state \(.+\): run `tetouan train`"):
        WeatherDemand.load(saved)


@pytest.mark.parametrize("absurd", [1e39, -1e308, np.inf])
def test_an_absurd_weather_value_is_no_weather(fitted: WeatherDemand, absurd: float) -> None:
    """What single precision cannot hold gives no estimate instead of an error."""
    steps, weather = _steps(3), _weather(3)
    weather[1, 1] = absurd
    assert np.isnan(fitted.predict(steps, weather)).tolist() == [False, True, False]


@pytest.mark.parametrize("other", [3, 99])
def test_a_file_of_another_format_is_refused(saved: Path, fitted: WeatherDemand, other: int) -> None:
    """A format that we do not read, older or newer, is named, and what to do about it."""
    artefact.write(saved, {**fitted.state(), **artefact.headed("weather-demand", other, {})})
    names = rf"state\.npz .*format version {other}, .* reads {VERSION}.*: run `tetouan train`"
    with pytest.raises(ValueError, match=names):
        WeatherDemand.load(saved)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("correction.regression._ss_arr", np.eye(8)),
        ("correction.regression._eta_arr", np.zeros((16, 1))),
        ("correction.regression._ss_arr", None),
        ("correction.residual_kw", np.zeros(144)),
        ("correction.steps", np.zeros(9 * DAY)),
        ("last_step", np.zeros(2)),
        ("last_step", None),
        ("forest.start_kw", np.array("soon")),
        ("forest.leaves_kw", None),
        ("seen", np.zeros((2, 5))),
        ("seen", None),
        ("seen_steps", np.zeros(3, np.int64)),
        ("seen_steps", np.array([10, 9])),
        ("seen_steps", np.array([0, 2**60])),
        ("seen_steps", np.array([0.5, 1.0])),
        ("seen_steps", None),
        ("colour", np.zeros(1)),
        ("header", None),
        ("header", np.zeros(3, np.uint8)),
        ("header", artefact.headed("zone-demand", VERSION, {})["header"]),
        ("header", _header({"step_minutes": 7, "fields": list(COLUMNS)})),
        ("header", _header({"step_minutes": 30, "fields": []})),
        ("header", _header({"step_minutes": 30, "fields": ["rain_mm"]})),
        ("header", _header({"step_minutes": 30, "fields": list(COLUMNS[::-1])})),
    ],
)
def test_a_state_that_does_not_fit_is_refused(
    saved: Path, fitted: WeatherDemand, name: str, wrong: NDArray[np.float64] | None
) -> None:
    """What could only fail at some reading is refused when it is read: the error names file and array."""
    state = {key: array for key, array in fitted.state().items() if key != name}
    artefact.write(saved, state if wrong is None else {**state, name: wrong})
    part, _, array = name.partition(".")
    with pytest.raises(ValueError, match=rf"state\.npz is no weather-demand state .*{part}.*{array}"):
        WeatherDemand.load(saved)


@pytest.mark.parametrize(
    ("constants", "names"),
    [
        ({"half_life_days": None}, "method lacks or adds half_life_days"),
        ({"colour": 1.0}, "method lacks or adds colour"),
        ({"n_estimators": 0}, "WeatherMethod.n_estimators is 0: use a number that is whole and above 0"),
    ],
)
def test_a_constant_that_cannot_be_used_is_named(
    saved: Path, fitted: WeatherDemand, constants: dict[str, float | None], names: str
) -> None:
    """A state whose method lacks a constant, or has another one or a wrong value, is not guessed at."""
    method = {name: value for name, value in (fitted.method.named() | constants).items() if value is not None}
    parameters = {**fitted.parameters, "method": method}
    artefact.write(saved, {**fitted.state(), **artefact.headed("weather-demand", VERSION, parameters)})
    with pytest.raises(ValueError, match=rf"state\.npz .*{names}"):
        WeatherDemand.load(saved)


def test_its_correction_forgets_as_it_was_made_to(fitted: WeatherDemand) -> None:
    """The half-life comes back with the state, and what forgets faster corrects otherwise after the same labels."""
    quick = WeatherDemand(fitted.trees, FIRST - 1, method=WeatherMethod(half_life_days=2.0))
    slow = WeatherDemand(fitted.trees, FIRST - 1)
    models = (quick, WeatherDemand.of_state(quick.state()), slow)
    steps, weather = _steps(ROWS), _weather(ROWS)
    estimate_kw, demand_kw = slow.predict(steps, weather).tolist(), _demand_kw(steps, weather).tolist()
    for model in models:
        for row in zip(steps.tolist(), estimate_kw, demand_kw, strict=True):
            model.partial_fit(*row)
    one, again, other = (model.correct(model.last_step + 1, estimate_kw[-1]) for model in models)
    assert one == again != other


@pytest.mark.real_data
def test_accuracy_on_the_last_fifth_of_the_year(real_data_path: Path) -> None:
    """Zone 2, fitted on the first 80 %: uncorrected RMSE <= 3214 kW, with labels a day old <= 1060 kW, R2 >= 0.96."""
    table = pd.read_csv(real_data_path)
    steps = (
        pd.to_datetime(table["DateTime"], format="%m/%d/%Y %H:%M").to_numpy().astype("datetime64[s]").astype(np.int64)
        // 600
    )
    weather, demand_kw = table.iloc[:, 1:6].to_numpy(), table.iloc[:, 7].round(1).to_numpy()
    seen = len(table) * 4 // 5
    model = Boosting().fit(steps[:seen], weather[:seen], demand_kw[:seen])
    uncorrected_kw = model.predict(steps[seen:], weather[seen:])
    corrected_kw = []
    for step, estimate_kw, label_kw in zip(
        steps[seen:].tolist(), uncorrected_kw.tolist(), demand_kw[seen:].tolist(), strict=True
    ):
        corrected_kw.append(model.correct(step, estimate_kw))
        model.partial_fit(step, estimate_kw, label_kw)
    assert np.sqrt(np.mean((uncorrected_kw - demand_kw[seen:]) ** 2)) <= MUST_RMSE_KW
    mse = np.mean((np.array(corrected_kw) - demand_kw[seen:]) ** 2)
    assert np.sqrt(mse) <= MUST_CORRECTED_RMSE_KW
    assert 1 - mse / demand_kw[seen:].var() >= MUST_CORRECTED_R2
