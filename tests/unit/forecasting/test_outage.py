"""When an outage begins and ends, what is expected without it, and what becomes of its hours."""

from __future__ import annotations

from itertools import product
from math import isnan
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.history import LOAD
from shared.forecasting.method import METHOD, OutageConstants
from shared.forecasting.outage import Outage
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.forecasting.model import ZoneDemand, ZoneForecast
    from shared.forecasting.zone import Zone

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour
ONSET = 20 * DAY + 20
EXPECTED_KW = np.array((10.0, 20.0, 30.0))


@pytest.fixture
def outage() -> Outage:
    """Return one at an hour a step that lasts six hours at the longest."""
    return Outage(Grid(60), OutageConstants(longest_minutes=360))


def run(model: ZoneDemand, first_step: int, load_kw: NDArray[np.float64], begin: int, end: int) -> list[ZoneForecast]:
    """Take readings one by one; returns the forecasts from them."""
    return [model.partial_fit(first_step + row, float(load_kw[row])).predict() for row in range(begin, end)]


def zone_of(model: ZoneDemand) -> Zone:
    """Return the state of a model that has read."""
    assert model.fold is not None
    return model.fold.zone


def test_without_an_outage_nothing_lasts(outage: Outage) -> None:
    """There is nothing to expect, nothing is over, and a step more changes nothing."""
    outage.follow(7, 1.0)
    assert not outage.lasts
    assert isnan(outage.without_kw(7))
    assert not outage.is_over(7, 100.0)


def test_what_is_expected_without_it_moves_on_as_usual(outage: Outage) -> None:
    """First what was forecast before the outage, and then as the usual load changes, until it is too long."""
    outage.begin(100, EXPECTED_KW, 0.0)
    for step, change_kw in ((101, 5.0), (102, 5.0), (103, 5.0), (104, -2.0), (105, 1.0)):
        outage.follow(step, change_kw)
    assert [outage.without_kw(step) for step in range(100, 106)] == [10.0, 20.0, 30.0, 35.0, 33.0, 34.0]
    outage.follow(106, 1.0)
    assert not outage.lasts


@pytest.mark.parametrize(
    ("left_share", "load_kw", "over"),
    [
        (0.0, 13.0, False),
        (0.0, 15.0, True),
        (0.6, 17.0, False),
        (0.6, 18.0, True),
        (0.0, 50.0, True),
        (0.0, -20.0, False),
    ],
)
def test_it_is_over_when_most_of_what_was_lost_is_back(
    outage: Outage, left_share: float, load_kw: float, *, over: bool
) -> None:
    """Seven tenths of it, beside what is expected now; a load of the other sign is not back."""
    for sign in (1.0, -1.0):
        outage.begin(100, sign * EXPECTED_KW, left_share)
        assert outage.is_over(101, sign * load_kw) is over


def test_where_nothing_is_expected_it_is_not_over(outage: Outage) -> None:
    """Solar cells at night: whether they are back is seen in the morning."""
    outage.begin(100, np.array((10.0, 0.0)), 0.0)
    assert not outage.is_over(101, 0.0)
    assert not outage.is_over(101, 5.0)


def test_it_lasts_a_week_at_most() -> None:
    """The history reaches no farther than two weeks back; the message says what to use."""
    with pytest.raises(ValueError, match="longest_minutes is 10081: use at most 10080, a week"):
        OutageConstants(longest_minutes=10_081)


@pytest.mark.parametrize(
    ("left", "hours"), [*product((0.0, 0.05, 0.4, 0.6), (1, 3, 7)), *product((0.4, 0.6), (30, 60))]
)
def test_an_outage_is_not_forecast_again(model: ZoneDemand, synthetic: Series, left: float, hours: int) -> None:
    """An hour after it the day ahead is forecast nearly as if there had been none.

    What lasts for longer than eight hours on a steady level was taken for a shift, and the past is shifted back.
    """
    first_step, load_kw = synthetic(26)
    undisturbed = model.anew().fit(first_step, load_kw[:ONSET])
    model.fit(first_step, load_kw[:ONSET])
    end = ONSET + 2 * hours
    fed_kw = load_kw.copy()
    fed_kw[ONSET:end] *= left
    run(model, first_step, fed_kw, ONSET, end + 3)
    run(undisturbed, first_step, load_kw, ONSET, end + 3)
    forecast, without = model.predict(), undisturbed.predict()
    error_kw, usual_kw = (np.abs(one.median_kw - load_kw[end + 3 :][:DAY]).mean() for one in (forecast, without))
    assert error_kw < usual_kw + 20.0
    assert (forecast.high_kw - forecast.low_kw).mean() < 2.0 * (without.high_kw - without.low_kw).mean()


@pytest.mark.parametrize("hours", [30, 60])
def test_after_a_blackout_of_more_than_a_day_the_shape_answers(
    model: ZoneDemand, synthetic: Series, hours: int
) -> None:
    """Most of what the regression sees were its own forecasts; the bare shape of the days before is forecast."""
    first_step, load_kw = synthetic(26)
    end = ONSET + 2 * hours
    load_kw[ONSET:end] = 0.0
    forecast = model.fit(first_step, load_kw[: end + 3]).predict()
    assert np.abs(forecast.median_kw - load_kw[end + 3 :][:DAY]).mean() < 1_000.0
    assert forecast.answers[0].rung == "analogue"
    assert str(forecast.answers[0].reason).startswith("most of the last two days is filled")


def test_its_hours_count_as_missing(model: ZoneDemand, synthetic: Series) -> None:
    """In the history stands what was expected, and neither climatology nor scores nor weights have seen it."""
    first_step, load_kw = synthetic(24)
    fed_kw, missing_kw = load_kw.copy(), load_kw.copy()
    hours = slice(ONSET, ONSET + 16)
    fed_kw[hours] *= 0.5
    missing_kw[hours] = np.nan
    model.fit(first_step, fed_kw[: 23 * DAY])
    missing = zone_of(model.anew().fit(first_step, missing_kw[: 23 * DAY]))
    zone = zone_of(model)
    places = slice(*(zone.history.index(first_step + step) for step in (hours.start, hours.stop)))
    np.testing.assert_allclose(zone.history.series[LOAD, places], missing.history.series[LOAD, places])
    assert zone.history.filled[places].all()
    assert zone.history.out[places].all()
    np.testing.assert_array_equal(zone.climatology.days, missing.climatology.days)
    np.testing.assert_array_equal(zone.intervals.updates, missing.intervals.updates)
    np.testing.assert_array_equal(zone.regression.weight, missing.regression.weight)


def test_a_forecast_says_that_load_is_out(model: ZoneDemand, synthetic: Series) -> None:
    """From when it is believed until it is over, with both loads; then for a day which hours it was."""
    first_step, load_kw = synthetic(24)
    model.fit(first_step, load_kw[:ONSET])
    load_kw[ONSET : ONSET + 6] *= 0.5
    doubted, *during = run(model, first_step, load_kw, ONSET, ONSET + 6)
    assert doubted.outage is None
    assert not doubted.teaches
    for forecast in during:
        assert forecast.outage is not None
        assert forecast.outage[:2] == (first_step + ONSET, None)
        (read, expected) = forecast.outage.text.removeprefix("load is out: ").split(" kW where ")
        assert float(read.replace(",", "")) < 0.6 * float(expected.split(" kW")[0].replace(",", ""))
        assert forecast.answers[0].reason == forecast.outage.text
        assert not forecast.teaches
    after = run(model, first_step, load_kw, ONSET + 6, ONSET + 6 + DAY + 1)
    for forecast in after[:DAY]:
        assert forecast.outage is not None
        assert forecast.outage[:2] == (first_step + ONSET, first_step + ONSET + 6)
        assert forecast.outage.text == (
            "load was out from 2017-01-21 10:00 to 2017-01-21 13:00 UTC: what was expected stands in for these hours"
        )
        assert forecast.answers[0].reason is None
        assert forecast.teaches
    assert after[DAY].outage is None


def test_a_drop_for_good_is_no_outage(model: ZoneDemand, synthetic: Series) -> None:
    """After eight hours on a steady level the load has shifted, and its hours since then stand as they were read."""
    first_step, load_kw = synthetic(24)
    load_kw[ONSET:] *= 0.6
    model.fit(first_step, load_kw[:ONSET])
    forecasts = run(model, first_step, load_kw, ONSET, ONSET + 20)
    assert [forecast.outage is not None for forecast in forecasts] == [False, *[True] * 15, *[False] * 4]
    zone = zone_of(model)
    since = slice(zone.history.index(first_step + ONSET + 1), zone.history.index(first_step + ONSET + 20))
    assert not zone.history.out.any()
    assert not zone.history.filled[since].any()
    np.testing.assert_array_equal(zone.history.series[LOAD, since], load_kw[ONSET + 1 : ONSET + 20])


def test_what_nearly_all_is_lost_for_days_is_lost_for_good(model: ZoneDemand, synthetic: Series) -> None:
    """No shift is so large; after three days the load is learned as it is."""
    first_step, load_kw = synthetic(28)
    load_kw[ONSET:] *= 0.1
    model.fit(first_step, load_kw[:ONSET])
    forecasts = run(model, first_step, load_kw, ONSET, ONSET + 4 * DAY)
    out = [forecast.outage is not None for forecast in forecasts]
    assert out.index(True) == 12
    assert out[12:] == [True] * (3 * DAY - 12) + [False] * DAY
    assert zone_of(model).outlook.good_step == first_step + ONSET + 4 * DAY - 1
    assert not zone_of(model).history.out.any()


def test_what_is_lost_every_night_is_a_habit(model: ZoneDemand, synthetic: Series) -> None:
    """The first night is an outage until the second one has lasted an hour; then both are learned, and all others."""
    first_step, load_kw = synthetic(28)
    for night in range(6):
        load_kw[ONSET + night * DAY : ONSET + night * DAY + 12] *= 0.5
    model.fit(first_step, load_kw[:ONSET])
    errors_kw = []
    for night in range(6):
        begin = ONSET + night * DAY
        forecast = model.predict()
        errors_kw.append(np.abs(forecast.median_kw[:12] - load_kw[begin : begin + 12]).mean())
        run(model, first_step, load_kw, begin, begin + DAY)
    assert zone_of(model).outage.last_onset < 0
    assert errors_kw[:2] == pytest.approx([errors_kw[0]] * 2, rel=0.1)
    assert errors_kw[3] < 0.7 * errors_kw[0]
    assert errors_kw[5] < 0.5 * errors_kw[0]
    zone = zone_of(model)
    first = zone.history.index(first_step + ONSET)
    np.testing.assert_array_equal(zone.history.series[LOAD, first + 1 : first + 12], load_kw[ONSET + 1 : ONSET + 12])


def test_a_second_outage_of_other_hours_is_one(model: ZoneDemand, synthetic: Series) -> None:
    """What is switched on again fails again three hours later: both are left out."""
    first_step, load_kw = synthetic(24)
    for begin in (ONSET, ONSET + 12):
        load_kw[begin : begin + 6] *= 0.5
    model.fit(first_step, load_kw[: ONSET + 20])
    zone = zone_of(model)
    assert zone.outage.last_onset == first_step + ONSET + 12
    assert int(zone.history.out.sum()) == 12


def test_a_load_that_shifts_back_is_believed_at_once(model: ZoneDemand, synthetic: Series) -> None:
    """A third is switched away for a day and comes back: the level of before is known, so no reading is refused."""
    first_step, load_kw = synthetic(24)
    load_kw[ONSET : ONSET + DAY] *= 0.6
    model.fit(first_step, load_kw[: ONSET + DAY])
    assert zone_of(model).shift.last_ratio == pytest.approx(0.6, rel=0.02)
    forecasts = run(model, first_step, load_kw, ONSET + DAY, ONSET + DAY + 6)
    assert not any(forecast.reason for forecast in forecasts)
    assert zone_of(model).shift.last_ratio == pytest.approx(1 / 0.6, rel=0.02)


def test_an_outage_from_the_first_day_on_is_none(model: ZoneDemand, synthetic: Series) -> None:
    """As long as nothing is judged, whatever is read is the load."""
    first_step, load_kw = synthetic(4)
    load_kw[DAY : DAY + 8] = 0.0
    model.fit(first_step, load_kw)
    assert not zone_of(model).history.out.any()
    assert METHOD.outage.longest_minutes == 3 * 1440
