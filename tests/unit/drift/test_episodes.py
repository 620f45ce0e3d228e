"""How detections become events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.drift.episodes import QUIET, Episodes, Subject
from tests.unit.states import assert_same

START = datetime(2020, 2, 29, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
SUBJECT = Subject("tetouan", 2, "model", "zone_2_kw", "page_hinkley_1h", "warning", "check the meter")


def test_a_detection_opens_an_event() -> None:
    """The message says what is watched, when it started, how strong it is; its id follows from that."""
    (event,) = Episodes(SUBJECT).found(START, 15.25, 12.0)
    assert event.id == "tetouan-2-page_hinkley_1h-2020-02-29T05:00:00Z"
    assert (event.kind, event.feature, event.severity, event.report) == ("model", "zone_2_kw", "warning", None)
    assert event.text == "check the meter"
    assert (event.started, event.ended, event.score, event.threshold) == (START, None, 15.25, 12.0)


def test_within_a_day_it_grows() -> None:
    """Further detections keep id and start, and put off the end by a day; only a larger score is sent again."""
    episodes = Episodes(SUBJECT)
    (first,) = episodes.found(START, 15.0, 12.0)
    assert episodes.found(START + 10 * HOUR, 13.0, 12.0) == []
    assert episodes.found(START + 11 * HOUR, 15.0004, 12.0) == []  # it would be the same message
    (stronger,) = episodes.found(START + 11 * HOUR + QUIET, 21.0, 12.0)
    assert stronger == first.model_copy(update={"score": 21.0})
    assert episodes.pass_to(START + 11 * HOUR + 2 * QUIET) == []
    (ended,) = episodes.pass_to(START + 12 * HOUR + 2 * QUIET)
    assert ended == stronger.model_copy(update={"ended": START + 11 * HOUR + 2 * QUIET})


def test_it_ends_once_whenever_the_clock_gets_there() -> None:
    """After a gap of weeks it has ended a day after its last detection, and is not sent again."""
    episodes = Episodes(SUBJECT)
    episodes.found(START, 15.0, 12.0)
    (ended,) = episodes.pass_to(START + timedelta(days=30))
    assert ended.ended == START + QUIET
    assert episodes.open is None
    assert episodes.pass_to(START + timedelta(days=31)) == []


def test_a_detection_after_the_end_is_another_event() -> None:
    """Both are sent: the one that ended, then the one that opens, with an id of its own."""
    episodes = Episodes(SUBJECT)
    (first,) = episodes.found(START, 15.0, 12.0)
    ended, second = episodes.found(START + timedelta(days=3), 13.0, 12.0)
    assert (ended.id, ended.ended) == (first.id, START + QUIET)
    assert (second.started, second.score, second.ended) == (START + timedelta(days=3), 13.0, None)
    assert second.id != first.id


def test_what_has_no_zone_is_named_by_its_feature() -> None:
    """The id of a weather event tells it from those of other features."""
    (event,) = Episodes(Subject("tetouan", None, "data", "temperature_c", "w", "info", "compare")).found(
        START, 2.0, 1.0
    )
    assert event.id == "tetouan-temperature_c-w-2020-02-29T05:00:00Z"


def test_an_episode_that_has_ended_leaves_nothing() -> None:
    """It does not come back with a state: the arrays are those of one that has found nothing."""
    episodes = Episodes(SUBJECT)
    episodes.found(START, 15.25, 12.0)
    episodes.pass_to(START + 200 * HOUR)
    assert_same(episodes.state(), Episodes(SUBJECT).state())
