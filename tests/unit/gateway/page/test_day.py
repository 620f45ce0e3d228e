"""The document of a zone: what it says in each situation, now and as it stood in the past."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import delete, update

from services.gateway.page.alarm import light_of
from services.gateway.page.naive import naive_rmse_kw
from services.gateway.page.similar import nearest
from services.gateway.tables import SCORES
from shared.sites.table import known_sites
from tests.unit.gateway import told
from tests.unit.gateway.api.filled import begun
from tests.unit.gateway.page.situations import SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.contracts.messages import Forecast, Scores
    from tests.unit.gateway.api.filled import Asked
    from tests.unit.gateway.page.situations import Situation

SHORT = replace(SITUATIONS["normal"], days=10, issued=timedelta(hours=2), events=())
TETOUAN, MADRID = "/api/v1/sites/tetouan/zones/2", "/api/v1/sites/alcala/zones/1"


def day_of(asked: Asked, path: str = TETOUAN, query: str = "") -> dict[str, Any]:
    """Return the document."""
    answer = asked.gateway.get(f"{path}/day{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("normal", "ok"),
        ("stale-meter", "stale"),
        ("no-load", "no_load"),
        ("fallback", "fallback"),
        ("shift", "shift"),
        ("coverage-low", "coverage"),
        ("no-weather", "no_weather"),
        ("cold-site", "cold"),
    ],
)
def test_the_first_finding_in_each_situation(situated: Callable[[str], Asked], name: str, kind: str) -> None:
    """It names what is wrong."""
    assert day_of(situated(name))["findings"][0]["kind"] == kind


def test_the_curves_meet_at_the_newest_reading(situated: Callable[[str], Asked]) -> None:
    """48 hours of load, 24 of forecast and what a forecast of a day before said of the times between."""
    day, end = day_of(situated("normal")), SITUATIONS["normal"].end
    assert datetime.fromisoformat(day["as_of"]) == end
    assert len(day["load"]["times"]) == 2 * 144 + 1
    assert datetime.fromisoformat(day["load"]["times"][-1]) == end
    assert datetime.fromisoformat(day["forecast"]["times"][0]) == end + timedelta(minutes=10)
    assert len(day["forecast"]["kw"]) == 144
    assert datetime.fromisoformat(day["earlier_origin"]) == end - timedelta(days=1)
    assert datetime.fromisoformat(day["earlier"]["times"][-1]) == end
    assert [band["coverage"] for band in day["bands"]] == [0.5, 0.9]


def test_the_peak_is_the_highest_forecast_with_the_widest_band(situated: Callable[[str], Asked]) -> None:
    """And the trough the lowest."""
    day = day_of(situated("normal"))
    at = day["forecast"]["kw"].index(max(day["forecast"]["kw"]))
    widest = day["bands"][-1]
    assert day["peak"]["time"] == day["forecast"]["times"][at]
    assert (day["peak"]["low_kw"], day["peak"]["high_kw"]) == (widest["low_kw"][at], widest["high_kw"][at])
    assert day["trough"]["kw"] == min(day["forecast"]["kw"])


def test_the_tiles_ahead_are_an_hour_and_a_day_later(situated: Callable[[str], Asked]) -> None:
    """Also at a step of a quarter of an hour."""
    day = day_of(situated("quarter-hours"), MADRID)
    as_of = datetime.fromisoformat(day["as_of"])
    ahead = [datetime.fromisoformat(point["time"]) - as_of for point in day["ahead"]]
    assert ahead == [timedelta(hours=1), timedelta(hours=24)]
    assert day["time_zone"] == "Europe/Madrid"


def test_the_past_knows_nothing_of_what_came_after(situated: Callable[[str], Asked]) -> None:
    """The page as it stood two hours before the shift: its newest reading, its forecast, and no finding."""
    at = SITUATIONS["shift"].end - timedelta(hours=5, minutes=3)
    day = day_of(situated("shift"), query=f"?at={at:%Y-%m-%dT%H:%M:%SZ}")
    assert day["is_past"]
    assert day["age_s"] is None
    newest = at.replace(minute=10, second=0)
    assert datetime.fromisoformat(day["as_of"]) == newest
    assert datetime.fromisoformat(day["origin"]) == newest
    assert [event["kind"] for event in day["events"]] == ["data"]
    assert day["errors"] == []


def test_what_is_beyond_the_history_is_named(situated: Callable[[str], Asked]) -> None:
    """A zone without forecasts, and a time before the first reading."""
    asked = situated("normal")
    assert asked.gateway.get("/api/v1/sites/tetouan/zones/9/day").json()["field"] == "zone"
    answer = asked.gateway.get(f"{TETOUAN}/day?at=2016-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["field"]) == (404, "at")


def test_errors_stand_beside_simple_rules(situated: Callable[[str], Asked]) -> None:
    """Repeating yesterday by the skill that the monitor tells, the best rule by the loads of the history."""
    errors = day_of(situated("normal"))["errors"]
    hour = next(each for each in errors if (each["lead_minutes"], each["window_days"]) == (60, 7))
    assert hour["same_time_yesterday_rmse_kw"] == pytest.approx(hour["rmse_kw"] / 0.6)
    assert hour["best_naive_rule"] == "last_week"
    assert hour["light"] == "green"
    mean = next(each for each in errors if (each["lead_minutes"], each["window_days"]) == (None, 7))
    assert mean["best_naive_rmse_kw"] is None


@pytest.mark.parametrize(("mape", "light"), [(0.12, "green"), (0.1201, "yellow"), (0.15, "yellow"), (0.151, "red")])
def test_the_traffic_light_changes_at_12_and_15_percent(mape: float, light: str) -> None:
    """Both still belong to the better colour."""
    assert light_of(mape) == light


def test_the_curves_come_as_csv(situated: Callable[[str], Asked]) -> None:
    """One row a time, what is not known of it empty."""
    answer = situated("normal").gateway.get(f"{TETOUAN}/day?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 2 * 144 + 1 + 144
    assert rows[0]["forecast_kw"] == ""
    assert rows[-1]["load_kw"] == ""
    assert float(rows[-1]["high_90_kw"]) > float(rows[-1]["forecast_kw"])


def test_similar_days_are_told_with_their_dates(situated: Callable[[str], Asked]) -> None:
    """Three, each from the midnight of today on, at the level of today."""
    answer = situated("normal").gateway.get(f"{TETOUAN}/similar").json()
    assert len({day["date"] for day in answer["days"]}) == 3
    for day in answer["days"]:
        assert day["load"]["times"][0] == "2017-10-19T00:00:00Z"
        assert max(kw for kw in day["load"]["kw"] if kw is not None) == pytest.approx(21_000, rel=0.15)


def test_a_zone_without_forecasts_has_no_similar_days_and_says_why(asked: Asked) -> None:
    """Its readings are known, so it is no unknown zone."""
    told.tell(asked.database, [told.reading(step) for step in range(6)])
    answer = asked.gateway.get(f"{TETOUAN}/similar")
    assert (answer.status_code, answer.json()["days"]) == (200, [])
    assert "too little is known" in answer.json()["reason"]
    assert asked.gateway.get("/api/v1/sites/tetouan/zones/9/similar").status_code == 404


def test_gaps_and_new_levels_are_marked(situated: Callable[[str], Asked]) -> None:
    """A meter that sends no load, and a load that has shifted for good."""
    (gap,) = day_of(situated("no-load"))["marks"]
    assert (gap["kind"], gap["begin"], gap["end"]) == ("gap", "2017-10-19T13:30:00Z", None)
    (shift,) = day_of(situated("shift"))["marks"]
    assert (shift["kind"], shift["begin"]) == ("shift", "2017-10-19T14:20:00Z")
    assert day_of(situated("normal"))["marks"] == []
    (clock,) = day_of(situated("summer-time"), MADRID)["marks"]
    assert (clock["kind"], clock["begin"]) == ("clock", "2017-10-29T01:00:00Z")


def test_a_record_stamped_ahead_of_the_clock_has_an_age_below_zero(filled: Callable[[Situation], Asked]) -> None:
    """It is no alarm, and no reading of now."""
    day = day_of(filled(replace(SHORT, silent=timedelta(seconds=-40))))
    assert day["age_s"] == -40
    assert day["findings"][0]["kind"] == "ok"


def test_a_peak_at_the_end_of_the_window_is_told(asked: Asked) -> None:
    """A load that rises throughout has its highest and its lowest at the edges; one with a summit has none there."""
    told.tell(asked.database, [told.reading(step) for step in range(6)])
    told.tell(asked.database, [told.forecast(5)])
    day = day_of(asked)
    assert (day["is_peak_at_edge"], day["is_trough_at_edge"]) == (True, True)
    wave = tuple(20_000.0 + 1000 * np.sin(2 * np.pi * np.arange(144) / 144))
    summit = told.forecast(6).model_copy(update={"median_kw": wave, "intervals": ()})
    told.tell(asked.database, [told.reading(6)], first_offset=100)
    told.tell(asked.database, [summit], first_offset=100)
    day = day_of(asked)
    assert (day["is_peak_at_edge"], day["is_trough_at_edge"]) == (False, False)


def test_a_fallback_is_dated_and_its_band_compared(filled: Callable[[Situation], Asked]) -> None:
    """Since the first forecast that the best level did not answer, beside the last one that it did."""
    situation = replace(SHORT, days=16)
    asked = filled(situation)
    begin = situation.grid.step_of(situation.end) + 1
    frozen = replace(situation, levels=SITUATIONS["fallback"].levels)
    told.tell(
        asked.database,
        [situation.reading(n, situation.grid.time_of(begin + n)) for n in range(3)],
        first_offset=90_000,
    )
    told.tell(asked.database, [wider(frozen.forecast(begin + n), 100.0) for n in range(3)], first_offset=90_000)
    finding = day_of(asked)["findings"][0]
    assert (finding["kind"], finding["since"]) == ("fallback", "2017-10-19T17:30:00Z")
    assert "So since Thu 19 Oct 2017 17:30." in finding["text"]
    assert "It is 100\N{NARROW NO-BREAK SPACE}kW wider" in finding["advice"]


def wider(forecast: Forecast, by_kw: float) -> Forecast:
    """Return a forecast whose bands reach further up."""
    intervals = [
        each.model_copy(update={"high_kw": tuple(kw + by_kw for kw in each.high_kw)}) for each in forecast.intervals
    ]
    return forecast.model_copy(update={"intervals": tuple(intervals)})


def test_the_fleet_has_the_worst_first(situated: Callable[[str], Asked]) -> None:
    """And those alone whose site is searched for."""
    asked = situated("no-load")
    (zone,) = asked.gateway.get("/api/v1/fleet").json()["zones"]
    assert (zone["site"], zone["finding"]["severity"]) == ("tetouan", "critical")
    assert asked.gateway.get("/api/v1/fleet?search=TET").json()["zones"] == [zone]
    assert asked.gateway.get("/api/v1/fleet?search=madrid").json()["zones"] == []


def test_the_fleet_shows_nothing_old_as_if_it_were_of_now(situated: Callable[[str], Asked]) -> None:
    """Where the meter is silent there is neither a load nor a forecast nor a light, but the time of the newest."""
    (zone,) = situated("stale-meter").gateway.get("/api/v1/fleet").json()["zones"]
    assert (zone["finding"]["kind"], zone["as_of"]) == ("stale", "2017-10-19T17:20:00Z")
    assert [zone[key] for key in ("now_kw", "next_hour_kw", "peak", "light")] == [None] * 4


def test_a_simple_rule_is_scored_over_its_window_alone() -> None:
    """The error of persistence is the slope times the lead; of yesterday that times a day; last week has no pairs."""
    load_kw = np.arange(40.0)
    assert naive_rmse_kw(load_kw, 3, 10, 8) == {"persistence": 3.0, "yesterday": 8.0}
    load_kw[-1] = np.nan
    assert naive_rmse_kw(load_kw, 3, 10, 8)["persistence"] == 3.0
    assert naive_rmse_kw(np.full(40, np.nan), 3, 10, 8) == {}


def test_the_nearest_shape_is_found_at_another_level() -> None:
    """A day of half the load is like today; one of another shape is not; one that is not known is passed over."""
    today, other = np.array([1.0, 2.0, 3.0, 2.0]), np.array([3.0, 1.0, 1.0, 3.0])
    load_kw = np.concatenate([other, today / 2, np.full(4, np.nan), today])
    found = nearest(load_kw, 12, [8, 4, 0], 2)
    assert [each.begin for each in found] == [4, 0]
    assert found[0].off == pytest.approx(0.0)


def test_a_drift_event_that_lasts_is_told_however_old_it_is(filled: Callable[[Situation], Asked]) -> None:
    """After 40 days it is still the alarm and stands in the table; one that ended before these days does not."""
    lasting, over = (SHORT.event("sensor", "critical", 40 * 24, "a meter drifts", lasted) for lasted in (None, 24))
    over = over.model_copy(update={"id": "over"})
    day = day_of(filled(replace(SHORT, events=(lasting, over))))
    assert day["findings"][0]["kind"] == "drift_sensor"
    assert [event["id"] for event in day["events"]] == [lasting.id]


def test_a_drift_event_that_ended_later_lasted_then(filled: Callable[[Situation], Asked]) -> None:
    """Looked at between its begin and its end it is the alarm, and later it is not."""
    asked = filled(replace(SHORT, events=(SHORT.event("sensor", "critical", 20, "a meter drifts", lasted=19),)))
    then = day_of(asked, query=f"?at={SHORT.end - timedelta(hours=1, minutes=10):%Y-%m-%dT%H:%M:%SZ}")
    assert "drift_sensor" in [finding["kind"] for finding in then["findings"]]
    assert then["events"][0]["ended"] is None
    assert "drift_sensor" not in [finding["kind"] for finding in day_of(asked)["findings"]]


def test_of_many_drift_events_the_newest_are_shown(filled: Callable[[Situation], Asked]) -> None:
    """Those of another zone take none of their places."""
    events = [SHORT.event("data", "info", 2 * n, "", lasted=1) for n in range(2, 300)]
    others = [event.model_copy(update={"id": f"other {event.id}", "zone": 1}) for event in events]
    newest = SHORT.event("sensor", "critical", 2, "a meter drifts")
    day = day_of(filled(replace(SHORT, events=(*events, *others, newest))))
    assert day["findings"][0]["kind"] == "drift_sensor"
    assert [event["id"] for event in day["events"]] == [event.id for event in (newest, *events[:199])]


def test_a_site_of_short_steps_is_shown_to_its_newest_reading(filled: Callable[[Situation], Asked]) -> None:
    """Of 48 hours at a step of a minute none is left out."""
    site = known_sites()["tetouan"].model_copy(update={"step_minutes": 1})
    short = replace(SHORT, site=site, days=3, issued=timedelta(0))
    day = day_of(filled(short))
    assert datetime.fromisoformat(day["as_of"]) == short.end
    assert len(day["load"]["times"]) == 2 * 1440 + 1


def test_bad_scores_are_dated(filled: Callable[[Situation], Asked]) -> None:
    """By the scores of each day: since the first one in a row that is bad."""
    asked = filled(replace(SHORT, coverage=0.7))
    told.tell(asked.database, [scored(days, coverage) for days, coverage in ((3, 0.9), (2, 0.7), (1, 0.7))], 90_000)
    finding = day_of(asked)["findings"][0]
    assert (finding["kind"], finding["since"]) == ("coverage", "2017-10-17T17:00:00Z")
    assert "more on each side" in finding["advice"]


def scored(days_before: int, coverage: float) -> Scores:
    """Return scores of some days before the end."""
    scores = replace(SHORT, coverage=coverage).scores()
    return scores.model_copy(update={"time": scores.time - timedelta(days=days_before)})


@pytest.mark.parametrize("days", [20, None])
def test_old_scores_are_no_good_news(filled: Callable[[Situation], Asked], days: int | None) -> None:
    """Where the monitor has stopped, or has never run, that is told, and no light is green."""
    asked = filled(replace(SHORT, days=22, issued=timedelta(hours=5)))
    with asked.database.writer.begin() as connection:
        connection.execute(
            delete(SCORES) if days is None else update(SCORES).values(time_s=SCORES.c.time_s - 86_400 * days)
        )
    day = day_of(asked)
    assert [finding["kind"] for finding in day["findings"]] == ["unwatched"]
    assert {error["light"] for error in day["errors"]} <= {None}
    (zone,) = asked.gateway.get("/api/v1/fleet").json()["zones"]
    assert (zone["finding"]["kind"], zone["light"]) == ("unwatched", None)


def test_a_cause_that_is_older_than_what_is_read_stays_the_cause(filled: Callable[[Situation], Asked]) -> None:
    """Both where two days are read and where four hours are; neither claims to know since when."""
    asked = filled(replace(SHORT, without_load=timedelta(hours=60)))
    finding = day_of(asked)["findings"][0]
    (zone,) = asked.gateway.get("/api/v1/fleet").json()["zones"]
    assert (finding["kind"], zone["finding"]["kind"]) == ("no_load", "no_load")
    assert "for more than 2\N{NARROW NO-BREAK SPACE}days" in finding["text"]
    assert "for more than 4\N{NARROW NO-BREAK SPACE}h" in zone["finding"]["text"]


def test_the_worst_of_all_zones_is_first_and_each_can_be_found(tmp_path: Path) -> None:
    """However many sites there are: the only one without load is the last by name."""
    asked = begun(tmp_path, clock=lambda: told.START)
    names = [f"site{n:03}" for n in range(250)]
    loads = [told.reading(0, None if name == names[-1] else 1.0, site=name) for name in names]
    told.tell(asked.database, loads)
    first = asked.gateway.get("/api/v1/fleet").json()
    assert (first["zones"][0]["site"], first["next"]) == (names[-1], 200)
    rest = asked.gateway.get("/api/v1/fleet?cursor=200").json()
    assert rest["next"] is None
    assert {zone["site"] for zone in first["zones"] + rest["zones"]} == set(names)
    (found,) = asked.gateway.get("/api/v1/fleet?search=SITE249").json()["zones"]
    assert found["site"] == names[-1]
    asked.database.close()
