"""What is kept in memory, and who is given what of it."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from aiokafka import TopicPartition

from services.gateway.live.events import KINDS, Event, EventId, Wanted
from services.gateway.live.hub import CHUNK_BYTES, MARGIN_S, PACE_S, Hub, SlowError

READINGS, FORECASTS = KINDS["readings"], KINDS["forecasts"]
ALL = Wanted(frozenset(KINDS))


def event(
    offset: int,
    *,
    kind: str = "readings",
    site: str = "tetouan",
    partition: int = 0,
    at_s: float = 0.0,
    late_s: float = 0.0,
    size: int = 100,
) -> Event:
    """Return an event whose frame says where it stands; it came so many seconds after it was sent."""
    place = EventId(KINDS[kind], partition, offset)
    return Event(place, kind, site, f"{place}\n".encode().ljust(size, b"."), at_s, at_s - late_s)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def hub_with(*events: Event, most_bytes: int = 1_000_000, clock: Clock | None = None) -> Hub:
    """Return a hub that has been given these in turn, each shown at once."""
    clock = clock or Clock()
    hub = Hub(most_bytes, clock)
    hub.begin({})
    for each in events:
        clock.now_s += PACE_S
        hub.add([each], {TopicPartition(each.place.topic, each.place.partition): each.place.offset + 1})
    return hub


def places(piece: bytes) -> list[str]:
    """Return where the events of a piece stand."""
    return [line.lstrip(".") for line in piece.decode().split("\n")[:-1]]


def test_each_subscriber_is_given_what_it_wants_in_order() -> None:
    """By kind and by site, from its own place on, and the next time what comes after."""
    hub = hub_with(event(1), event(2, site="b"), event(7, kind="forecasts"), event(3))
    piece, count, cursor = hub.chunk(0, ALL)
    assert places(piece) == [f"{READINGS}:0:1", f"{READINGS}:0:2", f"{FORECASTS}:0:7", f"{READINGS}:0:3"]
    assert (count, cursor) == (4, 4)
    assert hub.chunk(cursor, ALL) == (b"", 0, 4)
    assert places(hub.chunk(0, Wanted(frozenset({"readings"})))[0]) == [f"{READINGS}:0:{n}" for n in (1, 2, 3)]
    assert places(hub.chunk(2, Wanted(frozenset(KINDS), frozenset({"b"})))[0]) == []
    assert places(hub.chunk(0, Wanted(frozenset(KINDS), frozenset({"b"})))[0]) == [f"{READINGS}:0:2"]


def test_all_who_are_as_far_are_given_the_same_bytes() -> None:
    """They are joined once."""
    hub = hub_with(event(1), event(2))
    assert hub.chunk(0, ALL)[0] is hub.chunk(0, Wanted(frozenset(KINDS)))[0]


def test_a_piece_is_bounded() -> None:
    """What a connection holds does not grow with what is missing; an event of any size is sent."""
    size = CHUNK_BYTES // 3
    hub = hub_with(*(event(n, size=size) for n in range(7)), event(7, size=2 * CHUNK_BYTES), most_bytes=10**9)
    cursor, counts = 0, []
    while cursor < hub.end:
        piece, count, cursor = hub.chunk(cursor, ALL)
        assert count == 1 or len(piece) <= CHUNK_BYTES
        counts.append(count)
    assert counts == [3, 3, 1, 1]


def test_memory_is_bounded_and_who_is_behind_it_is_told() -> None:
    """The oldest are dropped, and there is no gap without a word."""
    hub = hub_with(*(event(n) for n in range(1000)), most_bytes=10_000)
    kept, cursor = 0, hub.end
    while hub.holds(cursor - 1):
        cursor -= 1
        kept += 1
    assert 74 <= kept <= 101
    assert places(hub.chunk(cursor, ALL)[0])[0] == f"{READINGS}:0:{1000 - kept}"
    with pytest.raises(SlowError):
        hub.chunk(cursor - 1, ALL)


def test_behind_an_event_its_own_partition_goes_on_exactly() -> None:
    """Of others what came shortly before comes again: another replica may have sent it later."""
    clock = Clock()
    hub = hub_with(clock=clock)
    for n, pause_s in enumerate((100.0, 500.0, MARGIN_S, 1.0, 1.0)):
        clock.now_s += pause_s
        hub.add([event(n, at_s=clock.now_s), event(n, kind="forecasts", at_s=clock.now_s)], {})
    found = hub.behind(EventId(FORECASTS, 0, 3))
    assert found is not None
    events, cursor = found
    assert [str(each.place) for each in events] == [f"{READINGS}:0:{n}" for n in (2, 3)]
    assert cursor == 8
    assert places(hub.chunk(cursor, ALL)[0]) == [f"{READINGS}:0:4", f"{FORECASTS}:0:4"]


def test_behind_an_event_that_came_late_all_comes_that_came_since_it_was_sent() -> None:
    """From the topics it was told in its turn, before what was sent later and could be read earlier."""
    clock = Clock()
    hub = hub_with(clock=clock)
    clock.now_s += 300.0
    hub.add([event(1, kind="forecasts", at_s=clock.now_s)], {})
    clock.now_s += 100.0
    hub.add([event(1, at_s=clock.now_s, late_s=120.0)], {})
    found = hub.behind(EventId(READINGS, 0, 1))
    assert found is not None
    assert [str(each.place) for each in found[0]] == [f"{FORECASTS}:0:1"]


def test_few_pieces_are_kept_for_others() -> None:
    """However many subscribers ask for different things in a quiet time after a burst."""
    hub = hub_with(*(event(n, size=CHUNK_BYTES // 2) for n in range(51)), most_bytes=10**9)
    tracemalloc.start()
    try:
        for number in range(200):
            wanted = Wanted(frozenset({"readings", str(number)}))
            assert len(hub.chunk(number % 50, wanted)[0]) == CHUNK_BYTES
        assert tracemalloc.get_traced_memory()[0] < 50 * CHUNK_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", [EventId(READINGS, 0, 9), EventId(READINGS, 1, 2), EventId(FORECASTS, 0, 2)])
def test_what_is_not_in_memory_is_looked_for_elsewhere(place: EventId) -> None:
    """Memory does not guess."""
    assert hub_with(event(1, at_s=1e6), event(2, at_s=1e6)).behind(place) is None


def test_memory_that_begins_too_late_is_not_believed() -> None:
    """What came just before the event may have been dropped, or have come before the start."""
    clock = Clock()
    hub = hub_with(clock=clock)
    hub.add([event(1, at_s=clock.now_s + 1)], {})
    assert hub.behind(EventId(READINGS, 0, 1)) is None
    clock.now_s += MARGIN_S
    hub.add([event(2, at_s=clock.now_s)], {})
    assert hub.behind(EventId(READINGS, 0, 2)) is not None


def test_subscribers_are_woken_no_faster_than_the_pace() -> None:
    """The first event at once; those that follow in the meantime together, once it is over."""

    async def run() -> None:
        hub = Hub()
        hub.add([event(1)], {})
        await asyncio.wait_for(hub.moved(0), 1)
        hub.add([event(2)], {})
        hub.add([event(3)], {})
        assert hub.chunk(1, ALL) == (b"", 0, 1)
        await asyncio.wait_for(hub.moved(1), 10)
        assert hub.chunk(1, ALL)[1] == 2

    asyncio.run(run())


def test_closing_wakes_all() -> None:
    """Nobody waits for an event that does not come."""

    async def run() -> None:
        hub = Hub()
        waiting = [asyncio.create_task(hub.moved(0)) for _ in range(3)]
        await asyncio.sleep(0)
        hub.close()
        await asyncio.wait_for(asyncio.gather(*waiting), 10)

    asyncio.run(run())


def test_events_are_handed_out_as_they_were_shown() -> None:
    """From a number on; who is behind what is kept is told so, and one who has all gets none."""
    hub = hub_with(*(event(offset) for offset in range(5)))
    found, cursor = hub.events(2)
    assert [each.place.offset for each in found] == [2, 3, 4]
    assert hub.events(cursor) == ([], cursor)
    small = hub_with(*(event(offset) for offset in range(20)), most_bytes=1000)
    with pytest.raises(SlowError):
        small.events(0)


def test_it_is_known_how_long_a_site_has_been_silent() -> None:
    """Since the newest event of a kind was sent, not since it came; of what never came nothing is known."""
    clock = Clock()
    hub = hub_with(event(1, at_s=100.0), event(2, at_s=101.0, late_s=3.0), clock=clock)
    clock.now_s = 110.0
    assert hub.silence_s("readings", "tetouan") == 12.0
    assert hub.silence_s("forecasts", "tetouan") is None
    assert hub.silence_s("readings", "elsewhere") is None
