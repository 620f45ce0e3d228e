"""The values of tags, and how far they can be believed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from services.gateway.opcua.board import OVERDUE_STEPS, Board, Change, ZoneName
from services.gateway.opcua.tags import Quality, TagValue
from services.gateway.opcua.told import told_by
from shared.contracts.messages import CleanReading, DriftEvent, Flagged, Forecast, LevelSpan, Scores
from tests.unit.gateway import told
from tests.unit.gateway.told import START, STEP

if TYPE_CHECKING:
    from shared.contracts.messages import Message

ZONE = ZoneName("tetouan", 2)
KINDS = {CleanReading: "readings", Forecast: "forecasts", Scores: "scores", DriftEvent: "drift"}
OVERDUE_S = OVERDUE_STEPS * 600


class Screen:
    """A board, and what it has told of each tag."""

    def __init__(self, leads_minutes: tuple[int, ...] = (10, 60, 1440), most_zones: int = 10) -> None:
        self.board = Board(leads_minutes, most_zones)
        self.shown: dict[tuple[ZoneName, str], TagValue] = {}

    def tell(self, *messages: Message, at_s: float | None = 0.0) -> list[Change]:
        """Tell the board of messages, or with no time of what the history has."""
        changes = []
        for message in messages:
            of = told_by(KINDS[type(message)], message.to_bytes())
            changes += self.board.recall(of) if at_s is None else self.board.take(of, at_s)
        return self._show(changes)

    def look(self, at_s: float) -> list[Change]:
        """Look for what is overdue."""
        return self._show(self.board.overdue(at_s))

    def _show(self, changes: list[Change]) -> list[Change]:
        self.shown |= {(change.zone, change.tag): change.value for change in changes}
        return changes

    def __getitem__(self, tag: str) -> tuple[Any, Quality]:
        """Return value and quality of a tag."""
        value = self.shown[ZONE, tag]
        return value.value, value.quality


def test_a_reading_and_a_forecast_are_shown_with_their_times() -> None:
    """The load of the zone; median and bounds at each lead; the worst level of these leads."""
    screen = Screen()
    screen.tell(told.reading(0, 19_500.0), told.forecast(0))
    assert screen["Load"] == (19_500.0, Quality.GOOD)
    assert screen["Forecast10min"] == (20_000.0, Quality.GOOD)
    assert screen["Forecast60min"] == (20_005.0, Quality.GOOD)
    assert screen["Forecast60minLow"] == (19_505.0, Quality.GOOD)
    assert screen["Forecast1440minHigh"] == (20_643.0, Quality.GOOD)
    assert screen["Origin"] == (START, Quality.GOOD)
    assert screen["Level"] == ("frozen", Quality.GOOD)
    assert screen["LevelNumber"] == (1, Quality.GOOD)
    assert {value.time for (_, tag), value in screen.shown.items() if tag.startswith(("Load", "Fore"))} == {START}
    assert screen["DriftSeverity"] == (0, Quality.INITIAL)  # nobody has said yet that it is watched


def test_a_site_of_another_step_has_the_next_lead_that_it_knows() -> None:
    """At a step of an hour ten minutes are the next hour; a lead behind the last one has no value."""
    screen = Screen()
    screen.tell(told.forecast(0, step_minutes=60))
    assert screen["Forecast10min"] == screen["Forecast60min"] == (20_000.0, Quality.GOOD)
    screen = Screen((1440,))
    short = told.forecast(0, median_kw=1.0)
    (interval,) = short.intervals
    cut = interval.model_copy(update={"low_kw": interval.low_kw[:6], "high_kw": interval.high_kw[:6]})
    screen.tell(short.model_copy(update={"median_kw": short.median_kw[:6], "intervals": (cut,)}))
    assert screen["Forecast1440min"] == (None, Quality.MISSING)


@pytest.mark.parametrize(
    ("flag", "quality"), [("outlier", Quality.OUTLIER), ("missing", Quality.MISSING), ("stuck", Quality.FAILED)]
)
def test_a_reading_without_the_load_says_why(flag: Any, quality: Quality) -> None:
    """There is no value, and the forecast goes on."""
    screen = Screen()
    none = told.reading(1, None)
    screen.tell(told.reading(0), told.forecast(0))
    screen.tell(none.model_copy(update={"flags": {"zone_2_kw": Flagged(flag=flag)}}))
    assert screen["Load"] == (None, quality)
    assert screen["Forecast10min"] == (20_000.0, Quality.GOOD)


def test_what_is_overdue_is_stale_until_the_next_message() -> None:
    """Two and a half steps after the last one, once; value and time stay."""
    screen = Screen()
    screen.tell(told.reading(0), told.forecast(0), at_s=100.0)
    screen.tell(told.reading(1), at_s=700.0)
    assert screen.look(100.0 + OVERDUE_S - 1) == []
    screen.look(100.0 + OVERDUE_S)
    assert screen["Forecast10min"] == (20_000.0, Quality.STALE)
    assert screen["Load"][1] is Quality.GOOD
    assert screen.look(700.0 + OVERDUE_S)
    assert screen["Load"] == (20_000.0, Quality.STALE)
    assert screen.shown[ZONE, "Load"].time == START + STEP
    assert screen.look(1e9) == []
    screen.tell(told.reading(2), told.forecast(2), at_s=1e9)
    assert [screen[tag][1] for tag in ("Load", "Forecast10min")] == [Quality.GOOD] * 2


def test_drift_is_stale_where_nobody_watches() -> None:
    """Two and a half hours after the last scores, also where readings go on, or an event comes; scores mend it."""
    screen = Screen()
    screen.tell(told.reading(0), told.forecast(0), told.scores(1), at_s=0.0)
    assert screen["DriftSeverity"] == (0, Quality.GOOD)
    screen.tell(told.reading(1), at_s=2.5 * 3600)
    screen.look(2.5 * 3600)
    assert (screen["Rmse"][1], screen["DriftSeverity"]) == (Quality.STALE, (0, Quality.STALE))
    screen.tell(told.drift_event("a", 1), at_s=2.6 * 3600)
    assert screen["DriftSeverity"] == (2, Quality.STALE)
    screen.tell(told.scores(2), at_s=2.7 * 3600)
    assert screen["DriftSeverity"] == (2, Quality.GOOD)


def test_the_history_tells_of_drift_that_no_message_has_told_of() -> None:
    """What has ended unheard goes, and what has begun comes; an end that the history lacks as yet is not taken back."""
    screen = Screen()
    a, b = told.drift_event("a", 1), told.drift_event("b", 1)
    ended = {"ended": START + timedelta(hours=5)}
    screen.tell(told.forecast(0), told.scores(1), a)
    assert screen.board.drift_events == ["a"]
    screen.tell(a.model_copy(update=ended), b, at_s=None)
    assert (screen["DriftSeverity"], screen.board.drift_events) == ((2, Quality.GOOD), ["b"])
    screen.tell(b.model_copy(update=ended))
    screen.tell(b, at_s=None)
    assert (screen["DriftSeverity"][0], screen.board.drift_events) == (0, ["b"])
    screen.tell(b.model_copy(update=ended), at_s=None)
    assert screen.board.drift_events == []


def test_what_is_late_changes_nothing() -> None:
    """An older reading or forecast that comes again; a correction of the newest reading counts."""
    screen = Screen()
    screen.tell(told.reading(5), told.forecast(5))
    assert screen.tell(told.reading(4, 1.0), told.forecast(4, 1.0)) == []
    screen.tell(told.reading(5, 18_000.0, revision=1))
    assert screen["Load"] == (18_000.0, Quality.GOOD)
    assert screen.tell(told.reading(5, 1.0)) == []


def test_the_worst_drift_event_that_lasts_is_shown() -> None:
    """Those of the whole site, too; one that ends gives way to the next, and the last one to none."""
    screen = Screen()
    warning = told.drift_event("a", 1)
    critical = told.drift_event("b", 2).model_copy(update={"severity": "critical", "zone": None, "text": "look"})
    other_zone = told.drift_event("c", 2).model_copy(update={"severity": "critical", "zone": 3})
    screen.tell(told.reading(0), warning, told.forecast(0), told.scores(0), other_zone)
    assert screen["DriftSeverity"] == (("none", "info", "warning", "critical").index(warning.severity), Quality.GOOD)
    screen.tell(critical)
    assert [screen["DriftSeverity"][0], screen["DriftText"][0]] == [3, "look"]
    assert screen.shown[ZONE, "DriftSeverity"].time == critical.started
    ended = START + timedelta(hours=9)
    screen.tell(critical.model_copy(update={"ended": ended}), warning.model_copy(update={"ended": ended}))
    assert [screen["DriftSeverity"][0], screen["DriftText"][0]] == [0, ""]
    assert screen.shown[ZONE, "DriftSeverity"].time == ended


def test_what_the_history_tells_is_uncertain_until_a_message_comes() -> None:
    """Also where the message says the same."""
    screen = Screen()
    screen.tell(told.reading(0), told.forecast(0), told.scores(1), told.drift_event("a", 1), at_s=None)
    tags = ("Load", "Forecast10min", "Rmse", "DriftSeverity")
    assert {screen[tag][1] for tag in tags} == {Quality.INITIAL}
    assert screen.look(1e9) == []
    screen.tell(told.reading(0), told.forecast(0), told.scores(1))
    assert {screen[tag][1] for tag in tags} == {Quality.GOOD}


def test_scores_are_shown_once_there_are_any() -> None:
    """The mean over all leads of seven days; those of a zone without forecasts are passed over."""
    screen = Screen()
    assert screen.tell(told.scores(1)) == []
    screen.tell(told.forecast(0), told.scores(2))
    assert screen["Rmse"] == (402.0, Quality.GOOD)
    assert screen["Coverage"] == (90.0, Quality.GOOD)


def test_zones_beyond_the_most_are_left_out_and_counted() -> None:
    """Each once, however often it comes."""
    screen = Screen(most_zones=2)
    for zone in (1, 2, 3, 4, 3):
        screen.tell(told.forecast(0, zone=zone))
    assert {zone.zone for zone, _ in screen.shown} == {1, 2}
    assert (screen.board.zones, screen.board.left_out) == (2, 2)


@pytest.mark.parametrize("levels", [("adapted", "climatology"), ("climatology", "adapted")])
def test_the_level_is_the_worst_of_the_leads_that_are_shown(levels: tuple[Any, Any]) -> None:
    """What answers other leads alone says nothing."""
    screen = Screen((10, 60))
    spans = (
        LevelSpan(from_lead=1, to_lead=3, level=levels[0]),
        LevelSpan(from_lead=4, to_lead=100, level=levels[1]),
        LevelSpan(from_lead=101, to_lead=144, level="weather"),
    )
    screen.tell(told.forecast(0, levels=spans))
    assert screen["Level"] == ("climatology", Quality.GOOD)


def test_what_is_no_message_is_told_as_such() -> None:
    """``ValueError`` for broken JSON, a message of another kind, and a kind without tags."""
    for kind, raw in (("readings", b"{"), ("forecasts", told.reading(0).to_bytes()), ("drift", b"[]"), ("x", b"{}")):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the words of the reader
            told_by(kind, raw)
