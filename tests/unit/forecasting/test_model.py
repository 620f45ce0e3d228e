"""The laws of ``zone-demand``: what its answers depend on, and what they never do."""

from __future__ import annotations

import re
from dataclasses import astuple
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.forecasting.history import LOAD
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.method import METHOD
from shared.forecasting.model import NotFittedError, ZoneDemand, ZoneForecast
from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.forecasting.prior import Prior

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour


def assert_same(one: ZoneForecast, other: ZoneForecast) -> None:
    """Assert that the forecasts are the same to the bit."""
    for left, right in zip(astuple(one), astuple(other), strict=True):
        np.testing.assert_array_equal(left, right)


def state(model: ZoneDemand, tmp_path: Path) -> bytes:
    """Return the whole state, as it would be saved."""
    path = tmp_path / "state.npz"
    model.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("borrowed", [False, True])
@pytest.mark.parametrize("block", [1, 7, 500])
def test_blocks_and_saved_states_change_no_bit(
    model: ZoneDemand, synthetic: Series, prior: Prior, tmp_path: Path, block: int, *, borrowed: bool
) -> None:
    """Fed at once, or in blocks with a save and a load after each, it is the same to the bit; with a prior, too."""
    first_step, load_kw = synthetic(22)
    model = model.anew(prior=prior if borrowed else None)
    load_kw[[300, 301, 900]] = np.nan
    whole = model.anew().fit(first_step, load_kw)
    path = tmp_path / "block.npz"
    saved_every = max(block, 50)
    for position, load in enumerate(load_kw.tolist(), 1):
        model.partial_fit(first_step + position - 1, load)
        if position % saved_every == 0:
            model.save(path)
            model = ZoneDemand.load(path)
    assert state(model, tmp_path) == state(whole, tmp_path)
    assert_same(model.predict(), whole.predict())


def test_with_a_prior_readings_are_answered_alike_in_any_company(
    model: ZoneDemand, synthetic: Series, prior: Prior, tmp_path: Path
) -> None:
    """One by one, by 7 and by 500 every forecast and the state are the same to the bit."""
    first_step, load_kw = synthetic(16)
    said, states = [], []
    for size in (1, 7, 500):
        one, row = model.anew(prior=prior), 0
        answers: list[ZoneForecast | None] = []
        while row < len(load_kw):
            answers += one.answer(first_step + row, load_kw[row : row - row % size + size])
            row = len(answers)
        said.append([forecast for forecast in answers if forecast is not None])
        states.append(state(one, tmp_path))
    assert len(said[0]) == len(load_kw)
    for other in said[1:]:
        for left, right in zip(said[0], other, strict=True):
            assert_same(left, right)
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("horizon_steps", [5, DAY])
def test_a_forecast_knows_nothing_of_saves_and_loads(
    calendar: Calendar, synthetic: Series, tmp_path: Path, horizon_steps: int
) -> None:
    """Asked after every reading, a model that is saved and loaded at odd times says the same to the bit.

    The stream has all that the state must carry over: weather that goes out, an outage, a shift, gaps, frozen weights.
    """
    first_step, load_kw = synthetic(26)
    weather_kw = 1.02 * np.concatenate((load_kw[DAY:], load_kw[-DAY:]))
    weather_kw[21 * DAY : 21 * DAY + 30] = np.nan
    load_kw[22 * DAY + 11 :] *= 1.25
    load_kw[24 * DAY + 20 : 24 * DAY + 26] *= 0.5
    load_kw[[300, 301, 900, 1020, 1021]] = np.nan
    whole, path = ZoneDemand(calendar=calendar, step_minutes=30, horizon_steps=horizon_steps), tmp_path / "state.npz"
    parted = whole.anew()
    for row, (load, weather) in enumerate(zip(load_kw.tolist(), weather_kw.tolist(), strict=True)):
        for model in (whole, parted):
            model.partial_fit(first_step + row, load).foresee(first_step + row, weather)
            if row == 20 * DAY + DAY // 2:
                model.freeze()
        if (row > 18 * DAY and row % 7 == 0) or row > 22 * DAY:
            parted.save(path)
            parted = ZoneDemand.load(path)
        assert_same(parted.predict(), whole.predict())
    assert state(parted, tmp_path) == state(whole, tmp_path)


def test_readings_answered_together_are_answered_as_alone(
    calendar: Calendar, synthetic: Series, tmp_path: Path
) -> None:
    """In handfuls of any size, through all that parts them, every forecast and the state are the same to the bit.

    There are gaps, wild readings, outages, a shift and a lasting jump; weather goes out; most are answered in company.
    """
    first_step, load_kw = synthetic(32, step_minutes=10)
    weather_kw = 1.02 * np.concatenate((load_kw[144:], load_kw[-144:]))
    weather_kw[23 * 144 : 23 * 144 + 80] = np.nan
    load_kw[24 * 144 + 17 :] *= 1.25
    for outage in (slice(22 * 144 + 50, 22 * 144 + 51), slice(26 * 144 + 70, 26 * 144 + 84)):
        load_kw[outage] *= 0.5
    load_kw[27 * 144 + 30 : 27 * 144 + 45] *= 3.0
    load_kw[29 * 144 + 60 : 30 * 144] = 10.0
    load_kw[[300, 301, 900, 2020, 2021, 3000, 3605, 3606]] = np.nan
    alone, random = ZoneDemand(calendar=calendar), np.random.default_rng(1)
    together, row, handfuls = alone.anew(), 0, 0
    while row < len(load_kw):
        answers = together.answer(first_step + row, load_kw[row : row + int(random.integers(1, 40))])
        for forecast, load, weather in zip(answers, load_kw[row:].tolist(), weather_kw[row:].tolist(), strict=False):
            step, row = first_step + row, row + 1
            alone.partial_fit(step, load)
            if alone.ready:
                assert forecast is not None
                assert_same(forecast, alone.predict())
            for model in (alone, together):
                model.foresee(step, weather)
        handfuls += 1
    assert state(together, tmp_path) == state(alone, tmp_path)
    cold = 20 * 144  # for so long each is answered alone, of late for the day ahead being an analogue's
    assert handfuls - cold < (len(load_kw) - cold) / 2


def test_the_future_does_not_change_the_past(model: ZoneDemand, synthetic: Series) -> None:
    """Two loads that part after a reading have the same forecasts up to it, and others after it."""
    first_step, load_kw = synthetic(24)
    parted = load_kw.copy()
    parted[22 * DAY + 10 :] *= 1.1
    other = model.anew()
    same = []
    for step, (load, other_load) in enumerate(zip(load_kw.tolist(), parted.tolist(), strict=True), first_step):
        model.partial_fit(step, load)
        other.partial_fit(step, other_load)
        if model.ready:
            one, two = model.predict(), other.predict()
            same.append(np.array_equal(one.median_kw, two.median_kw) and np.array_equal(one.high_kw, two.high_kw))
    known = len(same) - (len(load_kw) - (22 * DAY + 10))
    assert all(same[:known])
    assert not any(same[known:])


def test_no_load_after_the_origin_is_read(model: ZoneDemand, synthetic: Series, tmp_path: Path) -> None:
    """What stands in the window after the last reading has no influence: a label is used when it has come."""
    first_step, load_kw = synthetic(20)
    clean = model.anew().fit(first_step, load_kw)
    for step, load in enumerate(load_kw.tolist(), first_step):
        model.partial_fit(step, load)
        assert model.fold is not None
        history = model.fold.zone.history
        history.series[LOAD, history.index(step) + 1 :] = np.nan
    assert_same(model.predict(), clean.predict())
    history.series[LOAD, history.index(step) + 1 :] = 0.0
    assert state(model, tmp_path) == state(clean, tmp_path)


def test_it_answers_from_the_first_good_reading_on(model: ZoneDemand, synthetic: Series) -> None:
    """Before it there is nothing to say; then what is usual, after a day what is like the last days, then the model."""
    assert model.last_step is None
    with pytest.raises(NotFittedError, match="first good reading"):
        model.predict()
    first_step, load_kw = synthetic(16)
    with pytest.raises(NotFittedError):
        model.partial_fit(first_step, np.nan).predict()
    levels = []
    for step, load in enumerate(load_kw[1:].tolist(), first_step + 1):
        forecast = model.partial_fit(step, load).predict()
        assert forecast.origin_step == step
        assert np.isfinite(forecast.median_kw).all()
        assert (forecast.low_kw <= forecast.median_kw).all()
        levels.append(forecast.answers[0].level)
    assert [level for level, _ in groupby(levels)] == ["climatology", "analogue", "adapted"]
    assert levels.index("analogue") == DAY
    assert levels.index("adapted") < 14 * DAY
    assert not model.anew().ready


@pytest.mark.parametrize("step_minutes", [5, 10, 15, 30, 60])
def test_any_step_forecasts_a_day(calendar: Calendar, synthetic: Series, step_minutes: int) -> None:
    """Whatever the step, a day is forecast nearly as well as its noise allows, and far better than by persistence."""
    day = 1440 // step_minutes
    first_step, load_kw = synthetic(34, step_minutes=step_minutes)
    model = ZoneDemand(calendar=calendar, step_minutes=step_minutes, horizon_steps=day)
    model.fit(first_step, load_kw[: 33 * day])
    forecast = model.predict()
    error = np.sqrt(np.mean((forecast.median_kw - load_kw[33 * day :]) ** 2))
    persistence = np.sqrt(np.mean((load_kw[33 * day - 1] - load_kw[33 * day :]) ** 2))
    assert error < 200.0
    assert error < persistence / 10.0


def test_a_horizon_shorter_than_a_day(calendar: Calendar, synthetic: Series) -> None:
    """A horizon of five steps gives five numbers."""
    first_step, load_kw = synthetic(18)
    forecast = ZoneDemand(calendar=calendar, step_minutes=30, horizon_steps=5).fit(first_step, load_kw).predict()
    assert forecast.median_kw.shape == (5,)
    assert forecast.low_kw.shape == forecast.high_kw.shape == (len(COVERAGES), 5)


@pytest.mark.parametrize("offset_kw", [0.0, -15_000.0, -19_990.0])
def test_intervals_are_ordered_and_not_negative(model: ZoneDemand, synthetic: Series, offset_kw: float) -> None:
    """Wider intervals lie around narrower ones and all around the median, none below zero, also at a load near zero."""
    first_step, load_kw = synthetic(20)
    model.fit(first_step, np.maximum(load_kw + offset_kw, 0.0))
    forecast = model.predict()
    assert (forecast.low_kw >= 0.0).all()
    nested = np.vstack((forecast.low_kw[::-1], forecast.median_kw, forecast.high_kw))
    assert (np.diff(nested, axis=0) >= 0.0).all()


def test_each_interval_covers_its_share(model: ZoneDemand, synthetic: Series) -> None:
    """On sixty days of independent noise each interval holds its share of the loads, give or take seven per cent."""
    first_step, load_kw = synthetic(90)
    model.fit(first_step, load_kw[: 30 * DAY])
    covered = []
    for origin in range(30 * DAY, 89 * DAY):
        model.partial_fit(first_step + origin, load_kw[origin])
        forecast, target_kw = model.predict(), load_kw[origin + 1 : origin + 1 + DAY]
        covered.append(((forecast.low_kw <= target_kw) & (target_kw <= forecast.high_kw)).mean(axis=1))
    np.testing.assert_allclose(np.mean(covered, axis=0), COVERAGES, atol=0.07)


def test_a_step_is_taken_once_and_in_order(model: ZoneDemand) -> None:
    """A step that is not after the last one is refused and both are named."""
    model.partial_fit(100, 1.0)
    for step in (100, 99):
        with pytest.raises(ValueError, match=f"step {step} is not after the last one, 100"):
            model.partial_fit(step, 1.0)


def test_what_begins_anew_has_only_the_parameters(model: ZoneDemand, calendar: Calendar, synthetic: Series) -> None:
    """They can be changed on the way; nothing of the state is left."""
    model.fit(*synthetic(17))
    other = METHOD.changed({"regression.half_lives_days": (30.0,), "regression.ridges": (0.01,)})
    copy = model.anew(method=other)
    assert copy.parameters == {
        "calendar": calendar,
        "step_minutes": 30,
        "horizon_steps": DAY,
        "method": other,
        "floor_kw": None,
        "prior": None,
    }
    assert copy.last_step is None
    assert model.ready


def test_what_a_caller_does_to_an_answer_stays_with_the_caller(model: ZoneDemand, synthetic: Series) -> None:
    """Overwriting an answer does not change the next one."""
    model.fit(*synthetic(18))
    kept = model.predict().median_kw.copy()
    model.predict().median_kw[:] = 0.0
    np.testing.assert_array_equal(model.predict().median_kw, kept)


@pytest.mark.parametrize("parameters", [{"step_minutes": 7}, {"horizon_steps": 0}, {"horizon_steps": 49}])
def test_parameters_out_of_range_are_named(model: ZoneDemand, parameters: dict[str, Any]) -> None:
    """A parameter out of its range is refused at the first reading, by name and value."""
    ((name, value),) = parameters.items()
    with pytest.raises(ValueError, match=re.escape(f"{name} is {value}")):
        model.anew(**parameters).partial_fit(0, 1.0)


def test_the_state_stays_below_three_megabytes(calendar: Calendar, tmp_path: Path) -> None:
    """At ten minutes and 144 leads the whole state, and so its file, is below 3 MB."""
    model = ZoneDemand(calendar=calendar).partial_fit(0, 1.0)
    assert len(state(model, tmp_path)) < 3_000_000


def test_what_the_first_day_of_ramadan_taught_helps_on_the_first_after_it(synthetic: Series) -> None:
    """A day ahead, over the first four days after it, the error is a third smaller than without the dates."""
    first_step, load_kw = synthetic(70, step_minutes=60)
    first, last = date(2017, 2, 5), date(2017, 3, 6)
    fasting = slice(24 * 35, 24 * 65)
    load_kw[fasting] += 2_500.0 * np.cos(2 * np.pi * (np.arange(len(load_kw)) - 22) / 24)[fasting]
    error_kw = []
    for ramadan in ((), ((first, last),)):
        model = ZoneDemand(calendar=Calendar("MA", ramadan=ramadan), step_minutes=60, horizon_steps=24)
        model.fit(first_step, load_kw[: 24 * 64])
        errors_kw = []
        for row in range(24 * 64, 24 * 68):
            errors_kw.append(model.predict().median_kw[-1] - load_kw[row + 23])
            model.partial_fit(first_step + row, load_kw[row])
        error_kw.append(np.sqrt(np.mean(np.square(errors_kw))))
    assert error_kw[1] < 2 / 3 * error_kw[0]
