"""The hourly scores of a stream whose two topics race."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.verification import PATIENCE, DrawnScores, Repeats, SiteScores, messages_of
from shared.contracts.messages import CleanReading, Flagged, Forecast, Interval, ModelNames, Score, Scores
from tests.unit.monitor.places import place

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2017, 10, 19, tzinfo=UTC)
STEP_MINUTES = 30
STEP = timedelta(minutes=STEP_MINUTES)
LEADS = 48


def load_kw(step: int) -> float:
    """Return a load that repeats every day."""
    return 100.0 + step % LEADS


def reading(step: int, *, flag: str | None = None, zone: int = 2, site: str = "tetouan") -> CleanReading:
    """Return the reading of a step, flagged as told."""
    flags = {} if flag is None else {f"zone_{zone}_kw": Flagged.model_validate({"flag": flag})}
    return CleanReading(
        site=site,
        time=START + step * STEP,
        step_minutes=STEP_MINUTES,
        values={f"zone_{zone}_kw": load_kw(step)},
        flags=flags,
    )


def forecast(origin: int, *, error_kw: float = 1.0, zone: int = 2) -> Forecast:
    """Return the forecast of an origin that is wrong by ``error_kw`` at every lead."""
    median_kw = tuple(load_kw(origin + lead) + error_kw for lead in range(1, LEADS + 1))
    return Forecast(
        site="tetouan",
        zone=zone,
        origin=START + origin * STEP,
        step_minutes=STEP_MINUTES,
        median_kw=median_kw,
        intervals=(Interval(coverage=0.9, low_kw=median_kw, high_kw=tuple(kw + 5 for kw in median_kw)),),
        levels=(),
        weather_estimate_kw=None,
        weather_model_kw=None,
        models=ModelNames(demand=None, weather=None),
    )


def score(scores: Scores, lead_minutes: int | None, window_days: int) -> Score:
    """Return one score of a message."""
    return next(one for one in scores.scores if one.lead_minutes == lead_minutes and one.window_days == window_days)


def feed(monitor: SiteScores, messages: Sequence[CleanReading | Forecast]) -> list[Scores]:
    """Feed the messages and return all scores that come out."""
    found = [
        finding
        for message in messages
        for finding in (
            monitor.on_reading(message) if isinstance(message, CleanReading) else monitor.on_forecast(message)
        )
    ]
    return [Scores.from_bytes(one.to_bytes()) for one in messages_of(found) if isinstance(one, DrawnScores)]


STEPS = [step for step in range(160) if step not in {50, 51, 52, 53, 90}]
READINGS = [reading(step, flag="stuck" if step in {20, 60} else None) for step in STEPS]
FORECASTS = [forecast(step, error_kw=1.0 + step % 7) for step in STEPS]


def in_turn() -> list[CleanReading | Forecast]:
    """Return the stream as it is published: each reading before its forecast."""
    return [message for pair in zip(READINGS, FORECASTS, strict=True) for message in pair]


@st.composite
def interleavings(draw: st.DrawFn) -> list[CleanReading | Forecast]:
    """Draw another order of the two topics in which readings are at most a day ahead."""
    readings, forecasts, merged = 0, 0, list[CleanReading | Forecast]()
    runs = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=12))
    for more_readings, more_forecasts in [*runs, *[(40, 40)] * 8]:
        end = min(readings + more_readings, len(READINGS), forecasts + 40)
        merged += READINGS[readings:end]
        readings = max(readings, end)
        end = min(forecasts + more_forecasts, len(FORECASTS))
        merged += FORECASTS[forecasts:end]
        forecasts = end
    return merged


class TestSiteScores:
    """What is emitted, when, and over which pairs."""

    def test_an_hour_is_emitted_with_the_reading_at_it(self) -> None:
        """With the forecasts of the steps before seen, the message for T comes with the reading at T."""
        monitor = SiteScores(place())
        emitted = {step: feed(monitor, [reading(step), forecast(step)]) for step in range(5)}
        assert [step for step, scores in emitted.items() if scores] == [0, 2, 4]
        assert [scores.time for step in (0, 2, 4) for scores in emitted[step]] == [START + k * STEP for k in (0, 2, 4)]

    def test_it_covers_the_pairs_that_have_come_due(self) -> None:
        """At the second hour the first lead has two scored targets, 6 h and the mean none."""
        monitor = SiteScores(place())
        scores = feed(monitor, [reading(0), forecast(0, error_kw=3), reading(1), forecast(1, error_kw=1), reading(2)])[
            -1
        ]
        assert (scores.site, scores.zone) == ("tetouan", 2)
        one = score(scores, 10, 1)
        assert (one.mae_kw, one.bias_kw, one.rmse_kw, one.coverage) == (2.0, 2.0, 2.2361, 0.0)
        assert score(scores, 360, 28).rmse_kw is None
        assert score(scores, None, 28).rmse_kw is None

    def test_groups_are_the_leads_of_the_horizon(self) -> None:
        """At a step of 30 minutes the group 10 is scored at the first lead, and says so."""
        scores = feed(SiteScores(place(), (1,)), [reading(0), forecast(0)])[0]
        groups = [(one.lead_minutes, one.scored_minutes) for one in scores.scores]
        assert groups == [(10, 30), (60, 60), (360, 360), (1440, 1440), (None, None)]

    @given(interleavings())
    @settings(max_examples=40, deadline=None)
    def test_the_messages_do_not_depend_on_the_interleaving(self, messages: list[CleanReading | Forecast]) -> None:
        """Gaps, flags and all: the same messages in the same order, whichever topic is ahead."""
        assert len(messages) == len(READINGS) + len(FORECASTS)
        assert feed(SiteScores(place()), messages) == feed(SiteScores(place()), in_turn())

    def test_repeats_change_nothing(self) -> None:
        """Delivered twice in blocks, the stream gives the same messages and counts the repeats."""
        stream = in_turn()
        blocks = [stream[start : start + 30] for start in range(0, len(stream), 30)]
        monitor = SiteScores(place())
        assert feed(monitor, [m for block in blocks for m in block + block]) == feed(SiteScores(place()), stream)
        assert monitor.repeats == Repeats(len(FORECASTS), len(READINGS))

    def test_flagged_readings_are_not_scored(self) -> None:
        """A stuck load neither counts as a target nor as the naive forecast."""
        monitor = SiteScores(place(), (1,))
        messages = [m for step in range(3) for m in (reading(step, flag="stuck"), forecast(step))]
        assert {score(scores, 10, 1).rmse_kw for scores in feed(monitor, messages)} == {None}

    def test_a_gap_over_hours_has_one_message(self) -> None:
        """Of the full hours that a gap spans only the last has a message, with the windows as of that hour."""
        monitor = SiteScores(place(), (1,))
        feed(monitor, [reading(0), forecast(0), reading(1), forecast(1)])
        emitted = feed(monitor, [reading(7), forecast(7)])
        assert [scores.time for scores in emitted] == [START + 6 * STEP]
        assert score(emitted[0], 10, 1).mae_kw == 1.0

    def test_readings_wait_for_late_forecasts(self) -> None:
        """While forecasts are late nothing is emitted; when they come every hour has its message."""
        monitor = SiteScores(place())
        assert len(feed(monitor, [reading(step) for step in range(9)])) == 0
        assert monitor.waiting_readings == 9
        emitted = feed(monitor, [forecast(step) for step in range(9)])
        assert [scores.time for scores in emitted] == [START + k * STEP for k in range(0, 9, 2)]
        assert monitor.waiting_readings == 0

    def test_readings_do_not_wait_for_ever(self) -> None:
        """Without forecasts the scores go on, null, as far behind the readings as the patience."""
        monitor = SiteScores(place(), patience=timedelta(hours=2))
        emitted = feed(monitor, [reading(step) for step in range(9)])
        assert [scores.time for scores in emitted] == [START, START + 2 * STEP, START + 4 * STEP]
        assert {one.rmse_kw for scores in emitted for one in scores.scores} == {None}

    def test_a_forecast_beyond_patience_enters_later_hours(self) -> None:
        """What comes too late for its hour still counts in the windows that cover its targets."""
        monitor = SiteScores(place(), patience=timedelta(hours=2))
        feed(monitor, [reading(step) for step in range(9)])
        emitted = feed(monitor, [forecast(step) for step in range(9)])
        assert emitted[0].time == START + 6 * STEP
        assert score(emitted[0], 60, 1).mae_kw == 1.0

    def test_forecasts_of_other_zones_are_passed_over(self) -> None:
        """They complete nothing, and are not needed."""
        monitor = SiteScores(place())
        assert monitor.on_forecast(forecast(0, zone=1)) == []
        assert len(feed(monitor, [reading(0), forecast(0), reading(1), reading(2)])) == 1

    def test_two_zones_are_emitted_side_by_side(self) -> None:
        """A reading serves every configured zone, each with its own forecasts."""
        both = reading(0).model_copy(update={"values": {"zone_1_kw": 1.0, "zone_2_kw": 2.0}})
        emitted = feed(SiteScores(place(zones=(1, 2))), [forecast(0, zone=1), forecast(0), both])
        assert [scores.zone for scores in emitted] == [1, 2]

    def test_another_step_than_that_of_the_site_is_refused(self) -> None:
        """The error names the field and both values."""
        monitor = SiteScores(place())
        for message in (reading(1), forecast(1)):
            with pytest.raises(ValueError, match="step_minutes: 10, the site has 30"):
                feed(monitor, [message.model_copy(update={"step_minutes": 10})])

    def test_a_perfect_day_scores_as_one(self) -> None:
        """Forecasts without error have RMSE 0 at every lead, in the mean too, after a day."""
        monitor = SiteScores(place(), (1,))
        messages = [m for step in range(2 * LEADS + 1) for m in (reading(step), forecast(step, error_kw=0))]
        last = feed(monitor, messages)[-1]
        assert [one.rmse_kw for one in last.scores] == [0.0] * 5
        assert [one.coverage for one in last.scores] == [1.0] * 5


STEPS_OF_PATIENCE = PATIENCE // STEP


class TestPatience:
    """How long readings wait: event time alone decides."""

    def test_weeks_of_readings_wait_for_the_first_forecast(self) -> None:
        """All readings of five weeks, then all forecasts: the same messages as in turn."""
        readings = [reading(step) for step in range(STEPS_OF_PATIENCE)]
        forecasts = [forecast(step, error_kw=step % 5) for step in range(STEPS_OF_PATIENCE)]
        turns = [message for pair in zip(readings, forecasts, strict=True) for message in pair]
        ahead = SiteScores(place(), (1,))
        assert feed(ahead, readings) == []
        assert ahead.waiting_readings == STEPS_OF_PATIENCE
        assert feed(ahead, forecasts) == feed(SiteScores(place(), (1,)), turns)

    def test_no_more_readings_wait_than_patience_allows(self) -> None:
        """Whatever comes, the memory of waiting readings is bounded; each that leaves has been scored."""
        monitor = SiteScores(place(), (1,))
        emitted = feed(monitor, [reading(step) for step in range(STEPS_OF_PATIENCE + 100)])
        assert monitor.waiting_readings == STEPS_OF_PATIENCE
        assert emitted[-1].time == START + 98 * STEP

    def test_when_forecasts_cease_scores_go_on_and_end_as_nulls(self) -> None:
        """The last forecast reaches a day ahead; a day after its last target the window of a day is empty."""
        monitor = SiteScores(place(), (1,), timedelta(hours=3))
        emitted = feed(monitor, [message for step in range(60) for message in (reading(step), forecast(step))])
        later = feed(monitor, [reading(step) for step in range(60, 60 + 3 * LEADS)])
        times = [scores.time for scores in (*emitted, *later)]
        assert times == [START + step * STEP for step in range(0, 60 + 3 * LEADS - 6, 2)]
        known = [any(one.rmse_kw is not None for one in scores.scores) for scores in (*emitted, *later)]
        assert times[known.index(False, 1)] == START + (59 + 2 * LEADS + 1) * STEP
        assert not any(known[known.index(False, 1) :])

    @pytest.mark.parametrize("cut", [0, 1, 7, 40, 120, 200])
    @pytest.mark.parametrize("ahead", [1, 30, 90, 200])
    def test_a_restart_in_the_middle_changes_nothing(self, ahead: int, cut: int) -> None:
        """Readings so far ahead of their forecasts, a state taken after so many messages: the messages of the rest."""
        merged: list[CleanReading | Forecast] = [*READINGS[:ahead]]
        for number, one in enumerate(FORECASTS):
            merged += [one, *READINGS[ahead + number : ahead + number + 1]]
        before = SiteScores(place())
        told = feed(before, merged[:cut])
        after = SiteScores(place())
        after.resume(before.state())
        assert [*told, *feed(after, merged[cut:])] == feed(SiteScores(place()), in_turn())
