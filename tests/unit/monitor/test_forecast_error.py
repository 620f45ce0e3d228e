"""The drift events of a stream whose forecasts begin to err."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.forecast_error import ErrorWatch, standardised_error
from services.monitor.verification import SiteScores, messages_of
from shared.contracts.messages import CleanReading, DriftEvent, Flagged, Forecast, Interval, ModelNames, Scores
from shared.drift.detectors import forecast_error_detectors
from shared.forecasting.resolution import ABSENT
from shared.sites.grid import Grid
from tests.unit.monitor.places import place

START = datetime(2017, 10, 19, tzinfo=UTC)
STEP = timedelta(minutes=30)
LEADS = 48
DAY = 48
LEVEL_KW, SPREAD_KW = 20_000.0, 500.0
DETECTORS = ("page_hinkley_1h", "adwin_1h")


def errors(days: int, seed: int = 2) -> list[float]:
    """Return the errors of a forecast that knows its own spread: one standard deviation of it, every half hour."""
    return [float(error) for error in SPREAD_KW * np.random.default_rng(seed).normal(size=days * DAY)]


def reading(step: int, load_kw: float | None) -> CleanReading:
    """Return the reading of a step."""
    flags = {} if load_kw is not None else {"zone_2_kw": Flagged(flag="missing")}
    return CleanReading(
        site="tetouan", time=START + step * STEP, step_minutes=30, values={"zone_2_kw": load_kw}, flags=flags
    )


def forecast(origin: int) -> Forecast:
    """Return a flat forecast whose 90 % interval spans 2 x 1.645 standard deviations."""
    half_kw = 1.6449 * SPREAD_KW
    return Forecast(
        site="tetouan",
        zone=2,
        origin=START + origin * STEP,
        step_minutes=30,
        median_kw=(LEVEL_KW,) * LEADS,
        intervals=(
            Interval(coverage=0.9, low_kw=(LEVEL_KW - half_kw,) * LEADS, high_kw=(LEVEL_KW + half_kw,) * LEADS),
        ),
        levels=(),
        weather_estimate_kw=None,
        weather_model_kw=None,
        models=ModelNames(demand=None, weather=None),
    )


def loads(errors_kw: list[float], factor: float = 1.0, since: int = 0) -> list[float | None]:
    """Return the loads whose forecast errs so, times a factor from a step on."""
    return [(LEVEL_KW + error) * (factor if step >= since else 1) for step, error in enumerate(errors_kw)]


def in_turn(loads_kw: list[float | None]) -> list[CleanReading | Forecast]:
    """Return the stream as it is published, each reading before its forecast."""
    return [message for step, load_kw in enumerate(loads_kw) for message in (reading(step, load_kw), forecast(step))]


def feed(messages: list[CleanReading | Forecast]) -> list[Scores | DriftEvent]:
    """Return all that a monitor says of the messages."""
    monitor = SiteScores(place(), (1,))
    found = [
        finding
        for message in messages
        for finding in (
            monitor.on_reading(message) if isinstance(message, CleanReading) else monitor.on_forecast(message)
        )
    ]
    said = messages_of(found)
    return [one if isinstance(one, DriftEvent) else Scores.from_bytes(one.to_bytes()) for one in said]


def events(messages: list[CleanReading | Forecast]) -> list[DriftEvent]:
    """Return the drift events among the findings."""
    return [finding for finding in feed(messages) if isinstance(finding, DriftEvent)]


BROKEN_AT = 4 * DAY
RAISED = loads(errors(6), 1.15, BROKEN_AT)
HOLED = [None if step % 7 in {1, 2} or 2 * DAY <= step < 3 * DAY else load for step, load in enumerate(RAISED)]
STREAM = in_turn(HOLED)


@pytest.fixture(scope="module")
def expected() -> list[bytes]:
    """Return the events of the stream, as they go on the wire."""
    return [event.to_bytes() for event in events(STREAM)]


@pytest.mark.parametrize("scale", [1e-6, 1e3, 3e4])
def test_findings_do_not_depend_on_the_size_of_the_load(scale: float) -> None:
    """So many times the load and its forecasts: the same events, ratios alike, errors so many times as large."""
    scaled = [
        message.model_copy(
            update={"values": {field: kw and scale * kw for field, kw in message.values.items()}}
            if isinstance(message, CleanReading)
            else {
                "median_kw": tuple(scale * kw for kw in message.median_kw),
                "intervals": tuple(
                    Interval(
                        coverage=one.coverage,
                        low_kw=tuple(scale * kw for kw in one.low_kw),
                        high_kw=tuple(scale * kw for kw in one.high_kw),
                    )
                    for one in message.intervals
                ),
            }
        )
        for message in STREAM
    ]
    ours, theirs = feed(STREAM), feed(scaled)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, DriftEvent):
            assert isinstance(other, DriftEvent)
            assert other.id == one.id
            assert other.score == pytest.approx(one.score, rel=1e-3)
        else:
            assert isinstance(other, Scores)
            for mine, its in zip(one.scores, other.scores, strict=True):
                assert its.mape == (mine.mape and pytest.approx(mine.mape, abs=1e-4))
                assert its.coverage == (mine.coverage and pytest.approx(mine.coverage, abs=1e-3))
                assert its.rmse_kw == (None if mine.rmse_kw is None else pytest.approx(scale * mine.rmse_kw, rel=1e-3))


class TestStandardisedError:
    """One error in units of what its own forecast promised."""

    @pytest.mark.parametrize(("actual", "expected"), [(10_000, 0.0), (11_645, 1.0), (8_355, -1.0)])
    def test_the_unit_is_the_standard_deviation_that_the_interval_stands_for(
        self, actual: int, expected: float
    ) -> None:
        """1.645 standard deviations are the half width of 90 %; a load above the forecast is positive."""
        issued = np.array([10_000, 10_000 - 2706, 10_000 + 2706], np.int32)
        assert standardised_error(actual, issued) == pytest.approx(expected, abs=2e-4)

    def test_what_is_absent_has_no_error(self) -> None:
        """Neither a missing reading nor a missing forecast is an error of some size."""
        assert isnan(standardised_error(ABSENT, np.array([1, 0, 2], np.int32)))
        assert isnan(standardised_error(10, np.full(3, ABSENT, np.int32)))

    def test_a_degenerate_interval_counts_as_wide_as_the_wire_resolves(self) -> None:
        """An interval without width gives a finite number, zero where the forecast is right."""
        assert standardised_error(10, np.array([10, 10, 10], np.int32)) == 0.0
        assert standardised_error(11, np.array([10, 10, 10], np.int32)) == pytest.approx(3.29, abs=0.01)


class TestErrorWatch:
    """Which hours count, and by what."""

    @staticmethod
    def hour(values: list[float]) -> float:
        """Return what the first hour of a 10-minute stream counts."""
        watch = ErrorWatch("tetouan", 2, Grid(10), forecast_error_detectors())
        for step, value in enumerate(values, start=1):
            watch.take(step, value)
            watch.complete(step)
        return watch.error

    def test_an_hour_counts_by_its_mean(self) -> None:
        """The errors of the targets up to the full hour, once it is complete."""
        assert self.hour([1, 2, 3, 4, 5, 6]) == 3.5
        assert isnan(self.hour([1, 2, 3, 4, 5]))

    def test_half_of_an_hour_is_enough(self) -> None:
        """Three of six values count, two do not."""
        assert self.hour([nan, 1, nan, 2, nan, 3]) == 2.0
        assert isnan(self.hour([nan, 1, nan, 2, nan, nan]))

    def test_a_huge_error_is_clipped(self) -> None:
        """An error beyond +/-10 standard deviations says no more than that it is huge."""
        assert (self.hour([400.0] * 6), self.hour([-400.0] * 6)) == (10.0, -10.0)


class TestDriftEvents:
    """What the monitor publishes."""

    def test_the_forecast_of_one_hour_before_is_the_one_that_counts(self) -> None:
        """Forecasts that err by two standard deviations at a lead of 1 h, and at no other, show them."""
        monitor = SiteScores(place(), (1,))
        median_kw = tuple(LEVEL_KW - 2 * SPREAD_KW * (lead == 2) for lead in range(1, LEADS + 1))
        for step in range(9):
            monitor.on_reading(reading(step, LEVEL_KW))
            monitor.on_forecast(forecast(step).model_copy(update={"median_kw": median_kw}))
        assert monitor.zones[2].watch.error == pytest.approx(2.0, abs=1e-3)

    @pytest.mark.parametrize("factor", [1.15, 0.85])
    def test_a_lasting_change_of_15_per_cent_is_found_within_a_day(self, factor: float) -> None:
        """Each detector opens an event after the change and within 24 hours of it."""
        found = {event.detector: event for event in reversed(events(in_turn(loads(errors(5), factor, BROKEN_AT))))}
        assert set(found) == set(DETECTORS)
        for event in found.values():
            assert timedelta() < event.started - (START + BROKEN_AT * STEP) <= timedelta(hours=24)
            assert event.score >= event.threshold
            assert (event.kind, event.feature, event.severity) == ("model", "zone_2_kw", "warning")

    def test_a_clean_stretch_has_none(self) -> None:
        """Ten days of the errors that the forecast promised are no event."""
        assert events(in_turn(loads(errors(10)))) == []

    def test_hours_without_readings_are_passed_over(self) -> None:
        """Whole days and parts of hours without a load neither open an event nor hide one."""
        clean = [None if load is None else kw for load, kw in zip(HOLED, loads(errors(6)), strict=True)]
        assert events(in_turn(clean)) == []
        assert {event.detector for event in events(STREAM)} == set(DETECTORS)

    def test_an_event_ends_a_day_after_its_last_detection_with_the_same_id(self) -> None:
        """Each id is sent open first and ended last; what is found within a day has the id of what was found before."""
        sent = events(in_turn([*RAISED[: 5 * DAY], *loads(errors(4, seed=8))]))
        assert {event.detector for event in sent} == set(DETECTORS)
        for one in {event.id for event in sent}:
            *opened, ended = [event for event in sent if event.id == one]
            assert {event.ended for event in opened} == {None}
            assert ended.ended is not None
            assert ended.ended - ended.started >= timedelta(hours=24)

    def test_they_follow_the_scores_of_their_hour(self) -> None:
        """An event that opens at T comes after the scores of T and before those of the next hour."""
        findings = feed(in_turn(RAISED))
        opened = {event.id: n for n, event in reversed(list(enumerate(findings))) if isinstance(event, DriftEvent)}
        assert len(opened) == 2
        for n in opened.values():
            before = [finding.time for finding in findings[:n] if isinstance(finding, Scores)]
            event = findings[n]
            assert isinstance(event, DriftEvent)
            assert before[-1] == event.started

    @given(st.data())
    @settings(max_examples=8, deadline=None)
    def test_they_do_not_depend_on_the_interleaving(self, expected: list[bytes], data: st.DataObject) -> None:
        """Readings up to a day ahead of the forecasts, or forecasts ahead of the readings: the same bytes in order."""
        readings = [message for message in STREAM if isinstance(message, CleanReading)]
        forecasts = [message for message in STREAM if isinstance(message, Forecast)]
        merged: list[CleanReading | Forecast] = []
        read = issued = 0
        while read < len(readings) or issued < len(forecasts):
            more = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
            end = min(read + more[0], len(readings), issued + 40)
            merged += readings[read:end]
            read = max(read, end)
            end = min(issued + more[1], len(forecasts))
            merged += forecasts[issued:end]
            issued = end
        assert [event.to_bytes() for event in events(merged)] == expected

    def test_a_second_fold_gives_the_same_bytes(self, expected: list[bytes]) -> None:
        """What is published again after a restart is a repeat of what was."""
        assert [event.to_bytes() for event in events(STREAM)] == expected

    def test_repeats_change_nothing(self, expected: list[bytes]) -> None:
        """Messages that come twice are not counted twice."""
        blocks = [STREAM[start : start + 30] for start in range(0, len(STREAM), 30)]
        repeated = [message for block in blocks for message in block + block]
        assert [event.to_bytes() for event in events(repeated)] == expected
