"""What is asked of the history is what was told, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import URL, create_engine

from services.gateway.database import Database
from services.gateway.queries import AwayError, History, Span
from shared.sites.site import load_field
from tests.unit.gateway import told
from tests.unit.gateway.told import SITE, START, STEP, ZONE, tell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def history(database: Database) -> History:
    """One that can be told something."""
    return History(database.reader)


def seconds(step: int) -> int:
    """Return the time of a step."""
    return int((START + step * STEP).timestamp())


def test_readings_come_page_by_page_each_as_of_its_highest_revision(database: Database, history: History) -> None:
    """Where a page ends the next one begins, and a range has its end left out."""
    tell(database, [told.reading(step, 100.0 * step) for step in range(10)] + [told.reading(3, None, revision=1)])
    page = history.readings(SITE, Span(seconds(1), seconds(8)), 4)
    assert [reading.time for reading in page.items] == [START + step * STEP for step in range(1, 5)]
    assert page.items[2].revision == 1
    assert page.items[2].values[load_field(ZONE)] is None
    assert page.items[2].flags == {"zone_2_kw": {"flag": "outlier", "original": "1e9"}}
    assert page.following is not None
    rest = history.readings(SITE, Span(int(page.following.time.timestamp()), seconds(8)), 4)
    assert [reading.time for reading in rest.items] == [START + step * STEP for step in range(5, 8)]
    assert rest.following is None


def test_sites_and_zones_are_those_that_something_came_from(database: Database, history: History) -> None:
    """With the times of the first and the last."""
    tell(database, [told.reading(0), told.reading(5), told.reading(1, site="east/../1")])
    tell(database, [told.forecast(2), told.forecast(4), told.forecast(3, zone=11)])
    assert [site.site for site in history.sites("", 10).items] == ["east/../1", SITE]
    assert history.sites("f", 10).items[0].last == START + 5 * STEP
    zones = history.zones(SITE)
    assert [(zone.zone, zone.first_origin, zone.last_origin) for zone in zones] == [
        (2, START + 2 * STEP, START + 4 * STEP),
        (11, START + 3 * STEP, START + 3 * STEP),
    ]
    assert history.site("nowhere") is None
    assert history.zones("nowhere") == []


def test_a_site_has_the_fields_of_its_first_and_its_newest_reading(database: Database, history: History) -> None:
    """And a zone the intervals of its newest forecast; none where nothing has come."""
    fields = ("old_c", "rare_c", "new_c")
    tell(database, [told.reading(step).model_copy(update={"values": {name: 1.0}}) for step, name in enumerate(fields)])
    tell(database, [told.reading(9, site="other"), told.forecast(4), told.forecast(5, intervals=()), told.forecast(3)])
    assert history.fields(SITE) == ["old_c", "new_c"]
    assert history.coverages(SITE, ZONE) == []
    tell(database, [told.forecast(6)])
    assert history.coverages(SITE, ZONE) == [0.9]
    assert history.fields("nowhere") == []
    assert history.coverages("nowhere", ZONE) == []


def test_a_forecast_comes_back_with_its_age(database: Database, history: History) -> None:
    """Its numbers are those of the message, and its age is counted from the newest reading of the site."""
    message = told.forecast(3)
    tell(database, [told.forecast(2, 1.0), message, told.reading(0), told.reading(9)])
    latest = history.latest(SITE, ZONE)
    assert latest is not None
    assert latest.origin == message.origin
    assert latest.kw[0].tolist() == list(message.median_kw)
    assert latest.kw[2].tolist() == list(message.intervals[0].high_kw)
    assert latest.age_s == 3600
    assert latest.notes[0]["text"] == "the load has risen"
    of_origin = history.forecast(SITE, ZONE, START + 2 * STEP)
    assert of_origin is not None
    assert of_origin.kw[0, 0] == 1.0
    assert history.forecast(SITE, ZONE, START + timedelta(milliseconds=1)) is None
    assert history.latest(SITE, 3) is None


def test_all_that_was_forecast_for_a_time(database: Database, history: History) -> None:
    """Each of the forecasts of the day before it says it with another lead."""
    tell(database, [told.forecast(step, 1000.0 * step) for step in range(150)])
    views = history.views(SITE, ZONE, START + 146 * STEP)
    assert [view.lead for view in views] == list(range(144, 0, -1))
    assert [view.forecast.kw[0, view.column] for view in views[:2]] == [2000.0 + 143, 3000.0 + 142]
    level = views[-1].forecast.level_of(views[-1].lead)
    assert level is not None
    assert level["level"] == "adapted"
    assert history.views(SITE, ZONE, START + 146 * STEP + timedelta(minutes=1)) == []


def test_scores_of_a_day_are_those_of_its_last_hour(database: Database, history: History) -> None:
    """Midnight ends a day; a day that is not over has those of its last hour so far."""
    tell(database, [told.scores(hour) for hour in range(1, 30)])
    days = history.scores(SITE, ZONE, Span(), 10, daily=True)
    assert [day.time for day in days.items] == [START + timedelta(hours=24), START + timedelta(hours=29)]
    assert days.items[0].scores[0]["rmse_kw"] == 424.0
    assert len(history.scores(SITE, ZONE, Span(), 100, daily=False).items) == 29


def test_a_drift_event_is_as_it_was_told_last(database: Database, history: History) -> None:
    """A page goes on at an event, also among those that started together."""
    tell(database, [told.drift_event(name, 1) for name in "cab"] + [told.drift_event("a", 1, ended_hour=2)])
    page = history.drift_events(SITE, Span(), (0, ""), 2)
    assert [event["id"] for event in page.items] == ["a", "b"]
    assert page.items[0]["ended"] is not None
    rest = history.drift_events(SITE, Span(), (int((START + timedelta(hours=1)).timestamp()), "c"), 2)
    assert [event["id"] for event in rest.items] == ["c"]


def test_the_champion_is_the_version_that_was_promoted_last(database: Database, history: History) -> None:
    """Also where that is an older one again, and what is only registered is none."""
    events = [told.model_event("1", "promoted"), told.model_event("2", "promoted"), told.model_event("3", "registered")]
    tell(database, events)
    champion = ZONE, "weather-demand-tetouan-2"
    assert history.champions(SITE) == {champion: "2"}
    tell(database, [told.model_event("1", "rolled_back", step=3)], first_offset=9)
    assert history.champions(SITE) == {champion: "1"}
    assert [event["change"] for event in history.model_events(SITE)] == [
        "promoted", "promoted", "registered", "rolled_back"
    ]  # fmt: skip


def test_dead_letters_are_counted_by_reason(database: Database, history: History) -> None:
    """Of one site, or of all."""
    tell(database, [*(told.dead_letter(offset) for offset in range(3)), told.dead_letter(7, "stuck")])
    counts = history.dead_letters(SITE, Span())
    assert [(count.reason, count.count) for count in counts] == [("not_json", 3), ("stuck", 1)]
    assert history.dead_letters("nowhere", Span()) == []
    assert len(history.dead_letters(None, Span())) == 2


def test_estimates_stand_beside_the_loads_that_came(database: Database, history: History) -> None:
    """What is not there is NaN."""
    without: dict[str, Any] = {"weather_estimate_kw": None, "weather_model_kw": None}
    tell(database, [told.forecast(0), told.forecast(1), told.forecast(2, **without)])
    tell(database, [told.reading(1, 20_300.0), told.reading(2, 20_400.0)])
    estimates = history.estimates(SITE, ZONE, START)
    assert estimates.time_s.tolist() == [seconds(1), seconds(2)]
    assert np.array_equal(estimates.estimate_kw, [20_100.0, np.nan], equal_nan=True)
    assert np.array_equal(estimates.model_kw, [19_000.0, np.nan], equal_nan=True)
    assert estimates.load_kw.tolist() == [20_300.0, 20_400.0]
    assert history.estimates(SITE, ZONE, START + 9 * STEP).time_s.tolist() == []


def test_tables_that_are_not_there_yet_are_waited_for(url: URL) -> None:
    """Who asks while the gateway starts is told so, and to come again."""
    database = Database(url)
    with pytest.raises(AwayError, match="being prepared"):
        History(database.reader).site(SITE)
    database.close()


def test_a_database_that_cannot_be_opened_is_away(tmp_path: Path) -> None:
    """The reason is told."""
    database = Database(URL.create("sqlite", database=str(tmp_path / "nowhere" / "history.db")))
    with pytest.raises(AwayError, match="unable to open"):
        History(database.reader).latest(SITE, ZONE)
    database.close()


def test_connections_that_are_all_busy_are_told(tmp_path: Path) -> None:
    """Whoever finds none in time is to come again."""
    engine = create_engine(f"sqlite:///{tmp_path / 'history.db'}", pool_size=1, max_overflow=0, pool_timeout=0)
    with engine.connect(), pytest.raises(AwayError, match="connections are busy"):
        History(engine).site(SITE)
    engine.dispose()
