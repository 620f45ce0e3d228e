"""The monitor's wiring without a broker: records in, scores and drift events out, figures for Prometheus."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.monitor.app import MonitorCore, MonitorShared
from services.monitor.settings import MonitorSettings
from shared.contracts import topics
from shared.contracts.messages import CleanReading, DeadLetter, DriftEvent, Scores
from shared.runtime.health import Health
from shared.runtime.settings import load
from tests.unit.consumed import Consumed
from tests.unit.monitor.places import place
from tests.unit.monitor.test_forecast_error import (
    BROKEN_AT,
    DAY,
    DETECTORS,
    LEVEL_KW,
    errors,
    in_turn,
    loads,
    reading,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.contracts.messages import Forecast
    from shared.runtime.records import Outgoing
    from shared.sites.site import Site


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
def core(registry: CollectorRegistry) -> MonitorCore:
    """Return the core of a monitor that has seen nothing."""
    return core_with(registry)


def core_with(registry: CollectorRegistry, *sites: Site, health: Health | None = None) -> MonitorCore:
    """Return the core of a monitor of these sites; by default one that is read every half hour."""
    return MonitorCore(shared_by(registry, *sites, health=health))


def shared_by(registry: CollectorRegistry, *sites: Site, health: Health | None = None) -> MonitorShared:
    """Return what the cores of a process with these sites have in common."""
    table = {site.name: site for site in sites or (place(),)}
    return MonitorShared.of(load(MonitorSettings), table, registry, health or Health())


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


def test_scores_have_the_wire_form_of_their_message(core: MonitorCore) -> None:
    """To the byte: the fields in their order, numbers as its model writes them."""
    sent = [one.value for one in core.handle(STREAM) if one.topic == topics.SCORES.name]
    assert sent
    assert sent == [Scores.from_bytes(value).to_bytes() for value in sent]


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


def test_a_restored_monitor_goes_on_as_if_it_had_never_stopped(core: MonitorCore) -> None:
    """What comes after the messages that it reads again at its start is found as the same bytes."""
    before = 2 * BROKEN_AT + 3
    core.handle(STREAM[:before])
    uninterrupted = core.handle(STREAM[before:])
    again = core_with(CollectorRegistry())
    again.restore(STREAM[:before])
    assert [one.value for one in again.handle(STREAM[before:])] == [one.value for one in uninterrupted]
    assert events(uninterrupted)


def of_site(name: str, stream: Sequence[Consumed]) -> list[Consumed]:
    """Return the same records of another site."""
    quoted = f'"{name}"'.encode()
    return [
        replace(record, key=name.encode(), value=(record.value or b"").replace(b'"tetouan"', quoted))
        for record in stream
    ]


def test_records_of_sites_that_the_table_does_not_have_are_counted_and_told(registry: CollectorRegistry) -> None:
    """They are neither decoded, nor scored, nor refused; what is restored is not counted."""
    health = Health()
    core = core_with(registry, health=health)
    elsewhere = [*of_site("north", STREAM[:9]), replace(STREAM[0], value=b'{"site": "north", "no": "message"}')]
    core.restore(elsewhere)
    assert "unknown sites" not in health.notes
    assert core.handle(elsewhere) == []
    assert registry.get_sample_value("tetouan_unknown_site_records_total", {"site": "north"}) == 10
    assert "north (10)" in health.notes["unknown sites"]


READING = reading(0, LEVEL_KW).to_bytes()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "Invalid JSON"),
        (READING.replace(b'"step_minutes":30', b'"step_minutes":10'), "step_minutes: 10, the site has 30"),
        (READING.replace(b'"site":"tetouan"', b'"x":{"site":"tetouan"},"site":"east"'), "the message names two sites"),
    ],
)
def test_what_cannot_be_scored_is_a_dead_letter(core: MonitorCore, value: bytes, said: str) -> None:
    """The original bytes, with the reason that names field and value; the stream goes on."""
    refused, *_ = core.handle([replace(STREAM[0], value=value), *STREAM[:4]])
    letter = DeadLetter.from_headers(refused.headers)
    assert (refused.topic, refused.value, letter.reason) == (topics.REJECTED.name, value, "invalid_clean_reading")
    assert said in (letter.value or "")


def test_repeats_are_counted_by_site(registry: CollectorRegistry) -> None:
    """Each message that came again, whichever core of the process had it."""
    shared = shared_by(registry, place(), place("north"))
    for name, again in (("tetouan", 3), ("north", 5)):
        core = MonitorCore(shared)
        mine = of_site(name, STREAM[:20])
        core.handle([*mine, *mine[-2 * again :]])
        for kind in ("forecasts", "readings"):
            assert registry.get_sample_value(f"tetouan_repeated_{kind}_total", {"site": name}) == again


def test_waiting_readings_are_shown_by_site(registry: CollectorRegistry) -> None:
    """As many as wait now, of the sites of all cores."""
    shared = shared_by(registry, place(), place("north"))
    readings = [record for record in STREAM if record.topic == topics.CLEAN.name]
    MonitorCore(shared).handle(readings[:4])
    MonitorCore(shared).handle(of_site("north", readings[:6]))
    waiting = {
        site: registry.get_sample_value("tetouan_waiting_readings", {"site": site}) for site in ("tetouan", "north")
    }
    assert waiting == {"tetouan": 4, "north": 6}


def labelled(registry: CollectorRegistry) -> set[str]:
    """Return the sites that have a series."""
    samples = (sample for family in registry.collect() for sample in family.samples)
    return {sample.labels["site"] for sample in samples if "site" in sample.labels}


def test_a_closed_core_shows_nothing_of_its_sites(registry: CollectorRegistry) -> None:
    """Every series of its sites is gone, those of another core's stay."""
    shared = shared_by(registry, place(), place("north"))
    one, other = MonitorCore(shared), MonitorCore(shared)
    one.handle([*STREAM, *STREAM[-4:]])
    other.handle(of_site("north", STREAM))
    assert labelled(registry) == {"tetouan", "north"}
    one.close()
    assert labelled(registry) == {"north"}


def test_a_core_that_was_replaced_does_not_take_away_what_the_next_one_shows(registry: CollectorRegistry) -> None:
    """A task that is made anew shows its sites before the last one is closed."""
    shared = shared_by(registry)
    one, other = MonitorCore(shared), MonitorCore(shared)
    one.handle(STREAM[:40])
    other.restore(STREAM[:40])
    other.handle(STREAM[40:80])
    one.close()
    assert registry.get_sample_value("tetouan_waiting_readings", {"site": "tetouan"}) == 0
