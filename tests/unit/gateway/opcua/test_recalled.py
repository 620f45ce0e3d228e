"""What the history tells at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.opcua.recalled import all_sites, drift_now, told_of
from services.gateway.opcua.told import told_by
from services.gateway.queries import History
from services.gateway.tables import DRIFT_EVENTS
from tests.unit.gateway import told

if TYPE_CHECKING:
    from services.gateway.database import Database


def test_it_tells_the_newest_as_the_topics_would(database: Database) -> None:
    """The last reading and forecast, and the scores of the last hour."""
    told.tell(database, [told.reading(step, 20_000.0 + step) for step in range(20)])
    told.tell(database, [told.reading(19, None, revision=1)])
    told.tell(database, [told.forecast(step) for step in range(19)])
    told.tell(database, [told.scores(hour) for hour in range(1, 4)])
    told.tell(database, [told.drift_event("a", 1), told.drift_event("b", 1, ended_hour=2)])
    history = History(database.reader)
    assert told_of(history, all_sites(history)) == [
        told_by("readings", told.reading(19, None, revision=1).to_bytes()),
        told_by("forecasts", told.forecast(18).to_bytes()),
        told_by("scores", told.scores(3).to_bytes()),
    ]


def test_drift_is_what_lasts_and_the_end_of_what_was_known(database: Database) -> None:
    """Of all sites; of many known ones, too; what is no drift event is passed over."""
    ended = told.drift_event("b", 1, ended_hour=2)
    told.tell(database, [told.drift_event("a", 1), ended, told.drift_event("c", 1, ended_hour=2)])
    history = History(database.reader)
    known = ["a", "b", *(f"gone-{number}" for number in range(1200))]
    expected = [told_by("drift", event.to_bytes()) for event in (told.drift_event("a", 1), ended)]
    assert drift_now(history, known) == expected
    with database.writer.begin() as connection:
        connection.execute(DRIFT_EVENTS.update().where(DRIFT_EVENTS.c.id == "a").values(payload_json="{}"))
    assert drift_now(history, known) == expected[1:]


def test_an_empty_history_tells_nothing(database: Database) -> None:
    """It has no sites."""
    assert all_sites(History(database.reader)) == []
