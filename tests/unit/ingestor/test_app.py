"""The ingestor's wiring without a broker: what it knows survives a stop, and the past is folded in silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.ingestor.app import IngestorCore
from services.ingestor.judging import Ingestor
from services.ingestor.metrics import IngestorMetrics
from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.data.sites import site
from shared.runtime.kafka import DeadLetters
from tests.unit.ingestor.readings import raw
from tests.unit.states import assert_misfits_are_refused, assert_same, assert_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.runtime.records import Outgoing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MARCH_MS = int(1000 * datetime(2020, 3, 1, tzinfo=UTC).timestamp())


@dataclass
class Consumed:
    """A record as a broker hands it over."""

    value: bytes | None
    topic: str = f"test.{topics.RAW.name}"
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"tetouan"
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = int(1000 * NOW.timestamp())


def core(registry: CollectorRegistry | None = None) -> IngestorCore:
    """Return the core of an ingestor that has seen nothing."""
    registry = registry or CollectorRegistry()
    ingestor = Ingestor([site("tetouan")], timedelta(days=3))
    return IngestorCore(site("tetouan"), ingestor, IngestorMetrics(registry), DeadLetters(registry))


def records(*times: str) -> list[Consumed]:
    """Return raw records of these times, numbered."""
    return [Consumed(raw(time), offset=offset) for offset, time in enumerate(times)]


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
    """A snapshot, what was committed after it folded in silence, then the rest: same outcomes, same arrays."""
    stream = records(*times)
    kept, committed = sorted(data.draw(st.tuples(st.integers(0, len(stream)), st.integers(0, len(stream)))))
    old, new = core(), core()
    old.handle(stream[:kept])
    new.resume(old.state())
    assert_same(new.state(), old.state())
    old.handle(stream[kept:committed])
    new.restore(stream[kept:committed])
    assert outcomes(new.handle(stream[committed:])) == outcomes(old.handle(stream[committed:]))
    assert_same(new.state(), old.state())
    assert_writable(new.state())


def test_a_run_of_refused_readings_goes_on() -> None:
    """Five readings from beyond the gap before the stop, the sixth after it: it is the new truth."""
    before, sixth = records("3/1/2020 0:00", *AHEAD[:5]), records(AHEAD[5])
    old, new = core(), core()
    old.handle(before)
    new.resume(old.state())
    assert [one.topic for one in new.handle(sixth)] == [topics.CLEAN.name]


@pytest.mark.parametrize(
    ("timestamp", "reading"),
    [(MARCH_MS, "accepted"), (MARCH_MS - 1, "refused"), (-1, "accepted"), (2**63 - 1, "accepted")],
)
def test_a_reading_is_in_the_future_of_its_own_record(timestamp: int, reading: str) -> None:
    """However late it is judged; where the record has no time, or one that has not come yet, by the wall clock."""
    (sent,) = core().handle([Consumed(raw("3/1/2020 1:00"), timestamp=timestamp)])
    assert sent.topic == {"accepted": topics.CLEAN, "refused": topics.REJECTED}[reading].name


def test_what_was_in_the_future_stays_so_when_it_is_folded_again() -> None:
    """Years later the refused reading is the past: it is still refused, and the one before it is in order."""
    stream = [Consumed(raw("3/1/2020 5:00"), timestamp=MARCH_MS), Consumed(raw("3/1/2020 0:10"), timestamp=MARCH_MS)]
    old, new = core(), core()
    assert [one.topic for one in old.handle(stream)] == [topics.REJECTED.name, topics.CLEAN.name]
    new.restore(stream)
    assert_same(new.state(), old.state())


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
    successor.resume(killed.state())
    published = outcomes(killed.handle(in_hand))
    assert outcomes(successor.handle(in_hand)) == published
    assert_same(successor.state(), killed.state())


def test_published_readings_are_remembered() -> None:
    """Where nothing was kept, the topic of clean readings says what was published; what is none says nothing."""
    old, new = core(), core()
    published = old.handle(records("3/1/2020 0:00", "3/1/2020 0:20"))
    new.restore([Consumed(b"{}", topics.CLEAN.name), *(Consumed(one.value, one.topic) for one in published)])
    assert_same(new.state(), old.state())


def test_what_does_not_fit_is_refused_by_name() -> None:
    """An array that is missing, foreign or misshapen is named, and the core is as it was."""
    old = core()
    old.handle(records("3/1/2020 0:00", *AHEAD[:2]))
    assert_misfits_are_refused(core(), old.state())


def test_the_state_belongs_to_a_site() -> None:
    """Another site, another step or another format is another state."""
    assert core().identity() == {"format": "1", "site": "tetouan", "step_minutes": "10"}
