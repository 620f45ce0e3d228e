"""Settings are judged on what came before the last fifth, by proper scores, undisturbed and disturbed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.constants import METHODS
from benchmarks.criteria import (
    CRITERIA,
    Validation,
    begun,
    borrowed,
    cases,
    disturbed,
    estimated,
    lasting,
    out,
    outages,
    pinball_kw,
    spells,
    streamed,
)
from shared.forecasting.intervals import COVERAGES
from shared.forecasting.weather import COLUMNS
from tests.unit.benchmarks.histories import DAY, history_of


def test_the_last_fifth_is_neither_seen_nor_scored() -> None:
    """Whatever comes after the rows that have been seen, the history to choose on and its rows are the same."""
    history = history_of(20, seen_days=16)
    validation = Validation.of(history)
    assert validation.rows == range(4 * DAY, 16 * DAY)
    assert validation.split.seen == 12 * DAY
    assert len(validation.history.demand_kw) == len(validation.history.weather) == 16 * DAY
    other_kw = np.concatenate((history.demand_kw[: 16 * DAY], np.full(4 * DAY, 1.0)))
    again = Validation.of(replace(history, demand_kw=other_kw))
    np.testing.assert_array_equal(again.history.demand_kw, validation.history.demand_kw)


def test_a_stream_is_judged_by_its_errors() -> None:
    """Both figures grow with the noise of the load, and the stream tells of every reading."""
    told: list[int] = []
    quiet, loud = (
        streamed(Validation(history, range(18 * DAY, 24 * DAY)), METHODS, told.append)
        for history in (history_of(24, seen_days=24, noise_kw=noise_kw) for noise_kw in (20.0, 300.0))
    )
    assert loud["rmse_kw"] > 1.5 * quiet["rmse_kw"]
    assert loud["pinball_kw"] > 1.2 * quiet["pinball_kw"]
    assert sum(told) == 2 * 24 * DAY


def test_who_has_just_begun_is_judged_beside_who_has_run_for_long() -> None:
    """The first weeks have an error of their own, larger than that of later ones, and the score lies between."""
    history, told = history_of(40, seen_days=40), list[int]()
    figures = begun(Validation(history, range(30 * DAY, 40 * DAY)), METHODS, told.append)
    assert figures["long"] < figures["begun"]
    assert figures["long"] < CRITERIA["blend"].score(figures) < figures["begun"]
    assert sum(told) == (40 + 34) * DAY


def test_what_begins_with_a_prior_is_judged_by_what_the_others_had_taught_before() -> None:
    """The share of it is felt; what the other zones read from a start on is not; without others nothing is said."""
    history = history_of(40, seen_days=40)
    other = replace(history, zone=3, demand_kw=0.5 * history_of(40, seen_days=40, noise_kw=300.0).demand_kw)
    rows, told = range(22 * DAY, 40 * DAY), list[int]()
    later = replace(other, demand_kw=np.concatenate((other.demand_kw[: 22 * DAY], np.full(18 * DAY, 9.0))))
    one, same = (borrowed(Validation(history, rows, (others,)), METHODS, told.append) for others in (other, later))
    assert one == same
    assert sum(told) == 2 * 14 * DAY
    tried = METHODS.changed({"demand.regression.prior_share": 0.0})
    assert borrowed(Validation(history, rows, (other,)), tried, told.append) != one
    assert np.isnan(borrowed(Validation(history, rows), METHODS, told.append)["rmse_kw"])


def test_the_pinball_loss_is_that_of_both_ends() -> None:
    """A target inside costs the tail times the distance to each end, one beyond an end the rest; NaN costs nothing."""
    ends_kw = np.empty((2, 2, len(COVERAGES), 2))
    ends_kw[:, 0], ends_kw[:, 1] = 90.0, 110.0
    targets_kw = np.array([[100.0, 120.0], [np.nan, np.nan]])
    tails = (1 - np.array(COVERAGES)) / 2
    inside, beyond = (tails * 10 + tails * 10) / 2, (tails * 30 + (1 - tails) * 10) / 2
    assert pinball_kw(ends_kw, targets_kw) == pytest.approx(np.mean((inside + beyond) / 2))


def test_what_the_weather_says_of_tomorrow_is_of_the_past() -> None:
    """No later load or weather changes it; without weather it says nothing."""
    history = history_of(12, seen_days=12)
    assert np.isnan(Validation.of(history).ahead_kw).all()
    weather = np.random.default_rng(3).normal(10, 3, (12 * DAY, len(COLUMNS)))
    known, rows = replace(history, weather=weather), DAY
    later = replace(known, weather=weather.copy(), demand_kw=known.demand_kw.copy())
    later.weather[9 * DAY + rows :] += 5.0
    later.demand_kw[9 * DAY + rows :] += 500.0
    one, other = (Validation.of(each).ahead_kw for each in (known, later))
    np.testing.assert_array_equal(one[:rows], other[:rows])
    assert np.isfinite(one).all()
    assert not np.array_equal(one[rows:], other[rows:])
    assert estimated(Validation.of(known), METHODS, lambda _: None)["rmse_kw"] > 0.0


def test_faults_and_changes_of_the_load_are_short_and_long() -> None:
    """A fault leaves the truth alone, a change is the truth; both last otherwise at each onset."""
    load_kw = np.full(6 * DAY, 100.0)
    fault, change = cases(1)["a spell x2"], cases(1)["a spell at 60 %, true"]
    np.testing.assert_array_equal(fault.true_kw(load_kw, 100.0), load_kw)
    assert np.flatnonzero(fault.fed_kw(load_kw, 100.0) == 200.0).tolist() == [0, 1, 2]
    assert np.flatnonzero(change.true_kw(load_kw, 100.0) == 60.0).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(change.true_kw(load_kw, 100.0), change.fed_kw(load_kw, 100.0))
    assert len({cases(n)["a spell x2"].steps for n in range(6)}) == 6
    assert len({cases(n)["8 to 40 % for good"].true_kw(load_kw, 100.0)[0] for n in range(6)}) == 6
    switched_kw = cases(0)["+20 % to and fro"].true_kw(load_kw, 100.0)
    by_day = (switched_kw.reshape(6, DAY) == 120.0).sum(axis=1).tolist()
    assert by_day == [60, 60, 60, DAY, DAY, DAY]


def test_outages_are_short_and_long_and_of_a_part_or_of_all() -> None:
    """Each is the truth while it lasts; every night half is lost, and what is lost for good does not come back."""
    load_kw = np.full(8 * DAY, 100.0)
    fed_kw = [{name: case.fed_kw(load_kw, 100.0) for name, case in outages(n).items()} for n in range(6)]
    assert sorted(int((one["a blackout"] == 0.0).sum()) for one in fed_kw) == [6, 12, 24, 48, 180, 360]
    assert {round(float(one["a part is out"].min())) for one in fed_kw} == {40, 55, 70}
    by_day = (fed_kw[0]["a part is out every night"].reshape(8, DAY) == 50.0).sum(axis=1).tolist()
    assert by_day == [60] * 5 + [0] * 3
    assert (fed_kw[0]["to a fifth for good"] == 20.0).all()
    for name, case in outages(0).items():
        np.testing.assert_array_equal(case.true_kw(load_kw, 100.0), fed_kw[0][name])


def test_what_comes_after_an_outage_is_judged() -> None:
    """Hours of half a load cost next to nothing then, where all of it is lost for good more."""
    figures = out(Validation.of(history_of(40, seen_days=40)), METHODS, lambda _: None)
    assert list(figures) == ["undisturbed", *outages(0)]
    assert figures["to a fifth for good"] > figures["a part is out"]
    assert figures["a part is out"] < 2.0 * figures["undisturbed"]


def test_what_is_forecast_while_load_is_out_is_judged() -> None:
    """By how long an outage is taken to last: one that never ends is worst for hours of it."""
    validation = Validation.of(history_of(40, seen_days=40))
    figures = lasting(validation, METHODS, lambda _: None)
    assert list(figures) == ["undisturbed", *spells(0)]
    endless = lasting(validation, METHODS.changed({"demand.outage.chance_power": 0.0}), lambda _: None)
    assert endless["a part is out"] > figures["a part is out"]


def test_a_disturbance_costs() -> None:
    """Every case has an error, a lasting shift and a silent day a larger one than none; the score lies between."""
    figures = disturbed(Validation.of(history_of(40, seen_days=40)), METHODS, lambda _: None)
    assert list(figures) == ["undisturbed", *cases(0)]
    assert figures["+20 % for good"] > 1.5 * figures["undisturbed"]
    assert figures["24 h missing"] > figures["undisturbed"]
    score = CRITERIA["guard"].score
    assert figures["undisturbed"] < score(figures) < max(figures.values())
    assert score({"undisturbed": 4.0, "one": 2.0, "other": 8.0}) == pytest.approx(4.0)
    assert score({"undisturbed": 1.0, "one": 4.0, "other": 4.0}) == pytest.approx(2.0)
