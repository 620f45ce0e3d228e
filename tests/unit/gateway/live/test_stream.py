"""What a subscriber is sent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from services.gateway.http.doors import Visitor
from services.gateway.http.problems import Problem
from services.gateway.live.events import KINDS, Event, EventId, Wanted, event_of, gap
from services.gateway.live.hub import Hub
from services.gateway.live.metrics import LiveMetrics
from services.gateway.live.past import Past
from services.gateway.live.stream import StreamLimits, Streams, stream_router
from shared.runtime.access import Access
from shared.runtime.clock import monotonic_s
from tests.unit.consumed import Consumed
from tests.unit.gateway.http.asked import Gateway
from tests.unit.gateway.live.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping

READINGS, FORECASTS = KINDS["readings"], KINDS["forecasts"]


def event(offset: int, topic: str = READINGS, site: str = "tetouan", filling: str = "") -> Event:
    """Return an event that has come just now."""
    value = json.dumps({"site": site, "filling": filling}).encode()
    made = event_of(Consumed(value, topic, 0, offset), "", monotonic_s())
    assert made is not None
    return made


class Topics(Past):
    """Records of the past, by partition; ``reads`` counts how often they are asked for."""

    def __init__(self, *events: Event) -> None:
        super().__init__(Access("127.0.0.1:1"), "")
        self.events = list(events)
        self.reads = 0
        self.while_read: Callable[[], None] = lambda: None

    async def behind(
        self, place: EventId, partitions: Collection[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], bytes | None]:
        """Go on behind the place in its partition, and from the beginning in the others."""
        own = TopicPartition(place.topic, place.partition)
        said = gap(place, "gone") if place.offset == 0 else None
        return {partition: place.offset + 1 if partition == own else 0 for partition in partitions}, said

    async def read(
        self, positions: Mapping[TopicPartition, int], until: Mapping[TopicPartition, int]
    ) -> tuple[list[Event], dict[TopicPartition, int]]:
        """Return all there is between the offsets."""
        self.reads += 1
        found = [
            one
            for one in self.events
            for at in [TopicPartition(*one.place[:2])]
            if positions[at] <= one.place.offset < until[at]
        ]
        self.while_read()
        return found, dict(until)


class Live:
    """A replica that follows one partition of readings and one of forecasts."""

    def __init__(self, *past: Event, most_bytes: int = 1_000_000, begun: bool = True, **bounds: float) -> None:
        self.registry = CollectorRegistry()
        self.hub = Hub(most_bytes)
        self.topics = Topics(*past)
        begins = {TopicPartition(topic, 0): 0 for topic in (READINGS, FORECASTS)}
        ends = {TopicPartition(one.place.topic, 0): one.place.offset + 1 for one in past}
        if begun:
            self.hub.begin(begins | ends)
        self.streams = Streams(self.hub, self.topics, LiveMetrics(self.registry), bounds=StreamLimits(**bounds))  # type: ignore[arg-type]  # a number of subscribers is one, too

    def come(self, *events: Event) -> None:
        """Let events come."""
        for one in events:
            self.hub.add([one], {TopicPartition(*one.place[:2]): one.place.offset + 1})

    def ended(self, reason: str) -> float:
        """Return how many streams were ended for a reason."""
        return self.registry.get_sample_value("tetouan_live_streams_ended_total", {"reason": reason}) or 0.0

    def subscribers(self) -> float:
        """Return how many streams are open."""
        return self.registry.get_sample_value("tetouan_live_subscribers") or 0.0


def visitor(name: str) -> Visitor:
    """Return somebody who may stay."""

    async def stays() -> bool:
        return True

    return Visitor(name, stays)


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a test."""
    asyncio.run(test())


def test_events_come_in_order_as_they_are() -> None:
    """From now on, those that were asked for; and a stream that is closed leaves nothing."""

    async def test() -> None:
        live = Live()
        live.come(event(0))
        async with (
            Connection(live.streams) as everything,
            Connection(live.streams, topics="forecasts,scores") as forecasts,
            Connection(live.streams, site="b/c") as one_site,
        ):
            for connection in (everything, forecasts, one_site):
                await connection.until(": connected\n\n")
            live.come(event(1), event(2, site="b/c"), event(0, FORECASTS), event(3))
            text = await everything.until(f"id: {READINGS}:0:3\n\n")
            assert everything.ids == [f"{READINGS}:0:1", f"{READINGS}:0:2", f"{FORECASTS}:0:0", f"{READINGS}:0:3"]
            assert 'event: readings\ndata: {"site": "b/c", "filling": ""}\n' in text
            await forecasts.until("id: ")
            await one_site.until("id: ")
            assert forecasts.ids == [f"{FORECASTS}:0:0"]
            assert one_site.ids == [f"{READINGS}:0:2"]
            assert live.subscribers() == 3
        assert live.subscribers() == 0

    run(test)


def test_a_quiet_stream_has_a_heartbeat() -> None:
    """Proxies and clients learn that it is open, also while others are sent what this one has not asked for."""

    async def test() -> None:
        live = Live(heartbeat_s=0.02)
        async with Connection(live.streams) as connection, Connection(live.streams, topics="drift") as other:
            await connection.until(": ping\n\n: ping\n\n")
            live.come(event(0))
            await connection.until("id: ")
            await other.until(": ping\n\n: ping\n\n")
            assert other.ids == []

    run(test)


def test_a_stop_ends_streams_and_says_so() -> None:
    """The last event has no id, so that a client goes on behind the last real one."""

    async def test() -> None:
        live = Live()
        async with Connection(live.streams) as connection:
            await connection.until(": connected")
            live.hub.close()
            text = await connection.until('event: end\ndata: {"reason":"stopping"')
            assert "id: " not in text
            await connection.until_ended()
        assert live.ended("stopping") == 1

    run(test)


def test_who_takes_nothing_is_cut_off() -> None:
    """With the connection; the others are sent everything."""

    async def test() -> None:
        live = Live(stalled_s=0.05)
        async with Connection(live.streams) as stalled, Connection(live.streams) as other:
            await stalled.until(": connected")
            await other.until(": connected")
            stalled.stall()
            live.come(event(0))
            await stalled.wait_gone()
            live.come(event(1))
            await other.until(f"id: {READINGS}:0:1\n")
            assert live.ended("stalled") == 1
        assert live.subscribers() == 0

    run(test)


def test_who_is_slow_is_told_why_it_ends() -> None:
    """What it has not taken in time is no longer kept for it: there is no gap in what it was sent."""

    async def test() -> None:
        live = Live(most_bytes=10_000)
        async with Connection(live.streams) as slow:
            await slow.until(": connected")
            slow.stall()
            live.come(*(event(n, filling="x" * 1000) for n in range(50)))
            await asyncio.sleep(0)
            live.come(*(event(n, filling="x" * 1000) for n in range(50, 100)))
            slow.go_on()
            await slow.until('event: end\ndata: {"reason":"slow"')
            assert slow.ids == [f"{READINGS}:0:{n}" for n in range(len(slow.ids))]
            await slow.until_ended()
        assert live.ended("slow") == 1

    run(test)


def test_a_client_goes_on_behind_its_last_event_from_the_topics() -> None:
    """Where memory does not reach: what was missed comes first, then what comes, without a gap."""

    async def test() -> None:
        past = [event(n) for n in range(5)] + [event(n, FORECASTS) for n in range(3)]
        live = Live(*past)
        async with Connection(live.streams, last=f"{READINGS}:0:2") as connection:
            await connection.until(f"id: {FORECASTS}:0:2\n")
            await connection.until(": connected\n\n")
            live.come(event(5))
            await connection.until(f"id: {READINGS}:0:5\n")
            ids = connection.ids
            assert [one for one in ids if one.startswith(READINGS)] == [f"{READINGS}:0:{n}" for n in (3, 4, 5)]
            assert [one for one in ids if one.startswith(FORECASTS)] == [f"{FORECASTS}:0:{n}" for n in range(3)]

    run(test)


def test_what_comes_while_the_past_is_read_is_not_missed() -> None:
    """Also where so much comes that memory has dropped it when the past is read: then that is read, too."""

    async def test() -> None:
        live = Live(*(event(n) for n in range(5)), most_bytes=3_000)

        def come() -> None:
            if live.topics.reads == 1:
                new = [event(n, filling="x" * 1000) for n in range(5, 15)]
                live.topics.events += new
                live.come(*new)

        live.topics.while_read = come
        async with Connection(live.streams, last=f"{READINGS}:0:3", topics="readings") as connection:
            await connection.until(f"id: {READINGS}:0:14\n")
            live.come(event(15))
            await connection.until(f"id: {READINGS}:0:15\n")
            assert connection.ids == [f"{READINGS}:0:{n}" for n in range(4, 16)]
            assert live.topics.reads > 1

    run(test)


def test_what_can_no_longer_be_had_is_said() -> None:
    """A gap is an event of its own; an event that never was, too, and the stream goes on from now."""

    async def test() -> None:
        live = Live(event(1))
        async with Connection(live.streams, last=f"{READINGS}:0:0") as connection:
            await connection.until(f'event: gap\ndata: {{"after":"{READINGS}:0:0","detail":"gone"}}\n\n')
            await connection.until(f"id: {READINGS}:0:1\n")
        async with Connection(live.streams, last=f"{READINGS}:7:0") as connection:
            await connection.until("event: gap")
            live.come(event(2))
            await connection.until(f"id: {READINGS}:0:2\n")
            assert connection.ids == [f"{READINGS}:0:2"]

    run(test)


def test_nobody_is_connected_before_the_topics_are_followed() -> None:
    """Until then there is a heartbeat alone, and from then on nothing is missed; a stop ends the wait."""

    async def test() -> None:
        live = Live(heartbeat_s=0.02, begun=False)
        async with Connection(live.streams) as connection:
            await connection.until(": ping\n\n: ping\n\n")
            assert ": connected" not in connection.text
            live.hub.begin({TopicPartition(READINGS, 0): 0})
            await connection.until(": connected")
            live.come(event(0))
            await connection.until(f"id: {READINGS}:0:0\n")
        stopped = Live(begun=False)
        async with Connection(stopped.streams, last=f"{READINGS}:0:2") as connection:
            stopped.hub.close()
            await connection.until('"reason":"stopping"')
            await connection.until_ended()

    run(test)


def test_too_many_streams_are_refused() -> None:
    """And there is room again once one is closed."""

    async def test() -> None:
        live = Live(subscribers=1)
        async with Connection(live.streams) as connection:
            await connection.until(": connected")
            with pytest.raises(Problem, match="1 streams are open"):
                live.streams.open(Wanted(frozenset(KINDS)), None, visitor("b"))
        assert live.streams.open(Wanted(frozenset(KINDS)), None, visitor("b")) is not None

    run(test)


def test_one_client_does_not_take_all_streams() -> None:
    """It is told which setting bounds it; others come in, and it does again once it has closed one."""

    async def test() -> None:
        live = Live(per_client=1)
        async with Connection(live.streams, name="a") as connection, Connection(live.streams, name="b") as other:
            await connection.until(": connected")
            await other.until(": connected")
            with pytest.raises(Problem, match="TETOUAN_HTTP_STREAMS_PER_CLIENT") as refused:
                live.streams.open(Wanted(frozenset(KINDS)), None, visitor("a"))
            assert refused.value.status == 429
        assert live.streams.open(Wanted(frozenset(KINDS)), None, visitor("a")) is not None

    run(test)


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_stream_ends_once_its_key_is_revoked(*, is_busy: bool) -> None:
    """It is told why, be it quiet or busy; others go on."""

    async def test() -> None:
        live = Live(heartbeat_s=0.02)
        async with Connection(live.streams) as revoked, Connection(live.streams, name="b") as other:
            await revoked.until(": connected")
            await other.until(": connected")
            revoked.may_stay = False
            for number in range(1000):
                if revoked.ended:
                    break
                if is_busy:
                    live.come(event(number))
                await asyncio.sleep(0.01)
            assert 'event: end\ndata: {"reason":"revoked"' in revoked.text
            await revoked.until_ended()
            live.come(event(1000))
            await other.until(f"id: {READINGS}:0:1000\n")
        assert live.ended("revoked") == 1

    run(test)


@pytest.mark.parametrize(
    ("query", "last", "field", "value"),
    [
        ("?topics=readings,loads", "", "topics", "loads"),
        ("?topics=Readings", "", "topics", "Readings"),
        ("", "17", "Last-Event-ID", "17"),
        ("", "readings.raw.v1:0:1", "Last-Event-ID", "readings.raw.v1:0:1"),
    ],
)
def test_what_is_no_topic_and_no_id_is_refused(query: str, last: str, field: str, value: str) -> None:
    """422 names it; the document of the API has no path whose answer never ends."""
    gateway = Gateway(stream_router(Live().streams))
    answer = gateway.get(f"/api/v1/stream{query}", {"Last-Event-ID": last})
    assert answer.status_code == 422
    assert (answer.json()["field"], answer.json()["value"]) == (field, value)
    assert gateway.get("/openapi.json").json()["paths"] == {}


def test_head_of_the_stream_is_answered_without_one() -> None:
    """With its headers, at once; what cannot be read is refused as for GET."""
    gateway = Gateway(stream_router(Live().streams))
    head, bad = gateway.ask(
        *(httpx.Request("HEAD", f"http://localhost/api/v1/stream{query}") for query in ("", "?topics=loads"))
    )
    assert (head.status_code, head.content, head.headers["cache-control"]) == (200, b"", "no-store")
    assert head.headers["content-type"].startswith("text/event-stream")
    assert bad.status_code == 422


def test_a_parameter_that_the_stream_does_not_have_is_refused() -> None:
    """Before it begins."""
    answer = Gateway(stream_router(Live().streams)).get("/api/v1/stream?topic=readings")
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith("use topics")
