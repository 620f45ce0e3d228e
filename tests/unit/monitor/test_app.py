"""The monitor's wiring without a broker: records in, scores and drift events out, figures for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.monitor.app import MonitorCore
from services.monitor.metrics import MonitorMetrics
from services.monitor.reports.desk import ReportDesk
from services.monitor.reports.metrics import ReportMetrics
from services.monitor.reports.order import Calendar
from services.monitor.settings import MonitorSettings
from services.monitor.verification import Monitor
from shared.contracts import topics
from shared.contracts.messages import CleanReading, DriftEvent, Scores
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.other_sites import OtherSites
from shared.runtime.settings import load
from shared.sites.table import site
from tests.unit.monitor.test_forecast_error import BROKEN_AT, DAY, DETECTORS, errors, in_turn, loads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.contracts.messages import Forecast
    from shared.runtime.records import Outgoing


@dataclass
class Consumed:
    """A record as a broker hands it over."""

    value: bytes | None
    topic: str
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"tetouan"
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1


def records(messages: Sequence[CleanReading | Forecast]) -> list[Consumed]:
    """Return the messages as they lie on their topics."""
    return [
        Consumed(one.to_bytes(), (topics.CLEAN if isinstance(one, CleanReading) else topics.FORECASTS).name)
        for one in messages
    ]


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return the registry of one monitor."""
    return CollectorRegistry()


@pytest.fixture
def core(registry: CollectorRegistry, tmp_path: Path) -> MonitorCore:
    """Return the core of a monitor that has seen nothing."""
    return core_with(registry, tmp_path)


def core_with(registry: CollectorRegistry, tmp_path: Path) -> MonitorCore:
    """Return the core of a monitor whose site is read every half hour."""
    place = site("tetouan").model_copy(update={"step_minutes": 30})
    desk = ReportDesk(load(MonitorSettings, state_dir=tmp_path), place.step_minutes, ReportMetrics(registry))
    metrics, letters = MonitorMetrics(registry), DeadLetters(registry)
    others = OtherSites("monitor", place.name, registry, Health())
    return MonitorCore(place, Monitor((2,)), metrics, letters, desk, Calendar(24), others)


STREAM = records(in_turn(loads(errors(6), 1.15, BROKEN_AT)))
FOUND_BY = 2 * (BROKEN_AT + DAY // 2)  # half a day of readings and forecasts after the change


def events(sent: Sequence[Outgoing]) -> list[DriftEvent]:
    """Return the drift events among the answers."""
    return [DriftEvent.from_bytes(one.value or b"") for one in sent if one.topic == topics.DRIFT.name]


def test_scores_and_drift_events_go_to_their_topics(core: MonitorCore) -> None:
    """Each answer is what its topic holds, keyed by the site; scores come every hour, events when something changed."""
    sent = core.handle(STREAM)
    assert {one.key for one in sent} == {b"tetouan"}
    assert len([Scores.from_bytes(one.value or b"") for one in sent if one.topic == topics.SCORES.name]) == 6 * 24
    assert {event.detector for event in events(sent)} == set(DETECTORS)
    assert len(sent) == 6 * 24 + len(events(sent))


def test_scores_are_shown_by_lead_group(core: MonitorCore, registry: CollectorRegistry) -> None:
    """Each figure has the name of its group and the lead that is scored, here of half-hourly readings; or the mean."""
    core.handle(STREAM)
    groups = {
        (sample.labels["lead_minutes"], sample.labels["scored_minutes"])
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "tetouan_forecast_rmse_kw"
    }
    assert groups == {("10", "30"), ("60", "60"), ("360", "360"), ("1440", "1440"), ("mean", "mean")}


def test_a_drift_event_says_what_to_check(core: MonitorCore) -> None:
    """One plain sentence for the person who reads it."""
    (text,) = {event.text for event in events(core.handle(STREAM))}
    assert text == (
        "the forecast of zone 2 one hour ahead errs otherwise than it did: check the meter; if the load has really "
        "changed, the forecast adapts: follow its scores"
    )


@pytest.mark.parametrize("detector", DETECTORS)
def test_detections_are_counted_and_an_open_event_shows(
    core: MonitorCore, registry: CollectorRegistry, detector: str
) -> None:
    """A detection counts once, its event is open for a day, and then it is not."""
    labels = {"site": "tetouan", "zone": "2", "detector": detector}
    severe = {**labels, "severity": "warning"}
    core.handle(STREAM[: 2 * BROKEN_AT])
    assert registry.get_sample_value("tetouan_drift_detections_total", labels) is None
    assert registry.get_sample_value("tetouan_drift_open_events", severe) == 0
    assert 0 <= (registry.get_sample_value("tetouan_drift_score_ratio", labels) or 0) < 1
    sent = core.handle(STREAM[2 * BROKEN_AT : FOUND_BY])
    opened = [event for event in events(sent) if event.detector == detector]
    assert registry.get_sample_value("tetouan_drift_detections_total", labels) == len(opened) > 0
    assert registry.get_sample_value("tetouan_drift_open_events", severe) == 1
    back = records(in_turn([*loads(errors(6))[: FOUND_BY // 2], *loads(errors(9))[FOUND_BY // 2 :]]))
    core.handle(back[FOUND_BY:])
    assert registry.get_sample_value("tetouan_drift_open_events", severe) == 0


def test_the_error_of_the_last_hour_shows_and_goes(core: MonitorCore, registry: CollectorRegistry) -> None:
    """An hour without readings has no error, so its series is gone and not stale."""
    name, labels = "tetouan_forecast_standardised_error", {"site": "tetouan", "zone": "2"}
    core.handle(STREAM[:40])
    assert registry.get_sample_value(name, labels) is not None
    core.handle(records(in_turn([None] * 40))[40:])
    assert registry.get_sample_value(name, labels) is None


def test_a_restored_monitor_goes_on_as_if_it_had_never_stopped(core: MonitorCore, tmp_path: Path) -> None:
    """What comes after the messages that it reads again at its start is found as the same bytes."""
    before = 2 * BROKEN_AT + 3
    core.handle(STREAM[:before])
    uninterrupted = core.handle(STREAM[before:])
    again = core_with(CollectorRegistry(), tmp_path)
    again.restore(STREAM[:before])
    assert [one.value for one in again.handle(STREAM[before:])] == [one.value for one in uninterrupted]
    assert events(uninterrupted)


def test_records_of_other_sites_are_counted(core: MonitorCore, registry: CollectorRegistry) -> None:
    """Readings and forecasts alike: they are neither scored nor refused, and what is restored is not counted."""
    elsewhere = [
        replace(record, value=(record.value or b"").replace(b'"tetouan"', b'"north"')) for record in STREAM[:10]
    ]
    core.restore(elsewhere)
    assert core.handle(elsewhere) == []
    assert registry.get_sample_value("tetouan_other_sites_records_total", {"site": "north"}) == 10
