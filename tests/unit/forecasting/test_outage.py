"""When an outage begins and ends, what is expected without it, and what becomes of its hours."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.history import LOAD
from shared.forecasting.method import METHOD, OutageConstants
from shared.forecasting.outage import Fate, Outage
from shared.sites.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.forecasting.model import ZoneDemand, ZoneForecast
    from shared.forecasting.zone import Zone

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour
ONSET = 20 * DAY + 20


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
    """All of the load is expected, and a step more changes nothing."""
    outage.next_step()
    assert outage.calm
    assert not outage.lasts
    assert not outage.too_long(7)
    assert outage.left_share == 1.0
    for share in outage.left(7, 3):
        np.testing.assert_array_equal(share, 1.0)


def test_it_begins_with_the_first_reading_that_was_low(outage: Outage) -> None:
    """What was refused until it was believed is kept as it was read, and what was not read is unknown."""
    outage.doubt(100, 4.0, 10.0, 0.0)
    assert outage.left_share == 1.0
    outage.believe(102, 5.0, 10.0)
    assert outage.left_share == 0.5
    np.testing.assert_array_equal(outage.read_kw(103), (4.0, np.nan, 5.0))
    assert not outage.too_long(105)
    assert outage.too_long(106)


def test_what_has_been_out_is_forecast_to_be_out_for_as_long_again(outage: Outage) -> None:
    """The more of it is back the later; at the least what is left now, at the most all of it."""
    outage.believe(100, 4.0, 10.0)
    outage.go_on(102, 2.0, 10.0, holds=True)
    left = outage.left(102, 6)
    np.testing.assert_array_equal(left.least, 0.2)
    np.testing.assert_array_equal(left.most, 1.0)
    assert left.likely[2] == pytest.approx(0.6)
    np.testing.assert_allclose(left.likely, 1.0 - 0.8 * 3.0 / (3.0 + np.arange(1, 7)))


def test_of_a_drop_that_is_doubted_a_part_is_forecast(outage: Outage) -> None:
    """Until the next step, which tells."""
    outage.doubt(100, 2.0, 10.0, 0.5)
    np.testing.assert_allclose(outage.left(100, 2).likely, 1.0 - 0.5 * 0.8 / (1.0 + np.arange(1, 3)))
    outage.next_step()
    np.testing.assert_array_equal(outage.left(101, 2).likely, 1.0)
    assert not outage.calm


def test_what_is_left_on_a_steady_level_is_forecast_to_stay_so(outage: Outage) -> None:
    """Its readings tell those without the outage, until one does not fit it."""
    outage.believe(100, 5.0, 10.0)
    assert outage.stand_in_kw(5.0, 10.0) == (10.0, True)
    outage.settle(0.5)
    assert outage.stand_in_kw(6.0, 10.0) == (12.0, False)
    outage.go_on(101, 6.0, 10.0, holds=True)
    assert outage.share == 0.5
    for share in outage.left(101, 3):
        np.testing.assert_array_equal(share, 0.5)
    outage.go_on(102, 7.0, 10.0, holds=False)
    assert outage.stand_in_kw(7.0, 10.0) == (10.0, True)
    assert outage.share == 0.7


@pytest.mark.parametrize(
    ("left_share", "load_kw", "over"),
    [
        (0.0, 13.0, False),
        (0.0, 15.0, True),
        (0.6, 17.0, False),
        (0.6, 18.0, True),
        (0.0, 50.0, True),
        (0.0, -0.1, False),
        (0.0, -20.0, True),
    ],
)
def test_it_is_over_when_most_of_what_was_lost_is_back(
    outage: Outage, left_share: float, load_kw: float, *, over: bool
) -> None:
    """Seven tenths of it, beside what is expected now; what feeds in is no load that is out."""
    for sign in (1.0, -1.0):
        outage.believe(100, sign * left_share * 10.0, sign * 10.0)
        outage.go_on(101, sign * 0.1, sign * 20.0, holds=False)
        assert outage.is_over(sign * load_kw, sign * 20.0) is over


def test_where_nothing_is_expected_it_is_not_over(outage: Outage) -> None:
    """Solar cells at night: whether they are back is seen in the morning."""
    outage.believe(100, 0.0, 10.0)
    outage.go_on(101, 0.0, 0.0, holds=False)
    assert not outage.is_over(0.0, 0.0)
    assert not outage.is_over(5.0, 0.0)
    assert outage.share == 0.0


@pytest.mark.parametrize(
    ("fate", "given"), [(Fate.BACK, True), (Fate.DOUBTED, True), (Fate.HABIT, False), (Fate.FOR_GOOD, False)]
)
def test_what_was_not_learned_can_be_given_back(outage: Outage, fate: Fate, *, given: bool) -> None:
    """The loads of the last one that is over as they were read."""
    outage.believe(100, 4.0, 10.0)
    outage.end(102, fate)
    assert outage.calm
    before = outage.give_back()
    assert (before is not None) is given
    if before:
        assert before[0] == 100
        np.testing.assert_array_equal(before[1], (4.0, np.nan))


def test_it_lasts_a_week_at_most() -> None:
    """The history reaches no farther than two weeks back; the message says what to use."""
    with pytest.raises(ValueError, match="longest_minutes is 10081: use at most 10080, a week"):
        OutageConstants(longest_minutes=10_081)


@pytest.mark.parametrize("left", [0.0, 0.45])
@pytest.mark.parametrize("hours", [7, 9, 30])
def test_while_it_lasts_one_share_of_the_load_without_it_is_forecast(
    model: ZoneDemand, synthetic: Series, left: float, hours: int
) -> None:
    """It rises from what is left now, and shows nothing of the hours of the outage; the interval holds both ends."""
    first_step, load_kw = synthetic(26)
    without = model.anew().fit(first_step, load_kw[: ONSET + 2 * hours]).predict().median_kw
    load_kw[ONSET:] *= left
    forecast = model.fit(first_step, load_kw[: ONSET + 2 * hours]).predict()
    assert forecast.answers[0].level == ("adapted" if hours < 30 or left else "analogue")
    shares = forecast.median_kw / without
    assert shares[0] == pytest.approx(left + (1.0 - left) / (2 * hours + 1 if hours < 9 or not left else 1e9), abs=0.02)
    assert (np.diff(shares) > -0.03).all()
    assert (forecast.low_kw[2] <= 1.02 * left * without).all()


@pytest.mark.parametrize(
    ("left", "hours"), [*product((0.0, 0.05, 0.4, 0.6), (1, 3, 7)), *product((0.4, 0.6), (30, 60))]
)
def test_an_outage_is_not_forecast_again(model: ZoneDemand, synthetic: Series, left: float, hours: int) -> None:
    """An hour after it the day ahead is forecast nearly as if there had been none.

    What was steady for longer than eight hours was learned from.
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
    assert forecast.answers[0].level == "analogue"
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
        assert forecast.outage == (first_step + ONSET, None, Fate.LASTS)
        (told,) = forecast.notes
        assert told[:2] == ("outage", first_step + ONSET)
        (read, expected) = told.text.removeprefix("load is out: ").split(" kW where ")
        assert float(read.replace(",", "")) < 0.6 * float(expected.split(" kW")[0].replace(",", ""))
        assert told.text.startswith(f"{forecast.answers[0].reason}; ")
        assert told.text.endswith("what is not back by 2017-01-24 10:00 UTC is lost for good")
        assert not forecast.teaches
    after = run(model, first_step, load_kw, ONSET + 6, ONSET + 6 + DAY + 1)
    for forecast in after[:DAY]:
        assert forecast.outage == (first_step + ONSET, first_step + ONSET + 6, Fate.BACK)
        assert [note.text for note in forecast.notes] == [
            "load was out from 2017-01-21 10:00 to 2017-01-21 13:00 UTC: what was expected stands in for these hours"
        ]
        assert forecast.answers[0].reason is None
        assert forecast.teaches
    assert after[DAY].outage is None


@pytest.mark.parametrize("left", [0.6, 0.1, 0.02])
def test_what_does_not_come_back_for_three_days_is_lost_for_good(
    model: ZoneDemand, synthetic: Series, left: float
) -> None:
    """It is an outage until then; from then on the loads stand as they were read, and a note tells it for a day."""
    first_step, load_kw = synthetic(28)
    load_kw[ONSET:] *= left
    model.fit(first_step, load_kw[:ONSET])
    forecasts = run(model, first_step, load_kw, ONSET, ONSET + 4 * DAY + 1)
    believed, lost = 1 if left > 0.3 else 12, 3 * DAY
    lasts = [forecast.outage is not None and forecast.outage.fate == Fate.LASTS for forecast in forecasts]
    assert lasts == [False] * believed + [True] * (lost - believed) + [False] * (DAY + 1)
    for forecast in forecasts[lost:-1]:
        assert forecast.outage == (first_step + ONSET, first_step + ONSET + lost, Fate.FOR_GOOD)
        assert [(note.kind, note.since_step) for note in forecast.notes] == [("shift", first_step + ONSET)]
        assert "for good" in forecast.notes[0].text
    assert forecasts[-1].notes == ()
    history = zone_of(model).history
    since = slice(*(history.index(first_step + row) for row in (ONSET + 1, ONSET + 4 * DAY + 1)))
    np.testing.assert_allclose(history.series[LOAD, since], load_kw[ONSET + 1 : ONSET + 4 * DAY + 1], rtol=1e-9)
    assert not history.filled[since].any()
    assert not history.out.any()


def test_while_nothing_is_left_it_lasts(model: ZoneDemand, synthetic: Series) -> None:
    """A week without any load, but for what a meter reads of none: less is forecast each day, and nothing is learned.

    Once the load is back, it is forecast as if its readings had been missing.
    """
    first_step, load_kw = synthetic(32)
    end = ONSET + 7 * DAY
    missing_kw, fed_kw = load_kw.copy(), load_kw.copy()
    missing_kw[ONSET:end], fed_kw[ONSET:end] = np.nan, 0.004 * load_kw[ONSET:end]
    silent = model.anew().fit(first_step, missing_kw[: end + 4]).predict()
    during = run(model.fit(first_step, load_kw[:ONSET]), first_step, fed_kw, ONSET, end)
    assert {forecast.outage for forecast in during[12:]} == {(first_step + ONSET, None, Fate.LASTS)}
    assert all("as long as nothing is left, the outage lasts" in forecast.notes[0].text for forecast in during[12:])
    tomorrow_kw = [float(forecast.median_kw[-1]) for forecast in during[DAY - 1 :: DAY]]
    assert tomorrow_kw == sorted(tomorrow_kw, reverse=True)
    assert tomorrow_kw[-1] < 0.15 * load_kw[ONSET - 1]
    after = run(model, first_step, load_kw, end, end + 4)
    assert {forecast.outage for forecast in after} == {(first_step + ONSET, first_step + end, Fate.BACK)}
    assert all(forecast.teaches for forecast in after)
    np.testing.assert_allclose(after[-1].median_kw, silent.median_kw, rtol=0.02)


@pytest.mark.parametrize("dark_hours", [30, 47, 100])
def test_what_is_left_after_days_of_nothing_is_lost_for_good_within_days(
    model: ZoneDemand, synthetic: Series, dark_hours: int
) -> None:
    """A site that was dark opens again with a tenth of its load; of the days of nothing no reading is learned."""
    first_step, load_kw = synthetic(34)
    opens, end = ONSET + 2 * dark_hours, ONSET + 2 * dark_hours + 4 * DAY
    dark_kw = 0.1 * load_kw[ONSET:end]
    load_kw[ONSET:opens], load_kw[opens:end] = 0.0, dark_kw[2 * dark_hours :]
    forecast = model.fit(first_step, load_kw[:end]).predict()
    history = zone_of(model).history
    assert zone_of(model).outage.last_fate == Fate.FOR_GOOD
    assert history.series[LOAD, : history.index(first_step + end)].min() > 0.0
    np.testing.assert_allclose(forecast.median_kw, dark_kw[-DAY:], rtol=0.25)


def test_lights_of_a_closed_site_are_learned(model: ZoneDemand, synthetic: Series) -> None:
    """Nothing by day, a fortieth of the load at night: within days that is what is forecast."""
    first_step, load_kw = synthetic(30)
    hour = np.arange(len(load_kw)) // 2 % 24
    load_kw[ONSET:] = np.where((hour < 6) | (hour >= 18), 0.025 * load_kw, 0.0)[ONSET:]
    end = ONSET + 5 * DAY
    forecast = model.fit(first_step, load_kw[:end]).predict()
    assert np.abs(forecast.median_kw - load_kw[end : end + DAY]).max() < 0.03 * load_kw[:ONSET].mean()


@pytest.mark.parametrize("later", [2, 5])
def test_what_is_out_after_days_of_nothing_is_no_habit(model: ZoneDemand, synthetic: Series, later: int) -> None:
    """An outage of two days has all hours of the day: what falls out some days after it is another one."""
    first_step, load_kw = synthetic(32)
    load_kw[ONSET : ONSET + 2 * DAY] = 0.0
    begin = ONSET + later * DAY + 5
    load_kw[begin : begin + 6] *= 0.5
    forecast = model.fit(first_step, load_kw[: begin + 8]).predict()
    assert forecast.outage == (first_step + begin, first_step + begin + 6, Fate.BACK)
    history = zone_of(model).history
    assert history.series[LOAD, : history.index(first_step + begin + 8)].min() > 0.0


def test_what_is_out_every_weekend_is_a_habit(model: ZoneDemand, synthetic: Series) -> None:
    """Outages of more than a day that come at the same hours of the week are learned, from the first one on."""
    first_step, load_kw = synthetic(40)
    for week in range(2):
        load_kw[ONSET + 7 * week * DAY :][: 2 * DAY] *= 0.5
    again = ONSET + 7 * DAY
    forecast = model.fit(first_step, load_kw[: again + 5]).predict()
    assert forecast.outage == (first_step + again, first_step + again + 2, Fate.HABIT)
    zone = zone_of(model)
    first = zone.history.index(first_step + ONSET)
    np.testing.assert_array_equal(zone.history.series[LOAD, first + 1 : first + DAY], load_kw[ONSET + 1 : ONSET + DAY])


def test_a_blackout_that_was_never_believed_is_told(model: ZoneDemand, synthetic: Series) -> None:
    """Six hours of zero may be a dead meter: once the load is back a note says so for a day."""
    first_step, load_kw = synthetic(24)
    load_kw[ONSET : ONSET + 12] = 0.0
    model.fit(first_step, load_kw[: ONSET + 12])
    assert model.predict().notes == ()
    after = run(model, first_step, load_kw, ONSET + 12, ONSET + 12 + DAY + 1)
    for forecast in after[:DAY]:
        assert forecast.outage == (first_step + ONSET, first_step + ONSET + 12, Fate.DOUBTED)
        assert forecast.notes[0].text == (
            "readings down to 0 kW from 2017-01-21 10:00 to 2017-01-21 16:00 UTC were not believed, load was out or "
            "the meter failed: what was expected stands in for these hours"
        )
        assert forecast.teaches
    assert after[DAY].notes == ()


def test_what_comes_back_step_by_step_is_not_learned(model: ZoneDemand, synthetic: Series) -> None:
    """A part that was out for ten hours: the last hours before all of it is back are none of the load."""
    first_step, load_kw = synthetic(24)
    fed_kw = load_kw.copy()
    fed_kw[ONSET : ONSET + 20] *= 0.4
    for row, share in enumerate((0.55, 0.55, 0.7, 0.8)):
        fed_kw[ONSET + 20 + row] *= share
    undisturbed = model.anew().fit(first_step, load_kw[: ONSET + 28]).predict().median_kw
    forecast = model.fit(first_step, fed_kw[: ONSET + 28]).predict()
    assert forecast.outage == (first_step + ONSET, first_step + ONSET + 24, Fate.BACK)
    np.testing.assert_allclose(forecast.median_kw, undisturbed, rtol=0.06)


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
    assert zone_of(model).outage.last_fate == Fate.HABIT
    assert errors_kw[:2] == pytest.approx([errors_kw[0]] * 2, rel=0.1)
    assert errors_kw[3] < 0.7 * errors_kw[0]
    assert errors_kw[5] < 0.5 * errors_kw[0]
    zone = zone_of(model)
    first = zone.history.index(first_step + ONSET)
    np.testing.assert_array_equal(zone.history.series[LOAD, first + 1 : first + 12], load_kw[ONSET + 1 : ONSET + 12])


def test_a_short_habit_is_learned_to_its_edges(model: ZoneDemand, synthetic: Series) -> None:
    """Three hours every night: from the fourth night on no reading of it, or after it, is refused."""
    first_step, load_kw = synthetic(28)
    for night in range(6):
        load_kw[ONSET + night * DAY : ONSET + night * DAY + 6] *= 0.6
    model.fit(first_step, load_kw[: ONSET + 3 * DAY])
    forecasts = run(model, first_step, load_kw, ONSET + 3 * DAY, ONSET + 5 * DAY + 8)
    assert not any(forecast.reason for forecast in forecasts[DAY:])
    history = zone_of(model).history
    nights = slice(*(history.index(first_step + row) for row in (ONSET + 2 * DAY, ONSET + 5 * DAY + 8)))
    np.testing.assert_array_equal(history.series[LOAD, nights], load_kw[ONSET + 2 * DAY : ONSET + 5 * DAY + 8])


@pytest.mark.parametrize(("share", "next_share", "stands"), [(1.5, 1.25, False), (0.6, 0.75, True), (0.6, 0.95, False)])
def test_a_reading_that_was_refused_alone_stands_where_the_next_one_agrees(
    model: ZoneDemand, synthetic: Series, share: float, next_share: float, *, stands: bool
) -> None:
    """As a drop, or a load that is usual; not one that is over, nor a load that nothing foretold."""
    first_step, load_kw = synthetic(22)
    load_kw[ONSET] *= share
    load_kw[ONSET + 1] *= next_share
    model.fit(first_step, load_kw[: ONSET + 1])
    assert model.predict().reason
    zone = zone_of(model.partial_fit(first_step + ONSET + 1, float(load_kw[ONSET + 1])))
    at = zone.history.index(first_step + ONSET)
    assert bool(zone.history.series[LOAD, at] == load_kw[ONSET]) is stands
    assert bool(zone.history.filled[at]) is not stands


def test_a_blackout_of_the_same_hours_is_a_habit(model: ZoneDemand, synthetic: Series) -> None:
    """The first is not believed, as it may be the meter; of the second an hour is enough, and both are learned."""
    first_step, load_kw = synthetic(28)
    for night in range(5):
        load_kw[ONSET + night * DAY : ONSET + night * DAY + 10] = 0.0
    model.fit(first_step, load_kw[:ONSET])
    fates, errors_kw = list[Fate](), list[float]()
    for night in range(5):
        begin = ONSET + night * DAY
        errors_kw.append(np.abs(model.predict().median_kw[:10] - load_kw[begin : begin + 10]).mean())
        for forecast in run(model, first_step, load_kw, begin, begin + DAY):
            if forecast.outage and forecast.outage.fate not in fates:
                fates.append(forecast.outage.fate)
    assert fates == [Fate.DOUBTED, Fate.LASTS, Fate.HABIT]
    assert errors_kw[3] < 0.7 * errors_kw[0]
    assert errors_kw[4] < 0.5 * errors_kw[0]


def test_a_second_outage_of_other_hours_is_one(model: ZoneDemand, synthetic: Series) -> None:
    """What is switched on again fails again three hours later: both are left out."""
    first_step, load_kw = synthetic(24)
    for begin in (ONSET, ONSET + 12):
        load_kw[begin : begin + 6] *= 0.5
    model.fit(first_step, load_kw[: ONSET + 20])
    zone = zone_of(model)
    assert zone.outage.last_onset == first_step + ONSET + 12
    assert int(zone.history.out.sum()) == 12


def test_a_part_that_was_out_for_a_day_comes_back_at_once(model: ZoneDemand, synthetic: Series) -> None:
    """Its level is known, so no reading is refused, and nothing has shifted."""
    first_step, load_kw = synthetic(24)
    load_kw[ONSET : ONSET + DAY] *= 0.6
    model.fit(first_step, load_kw[: ONSET + DAY])
    assert zone_of(model).outage.steady
    forecasts = run(model, first_step, load_kw, ONSET + DAY, ONSET + DAY + 6)
    assert not any(forecast.reason for forecast in forecasts)
    assert {forecast.outage for forecast in forecasts} == {(first_step + ONSET, first_step + ONSET + DAY, Fate.BACK)}
    assert zone_of(model).shift.last_onset < 0


UNBELIEVED, WAS_OUT = "were not believed", "load was out from"


@pytest.mark.parametrize(
    ("left", "hours", "days", "meanwhile", "afterwards"),
    [
        pytest.param(0.85, 0.5, 1, "", "", id="a little for a reading"),
        pytest.param(0.85, 6, 1, "", "", id="a little for hours"),
        pytest.param(0.85, 10, 1, "shifted for good to 0.8", "shifted back", id="a little for longer"),
        pytest.param(0.45, 0.5, 1, "until the next one tells", UNBELIEVED, id="a part for a reading"),
        pytest.param(0.45, 6, 1, "more little by little", WAS_OUT, id="a part for hours"),
        pytest.param(0.45, 30, 1, "steady for hours, and is forecast to stay so", WAS_OUT, id="a part for a day"),
        pytest.param(0.45, 80, 1, "shifted for good to 0.4", "shifted back", id="a part for good"),
        pytest.param(0.45, 6, 2, "learned as a habit", "learned as a habit", id="a part at the same hours again"),
        pytest.param(0.2, 0.5, 1, "filled with it", UNBELIEVED, id="most for a reading"),
        pytest.param(0.2, 6, 1, "filled with it", UNBELIEVED, id="most for hours"),
        pytest.param(0.2, 7, 1, "more little by little", WAS_OUT, id="most for longer"),
        pytest.param(0.2, 30, 1, "steady for hours, and is forecast to stay so", WAS_OUT, id="most for a day"),
        pytest.param(0.2, 80, 1, "shifted for good to 0.2", "shifted back", id="most for good"),
        pytest.param(0.2, 6, 2, "learned as a habit", "learned as a habit", id="most at the same hours again"),
        pytest.param(0.0, 0.5, 1, "filled with it", UNBELIEVED, id="all for a reading"),
        pytest.param(0.0, 6, 1, "filled with it", UNBELIEVED, id="all for hours"),
        pytest.param(0.0, 7, 1, "more little by little", WAS_OUT, id="all for longer"),
        pytest.param(0.0, 80, 1, "as long as nothing is left, the outage lasts", WAS_OUT, id="all for days"),
        pytest.param(0.0, 6, 2, "learned as a habit", "learned as a habit", id="all at the same hours again"),
    ],
)
def test_what_is_told_of_a_drop(
    model: ZoneDemand, synthetic: Series, left: float, hours: float, days: int, meanwhile: str, afterwards: str
) -> None:
    """With the last reading of it, and two hours later: each cell of the table in docs/accuracy.md."""
    first_step, load_kw = synthetic(28)
    for day in range(days):
        load_kw[ONSET + day * DAY : ONSET + day * DAY + round(2 * hours)] *= left
    end = ONSET + (days - 1) * DAY + round(2 * hours)
    forecasts = model.fit(first_step, load_kw[:end]).predict(), run(model, first_step, load_kw, end, end + 4)[-1]
    for forecast, expected in zip(forecasts, (meanwhile, afterwards), strict=True):
        assert any(expected in text for text in (forecast.answers[0].reason or "", *(n.text for n in forecast.notes)))
        assert expected or not forecast.notes


def test_an_outage_from_the_first_day_on_is_none(model: ZoneDemand, synthetic: Series) -> None:
    """As long as nothing is judged, whatever is read is the load."""
    first_step, load_kw = synthetic(4)
    load_kw[DAY : DAY + 8] = 0.0
    model.fit(first_step, load_kw)
    assert not zone_of(model).history.out.any()
    assert METHOD.outage.longest_minutes == 3 * 1440


def test_a_load_that_begins_to_feed_in_is_not_out(model: ZoneDemand, synthetic: Series) -> None:
    """It is believed after six hours like any other that is new, and forecast a day later."""
    first_step, load_kw = synthetic(23)
    load_kw[ONSET:] = -3_000.0 + 0.1 * (load_kw[ONSET:] - 20_000.0)
    model.fit(first_step, load_kw[: ONSET + 2 * DAY])
    forecast = model.predict()
    assert forecast.outage is None
    assert (forecast.median_kw[:6] < -1_000.0).all()


def test_a_silent_day_does_not_make_a_part_of_the_load_last(model: ZoneDemand, synthetic: Series) -> None:
    """It counts towards the three days: what was told to be lost for good by then is."""
    first_step, load_kw = synthetic(25)
    load_kw[ONSET:] *= 0.5
    load_kw[ONSET + DAY : ONSET + 2 * DAY] = np.nan
    model.fit(first_step, load_kw[: ONSET + 3 * DAY])
    assert zone_of(model).outage.lost_step == first_step + ONSET + 3 * DAY
    model.partial_fit(first_step + ONSET + 3 * DAY, float(load_kw[ONSET + 3 * DAY]))
    assert zone_of(model).shift.last_ratio == pytest.approx(0.5, abs=0.02)
