"""What the accuracy benchmark scores: which pairs, against which load, and what is fed."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from rich.table import Table

from benchmarks import accuracy
from benchmarks.accuracy import (
    DISTURBANCES,
    FOLLOWED,
    HIGHEST_KW,
    LEADS,
    AdaptingStream,
    ColdStarts,
    ColdWindow,
    _parts,
    cold_runs,
    cold_starts,
    disturbed,
    jobs,
    level_errors_kw,
    mean_rmse_kw,
    onsets_in,
    prior_of,
    prior_rows,
    said_of_next_kw,
    stream,
    weather_estimate,
)
from benchmarks.streaming import empty_model
from shared.forecasting.ladder import ADAPTED, CLIMATOLOGY, FROZEN, NAMES
from shared.sites.table import site
from tests.unit.benchmarks.histories import DAY, FIRST_STEP, history_of


def untold(_: int) -> None:
    """Take no notice."""


@pytest.fixture(scope="module")
def streamed() -> AdaptingStream:
    """What eight days are worth after twenty that were seen."""
    return stream(history_of(28, seen_days=20), untold)


class TestStream:
    """The last rows as a stream, and its levels."""

    def test_the_window_holds_the_rows_that_were_not_seen(self, streamed: AdaptingStream) -> None:
        """Every row after those seen is answered, and each lead has its figures."""
        window = streamed.to_json()["window"]
        assert window["rows"] == streamed.table.answered == 8 * DAY
        assert window["leads"]["1440"]["rmse_kw"] < window["best_naive_rmse_kw"]["1440"]
        assert window["state_bytes"] > 100_000
        assert window["cpu_us_per_reading"] > 0
        assert window["weather_estimate"] is None  # none of these readings has weather

    def test_the_weather_estimate_is_scored_on_the_rows_that_were_not_seen(self) -> None:
        """A load that repeats itself is met but for a few times its noise; the row without weather is left out."""
        history = history_of(28, seen_days=20)
        history.weather[:] = 15.0
        history.weather[21 * DAY, 0] = np.nan  # this one has no estimate
        estimate = weather_estimate(history)
        assert estimate is not None
        assert 100.0 < estimate.rmse_kw < 500.0
        assert estimate.cpu_us > 0
        assert estimate.to_json().keys() == {"rmse_kw", "cpu_us_per_reading"}
        assert str(estimate).startswith(f"weather estimate: RMSE {estimate.rmse_kw:,.0f} kW")

    def test_a_level_is_scored_over_the_same_stream(self, streamed: AdaptingStream) -> None:
        """Where the best level answers all along, its errors are those of what was sent, at each lead."""
        sent_kw = streamed.table.per_lead["rmse_kw"][LEADS - 1]
        adapted_kw = list(streamed.levels_kw["adapted"].values())
        np.testing.assert_allclose(adapted_kw, sent_kw, rtol=1e-3)

    def test_every_level_but_the_weather_answers(self, streamed: AdaptingStream) -> None:
        """No weather was fed: four levels have errors, and the frozen weights are not the adapting ones."""
        assert list(streamed.levels_kw) == ["adapted", "frozen", "analogue", "climatology"]
        assert streamed.levels_kw["frozen"] != streamed.levels_kw["adapted"]
        assert list(streamed.adapting()) == [10, 60, 360, 1440]

    def test_what_was_said_of_the_next_reading_is_found_over_midnight(self) -> None:
        """At every step of a day the first lead of the level that answers is what the forecast says of the next one."""
        history = history_of(10, seen_days=10)
        model = empty_model(history.site)
        model.fit(FIRST_STEP, history.demand_kw[: 8 * DAY])
        for row in range(8 * DAY, 9 * DAY + 2):
            model.partial_fit(FIRST_STEP + row, float(history.demand_kw[row]))
            forecast = model.predict()
            level = NAMES.index(next(answer.level for answer in forecast.answers))
            assert said_of_next_kw(model)[level, 0] == pytest.approx(forecast.median_kw[0], abs=0.01)

    def test_levels_are_compared_over_pairs_that_all_of_them_answered(self) -> None:
        """A target that one level did not answer counts for none of them; a level that never did is not listed."""
        said_kw = np.full((3, len(NAMES), len(LEADS)), np.nan)
        said_kw[:, ADAPTED], said_kw[:, FROZEN] = 103.0, 104.0
        said_kw[1, FROZEN], said_kw[1, ADAPTED] = np.nan, 1000.0
        errors_kw = level_errors_kw(said_kw, np.full(3, 100.0))
        assert errors_kw == {
            "adapted": dict.fromkeys((10, 60, 360, 1440), 3.0),
            "frozen": dict.fromkeys((10, 60, 360, 1440), 4.0),
        }
        assert NAMES[CLIMATOLOGY] not in errors_kw


class TestColdStarts:
    """Forecasters that have seen nothing."""

    def test_only_windows_that_fit_are_run(self) -> None:
        """A history to the middle of March has New Year's windows up to 60 days, and of March those that end in it."""
        runs = cold_runs(history_of(80, seen_days=64))
        assert runs == {0: (8, 14, 30, 60), 59 * DAY: (8,)}

    def test_a_window_knows_nothing_of_what_comes_after_it(self) -> None:
        """A start has a row for each number of days seen; other loads after a window leave its figures as they are."""
        history = history_of(24, seen_days=24)
        early, late = cold_starts(history, {0: (8, 14)}, untold).windows
        assert [(window.start, window.days_seen) for window in (early, late)] == [("2017-01-01", 8), ("2017-01-01", 14)]
        changed_kw = history.demand_kw.copy()
        changed_kw[18 * DAY :] *= 1.1
        other = cold_starts(replace(history, demand_kw=changed_kw), {0: (8, 14)}, untold).windows
        assert early == other[0]
        assert late.rmse_kw < other[1].rmse_kw
        assert late.best_naive_kw < other[1].best_naive_kw

    def test_the_mean_is_over_the_starts(self) -> None:
        """The last row shows the mean of the starts that have such a window."""
        windows = (ColdWindow("2017-01-01", 8, 900.0, 1000.0, 0.86), ColdWindow("2017-03-01", 8, 1100.0, 1400.0, 0.92))
        table, coverage = ColdStarts(2, windows).shown()["cold"]
        assert isinstance(table, Table)
        assert list(table.columns[1].cells) == ["900/-/1,000", "1,100/-/1,400", "1,000/-/1,200"]
        assert isinstance(coverage, Table)
        assert list(coverage.columns[1].cells) == ["89.0%", "86.0%"]

    def test_a_start_learns_from_other_zones_outside_its_hundred_days(self) -> None:
        """Before it where sixty days lie there, else after them; loads within the hundred days teach nothing."""
        assert prior_rows(300 * DAY, 60 * DAY) == range(60 * DAY)
        assert prior_rows(300 * DAY, 59 * DAY) == range(159 * DAY, 300 * DAY)
        other = replace(history_of(70, seen_days=70), zone=1)
        changed = replace(other, demand_kw=np.where(np.arange(70 * DAY) < 60 * DAY, other.demand_kw, 0.0))
        one, two = (prior_of((taught,), 60 * DAY, untold) for taught in (other, changed))
        assert one is not None
        assert two is not None
        np.testing.assert_array_equal(one.weights.beta, two.weights.beta)
        assert prior_of((other,), 0, untold) is None
        assert prior_of((), 60 * DAY, untold) is None


class TestDisturbances:
    """What is fed, what is true, and which origins count."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("2 h missing", [np.nan] * 12),
            ("6 h stuck", [90.0, 90.0] + [np.nan] * 34),
            ("24 h missing", [np.nan] * DAY),
            ("18 values x10", [1000.0] * 18),
            ("18 x10, flagged", [1000.0] * 18),
            ("one value x10", [1000.0]),
        ],
    )
    def test_a_fault_of_the_meter_passes_and_changes_no_truth(self, name: str, expected: list[float]) -> None:
        """What is fed is wrong for as long as it lasts, and the load is what it was."""
        load_kw = np.full(FOLLOWED + DAY, 100.0)
        fed_kw = DISTURBANCES[name].fed_kw(load_kw, 90.0)
        np.testing.assert_array_equal(fed_kw, expected + [100.0] * (len(load_kw) - len(expected)))
        np.testing.assert_array_equal(DISTURBANCES[name].true_kw(load_kw, 90.0), load_kw)
        assert DISTURBANCES[name].periods["during"] == slice(len(expected))

    def test_what_no_zone_can_draw_is_fed_as_missing(self) -> None:
        """Ten times 15 MW is what the ingestor still lets pass; more is missing."""
        fed_kw = DISTURBANCES["18 x10, flagged"].fed_kw(np.repeat((15_000.0, 15_001.0), (9, 20)), 0.0)
        np.testing.assert_array_equal(fed_kw, [150_000.0] * 9 + [np.nan] * 9 + [15_001.0] * 11)
        assert site("tetouan").limits["zone_2_kw"][1] == HIGHEST_KW

    def test_a_shift_is_the_new_truth(self) -> None:
        """A load that is higher for good is fed and scored so to the end."""
        shift, load_kw = DISTURBANCES["+20 % for good"], np.full(FOLLOWED + DAY, 100.0)
        np.testing.assert_allclose(shift.fed_kw(load_kw, 100.0), 120.0)
        np.testing.assert_allclose(shift.true_kw(load_kw, 100.0), 120.0)
        assert shift.periods == {"during": slice(144), "day after": slice(144, 288), "days 3-7": slice(288, 1008)}

    @pytest.mark.parametrize(("name", "steps", "left_kw"), [("2 h at half", 12, 50.0), ("8 h out", 48, 0.0)])
    def test_an_outage_is_true_as_long_as_it_lasts(self, name: str, steps: int, left_kw: float) -> None:
        """What is fed is the load, which comes back."""
        outage, load_kw = DISTURBANCES[name], np.full(FOLLOWED + DAY, 100.0)
        for kw in (outage.fed_kw(load_kw, 100.0), outage.true_kw(load_kw, 100.0)):
            np.testing.assert_array_equal(kw, np.where(np.arange(FOLLOWED + DAY) < steps, left_kw, 100.0))
        assert outage.periods["during"] == slice(steps)

    def test_each_case_stands_beside_the_undisturbed_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A shift is worse than none on its first day; no onset leaves a trace in the forecaster of the next one."""
        shift, gap = "+20 % for good", "24 h missing"
        monkeypatch.setattr(accuracy, "DISTURBANCES", {name: DISTURBANCES[name] for name in (shift, gap)})
        history, onsets = history_of(21, seen_days=12), (12 * DAY + 100, 12 * DAY + 140)
        assert onsets[1] + FOLLOWED + DAY <= len(history.demand_kw)
        first, second, both = (disturbed(history, some, untold).rmse_kw for some in (onsets[:1], onsets[1:], onsets))
        for found in (first, second, both):
            assert found[shift]["during"][0] > 1.5 * found[shift]["during"][1]
            assert found[shift]["during"][1] == found[gap]["during"][1]
        for name, by in both.items():
            for period, pair in by.items():
                assert pair == pytest.approx(np.mean((first[name][period], second[name][period]), axis=0))

    def test_only_onsets_that_can_be_followed_count(self) -> None:
        """An onset needs a week and the targets of its last origin."""
        needed = 12 * DAY + 432 + FOLLOWED + DAY
        history = history_of(-(-needed // DAY), seen_days=12)
        assert onsets_in(history) == (12 * DAY + 432,)
        assert onsets_in(history_of(12 + 8, seen_days=12)) == ()

    def test_errors_are_averaged_over_leads_after_the_root(self) -> None:
        """Errors of 3 at one lead and 5 at the other have a mean RMSE of 4."""
        assert mean_rmse_kw(np.array([[3.0, 5.0], [-3.0, -5.0], [np.nan, 5.0]])) == 4.0


class TestParts:
    """Which parts are run."""

    def test_an_unknown_part_is_refused(self) -> None:
        """The message says which there are."""
        with pytest.raises(argparse.ArgumentTypeError, match=r"no part windows: choose some of window,levels"):
            _parts("windows,cold")

    def test_only_what_was_asked_for_is_run(self) -> None:
        """Window and levels are one run; what the history is too short for is left out."""
        year = history_of(40, seen_days=20)
        assert set(jobs(year, ("levels", "window"))) == {"window"}
        assert set(jobs(year, ("cold", "disturbed"))) == {"cold", "disturbed"}
        assert set(jobs(history_of(16, seen_days=12), ("cold", "disturbed"))) == set()
        job, readings = jobs(year, ("window",))["window"]
        assert isinstance(job, partial)
        assert readings == 40 * DAY
