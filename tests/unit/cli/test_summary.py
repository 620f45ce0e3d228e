"""The counts of a demo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backtest.transcript import Transcript
from cli.summary import balanced, unknown_yet, unmatured
from shared.contracts.messages import CleanReading, Flagged, Forecast, Interval, LevelSpan, ModelNames

START = datetime(2018, 2, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
COUNTS = {
    "readings_sent": 10,
    "others_sent": 0,
    "accepted": 7,
    "rejected": 2,
    "merged": 1,
    "amended": 0,
    "missing_forecasts": 0,
    "duplicate_forecasts": 0,
}


def reading(step: int, load_kw: float | None = 20_000.0) -> CleanReading:
    """Return a reading of zone 2, so many steps after the start."""
    flags = {} if load_kw is not None else {"zone_2_kw": Flagged(flag="missing")}
    values = {"zone_2_kw": load_kw}
    return CleanReading(site="tetouan", time=START + step * STEP, step_minutes=10, values=values, flags=flags)


def forecast(step: int) -> Forecast:
    """Return a flat forecast of zone 2."""
    flat = (20_000.0,) * 144
    return Forecast(
        site="tetouan",
        zone=2,
        origin=START + step * STEP,
        step_minutes=10,
        median_kw=flat,
        intervals=(Interval(coverage=0.9, low_kw=flat, high_kw=flat),),
        levels=(LevelSpan(from_lead=1, to_lead=144, level="adapted"),),
        weather_estimate_kw=None,
        weather_model_kw=None,
        models=ModelNames(demand=None, weather=None),
    )


def test_counts_balance_when_every_reading_has_one_outcome_and_every_accepted_one_its_forecast() -> None:
    """Sent = accepted + rejected + merged, nothing missing, nothing repeated."""
    assert balanced(COUNTS)


def test_counts_balance_although_others_send_too() -> None:
    """What came on the raw topic from elsewhere needs an outcome like any reading."""
    assert balanced({**COUNTS, "others_sent": 3, "rejected": COUNTS["rejected"] + 3})
    assert not balanced({**COUNTS, "others_sent": 3})


@pytest.mark.parametrize("wrong", ["readings_sent", "missing_forecasts", "duplicate_forecasts"])
def test_counts_do_not_balance_when_anything_is_lost_or_doubled(wrong: str) -> None:
    """One reading too many sent, one forecast missing or repeated: each is seen."""
    assert not balanced({**COUNTS, wrong: COUNTS[wrong] + 1})


def test_unmatured_pairs_are_those_whose_target_is_after_the_last_reading() -> None:
    """Three readings and three forecasts: 143 + 144 + 142 leads still wait for theirs."""
    transcript = Transcript(2, START, START + timedelta(days=1), 10)
    for step in range(3):
        transcript.add_reading(reading(step))
        transcript.add_forecast(forecast(step))
    assert unmatured(transcript) == 142 + 143 + 144


def test_a_last_reading_without_its_load_still_ends_the_stream() -> None:
    """A missing load does not turn the leads before it into pairs that may still come due."""
    transcript = Transcript(2, START, START + timedelta(days=1), 10)
    transcript.add_forecast(forecast(0))
    transcript.add_reading(reading(0))
    transcript.add_reading(reading(1, None))
    assert unmatured(transcript) == 143


@pytest.mark.parametrize(("days", "lines"), [(0.5, 3), (2, 2), (7.5, 1), (14, 0)])
def test_what_cannot_be_known_yet_is_said_in_words(days: float, lines: int) -> None:
    """A day ahead takes more than a day, the worst week seven, and the rules that repeat last week eight."""
    assert len(unknown_yet(days)) == lines
