"""What is marked on the chart: gaps of the load, changes of its level, and of the clock of the site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.gateway.page.alarm import Judgement
from services.gateway.page.marks import clock_changes, continuous, gaps, marks
from services.gateway.page.words import Words

NOON = datetime(2017, 10, 19, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)


def at(step: int) -> datetime:
    """Return a time so many steps after noon."""
    return NOON + step * STEP


def test_a_time_that_is_missing_breaks_the_line() -> None:
    """One load that is None stands in for all that are missing in a row, and nothing is changed where none is."""
    loads: list[tuple[datetime, float | None]] = [(at(0), 1.0), (at(1), 2.0), (at(5), 3.0)]
    assert continuous(loads, STEP) == [(at(0), 1.0), (at(1), 2.0), (at(2), None), (at(5), 3.0)]
    assert continuous(loads[:2], STEP) == loads[:2]


def test_a_gap_lasts_from_the_first_missing_load_to_the_next_one() -> None:
    """The last one has no end as long as no load has come; what is known throughout has none."""
    assert gaps([(at(0), 1.0), (at(1), None), (at(2), None), (at(3), 1.0), (at(4), None)]) == [
        (at(1), at(3)),
        (at(4), None),
    ]
    assert gaps([(at(0), 1.0), (at(1), 1.0)]) == []


def test_a_change_of_the_clock_is_found_to_the_half_hour() -> None:
    """In Madrid at one in UTC, on Lord Howe Island at a half; in UTC never."""
    begin = datetime(2017, 10, 28, 23, 45, tzinfo=UTC)
    assert clock_changes(begin, begin + timedelta(days=1), "Europe/Madrid") == [datetime(2017, 10, 29, 1, tzinfo=UTC)]
    spring = datetime(2017, 9, 30, tzinfo=UTC)
    assert clock_changes(spring, spring + timedelta(days=1), "Australia/Lord_Howe") == [spring + timedelta(hours=15.5)]
    assert clock_changes(begin, begin + timedelta(days=400), "UTC") == []


def test_marks_come_by_time_in_the_language_that_is_asked_for() -> None:
    """A gap with both its times, a new level with that of the finding, a clock with both its offsets."""
    begin = datetime(2017, 10, 28, 22, tzinfo=UTC)
    loads = continuous([(begin, 1.0), (begin + timedelta(hours=1), 1.0)], STEP)
    said = [Judgement("shift", "warning", {"since": begin + timedelta(minutes=30)}), Judgement("coverage", "warning")]
    found = marks(loads, said, begin + timedelta(days=1), Words("es", "Europe/Madrid"))
    assert [mark.kind for mark in found] == ["gap", "shift", "clock"]
    assert found[0].text == "Sin carga de dom 29 oct 2017 00:10 a dom 29 oct 2017 01:00."
    assert found[1].text == "La carga ha cambiado de nivel desde dom 29 oct 2017 00:30."
    assert found[2].text.endswith("pasa de UTC+02:00 a UTC+01:00.")


def test_a_level_that_changed_before_the_chart_is_not_on_it() -> None:
    """The line above the chart tells of it."""
    said = [Judgement("outage", "critical", {"since": at(-1)})]
    assert marks([(at(0), 1.0)], said, at(6), Words()) == []
