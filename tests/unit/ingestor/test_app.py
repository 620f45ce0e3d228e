"""The ingestor's wiring without a broker: what it knows survives a stop, and the past is folded in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.ingestor.app import IngestorCore, build
from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Rejected
from services.ingestor.load_doubts import LoadDoubts
from services.ingestor.metrics import IngestorMetrics
from services.ingestor.settings import IngestorSettings
from services.ingestor.unknown_fields import UnknownFields
from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.runtime.letters import DeadLetters
from shared.runtime.settings import load
from shared.runtime.state import OutdatedError
from shared.sites.table import site
from shared.sites.unserved import UNSERVED
from tests.unit.consumed import Consumed
from tests.unit.ingestor.readings import raw
from tests.unit.states import (
    assert_misfits_are_refused,
    assert_numbered,
    assert_same,
    assert_writable,
    resume,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from shared.runtime.records import Outgoing
    from shared.sites.site import Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MARCH_MS = int(1000 * datetime(2020, 3, 1, tzinfo=UTC).timestamp())


@dataclass
class Raw(Consumed):
    """One of the topic that an ingestor reads, sent now."""

    topic: str = f"test.{topics.RAW.name}"
    timestamp: int = int(1000 * NOW.timestamp())


TETOUAN = site("tetouan")


def core(
    registry: CollectorRegistry | None = None, notes: dict[str, str] | None = None, sites: Sequence[Site] = (TETOUAN,)
) -> IngestorCore:
    """Return the core of an ingestor that has seen nothing."""
    registry = registry or CollectorRegistry()
    metrics = IngestorMetrics(registry)
    notes = {} if notes is None else notes
    told = UnknownFields(metrics.unknown_fields, notes), LoadDoubts(metrics.doubts, notes)
    return IngestorCore(Ingestor(sites, timedelta(days=3)), metrics, DeadLetters(registry), *told)


def published(sent: Sequence[Outgoing]) -> list[Raw]:
    """Return the clean readings among the answers, as a broker hands them over."""
    return [Raw(one.value, f"test.{one.topic}") for one in sent if one.topic == topics.CLEAN.name]


def records(*times: str) -> list[Raw]:
    """Return raw records of these times, numbered."""
    return [Raw(raw(time), offset=offset) for offset, time in enumerate(times)]


def outcomes(sent: Sequence[Outgoing]) -> list[tuple[str, bytes]]:
    """Return topic, and reading or reason, of each answer: what does not depend on when it was given."""
    return [
        (one.topic, DeadLetter.from_headers(one.headers).reason.encode() if one.headers else one.value) for one in sent
    ]


AHEAD = [f"6/1/2020 0:{minute}0" for minute in range(6)]
TIMES = st.integers(0, 20).map(lambda n: f"3/1/2020 {n // 6}:{n % 6}0") | st.sampled_from([*AHEAD, "6/1/2021 0:00"])
STREAMS = st.lists(TIMES | st.sampled_from(["soon", "3/1/2020 0:05", "1/1/9999 0:00"]), max_size=30)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(STREAMS, st.data())
def test_cut_anywhere_it_goes_on_as_if_it_had_not_stopped(times: list[str], data: st.DataObject) -> None:
    """A snapshot, what was published and committed after it, then the rest: same outcomes, same arrays."""
    stream = records(*times)
    kept, committed = sorted(data.draw(st.tuples(st.integers(0, len(stream)), st.integers(0, len(stream)))))
    old, new = core(), core()
    clean = published(old.handle(stream[:kept]))
    resume(new, state_of(old))
    assert_same(state_of(new), state_of(old))
    clean += published(old.handle(stream[kept:committed]))
    new.restore(clean)
    new.restore(stream[kept:committed])
    assert_same(state_of(new), state_of(old))
    assert outcomes(new.handle(stream[committed:])) == outcomes(old.handle(stream[committed:]))
    assert_same(state_of(new), state_of(old))
    assert_writable(state_of(new))


SENT = st.sampled_from([-1, 0, MARCH_MS, int(1000 * NOW.timestamp())])


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.tuples(TIMES, SENT, st.timedeltas(timedelta(0), timedelta(hours=3))), max_size=30), st.data())
def test_rebuilt_it_is_what_it_was_whatever_the_clocks_said(
    sent: list[tuple[str, int, timedelta]], data: st.DataObject
) -> None:
    """Records of any time of their own, judged as the hours pass: years later the topics alone give the same state."""
    stream = [Raw(raw(time), offset=offset, timestamp=ms) for offset, (time, ms, _) in enumerate(sent)]
    old, rebuilt, resumed = core(), core(), core()
    kept = data.draw(st.integers(0, len(stream)))
    clean, clock = list[Raw](), datetime(2020, 3, 1, tzinfo=UTC)
    for number, (record, (_, _, passed)) in enumerate(zip(stream, sent, strict=True)):
        if number == kept:
            resume(resumed, state_of(old))
        clock += passed
        with patch("services.ingestor.app.now", return_value=clock):
            clean += published(old.handle([record]))
    rebuilt.restore(clean)
    rebuilt.restore(stream)
    assert_same(state_of(rebuilt), state_of(old))
    if kept < len(stream):
        resumed.restore(clean)
        resumed.restore(stream[kept:])
        assert_same(state_of(resumed), state_of(old))


def test_a_run_of_refused_readings_goes_on() -> None:
    """Five readings from beyond the gap before the stop, the sixth after it: it is the new truth."""
    before, sixth = records("3/1/2020 0:00", *AHEAD[:5]), records(AHEAD[5])
    old, new = core(), core()
    old.handle(before)
    resume(new, state_of(old))
    assert [one.topic for one in new.handle(sixth)] == [topics.CLEAN.name]


@pytest.mark.parametrize(
    ("timestamp", "stamp", "reading"),
    [
        (MARCH_MS, "3/1/2020 1:00", "accepted"),
        (0, "3/1/2020 1:00", "accepted"),
        (-1, "1/1/2026 1:00", "accepted"),
        (-1, "1/1/2026 1:10", "refused"),
        (0, "1/1/2026 1:10", "refused"),
        (int(1000 * (NOW + timedelta(minutes=10)).timestamp()), "1/1/2026 1:10", "accepted"),
        (2**63 - 1, "1/1/2026 1:10", "refused"),
    ],
)
def test_a_reading_is_in_the_future_of_the_later_clock(timestamp: int, stamp: str, reading: str) -> None:
    """The record's time may be a midnight before it or 1970, our clock may be slow: an hour after both is refused."""
    with patch("services.ingestor.app.now", return_value=NOW):
        (sent,) = core().handle([Raw(raw(stamp), timestamp=timestamp)])
    assert sent.topic == {"accepted": topics.CLEAN, "refused": topics.REJECTED}[reading].name
    if sent.headers:
        assert f"an hour after {NOW.isoformat()}" in (DeadLetter.from_headers(sent.headers).value or "")


def test_what_is_folded_in_silence_is_not_counted() -> None:
    """Accepted, merged and refused records of the past leave every counter and gauge as it was."""
    registry = CollectorRegistry()
    one = core(registry)
    blank = {sample.name: sample.value for metric in registry.collect() for sample in metric.samples}
    one.restore(records("3/1/2020 0:00", "3/1/2020 0:00", "soon"))
    assert {sample.name: sample.value for metric in registry.collect() for sample in metric.samples} == blank


def test_without_transactions_what_is_published_again_has_the_same_bytes() -> None:
    """Killed after it has published and before it commits, with a snapshot of what was committed: identical doubles."""
    before, in_hand = records("3/1/2020 0:00"), records("3/1/2020 0:20", "3/1/2020 0:10", "soon", *AHEAD)
    killed, successor = core(), core()
    killed.handle(before)
    resume(successor, state_of(killed))
    published = outcomes(killed.handle(in_hand))
    assert outcomes(successor.handle(in_hand)) == published
    assert_same(state_of(successor), state_of(killed))


def test_published_readings_are_remembered() -> None:
    """Where nothing was kept, the topic of clean readings says what was published; what is none says nothing."""
    old, new = core(), core()
    published = old.handle(records("3/1/2020 0:00", "3/1/2020 0:20"))
    new.restore([Raw(b"{}", topics.CLEAN.name), *(Raw(one.value, one.topic) for one in published)])
    assert_same(state_of(new), state_of(old))


def test_what_does_not_fit_is_refused_by_name() -> None:
    """An array that is missing, foreign or misshapen is named, and the core is as it was."""
    old = core()
    old.handle(records("3/1/2020 0:00", *AHEAD[:2]))
    assert_misfits_are_refused(core(), state_of(old))


def test_the_state_belongs_to_a_format() -> None:
    """Another format is another state; the sites are in the state, as soon as they have sent something."""
    fresh = core(sites=(TETOUAN, north()))
    assert (fresh.identity(), set(fresh.parts())) == ({"format": "5"}, {UNSERVED})
    fresh.handle(records("3/1/2020 0:00"))
    assert fresh.parts().keys() == {UNSERVED, "tetouan"}


def north(**changes: object) -> Site:
    """Return a second site."""
    return TETOUAN.model_copy(update={"name": "north", **changes})


def test_all_sites_of_the_table_are_served() -> None:
    """Each has its own order and its own key; none becomes a dead letter for what another has sent."""
    both = core(sites=(TETOUAN, north()))
    of_north = [Raw(raw(f"3/1/2020 {hour}:00").replace(b"tetouan", b"north"), key=b"north") for hour in range(3)]
    of_tetouan = records(*(f"3/1/2020 {hour}:00" for hour in range(3)))
    sent = both.handle([record for pair in zip(of_north, of_tetouan, strict=True) for record in pair])
    assert [(one.topic, one.key) for one in sent] == [
        (topics.CLEAN.name, b"north"),
        (topics.CLEAN.name, b"tetouan"),
    ] * 3


def of_site(name: str, *times: str) -> list[Raw]:
    """Return raw records of another site."""
    return [Raw(raw(time).replace(b"tetouan", name.encode()), key=name.encode()) for time in times]


@pytest.mark.parametrize("name", ["north", "tetouan.2"])
def test_a_site_that_left_the_table_is_dropped(name: str) -> None:
    """The others go on where they were, whatever it was called; should it come back, its past is on the topics."""
    both, alone = core(sites=(TETOUAN, north(name=name))), core()
    both.handle([*records("3/1/2020 0:00"), *of_site(name, "3/1/2020 0:00")])
    alone.handle(records("3/1/2020 0:00"))
    left = core()
    resume(left, state_of(both))
    assert_same(site_arrays(left), site_arrays(alone))
    again = core(sites=(TETOUAN, north(name=name)))
    with pytest.raises(OutdatedError, match=f"there were records of {name} before the table of sites had it"):
        resume(again, state_of(left))
    resume(again, state_of(both))
    assert_same(state_of(again), state_of(both))


def test_each_change_of_a_part_is_numbered() -> None:
    """Whether records are judged or folded again; what is taken up begins with 0, what is dropped is a change."""
    both = core(sites=(TETOUAN, north()))
    assert_numbered(both, lambda: both.handle(records("3/1/2020 0:00")), "tetouan")
    assert_numbered(both, lambda: both.handle(of_site("north", "3/1/2020 0:00")), "north")
    clean = published(core(sites=(TETOUAN, north())).handle(of_site("north", "3/1/2020 0:10")))
    assert_numbered(both, lambda: both.restore(clean), "north")
    assert_numbered(both, lambda: both.handle(of_site("south", "3/1/2020 0:10")), UNSERVED)
    assert_numbered(both, lambda: both.handle(of_site("south", "3/1/2020 0:20")))
    again, without = core(sites=(TETOUAN, north())), core()
    resume(again, state_of(both))
    assert set(again.parts().values()) == {0}
    resume(without, state_of(both))
    assert without.parts() == {"tetouan": 0, UNSERVED: 1}


def site_arrays(of: IngestorCore) -> dict[str, np.ndarray]:
    """Return the arrays of the sites."""
    return {name: array for name, array in state_of(of).items() if not name.startswith(UNSERVED)}


@pytest.mark.parametrize(
    "changed", [{"step_minutes": 30}, {"time_zone": "Europe/Madrid"}, {"columns": {"A": "zone_1_kw"}}, None]
)
def test_a_site_that_changed_or_was_not_known_begins_from_the_topics(changed: dict[str, object] | None) -> None:
    """The snapshot does not hold it as it is now: what it has published is read again, of its present step."""
    before = (TETOUAN,) if changed is None else (TETOUAN, north())
    old, new = core(sites=before), core(sites=(TETOUAN, north(**(changed or {}))))
    old.handle(of_site("north", "3/1/2020 0:00"))
    blank = state_of(new)
    with pytest.raises(OutdatedError, match="north"):
        resume(new, state_of(old))
    assert_same(state_of(new), blank)


def test_a_site_that_is_new_in_the_table_begins_with_its_first_reading() -> None:
    """Where nothing of it came before, the state of the others is taken up as it is."""
    old, new = core(), core(sites=(TETOUAN, north()))
    old.handle(records("3/1/2020 0:00"))
    resume(new, state_of(old))
    assert_same(state_of(new), state_of(old))
    assert [one.topic for one in new.handle(of_site("north", "3/1/2020 0:00"))] == [topics.CLEAN.name]


def test_records_of_a_refused_entry_of_the_table_say_why() -> None:
    """Its name is known, and what is wrong with its table; the other sites run."""
    ingestor = Ingestor([TETOUAN], timedelta(days=3), {"north": "north.step_minutes = 7: use 5, 10, 15, 30 or 60"})
    outcome = ingestor.judge(of_site("north", "3/1/2020 0:00")[0].value or b"", NOW)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.field) == ("unknown_site", "site")
    assert outcome.value == (
        "north: its table is refused: north.step_minutes = 7: use 5, 10, 15, 30 or 60: mend it, and start the services "
        "anew"
    )


def test_a_gauge_shows_the_last_value_that_there_was() -> None:
    """The time is that of the last clean reading; a field that is missing in it keeps what it had."""
    registry = CollectorRegistry()
    one = core(registry)
    one.handle([Raw(raw("3/1/2020 0:00")), Raw(raw("3/1/2020 0:10", temperature_c="", zone_1_kw="31000.5"))])
    at = {field: {"site": "tetouan", "field": field} for field in ("temperature_c", "zone_1_kw")}
    assert registry.get_sample_value("tetouan_reading_value", at["temperature_c"]) == 11.5
    assert registry.get_sample_value("tetouan_reading_value", at["zone_1_kw"]) == 31000.5
    shown_s = registry.get_sample_value("tetouan_reading_timestamp_seconds", {"site": "tetouan"})
    assert shown_s == MARCH_MS / 1000 + 600


def test_what_an_ingestor_shows_of_its_sites_goes_away_with_it() -> None:
    """Series and notes; a process goes on with other cores."""
    registry, notes = CollectorRegistry(), dict[str, str]()
    closing = core(registry, notes)
    closing.handle([Raw(raw("3/1/2020 0:00").replace(b"{", b'{"colour": "red", ', 1))])
    assert 'field "colour" of tetouan' in notes
    assert registry.get_sample_value("tetouan_accepted_readings_total", {"site": "tetouan"}) == 1
    closing.close()
    assert notes == {}
    left = [sample.name for family in registry.collect() for sample in family.samples if "site" in sample.labels]
    assert left == []


def test_an_ingestor_that_was_replaced_does_not_take_away_what_the_next_one_shows() -> None:
    """A task that is made anew shows its sites before the last one is closed; what it counts goes on to show."""
    service = build(load(IngestorSettings))
    registry, notes = service.registry, service.health.notes
    first, second = service.make_core(), service.make_core()
    assert isinstance(first, IngestorCore)
    assert isinstance(second, IngestorCore)
    odd = [Raw(raw(f"3/1/2020 0:{minute}0").replace(b"{", b'{"colour": "red", ', 1)) for minute in range(3)]
    first.handle(odd[:1])
    resume(second, state_of(first))
    second.handle(odd[1:2])
    first.close()
    assert 'field "colour" of tetouan' in notes
    second.handle(odd[2:])
    assert registry.get_sample_value("tetouan_accepted_readings_total", {"site": "tetouan"}) == 3
    second.close()
    assert notes == {}
    assert registry.get_sample_value("tetouan_accepted_readings_total", {"site": "tetouan"}) is None


@pytest.mark.parametrize(
    ("key", "reason", "value"),
    [
        (None, "no_key", 'there is none: set the key of each record to its site, here "tetouan"'),
        (b"", "no_key", "there is none: "),
        (b"meter-7", "key_is_not_the_site", 'meter-7: set the key of each record to its site, here "tetouan"'),
        (b'"tetouan"', "key_is_not_the_site", '"tetouan": set the key'),
        (b"\x00\x00\x00\x00\x07tetouan", "key_is_not_the_site", r"\x00\x00\x00\x00\x07tetouan: set the key"),
        (b"\xff", "key_is_not_the_site", r"\xff: set the key"),
    ],
)
def test_the_key_of_a_record_is_its_site(key: bytes | None, reason: str, value: str) -> None:
    """Else the readings of one site stand on several partitions; where there is one, nothing depends on the key."""
    one = core()
    one.know_partitions({"test.readings.raw.v1": 4})
    blank = state_of(one)
    (refused,) = one.handle([Raw(raw(), key=key)])
    letter = DeadLetter.from_headers(refused.headers)
    assert (letter.reason, letter.field) == (reason, "key")
    assert (letter.value or "").startswith(value)
    assert refused.key == key
    one.restore([Raw(raw(), key=key)])
    assert_same(state_of(one), blank)
    one.know_partitions({"test.readings.raw.v1": 1})
    (taken,) = one.handle([Raw(raw(), key=key)])
    assert (taken.topic, taken.key) == (topics.CLEAN.name, b"tetouan")


def test_unknown_fields_are_counted_and_named_once() -> None:
    """The reading is taken; the metric counts every one, log and notes name it once, and what it may have replaced."""
    registry, notes = CollectorRegistry(), dict[str, str]()
    one = core(registry, notes)
    renamed = raw("3/1/2020 0:10").replace(b"Zone 1 Power Consumption", b"zone 1 power")
    quality = [raw(f"3/1/2020 0:{minute}0").replace(b"{", b'{"quality": "A", ', 1) for minute in (2, 3)]
    with capture_logs() as logs:
        sent = one.handle([Raw(value) for value in (raw(), renamed, *quality)])
    assert [answer.topic for answer in sent] == [topics.CLEAN.name] * 4
    assert len(logs) == len(notes) == 2
    assert notes['field "zone 1 power" of tetouan'].endswith('did "zone 1 power" replace "Zone 1 Power Consumption"?')
    assert notes['field "quality" of tetouan'] == (
        '"quality" is no column of tetouan and is passed over: give it a field in the columns of the site\'s table '
        "(TETOUAN_SITES), or list it in ignore"
    )
    assert registry.get_sample_value("tetouan_unknown_fields_total", {"site": "tetouan", "field": "quality"}) == 2


def test_the_names_of_unknown_fields_are_bounded() -> None:
    """A sender that invents names fills neither memory nor metrics: from some number on they are counted as other."""
    registry, notes = CollectorRegistry(), dict[str, str]()
    one = core(registry, notes)
    for offset in range(3):
        fields = json.dumps({f"field {n} of {offset}": n for n in range(100)})[1:-1].encode()
        record = Raw(raw(f"3/1/2020 0:{offset}0").replace(b"{", b"{" + fields + b", ", 1))
        one.handle([record])
    counted = {
        sample.labels["field"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "tetouan_unknown_fields_total"
    }
    assert len(notes) == 32
    assert len(counted) == 33
    assert sum(counted.values()) == 300
    assert counted["other"] == 268


def register_records(kwh: Sequence[float], begin: int = 0) -> list[Raw]:
    """Return ten-minute readings of a register in zone 1, on from a number of them."""
    times = (datetime(2020, 3, 1, tzinfo=UTC) + timedelta(minutes=10 * (begin + n)) for n in range(len(kwh)))
    return [Raw(raw(time.isoformat(), zone_1_kw=str(value))) for time, value in zip(times, kwh, strict=True)]


def loads(count: int, load: float, begin: int = 0, **fields: str) -> list[Raw]:
    """Return ten-minute readings of a load in zone 1, on from a number of them."""
    times = (datetime(2020, 3, 1, tzinfo=UTC) + timedelta(minutes=10 * (begin + n)) for n in range(count))
    return [Raw(raw(time.isoformat(), zone_1_kw=str(load), **fields)) for time in times]


def test_limits_that_refuse_most_values_are_noted_until_they_do_not() -> None:
    """After some hours: a note with field, limits and what to change, and a count; both survive a restart."""
    registry, notes = CollectorRegistry(), dict[str, str]()
    refusing, labels = core(registry, notes), {"site": "tetouan", "field": "zone_1_kw", "kind": "limits"}
    refusing.handle(loads(20, 500_000.0))
    assert notes == {}
    refusing.handle(loads(10, 500_000.0, begin=20))
    assert notes == {
        "zone_1_kw of tetouan": (
            "zone_1_kw ('Zone 1 Power Consumption') of tetouan, from 2020-03-01 00:00 UTC on, is mostly refused, "
            "beyond its limits of 0 to 150000: change tetouan.limits.zone_1_kw or the unit of the column "
            "(TETOUAN_SITES), or mend the meter"
        )
    }
    assert registry.get_sample_value("tetouan_loads_in_doubt_total", labels) == 1.0
    notes_after: dict[str, str] = {}
    resumed = core(notes=notes_after)
    resume(resumed, state_of(refusing))
    resumed.handle(loads(1, 500_000.0, begin=30))
    assert notes_after == notes
    resumed.handle(loads(30, 20_000.0, begin=31))
    assert notes_after == {}


def test_a_step_that_the_readings_do_not_have_is_noted_until_they_have() -> None:
    """After fifty: a note that names site and both steps, and a count; both survive a restart."""

    def half_hourly(first: int, count: int) -> list[Raw]:
        return [each for n in range(first, first + count) for each in loads(1, 20_000.0, begin=3 * n)]

    registry, notes = CollectorRegistry(), dict[str, str]()
    doubting, labels = core(registry, notes), {"site": "tetouan", "field": "step_minutes", "kind": "step"}
    doubting.handle(half_hourly(0, 48))
    assert notes == {}
    doubting.handle(half_hourly(48, 10))
    assert notes == {
        "step_minutes of tetouan": (
            "tetouan: its table says step_minutes = 10, and most of the readings come every 30 minutes: set "
            "step_minutes in the table (TETOUAN_SITES), or give readings as it says"
        )
    }
    assert registry.get_sample_value("tetouan_loads_in_doubt_total", labels) == 1.0
    notes_after: dict[str, str] = {}
    resumed = core(notes=notes_after)
    resume(resumed, state_of(doubting))
    resumed.handle(half_hourly(58, 1))
    assert notes_after == notes
    resumed.handle(loads(60, 20_000.0, begin=3 * 58 + 1))
    assert notes_after == {}


def test_gaps_now_and_then_say_nothing_of_the_step() -> None:
    """A meter that misses every third reading still has its step."""
    notes: dict[str, str] = {}
    core(notes=notes).handle([each for n in range(100) if n % 3 for each in loads(1, 20_000.0, begin=n)])
    assert notes == {}


def test_the_limits_of_weather_are_watched_too() -> None:
    """A thermometer that sends kelvins is named; what is missing says nothing of limits."""
    notes: dict[str, str] = {}
    core(notes=notes).handle(loads(40, 20_000.0, temperature_c="293"))
    assert list(notes) == ["temperature_c of tetouan"]
    other: dict[str, str] = {}
    core(notes=other).handle(loads(40, 20_000.0, temperature_c="-"))
    assert other == {}


def test_a_load_that_only_rises_is_noted_until_it_falls() -> None:
    """After two days: a note that names the key to set, a count; both survive a restart from the snapshot."""
    registry, notes = CollectorRegistry(), dict[str, str]()
    rising, labels = core(registry, notes), {"site": "tetouan", "field": "zone_1_kw", "kind": "register"}
    rising.handle(register_records([1000.0 + n for n in range(288)]))
    assert notes == {}
    rising.handle(register_records([1288.0, 1289.0], begin=288))
    assert list(notes) == ["zone_1_kw of tetouan"]
    assert 'only rises, as a register does: set kind = "register" of the column' in notes["zone_1_kw of tetouan"]
    assert registry.get_sample_value("tetouan_loads_in_doubt_total", labels) == 1.0
    notes_after: dict[str, str] = {}
    resumed = core(notes=notes_after)
    resume(resumed, state_of(rising))
    resumed.handle(register_records([1290.0], begin=290))
    assert notes_after == notes
    resumed.handle(register_records([1.0], begin=291))
    assert notes_after == {}
