"""The line that an operator reads first: what it says in each situation, and which of two findings comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.page.alarm import Situation, findings, lag, silence
from services.gateway.page.words import Words, rendered

NOON = datetime(2017, 10, 19, 12, tzinfo=UTC)
STEP, HOUR, DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
FINE = Situation(
    silent=timedelta(minutes=4),
    step=STEP,
    first_reading=NOON - 90 * DAY,
    last_reading=NOON,
    last_load=NOON,
    origin=NOON,
    scored=NOON,
    level="adapted",
    coverage=0.9,
    mape=0.02,
    has_weather=True,
    last_weather=NOON,
)


def note(kind: str) -> dict[str, Any]:
    """Return a note of a forecast."""
    return {"kind": kind, "text": "said", "since": "2017-10-19T09:00:00Z"}


def event(severity: str, kind: str = "sensor") -> dict[str, Any]:
    """Return a drift event that lasts."""
    return {"kind": kind, "severity": severity, "started": "2017-10-19T09:00:00Z", "ended": None, "text": "said"}


@pytest.mark.parametrize(
    ("changed", "kind", "severity"),
    [
        ({}, "ok", "ok"),
        ({"silent": None}, "ok", "ok"),
        ({"silent": 3 * STEP}, "ok", "ok"),
        ({"silent": 3 * STEP + timedelta(seconds=1)}, "stale", "warning"),
        ({"silent": 3 * HOUR}, "stale", "critical"),
        ({"last_load": NOON - 2 * STEP}, "ok", "ok"),
        ({"last_load": NOON - 3 * STEP, "load_flag": "missing"}, "no_load", "warning"),
        ({"last_load": NOON - 3 * STEP, "load_flag": "outlier"}, "refused", "warning"),
        ({"last_load": NOON - 3 * HOUR}, "no_load", "critical"),
        ({"last_load": None}, "no_load", "critical"),
        ({"last_load": None, "load_flag": "stuck"}, "refused", "critical"),
        ({"origin": None, "level": None}, "no_forecast", "warning"),
        ({"behind": STEP}, "ok", "ok"),
        ({"behind": 2 * STEP}, "behind", "critical"),
        ({"notes": [note("outage")]}, "outage", "critical"),
        ({"notes": [note("shift")]}, "shift", "warning"),
        ({"notes": [note("transfer")]}, "transfer", "warning"),
        ({"notes": [note("model")]}, "model", "info"),
        ({"level": "frozen", "reason": "better lately"}, "fallback", "warning"),
        ({"level": "climatology", "first_reading": NOON - 3 * DAY}, "cold", "info"),
        ({"events": [event("critical")]}, "drift_sensor", "critical"),
        ({"events": [event("warning", "model")]}, "drift_model", "warning"),
        ({"events": [event("info")]}, "ok", "ok"),
        ({"coverage": 0.851}, "ok", "ok"),
        ({"coverage": 0.849}, "coverage", "warning"),
        ({"coverage": None}, "ok", "ok"),
        ({"mape": 0.15}, "ok", "ok"),
        ({"mape": 0.151}, "error", "warning"),
        ({"red": {"lead": 1440, "window": 1, "mape": 0.151}}, "red", "info"),
        ({"red": {"lead": 1440, "window": 1, "mape": 0.15}}, "ok", "ok"),
        ({"red": {"lead": 1440, "window": 1, "mape": 0.3}, "mape": 0.2}, "error", "warning"),
        ({"unscored": 3 * HOUR}, "ok", "ok"),
        ({"unscored": 4 * HOUR}, "unwatched", "warning"),
        ({"unscored": 4 * HOUR, "mape": 0.2, "coverage": 0.5}, "unwatched", "warning"),
        ({"unscored": 4 * HOUR, "first_reading": NOON - 23 * HOUR}, "ok", "ok"),
        ({"last_weather": NOON - 3 * STEP}, "no_weather", "warning"),
        ({"last_weather": None}, "no_weather", "warning"),
        ({"last_weather": None, "has_weather": False}, "ok", "ok"),
    ],
)
def test_the_line_in_each_situation(changed: dict[str, Any], kind: str, severity: str) -> None:
    """One thing is wrong, and the line names it and nothing else."""
    (found,) = findings(replace(FINE, **changed))
    assert (found.kind, found.severity) == (kind, severity)


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({"level": "frozen", "notes": [note("outage")]}, ["outage", "fallback"]),
        ({"coverage": 0.5, "events": [event("critical")]}, ["drift_sensor", "coverage"]),
        ({"notes": [note("model")], "mape": 0.2}, ["error", "model"]),
        ({"silent": 4 * HOUR, "behind": HOUR, "last_load": None}, ["behind", "stale", "no_load"]),
    ],
)
def test_the_worst_comes_first(changed: dict[str, Any], kinds: list[str]) -> None:
    """Critical before warning before note; of equal ones what makes the page wrong comes first."""
    assert [found.kind for found in findings(replace(FINE, **changed))] == kinds


def test_what_a_service_has_written_stands_beside_our_words() -> None:
    """As it came."""
    (found,) = findings(replace(FINE, level="frozen", reason="better lately"))
    assert found.detail == "better lately"


def test_what_is_gone_for_longer_than_is_known_has_no_time() -> None:
    """Only of a site that began meanwhile it is known since when."""
    for gone in (replace(FINE, last_load=None), replace(FINE, last_weather=None)):
        (found,) = findings(gone)
        assert found.said == {"longer_than": timedelta(hours=48)}
        assert "for more than 2" in rendered(found, Words()).text
        (found,) = findings(replace(gone, first_reading=NOON - 47 * HOUR))
        assert found.said == {"since": NOON - 47 * HOUR}


@pytest.mark.parametrize(
    ("age", "since_arrival", "silent"),
    [
        (HOUR, None, HOUR),
        (HOUR, STEP, HOUR),
        (-HOUR, STEP, STEP),
        (3000 * DAY, STEP, STEP),
        (3000 * DAY, None, 3000 * DAY),
    ],
)
def test_a_replay_is_silent_since_the_last_reading_arrived(
    age: timedelta, since_arrival: timedelta | None, silent: timedelta
) -> None:
    """Readings of years ago that arrive now are not years late; readings of an hour ago are an hour late."""
    assert silence(age, since_arrival) == silent


@pytest.mark.parametrize(
    ("age", "since_forecast", "behind"),
    [
        (HOUR, timedelta(seconds=1), HOUR),
        (3000 * DAY, timedelta(seconds=1), timedelta(0)),
        (3000 * DAY, timedelta(seconds=10), HOUR),
        (3000 * DAY, None, HOUR),
    ],
)
def test_a_replay_is_not_behind_while_forecasts_arrive(
    age: timedelta, since_forecast: timedelta | None, behind: timedelta
) -> None:
    """Hours of it go by in the moment that a forecast takes; forecasts that have stopped are behind."""
    assert lag(HOUR, age, since_forecast) == behind


def test_figures_stand_in_words_where_they_are_known() -> None:
    """Since when, how many times the usual error, how much wider, how much more; what is not known is left out."""
    begun = {"begun": NOON - 3 * DAY}
    bad = replace(FINE, mape=0.2, times=2.31, coverage=0.8, reserve_kw=142.0, lasting={"error": begun})
    narrow, large = (rendered(found, Words()) for found in findings(bad))
    assert "So since Mon 16 Oct 2017 12:00. The error of the last 7 days is 2.3 times that" in large.text
    assert large.since == begun["begun"]
    assert narrow.advice.endswith("At the peak, about 142\N{NARROW NO-BREAK SPACE}kW more on each side.")
    assert narrow.since is None
    wide = replace(FINE, level="frozen", wider_kw=420.0, lasting={"fallback": {"longer_than": 2 * DAY}})
    (found,) = (rendered(each, Words("es")) for each in findings(wide))
    assert "Así desde hace más de 2" in found.text
    assert "Es 420\N{NARROW NO-BREAK SPACE}kW más ancha" in found.advice
    (plain,) = (rendered(each, Words()) for each in findings(replace(FINE, mape=0.2, times=1.04)))
    assert plain.text.endswith("above 15.0\N{NARROW NO-BREAK SPACE}%.")


def test_a_model_that_has_become_worse_says_how_much() -> None:
    """Other drift events do not: a meter that drifts may leave the forecasts as good as they were."""
    worse = replace(FINE, times=1.8, events=[event("warning", "model"), event("warning", "sensor")])
    by_kind = {found.kind: found.figures for found in findings(worse)}
    assert by_kind == {"drift_model": {"times": 1.8}, "drift_sensor": {}}
