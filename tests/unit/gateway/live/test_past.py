"""What is read of the topics for somebody who was away."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition

from services.gateway.live.events import KINDS, EventId
from services.gateway.live.past import MOST_BYTES, Past
from shared.runtime.access import Access
from tests.unit.gateway.live.log import Log

if TYPE_CHECKING:
    from services.gateway.live.events import Event

READINGS, FORECASTS, DRIFT = (TopicPartition(f"p.{KINDS[kind]}", 0) for kind in ("readings", "forecasts", "drift"))
SECOND_MS = 1000


def past_of(log: Log) -> Past:
    """Return the past on some topics."""
    return Past(Access("127.0.0.1:1"), "p.", log.connect)  # type: ignore[arg-type]  # a reader in memory


async def all_behind(past: Past, log: Log, place: EventId) -> list[Event]:
    """Return all that somebody is sent who has seen all up to a place."""
    positions, said = await past.behind(place, list(log.records))
    assert said is None
    until = {partition: len(records) for partition, records in log.records.items()}
    events: list[Event] = []
    while positions != until:
        found, positions = await past.read(positions, until)
        events += found
    return events


def two_hours() -> Log:
    """Return a reading each six seconds with its forecast, stamped a little out of order, and one event of drift."""
    log, drawn = Log(), random.Random(1)  # noqa: S311 - no secret
    log.send(DRIFT, 4000 * SECOND_MS)
    for number in range(1200):
        for partition in (READINGS, FORECASTS):
            log.send(partition, 6 * SECOND_MS * number + drawn.randrange(20 * SECOND_MS))
    return log


def test_who_is_cut_off_while_catching_up_misses_nothing() -> None:
    """Whichever event was the last, what comes behind it is the rest: no partition runs ahead."""
    log = two_hours()
    first = EventId(KINDS["readings"], 0, 10)

    async def run() -> None:
        past = past_of(log)
        whole = await all_behind(past, log, first)
        wanted = {event.place for event in whole}
        assert len(whole) == len(wanted)
        assert {place.offset for place in wanted if place.topic == KINDS["readings"]} == set(range(11, 1200))
        for cut in range(0, len(whole), 97):
            seen = {event.place for event in whole[: cut + 1]}
            rest = await all_behind(past, log, whole[cut].place)
            assert seen | {event.place for event in rest} >= wanted

    asyncio.run(run())


def test_a_partition_keeps_its_order() -> None:
    """Also where its timestamps do not."""
    log = two_hours()

    async def run() -> None:
        events = await all_behind(past_of(log), log, EventId(KINDS["readings"], 0, 0))
        offsets = [event.place.offset for event in events if event.kind == "readings"]
        assert offsets == list(range(1, 1200))

    asyncio.run(run())


def test_the_past_comes_in_pieces() -> None:
    """Who has missed much is not kept in memory whole."""
    log = Log()
    for number in range(10):
        log.send(READINGS, number, size=MOST_BYTES // 2)

    async def run() -> None:
        events = await all_behind(past_of(log), log, EventId(KINDS["readings"], 0, 0))
        assert [event.place.offset for event in events] == list(range(1, 10))
        assert log.connections >= 5

    asyncio.run(run())


@pytest.mark.parametrize("bad", [{11, 12}, {500}, {1199}])
def test_a_record_that_cannot_be_fetched_is_left_out_with_a_word(bad: set[int]) -> None:
    """All others come, and a gap says where it was."""
    log = two_hours()
    log.bad = {(READINGS, offset) for offset in bad}

    async def run() -> None:
        events = await all_behind(past_of(log), log, EventId(KINDS["readings"], 0, 10))
        gaps = [event for event in events if event.frame.startswith(b"event: gap\n")]
        others = [event for event in events if event not in gaps]
        assert {event.place.offset for event in others if event.kind == "readings"} == set(range(11, 1200)) - bad
        assert {event.place.offset for event in gaps} == bad
        assert f'"after":"{KINDS["readings"]}:0:{min(bad) - 1}"'.encode() in gaps[0].frame
        assert b"id: " not in gaps[0].frame
        assert gaps[0].site is None

    asyncio.run(run())


def test_behind_a_record_that_can_no_longer_be_fetched_all_comes_again() -> None:
    """Its time cannot be told."""
    log = two_hours()
    log.bad = {(READINGS, 600)}

    async def run() -> None:
        events = await all_behind(past_of(log), log, EventId(KINDS["readings"], 0, 600))
        assert [event.place.offset for event in events if event.kind == "forecasts"] == list(range(1200))
        assert [event.place.offset for event in events if event.kind == "readings"] == list(range(601, 1200))

    asyncio.run(run())
