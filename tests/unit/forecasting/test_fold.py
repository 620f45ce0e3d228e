"""What a fold does with readings that are missing or not believed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.history import LOAD
from shared.forecasting.model import ZoneDemand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.sites.calendar import Calendar

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour


def test_a_gap_is_filled_like_missing_readings(model: ZoneDemand, synthetic: Series, tmp_path: Path) -> None:
    """Steps left out leave the same state as readings that are NaN."""
    first_step, load_kw = synthetic(20)
    model.fit(first_step, load_kw[: 18 * DAY])
    other = model.anew().fit(first_step, load_kw[: 18 * DAY])
    for step in range(18 * DAY, 19 * DAY):
        other.partial_fit(first_step + step, np.nan)
    for step in range(19 * DAY, 20 * DAY):
        model.partial_fit(first_step + step, load_kw[step])
        other.partial_fit(first_step + step, load_kw[step])
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    model.save(one)
    other.save(two)
    assert one.read_bytes() == two.read_bytes()


def test_a_missing_reading_is_filled_with_the_last_good_forecast(model: ZoneDemand, synthetic: Series) -> None:
    """The origin of the next forecast is what was forecast for it, the forecast says so, and then goes on."""
    first_step, load_kw = synthetic(19)
    model.fit(first_step, load_kw[: 18 * DAY])
    last_good = model.predict()
    for lead in (1, 2, 3):
        model.partial_fit(first_step + 18 * DAY + lead - 1, np.nan)
        assert model.fold is not None
        history = model.fold.zone.history
        filled_kw = history.load_kw(history.index(first_step + 18 * DAY + lead - 1))
        assert filled_kw == last_good.median_kw[lead - 1]
        assert model.predict().reason == "the reading is missing: filled with the forecast"
    model.partial_fit(first_step + 18 * DAY + 3, load_kw[18 * DAY + 3])
    assert model.predict().reason is None


def test_days_without_readings_leave_a_forecast(model: ZoneDemand, synthetic: Series) -> None:
    """After three days in the dark the forecast still resembles the load, and nothing of the dark was learned."""
    first_step, load_kw = synthetic(22)
    model.fit(first_step, load_kw[: 18 * DAY])
    assert model.fold is not None
    learned = model.fold.zone.regression.weight.copy()
    model.partial_fit(first_step + 21 * DAY - 1, np.nan)
    error = np.sqrt(np.mean((model.predict().median_kw - load_kw[21 * DAY :]) ** 2))
    assert error < 1_500.0
    assert (model.fold.zone.regression.weight <= learned).all()


def test_readings_may_begin_with_missing_ones(model: ZoneDemand, synthetic: Series) -> None:
    """A history that begins in the dark is ready later, and answers as well as any."""
    first_step, load_kw = synthetic(25)
    dark = load_kw.copy()
    dark[: 4 * DAY] = np.nan
    model.fit(first_step, dark[: 24 * DAY])
    error = np.sqrt(np.mean((model.predict().median_kw - load_kw[24 * DAY :]) ** 2))
    assert error < 1_000.0


def test_a_wild_reading_neither_teaches_nor_misleads(model: ZoneDemand, synthetic: Series) -> None:
    """A reading ten times too high leaves the forecast where a missing one would, and the reason names it."""
    first_step, load_kw = synthetic(19)
    model.fit(first_step, load_kw[: 18 * DAY])
    missing = model.anew().fit(first_step, load_kw[: 18 * DAY])
    model.partial_fit(first_step + 18 * DAY, 10.0 * load_kw[18 * DAY])
    missing.partial_fit(first_step + 18 * DAY, np.nan)
    forecast = model.predict()
    np.testing.assert_array_equal(forecast.median_kw, missing.predict().median_kw)
    assert forecast.reason is not None
    assert f"{10.0 * load_kw[18 * DAY]:,.0f} kW" in forecast.reason


def test_after_an_hour_of_refusals_the_reading_is_the_truth(model: ZoneDemand, synthetic: Series) -> None:
    """When load doubles for good, an hour of readings is refused, and from then on the new level is forecast."""
    first_step, load_kw = synthetic(20)
    load_kw[18 * DAY :] *= 2.0
    model.fit(first_step, load_kw[: 18 * DAY])
    reasons = []
    for step in range(18 * DAY, 18 * DAY + 12):
        model.partial_fit(first_step + step, load_kw[step])
        reasons.append(model.predict().reason)
    assert all(reasons[:2])
    assert not any(reasons[2:])
    assert model.predict().median_kw[0] == pytest.approx(load_kw[18 * DAY + 12], rel=0.1)


def test_an_outage_of_a_part_may_become_one_of_all(model: ZoneDemand, synthetic: Series) -> None:
    """Half of the load is lost, then all: zero is refused for six hours, and then the truth for as long as it lasts."""
    first_step, load_kw = synthetic(20)
    outage = 18 * DAY
    load_kw[outage : outage + 4] *= 0.5
    load_kw[outage + 4 :] = 0.0
    model.fit(first_step, load_kw[: outage + 16])
    assert model.predict().reason is not None
    for step in range(outage + 16, outage + 2 * DAY):
        assert model.partial_fit(first_step + step, 0.0).predict().reason is None


@pytest.mark.parametrize(("hours", "left"), [(4, 0.0), (9, 0.0), (9, 0.02), (30, 0.0)])
def test_after_an_outage_of_all_the_load_is_believed_at_once(
    model: ZoneDemand, synthetic: Series, hours: int, left: float
) -> None:
    """It comes back to what is usual: the first reading may wait for the second, and none after it is refused."""
    first_step, load_kw = synthetic(24)
    outage = slice(20 * DAY, 20 * DAY + 2 * hours)
    load_kw[outage] *= left
    model.fit(first_step, load_kw[: outage.stop])
    after = range(outage.stop, outage.stop + DAY)
    reasons = [model.partial_fit(first_step + step, load_kw[step]).predict().reason for step in after]
    assert not any(reasons[1:])


def test_another_unit_is_the_truth_only_after_six_hours(model: ZoneDemand, synthetic: Series) -> None:
    """Three hours of readings ten times too high pass without a trace; where they go on, they are believed."""
    first_step, load_kw = synthetic(20)
    model.fit(first_step, load_kw[: 18 * DAY])
    reasons = [
        model.partial_fit(first_step + step, 10.0 * load_kw[step]).predict().reason
        for step in range(18 * DAY, 18 * DAY + 14)
    ]
    assert all(reasons[:12])
    assert not any(reasons[12:])
    model.fit(first_step, load_kw[: 18 * DAY])
    for step in range(18 * DAY, 18 * DAY + 6):
        model.partial_fit(first_step + step, 10.0 * load_kw[step])
    forecast = model.partial_fit(first_step + 18 * DAY + 6, load_kw[18 * DAY + 6]).predict()
    assert np.abs(forecast.median_kw - load_kw[18 * DAY + 7 :][:DAY]).mean() < 250.0


def test_a_load_near_zero_is_not_refused(model: ZoneDemand, synthetic: Series) -> None:
    """Where the forecast is small, a reading off by more than the ratio is believed if such errors are usual."""
    first_step, load_kw = synthetic(28)
    load_kw = np.maximum(load_kw - 16_000.0, 0.0)
    model.fit(first_step, load_kw[: 22 * DAY])
    off, refused = [], []
    for step in range(22 * DAY, 27 * DAY):
        expected_kw = model.predict().median_kw[0]
        off.append(not expected_kw / 1.4 <= load_kw[step] <= 1.4 * expected_kw)
        refused.append(model.partial_fit(first_step + step, load_kw[step]).predict().reason is not None)
    assert sum(off) > 10
    assert sum(refused) == 0


def test_when_the_model_would_feed_on_itself_a_lower_level_answers(model: ZoneDemand, synthetic: Series) -> None:
    """For a day without a reading the model answers, growing less sure; then a rule does, and says why."""
    first_step, load_kw = synthetic(20)
    model.fit(first_step, load_kw[: 17 * DAY])
    sure_kw = model.predict().high_kw - model.predict().low_kw
    model.partial_fit(first_step + 18 * DAY - 1, np.nan)
    forecast = model.predict()
    assert forecast.answers[0].level == "adapted"
    assert (forecast.high_kw - forecast.low_kw).mean() > 1.05 * sure_kw.mean()
    model.partial_fit(first_step + 18 * DAY, np.nan)
    (answer,) = model.predict().answers
    assert (answer.from_lead, answer.to_lead, answer.level) == (1, DAY, "analogue")
    assert answer.reason == (
        "most of the last two days is filled: the model would forecast from its own forecasts; "
        "the reading is missing: filled with the forecast"
    )
    for step in range(18 * DAY + 1, 19 * DAY + 1):
        model.partial_fit(first_step + step, load_kw[step])
    assert model.predict().answers[0] == (1, DAY, "adapted", None)


def test_a_load_that_shifts_for_good_is_forecast_the_same_day(model: ZoneDemand, synthetic: Series) -> None:
    """Nine hours after a rise by a quarter the day ahead is back to its usual error, all but the first hour adapted."""
    first_step, load_kw = synthetic(24)
    load_kw[20 * DAY :] *= 1.25
    model.fit(first_step, load_kw[: 20 * DAY + 18])
    forecast = model.predict()
    error_kw = np.abs(forecast.median_kw - load_kw[20 * DAY + 18 :][:DAY])
    assert error_kw.mean() < 250.0
    answer = forecast.answers[-1]
    assert answer.from_lead <= 3
    assert (answer.level, answer.to_lead) == ("adapted", DAY)
    assert answer.reason is None
    (told,) = forecast.notes
    assert told[:2] == ("shift", first_step + 20 * DAY)
    assert re.fullmatch(r"the load has shifted for good to 1\.2\d of what it was", told.text)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_readings_that_are_missing_here_and_there_do_little_harm(
    calendar: Calendar, synthetic: Series, seed: int
) -> None:
    """With one in seventeen missing the weights stay small, and every forecast lies near the load."""
    first_step, load_kw = synthetic(40, step_minutes=60)
    known_kw = np.where(np.random.default_rng(seed).random(len(load_kw)) < 0.06, np.nan, load_kw)
    model = ZoneDemand(calendar=calendar, step_minutes=60, horizon_steps=24)
    for step, load in enumerate(known_kw.tolist(), first_step):
        forecast = model.partial_fit(step, load).predict()
        assert forecast.median_kw.max() < 1.5 * load_kw.max()
    assert model.fold is not None
    assert np.abs(model.fold.zone.regression.beta[0]).max() < 1e4
    assert forecast.answers[0].level == "adapted"
    assert (forecast.high_kw[2] - forecast.low_kw[2]).mean() < 2_000.0


@pytest.mark.parametrize("sentinel_kw", [3.4e38, -1e20, np.inf])
def test_what_stands_for_no_load_is_a_missing_reading(
    calendar: Calendar, synthetic: Series, sentinel_kw: float
) -> None:
    """In the first week, when nothing is refused yet, it does not drown what is learned."""
    first_step, load_kw = synthetic(30, step_minutes=60)
    load_kw[100] = sentinel_kw
    model = ZoneDemand(calendar=calendar, step_minutes=60, horizon_steps=24).fit(first_step, load_kw)
    assert model.adapted
    assert model.fold is not None
    assert np.isfinite(model.fold.zone.regression.own).all()
    assert np.abs(model.fold.zone.history.series[LOAD]).max() < 1e5


def test_weather_that_comes_back_for_one_reading_leaves_no_hole(calendar: Calendar, synthetic: Series) -> None:
    """One reading with weather at the end of a block, three without, and a meter that is silent: all are numbers."""
    first_step, load_kw = synthetic(40, step_minutes=60)
    weather_kw = np.concatenate((load_kw[24:], load_kw[-24:]))
    back = 31 * 24 + 1
    weather_kw[30 * 24 : back] = np.nan
    weather_kw[back + 1 : back + 4] = np.nan
    load_kw[30 * 24 + 6 : 33 * 24] = np.nan
    model = ZoneDemand(calendar=calendar, step_minutes=60, horizon_steps=24)
    for step, (load, weather) in enumerate(zip(load_kw.tolist(), weather_kw.tolist(), strict=True), first_step):
        forecast = model.partial_fit(step, load).foresee(step, weather).predict()
        assert np.isfinite(forecast.median_kw).all()


@pytest.mark.parametrize("horizon_steps", [5, 24])
def test_weather_that_was_out_leaves_no_hole(calendar: Calendar, synthetic: Series, horizon_steps: int) -> None:
    """When weather and meter are out one after the other, every forecast is a number, whatever the horizon."""
    first_step, load_kw = synthetic(40, step_minutes=60)
    weather_kw = np.concatenate((load_kw[24:], load_kw[-24:]))
    weather_kw[30 * 24 : 30 * 24 + 14] = np.nan
    load_kw[30 * 24 + 6 : 33 * 24] = np.nan
    model = ZoneDemand(calendar=calendar, step_minutes=60, horizon_steps=horizon_steps)
    for step, (load, weather) in enumerate(zip(load_kw.tolist(), weather_kw.tolist(), strict=True), first_step):
        assert np.isfinite(model.partial_fit(step, load).foresee(step, weather).predict().median_kw).all()
