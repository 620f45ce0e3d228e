"""Loads of any size and sign: a home, a country, a feeder with solar roofs, a meter that reads nothing but zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.model import ZoneDemand
from shared.forecasting.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.forecasting.model import ZoneForecast
    from shared.sites.calendar import Calendar

    Floats = NDArray[np.float64]
    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 24  # steps of an hour
DAYS = 26


@pytest.fixture(scope="module")
def hourly(calendar: Calendar) -> ZoneDemand:
    """Return a forecaster of a day at an hour a step, without readings."""
    return ZoneDemand(calendar=calendar, step_minutes=60, horizon_steps=DAY)


@pytest.fixture(scope="module")
def troubled(synthetic: Series) -> tuple[int, Floats]:
    """Return weeks in which a reading is tenfold, some are missing, the load doubles for hours and rises for good."""
    first_step, load_kw = synthetic(DAYS, 60)
    load_kw = load_kw.copy()
    load_kw[18 * DAY + 5] *= 10.0
    load_kw[18 * DAY + 15 : 19 * DAY] = np.nan
    load_kw[20 * DAY : 20 * DAY + 4] *= 2.0
    load_kw[22 * DAY + 7 :] *= 1.3
    return first_step, load_kw


@pytest.fixture(scope="module")
def net(synthetic: Series) -> tuple[int, Floats]:
    """Return the load of a feeder of about 1 MW less what its roofs give, -900 kW on the clearest days."""
    days = 56
    first_step, load_kw = synthetic(days, 60)
    hour, clear = np.arange(days * DAY) % DAY, np.random.default_rng(2).uniform(0.4, 1.0, days).repeat(DAY)
    sun = np.maximum(-np.cos(2.0 * np.pi * hour / DAY), 0.0)
    return first_step, load_kw / 20.0 - 2000.0 * sun * clear


def answers(model: ZoneDemand, series: tuple[int, Floats]) -> list[ZoneForecast]:
    """Return the forecast from every reading, from the first one on."""
    first_step, load_kw = series
    model, forecasts, row = model.anew(), [], 0
    while row < len(load_kw):
        forecasts += model.answer(first_step + row, load_kw[row : row + 100])
        row = len(forecasts)
    return [forecast for forecast in forecasts if forecast is not None]


def judged(forecasts: list[ZoneForecast]) -> list[tuple[bool, list[tuple[int, int, str]], list[str]]]:
    """Return what was decided at each origin: whether the reading was believed, which levels answer, which notes."""
    return [
        (
            one.reason is None,
            [(answer.from_lead, answer.to_lead, answer.level) for answer in one.answers],
            [note.kind for note in one.notes],
        )
        for one in forecasts
    ]


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 2e4])
def test_a_load_of_another_size_is_forecast_alike(
    hourly: ZoneDemand, troubled: tuple[int, Floats], scale: float
) -> None:
    """The forecasts of so many times the load are so many times as large, and the same readings are believed."""
    first_step, load_kw = troubled
    ours, scaled = answers(hourly, troubled), answers(hourly, (first_step, scale * load_kw))
    assert judged(scaled) == judged(ours)
    assert any(note.kind == "shift" for one in ours for note in one.notes)
    for one, other in zip(ours, scaled, strict=True):
        for name in ("median_kw", "low_kw", "high_kw"):
            expected = scale * getattr(one, name)
            np.testing.assert_allclose(getattr(other, name), expected, rtol=2e-3, atol=0.05 * scale)


def test_a_load_below_zero_is_forecast_like_its_mirror_image(hourly: ZoneDemand, troubled: tuple[int, Floats]) -> None:
    """What a feeder takes and what it gives differ in the sign, after the first reading that is below zero."""
    first_step, load_kw = troubled
    ours, mirrored = answers(hourly, troubled), answers(hourly, (first_step, -load_kw))
    assert judged(mirrored) == judged(ours)
    for one, other in zip(ours, mirrored, strict=True):
        np.testing.assert_allclose(other.median_kw, -one.median_kw, rtol=1e-9)
        np.testing.assert_allclose(other.low_kw, -one.high_kw, rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e5])
def test_a_feeder_with_solar_roofs_is_forecast(hourly: ZoneDemand, net: tuple[int, Floats], scale: float) -> None:
    """Every reading is believed, forecasts go below zero, and an hour ahead they beat persistence by far."""
    first_step, load_kw = net[0], scale * net[1]
    forecasts = answers(hourly, (first_step, load_kw))
    assert all(one.reason is None for one in forecasts)
    last = slice(42 * DAY, len(load_kw) - 1)
    median_kw, low_kw, high_kw = np.array(
        [(one.median_kw[0], one.bounds_kw(0.9)[0][0], one.bounds_kw(0.9)[1][0]) for one in forecasts[last]]
    ).T
    target_kw, now_kw = load_kw[42 * DAY + 1 :], load_kw[last]
    assert median_kw.min() < -300.0 * scale
    error_kw, naive_kw = np.sqrt(np.mean((median_kw - target_kw) ** 2)), np.sqrt(np.mean((now_kw - target_kw) ** 2))
    assert error_kw < 0.5 * naive_kw
    assert np.mean((low_kw <= target_kw) & (target_kw <= high_kw)) > 0.8


def test_load_that_is_moved_to_a_feeder_with_solar_roofs_for_good_is_a_shift(
    hourly: ZoneDemand, net: tuple[int, Floats]
) -> None:
    """A difference that stays for hours moves the past by as much, where a ratio of loads means nothing."""
    first_step, load_kw = net[0], net[1].copy()
    onset = 40 * DAY + 18
    load_kw[onset:] += 250.0
    forecasts = answers(hourly, (first_step, load_kw))
    (told,) = forecasts[onset + 8].notes
    assert told[:2] == ("shift", first_step + onset)
    assert told.text.startswith("the load has shifted for good by ")
    error_kw = forecasts[onset + 12].median_kw - load_kw[onset + 13 : onset + 13 + DAY]
    assert abs(np.mean(error_kw)) < 100.0


def test_nothing_is_forecast_below_zero_before_a_load_was(hourly: ZoneDemand, synthetic: Series) -> None:
    """Without a limit a load that hugs zero has no bound below it, until the first reading that is."""
    first_step, load_kw = synthetic(20, 60)
    load_kw = np.maximum(load_kw - np.median(load_kw), 0.0)
    before = answers(hourly, (first_step, load_kw))
    assert min(one.low_kw.min() for one in before) == 0.0
    assert min(one.median_kw.min() for one in before) == 0.0
    read = int(np.flatnonzero(load_kw == 0.0)[-DAY])
    load_kw[read] = -1.0
    after = answers(hourly, (first_step, load_kw))
    assert min(one.low_kw.min() for one in after[:read]) == 0.0
    assert min(one.low_kw.min() for one in after[read:]) < 0.0


@pytest.mark.parametrize("floor_kw", [0.0, -500.0])
def test_what_no_load_can_be_below_no_forecast_is_below(
    hourly: ZoneDemand, net: tuple[int, Floats], floor_kw: float
) -> None:
    """A lower limit of the site holds for medians and bounds, whatever is read."""
    forecasts = answers(hourly.anew(floor_kw=floor_kw), net)
    assert min(one.low_kw.min() for one in forecasts) == floor_kw
    assert min(one.median_kw.min() for one in forecasts) == floor_kw


def test_weeks_of_zero_are_forecast_as_zero(hourly: ZoneDemand) -> None:
    """Every number is zero, every reading believed; the first load is the truth within six readings."""
    forecasts = answers(hourly, (0, np.zeros(24 * DAY)))
    for one in forecasts:
        assert one.reason is None
        np.testing.assert_array_equal((*one.median_kw, *one.low_kw.ravel(), *one.high_kw.ravel()), 0.0)
    load_kw = np.concatenate((np.zeros(24 * DAY), np.full(2 * DAY, 0.4)))
    forecasts = answers(hourly, (0, load_kw))
    assert all(one.reason is None for one in forecasts[24 * DAY + 6 :])
    assert forecasts[-1].median_kw == pytest.approx(np.full(DAY, 0.4), rel=0.2)


def test_a_load_that_is_exactly_zero_by_day_is_forecast(hourly: ZoneDemand) -> None:
    """Street lamps: finite numbers, and an hour ahead right to a few per cent of the load of the night."""
    hours = np.arange(30 * DAY)
    noise = np.random.default_rng(3).normal(1.0, 0.02, hours.size)
    load_kw = np.where((hours % DAY >= 7) & (hours % DAY < 18), 0.0, 900.0) * noise
    forecasts = answers(hourly, (0, load_kw))
    assert all(np.isfinite(one.high_kw).all() and one.reason is None for one in forecasts)
    error_kw = np.array([one.median_kw[0] for one in forecasts[20 * DAY : -1]]) - load_kw[20 * DAY + 1 :]
    assert np.sqrt(np.mean(error_kw**2)) < 45.0


@pytest.mark.parametrize(
    ("largest_kw", "exponent"), [(5e-4, -9), (0.6, -6), (28_000.0, -1), (1e5, -1), (28e6, 2), (1e9, 3), (0.0, -1)]
)
def test_the_first_day_of_load_fixes_the_resolution(hourly: ZoneDemand, largest_kw: float, exponent: int) -> None:
    """It is a millionth of the largest loads, rounded up to a power of ten; what comes later changes nothing."""
    load_kw = np.concatenate((np.full(DAY, largest_kw), np.full(2 * DAY, 7e3 * largest_kw)))
    model = hourly.anew().fit(0, np.minimum(load_kw, 1e9))
    assert model.resolution == Resolution(exponent)
    assert model.predict().resolution == Resolution(exponent)


def test_two_wild_readings_do_not_make_a_meter_of_a_home_coarse(hourly: ZoneDemand) -> None:
    """The third largest load of the first day decides."""
    load_kw = np.full(2 * DAY, 0.3)
    load_kw[[4, 9]] = 9e6, 5e5
    assert hourly.anew().fit(0, load_kw).resolution == Resolution(-6)


def test_no_zone_has_more_than_a_million_megawatts(hourly: ZoneDemand) -> None:
    """A reading of 1e9 kW is one, and one of more counts as missing."""
    assert hourly.anew().fit(0, np.array((1e9,))).ready
    assert not hourly.anew().fit(0, np.array((1.001e9,))).ready
