"""What a forecast was worth: terms, figures and rolling windows."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.contracts.messages import CleanReading, Flagged, Forecast, Interval, ModelNames, Score
from shared.forecasting.figures import figures_of, grouped, r2_of, scores_of, skill_of
from shared.forecasting.resolution import ABSENT, Resolution
from shared.forecasting.scores import RollingScores, issued_kw, load_kw
from shared.forecasting.terms import Term, all_terms, exactly, pair_terms, versus_terms, whole
from shared.sites.calendar import Calendar
from tests.unit.states import assert_same

START = datetime(2017, 10, 19, 4, 40, tzinfo=UTC)
TENTHS = Resolution(-1)


def reading(value: float | None, **flags: Flagged) -> CleanReading:
    """Return a reading of zone 2."""
    return CleanReading(
        site="tetouan", time=START, step_minutes=60, values={"temperature_c": 14.9, "zone_2_kw": value}, flags=flags
    )


def forecast(leads: int = 24, coverage: float = 0.9) -> Forecast:
    """Return a forecast of 100.1, 100.2, ... kW with an interval of 10 kW to either side."""
    median_kw = tuple(round(100.1 + 0.1 * lead, 1) for lead in range(leads))
    interval = Interval(
        coverage=coverage,
        low_kw=tuple(round(kw - 10, 1) for kw in median_kw),
        high_kw=tuple(round(kw + 10, 1) for kw in median_kw),
    )
    return Forecast(
        site="tetouan",
        zone=2,
        origin=START,
        step_minutes=60,
        median_kw=median_kw,
        intervals=(interval,),
        levels=(),
        weather_estimate_kw=None,
        weather_model_kw=None,
        models=ModelNames(demand=None, weather=None),
    )


class TestMessages:
    """What is scored of a reading and of a forecast."""

    @pytest.mark.parametrize("flag", ["missing", "outlier", "stuck", "unit", "repaired"])
    def test_a_flagged_reading_is_not_scored(self, flag: str) -> None:
        """Any flag on the load makes it absent, with a value or without."""
        flagged = Flagged.model_validate({"flag": flag})
        assert math.isnan(load_kw(reading(100.0, zone_2_kw=flagged), 2))
        assert math.isnan(load_kw(reading(None, zone_2_kw=flagged), 2))

    def test_a_flag_on_another_field_leaves_the_load_alone(self) -> None:
        """Only the flag of the zone's own field counts."""
        assert load_kw(reading(100.1, temperature_c=Flagged(flag="missing")), 2) == 100.1

    def test_an_unknown_zone_is_refused(self) -> None:
        """The error names the field and the fields that are there."""
        with pytest.raises(ValueError, match="no zone_9_kw at site 'tetouan', only temperature_c, zone_2_kw"):
            load_kw(reading(100.0), 9)

    def test_a_forecast_becomes_median_low_high(self) -> None:
        """The three rows are the median and the two ends of the 90 % interval."""
        issued = issued_kw(forecast())
        assert issued.shape == (3, 24)
        assert issued[:, 1].tolist() == [100.2, 90.2, 110.2]

    def test_a_forecast_that_cannot_be_scored_is_refused(self) -> None:
        """The error names what is missing: the 90 % interval, or leads."""
        with pytest.raises(ValueError, match=r"intervals: coverages \[0.5\] without 0.9"):
            issued_kw(forecast(coverage=0.5))
        with pytest.raises(ValueError, match="median_kw: 23 numbers instead of 24"):
            issued_kw(forecast(leads=23))


class TestFigures:
    """The figures against their textbook definitions in floating point."""

    def test_each_figure_is_its_definition(self) -> None:
        """Sums of whole multiples give the same figures as means of kW."""
        rng = np.random.default_rng(1)
        actual_kw = np.round(rng.normal(200, 50, 500), 1)
        median_kw = np.round(actual_kw + rng.normal(3, 20, 500), 1)
        low_kw, high_kw = np.round(median_kw - 30, 1), np.round(median_kw + 25, 1)
        actual = TENTHS.multiples(actual_kw)
        terms = pair_terms(actual, TENTHS.multiples((median_kw, low_kw, high_kw)))
        figures = figures_of(terms.sum(axis=1), TENTHS)
        error_kw = median_kw - actual_kw
        assert figures["rmse_kw"] == pytest.approx(np.sqrt(np.mean(error_kw**2)), rel=1e-12)
        assert figures["mae_kw"] == pytest.approx(np.mean(np.abs(error_kw)), rel=1e-12)
        assert figures["bias_kw"] == pytest.approx(np.mean(error_kw), rel=1e-9)
        assert figures["mape"] == pytest.approx(np.mean(np.abs(error_kw / actual_kw)), rel=1e-7)
        assert figures["coverage"] == np.mean((low_kw <= actual_kw) & (actual_kw <= high_kw))
        below, above = actual_kw - low_kw, actual_kw - high_kw
        pinball_kw = np.mean([np.maximum(0.05 * below, -0.95 * below), np.maximum(0.95 * above, -0.05 * above)])
        assert figures["pinball_kw"] == pytest.approx(pinball_kw, rel=1e-12)
        r2 = 1 - np.sum(error_kw**2) / np.sum((actual_kw - actual_kw.mean()) ** 2)
        squared = exactly(terms.sum(axis=1), Term.SQUARED)
        assert r2_of(squared, actual) == pytest.approx(r2, rel=1e-12)

    def test_the_ends_of_the_interval_cover(self) -> None:
        """A reading on an end is covered, one a multiple beyond is not."""
        issued = np.array([[100] * 4, [90] * 4, [110] * 4])
        assert pair_terms(np.array([89, 90, 110, 111]), issued)[Term.COVERED].tolist() == [0, 1, 1, 0]

    def test_an_absent_side_makes_no_pair(self) -> None:
        """Without a reading or without a forecast every term is zero."""
        issued = np.array([[100, ABSENT, 100], [90, ABSENT, 90], [110, ABSENT, 110]])
        terms = pair_terms(np.array([ABSENT, 100, 99]), issued)
        assert not terms[:, :2].any()
        assert terms[Term.PAIRS, 2] == 1

    def test_a_load_of_zero_gives_a_finite_percentage(self) -> None:
        """The percentage is then taken of the resolution."""
        terms = pair_terms(np.array([0]), np.array([[5], [0], [9]]))
        assert figures_of(terms.sum(axis=1), TENTHS)["mape"] == 5

    def test_skill_compares_over_the_same_pairs(self) -> None:
        """A pair without the naive forecast counts for neither side."""
        terms = versus_terms(np.array([100, 100]), np.array([101, 1000]), np.array([102, ABSENT])).sum(axis=1)
        assert terms.tolist() == [4, 0, 1, 0]
        assert skill_of(whole(terms, 2), whole(terms, 0)) == 0.5

    def test_all_terms_are_those_of_pairs_and_of_the_comparison(self) -> None:
        """Also where something is absent, and whether the naive forecast is one number a target or one a lead."""
        rng = np.random.default_rng(3)
        issued = rng.integers(-500, 500, (3, 40, 6)).astype(np.int32)
        actual, naive = (rng.integers(-500, 500, (40, 1)).astype(np.int32) for _ in range(2))
        actual[rng.random(40) < 0.2] = ABSENT
        issued[:, rng.random((40, 6)) < 0.2] = ABSENT
        naive[rng.random(40) < 0.2] = ABSENT
        for theirs in (naive, np.where(rng.random((40, 6)) < 0.2, ABSENT, naive)):
            parts = pair_terms(actual, issued), versus_terms(actual, issued[0], theirs)
            assert np.array_equal(all_terms(actual, issued, theirs), np.concatenate(parts))

    def test_a_year_of_the_largest_errors_does_not_overflow(self) -> None:
        """Numbers as large as can be counted, one on each side of zero: RMSE and MAE are their distance, R2 is -3."""
        kw = np.tile((2.0**30, -(2.0**30)), 52_560 // 2)
        resolution = Resolution(0)
        actual, issued = resolution.multiples(kw), resolution.multiples(np.stack((-kw, -kw, -kw)))
        sums = pair_terms(actual, issued).sum(axis=1)
        figures = figures_of(sums, resolution)
        assert figures["rmse_kw"] == figures["mae_kw"] == 2.0**31
        assert figures["mape"] == 2.0
        assert figures["pinball_kw"] == 2.0**30
        assert r2_of(exactly(sums, Term.SQUARED), actual) == -3.0

    def test_percentages_of_a_load_of_next_to_nothing_do_not_overflow(self) -> None:
        """A year of the largest error beside a load of one multiple: the share is the error."""
        actual = np.ones(52_560, np.int32)
        issued = np.full((3, actual.size), 2**30 + 1, np.int32)
        assert figures_of(pair_terms(actual, issued).sum(axis=1), Resolution(0))["mape"] == 2**30

    def test_nothing_scored_gives_nothing(self) -> None:
        """Figures of no pairs are NaN, a skill against a perfect forecast and the R2 of a constant too."""
        assert all(np.isnan(figure).all() for figure in figures_of(np.zeros((len(Term), 3), np.int64), TENTHS).values())
        assert np.isnan(skill_of(np.array([5.0]), np.array([0.0]))).all()
        assert math.isnan(r2_of(5, np.array([7, 7])))

    def test_groups_are_the_leads_that_exist_and_the_mean(self) -> None:
        """At 15 minutes the group 10 is the first lead; half a day has no group 1440; an open lead opens the mean."""
        figure = np.arange(1.0, 49.0)
        assert grouped(figure, 15) == {"10": 1.0, "60": 4.0, "360": 24.0, "mean": 24.5}
        figure[0] = np.nan
        assert grouped(figure, 15) == {"10": None, "60": 4.0, "360": 24.0, "mean": None}


DAY, LEADS, WINDOWS_DAYS = 4, 6, (1, 3)
Issued = dict[int, NDArray[np.float64]]


def expected_sums(
    actuals_kw: dict[int, float], forecasts: Issued, clock: int, resolution: Resolution
) -> NDArray[np.int64]:
    """Return the sums by their definition: a loop over every pair of each window."""
    sums = np.zeros((len(Term), len(WINDOWS_DAYS), LEADS), np.int64)
    actuals = {step: resolution.multiples(kw) for step, kw in actuals_kw.items()}
    absent = np.array(ABSENT, np.int32)
    for origin, said_kw in forecasts.items():
        issued = resolution.multiples(said_kw)
        for lead in range(1, LEADS + 1):
            actual = actuals.get(origin + lead, absent)
            yesterday = actuals.get(origin + lead - DAY * math.ceil(lead / DAY), absent)
            terms = np.concatenate(
                (pair_terms(actual, issued[:, lead - 1]), versus_terms(actual, issued[0, lead - 1], yesterday))
            )
            for window, days in enumerate(WINDOWS_DAYS):
                if clock - days * DAY < origin + lead <= clock:
                    sums[:, window, lead - 1] += terms
    return sums


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[int, float], Issued, list[bool]]:
    """Draw readings with gaps and nulls, forecasts with gaps, and whose turn it is; all are multiples of 0.1 kW."""
    values = st.one_of(st.none(), st.just(math.nan), st.just(0.0), st.integers(-500, 500), st.integers(-(10**6), 10**6))
    drawn = draw(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=40))
    actuals = {1000 + step: actual / 10 for step, (actual, _) in enumerate(drawn) if actual is not None}
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    forecasts = {
        1000 + step: np.sort(rng.integers(-500, 500, (3, LEADS)), axis=0)[[1, 0, 2]] / 10
        for step, (_, issued) in enumerate(drawn)
        if issued
    }
    runs = draw(st.lists(st.tuples(st.booleans(), st.integers(1, 25)), max_size=8))
    turns = [is_reading for is_reading, length in runs for _ in range(length)]
    return actuals, forecasts, turns + [True] * len(actuals) + [False] * len(forecasts)


def random_issue(
    rng: np.random.Generator, largest_kw: float = 500.0
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return median, low and high of every lead, none of them round, (3, leads)."""
    return np.sort(rng.uniform(-largest_kw, largest_kw, (3, LEADS)), axis=0)[[1, 0, 2]]


def scores_of_one(rolling: RollingScores) -> tuple[Score, ...]:
    """Return the scores of a zone, drawn alone."""
    (scores,) = scores_of([rolling.standing()])
    return tuple(Score.model_validate(score) for score in scores)


class TestRollingScores:
    """Windows over a stream whose two topics race."""

    @given(streams())
    @settings(max_examples=200, deadline=None)
    def test_any_interleaving_gives_the_sums_of_the_definition(
        self, stream: tuple[dict[int, float], Issued, list[bool]]
    ) -> None:
        """After every reading the sums are those of all pairs whose forecast has come, whichever side came first."""
        actuals, forecasts, turns = stream
        rolling = RollingScores(LEADS, DAY, WINDOWS_DAYS)
        readings, issues = iter(actuals.items()), iter(forecasts.items())
        seen_actuals: dict[int, float] = {}
        seen_forecasts: Issued = {}
        for is_reading in turns:
            if is_reading:
                for step, actual in islice(readings, 1):
                    rolling.on_reading(step, actual)
                    seen_actuals[step] = actual
            else:
                for origin, issued in islice(issues, 1):
                    rolling.on_forecast(origin, issued)
                    seen_forecasts[origin] = issued
            if rolling.clock is not None:
                expected = expected_sums(seen_actuals, seen_forecasts, rolling.clock, rolling.resolution)
                assert np.array_equal(rolling.sums, expected)

    @pytest.mark.parametrize("seed", range(5))
    def test_it_does_not_matter_how_often_the_sums_are_asked_for(self, seed: int) -> None:
        """Settled step by step or by the hour, with gaps, late and early forecasts: the same sums, the same state."""
        rng = np.random.default_rng(seed)
        asked, left = (RollingScores(48, 48, WINDOWS_DAYS, Calendar(None, "Europe/Madrid")) for _ in range(2))
        first = int(datetime(2017, 10, 27, tzinfo=UTC).timestamp()) // 1800  # the clock is changed on the 29th
        steps = [first + step for step in range(400) if step % 97 not in range(int(rng.integers(2, 60)))]
        late = {int(step): int(rng.integers(1, 250)) for step in rng.choice(steps, 40, replace=False)}
        issues = sorted(steps, key=lambda step: step + late.get(step, -int(rng.integers(0, 3))))
        for step in steps:
            load_kw = float("nan") if rng.random() < 0.1 else rng.uniform(100, 900)
            while issues and issues[0] + late.get(issues[0], 0) <= step:
                issued, origin = np.sort(rng.uniform(100, 900, (3, 48)), axis=0)[[1, 0, 2]], issues.pop(0)
                assert asked.on_forecast(origin, issued)
                assert left.on_forecast(origin, issued)
            asked.on_reading(step, load_kw)
            left.on_reading(step, load_kw)
            assert asked.sums.shape == (len(Term), len(WINDOWS_DAYS), 48)
        assert np.array_equal(asked.sums, left.sums)
        assert left.sums.any()
        assert_same(asked.state(), left.state())

    def test_the_first_day_of_load_decides_in_what_is_counted(self) -> None:
        """Sums are in the resolution of the first day, to the last multiple; a larger load later changes nothing."""
        rolling = RollingScores(LEADS, DAY, WINDOWS_DAYS)
        rng = np.random.default_rng(6)
        actuals, forecasts = {}, {}
        for step, load in enumerate((0.0, 0.0, 0.31, 4.6, 55.5, 2.2, 0.0, 720.0, 6_400.0, 1.5)):
            actuals[step], forecasts[step] = load, random_issue(rng, 10.0)
            rolling.on_reading(step, load)
            rolling.on_forecast(step, forecasts[step])
            assert np.array_equal(rolling.sums, expected_sums(actuals, forecasts, step, rolling.resolution))
        assert rolling.resolution == Resolution(-5)  # of 2.2 kW, the third largest

    def test_a_number_that_has_outgrown_the_resolution_is_counted_more_coarsely(self) -> None:
        """A meter whose load grows ten-thousandfold after its first day keeps finite, right figures."""
        rolling = RollingScores(24, 24, WINDOWS_DAYS)
        for step in range(2 * 24):
            rolling.on_reading(step, 1.0)
            rolling.on_forecast(step, np.tile([[1.0], [0.5], [1.5]], 24))
        for step in range(2 * 24, 9 * 24):
            rolling.on_reading(step, 5000.0)
            rolling.on_forecast(step, np.tile([[4900.0], [4000.0], [6000.0]], 24))
        assert rolling.resolution == Resolution(-3)
        for score in scores_of_one(rolling):
            assert (score.rmse_kw, score.mape, score.coverage) == (100.0, 0.02, 1.0)

    def test_a_state_that_is_resumed_goes_on_to_the_bit(self) -> None:
        """In the middle of the first day of load too, with forecasts that wait for their readings."""
        rng = np.random.default_rng(7)
        loads = rng.uniform(0.01, 900.0, 30)
        issues = [random_issue(rng) for _ in loads]
        whole_way = RollingScores(LEADS, DAY, WINDOWS_DAYS)
        for step, (load, issued) in enumerate(zip(loads, issues, strict=True)):
            resumed = RollingScores(LEADS, DAY, WINDOWS_DAYS)
            resumed.resume(whole_way.state())
            whole_way = resumed
            whole_way.on_forecast(step, issued)
            whole_way.on_reading(step, load)
        straight = RollingScores(LEADS, DAY, WINDOWS_DAYS)
        for step, (load, issued) in enumerate(zip(loads, issues, strict=True)):
            straight.on_forecast(step, issued)
            straight.on_reading(step, load)
        assert whole_way.state().keys() == straight.state().keys()
        assert all(
            np.array_equal(array, straight.state()[name], equal_nan=True) for name, array in whole_way.state().items()
        )

    def test_a_meter_that_reads_nothing_but_zero_is_scored(self) -> None:
        """Weeks of zeros and forecasts of zero: no error, and nothing piles up; the first load is counted finely."""
        rolling = RollingScores(24, 24, WINDOWS_DAYS)
        for step in range(40 * 24):
            rolling.on_reading(step, 0.0)
            rolling.on_forecast(step, np.zeros((3, 24)))
        assert {(score.rmse_kw, score.mape, score.coverage) for score in scores_of_one(rolling)} == {(0.0, None, 1.0)}
        assert len(rolling.state()["early"]) <= 24 + 1
        rolling.on_reading(40 * 24, 0.5)
        assert rolling.resolution == Resolution(-6)
        assert scores_of_one(rolling)[0].rmse_kw == 0.102062  # of 24 pairs in the last day

    def test_a_window_forgets_without_a_trace(self) -> None:
        """After a long time without forecasts every sum is exactly zero again, however wild the errors were."""
        rolling = RollingScores(LEADS, DAY, WINDOWS_DAYS)
        rng = np.random.default_rng(3)
        for step in range(100):
            rolling.on_reading(step, rng.uniform(-1e9, 1e9))
            rolling.on_forecast(step, random_issue(rng, 1e9))
        assert rolling.sums[Term.SQUARED].all()
        for step in range(100, 100 + LEADS + 3 * DAY):
            rolling.on_reading(step, 0.5)
        assert not rolling.sums.any()

    @pytest.mark.parametrize("jump", [3 * DAY + LEADS, 3 * DAY + 8, 3 * DAY + 9, 10**9])
    def test_a_jump_of_the_clock_equals_a_fresh_start(self, jump: int) -> None:
        """Once all has left the windows, what follows a gap is scored as if nothing had been before; at once."""
        rolling, fresh = RollingScores(LEADS, DAY, WINDOWS_DAYS), RollingScores(LEADS, DAY, WINDOWS_DAYS)
        rng = np.random.default_rng(4)
        for step in range(20):
            rolling.on_reading(step, rng.uniform(100, 500))
            rolling.on_forecast(step, random_issue(rng))
        for step in range(20 + jump, 40 + jump):
            actual, issued = rng.uniform(100, 500), random_issue(rng)
            for one in (rolling, fresh):
                one.on_forecast(step, issued)
                one.on_reading(step, actual)
            assert np.array_equal(rolling.sums, fresh.sums)
        assert fresh.sums.any()

    def test_repeats_change_nothing_and_are_told(self) -> None:
        """At-least-once delivery: each reading and forecast twice, one forecast before its reading."""
        once, twice = RollingScores(LEADS, DAY, WINDOWS_DAYS), RollingScores(LEADS, DAY, WINDOWS_DAYS)
        rng = np.random.default_rng(5)
        for step in range(20):
            issued = random_issue(rng)
            assert once.on_forecast(step, issued)
            assert once.on_reading(step, step + 100)
            assert twice.on_forecast(step, issued)
            assert not twice.on_forecast(step, issued + 1)
            assert twice.on_reading(step, step + 100)
            assert not twice.on_reading(step, step + 200)
            assert not twice.on_forecast(step, issued + 2)
        assert np.array_equal(once.sums, twice.sums)

    @pytest.mark.parametrize("scale", [1e-5, 1e-3, 1.0, 1e3, 1e6])
    def test_scores_on_the_wire(self, scale: float) -> None:
        """Figures are multiples of the resolution, the mean waits for all leads, skill for a day; they scale."""
        rolling = RollingScores(24, 24, (1, 7))
        for step in range(8):
            rolling.on_reading(step, 100.0 * scale)
            rolling.on_forecast(step, np.repeat([[103.1], [99.3], [109.0]], 24, axis=1) * scale)
        scores = scores_of_one(rolling)
        assert [(score.lead_minutes, score.scored_minutes, score.window_days) for score in scores] == [
            (minutes, minutes, days) for minutes in (60, 360, 1440, None) for days in (1, 7)
        ]
        assert scores[0] == Score(
            lead_minutes=60,
            scored_minutes=60,
            window_days=1,
            rmse_kw=float(f"{3.1 * scale:.9g}"),
            mae_kw=float(f"{3.1 * scale:.9g}"),
            mape=0.031,
            bias_kw=float(f"{3.1 * scale:.9g}"),
            coverage=1.0,
            pinball_kw=float(f"{0.2425 * scale:.9g}"),
            skill_vs_same_time_yesterday=None,
        )
        assert scores[-1].rmse_kw is None

    @pytest.mark.parametrize("seed", range(20))
    def test_the_mean_is_that_of_the_exact_sum(self, seed: int) -> None:
        """To the last digit that is sent, also where half of it decides."""
        rng = np.random.default_rng(seed)
        rolling = RollingScores(24, 24, (1, 7))
        for step in range(60):
            rolling.on_reading(step, 100_000.0 + float(rng.integers(-9, 10)))
            rolling.on_forecast(step, 100_000.0 + rng.integers(-9, 10, (3, 24)).astype(float))
        *_, score = scores_of_one(rolling)
        per_lead = {name: figure[1] for name, figure in figures_of(rolling.sums, rolling.resolution).items()}
        for name, figures in per_lead.items():
            mean = math.fsum(figures) / 24
            expected = rolling.resolution.rounded(mean) if name.endswith("_kw") else round(mean, 4)
            assert getattr(score, name) == float(expected)

    @pytest.mark.parametrize(("low_kw", "has"), [(50.0, True), (0.6, True), (0.4, False), (0.0, False), (-50.0, False)])
    def test_a_load_that_comes_near_zero_has_no_mape(self, low_kw: float, *, has: bool) -> None:
        """A share of next to nothing says nothing: MAPE is null on the wire, the other figures are there."""
        rolling = RollingScores(24, 24, (1, 7))
        for step in range(30):
            rolling.on_reading(step, 100.0 if step % 2 else low_kw)
            rolling.on_forecast(step, np.repeat([[103.1], [99.3], [109.0]], 24, axis=1))
        for score in scores_of_one(rolling):
            assert (score.mape is not None) == has
            assert score.rmse_kw is not None

    def test_an_outage_leaves_the_windows_after_it_their_mape(self) -> None:
        """The day after it has one again; the week that holds it has none."""
        rolling = RollingScores(24, 24, (1, 7))
        for step in range(72):
            rolling.on_reading(step, 0.0 if step == 47 else 100.0)
            rolling.on_forecast(step, np.repeat([[103.1], [99.3], [109.0]], 24, axis=1))
            if step in {46, 47, 70, 71}:
                has = {
                    score.window_days: score.mape is not None for score in scores_of_one(rolling) if score.lead_minutes
                }
                assert has == {1: step in {46, 71}, 7: step == 46}

    def test_skill_is_against_the_reading_a_day_before_the_target(self) -> None:
        """A load that falls by 4 kW a day against forecasts 1 kW off: a skill of 3/4."""
        rolling = RollingScores(24, 24, (1,))
        for step in range(72):
            rolling.on_reading(step, 500 - step // 24 * 4)
            later = 500 - np.arange(step + 1, step + 25) // 24 * 4
            rolling.on_forecast(step, later + np.array([[1.0], [0.0], [2.0]]))
        assert {score.skill_vs_same_time_yesterday for score in scores_of_one(rolling)} == {0.75}

    def test_zones_that_are_drawn_together_have_the_scores_of_each_alone(self) -> None:
        """Of any sizes, steps and windows, in their order, as they were when they were asked for."""
        rng = np.random.default_rng(8)
        zones = [RollingScores(leads, leads, days) for leads in (24, 48) for days in ((1,), (1, 7)) for _ in range(20)]
        standings, alone = [], []
        for step in range(50):
            for zone, rolling in enumerate(zones):
                size_kw = 10.0 ** (zone % 5)
                leads = len(rolling.sums[0, 0])
                rolling.on_reading(step, size_kw * float(rng.uniform(0 if zone % 7 else -1, 2)))
                rolling.on_forecast(step, size_kw * np.sort(rng.uniform(0, 2, (3, leads)), axis=0)[[1, 0, 2]])
                if step in {30, 49}:
                    standings.append(rolling.standing())
                    alone += scores_of([rolling.standing()])
        assert scores_of(standings) == alone
        assert len({str(scores) for scores in alone}) == len(alone)
