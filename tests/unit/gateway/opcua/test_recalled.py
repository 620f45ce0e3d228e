"""What the history tells at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.opcua.recalled import all_sites, told_of
from services.gateway.opcua.told import told_by
from services.gateway.queries import History
from tests.unit.gateway import told

if TYPE_CHECKING:
    from services.gateway.database import Database


def test_it_tells_the_newest_as_the_topics_would(database: Database) -> None:
    """The last reading and forecast, the scores of the last hour, and the drift events that last."""
    told.tell(database, [told.reading(step, 20_000.0 + step) for step in range(20)])
    told.tell(database, [told.reading(19, None, revision=1)])
    told.tell(database, [told.forecast(step) for step in range(19)])
    told.tell(database, [told.scores(hour) for hour in range(1, 4)])
    told.tell(database, [told.drift_event("a", 1), told.drift_event("b", 1, ended_hour=2)])
    history = History(database.reader)
    assert told_of(history, all_sites(history)) == [
        told_by("readings", told.reading(19, None, revision=1).to_bytes()),
        told_by("drift", told.drift_event("a", 1).to_bytes()),
        told_by("forecasts", told.forecast(18).to_bytes()),
        told_by("scores", told.scores(3).to_bytes()),
    ]


def test_an_empty_history_tells_nothing(database: Database) -> None:
    """It has no sites."""
    assert all_sites(History(database.reader)) == []
